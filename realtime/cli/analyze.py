"""Run plugins over files, faster than real time: the same graph and the same results as a live host.

Events (beats, onsets, notes …) are always written; continuous values (level, pitch, probability …) where
--outputs names them, or all with --values. The kind of file follows its ending: .jsonl, .csv, .txt (Audacity
labels), .mid, .jams. Without -o, JSON lines go to standard output.

examples:
  sidechain analyze song.flac -o song.jsonl
  sidechain analyze *.wav --only beat -o results/          one results/NAME.jsonl for each file
  sidechain analyze talk.wav --only voice,pitch --outputs pitch.hz -o talk.csv
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from realtime.audio.file import FileSource, open_sound_file
from realtime.cli.build import add_plugin_arguments, output_names, preset_for
from realtime.cli.collect import Collector, Take, take_to_lines, take_to_stdout
from realtime.cli.common import names, nearest, notice
from realtime.cli.progress import progress_bar
from realtime.engine import Engine
from realtime.errors import UserError
from realtime.outputs.eventfile import Entry
from realtime.outputs.export import ENDINGS, export
from realtime.preset import Preset

LINES = ".jsonl"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("file", nargs="+", help="sound files: everything libsndfile reads (WAV, FLAC, Ogg, MP3 …)")
    parser.add_argument(
        "--preset", "-p", default="everything", help="which plugins, how set (default: everything)"
    )
    add_plugin_arguments(parser)
    parser.add_argument(
        "--outputs", metavar="PLUGIN.OUTPUT,…", help="write these continuous values too, e.g. pitch.hz,level.rms"
    )
    parser.add_argument("--values", action="store_true", help="write all continuous values")
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="where to write; a folder (ending in /) for several files"
    )
    parser.add_argument("--quiet", "-q", action="store_true", help="no progress and no summary")


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    preset = preset_for(args.preset, args.only, args.set)
    wanted = wanted_values(preset, args.outputs, args.values)
    places = destinations(args.file, args.output)
    for file in args.file:
        open_sound_file(Path(file)).close()  # a bad one is refused before any work is done
    for file, place in zip(args.file, places):
        analyze_file(preset, file, place, wanted, quiet=args.quiet)
    return 0


def wanted_values(preset: Preset, outputs: str | None, every: bool) -> frozenset[str] | None:
    """Names of the continuous values to write; None = all."""
    chosen = names(outputs or "")
    known = output_names(preset)
    for name in chosen:
        if name not in known:
            raise UserError(f"--outputs: the chosen plugins have no '{name}'{nearest(name, known)}")
    return None if every else frozenset(chosen)


def destinations(files: Sequence[str], output: str | None) -> list[Path | None]:
    """Where the results of each file go; None = standard output."""
    if output is None:
        return [None] * len(files)
    path = Path(output)
    if path.is_dir() or output.endswith(("/", "\\")):
        places = [path / (Path(f).stem + ".jsonl") for f in files]
        twice = next((p for p in places if places.count(p) > 1), None)
        if twice is not None:
            raise UserError(f"two of the files would be written to {twice}; analyze them one by one")
        return list(places)
    if len(files) > 1:
        raise UserError(f"{len(files)} files cannot go into one '{output}'; give a folder, e.g. -o {path.stem}/")
    if path.suffix.lower() not in (LINES, *ENDINGS):
        raise UserError(f"'{output}': the ending must be one of {', '.join((LINES, *ENDINGS))}")
    return [path]


def analyze_file(
    preset: Preset, file: str, place: Path | None, wanted: frozenset[str] | None, quiet: bool = False
) -> None:
    """Run one file through the preset's plugins and write what they say.

    Raises
    ------
    UserError
        The file cannot be read, or the result cannot be written (then nothing is left half-written).
    """
    with entries_to(place) as take:
        engine, events, took = _run(preset, file, take, wanted, quiet)
    if not quiet:
        seconds = engine.lane.now
        target = f" → {place}" if place is not None else ""
        speed = seconds / max(took, 1e-9)
        notice(f"{file}: {seconds:.1f} s in {took:.2f} s ({speed:.0f} × real time), {events} events{target}")
    for slot in engine.slots:
        if slot.errors:
            notice(f"{file}: plugin '{slot.identifier}' failed {slot.errors} times: {slot.error}")


@contextmanager
def entries_to(place: Path | None) -> Iterator[Take]:
    """Where entries go: standard output, a file of lines as they come, or another kind of file at the end."""
    if place is None:
        yield take_to_stdout
    elif place.suffix.lower() == LINES:
        _make_folder(place)
        with take_to_lines(place) as take:
            yield take
    else:
        _make_folder(place)
        entries: list[Entry] = []
        yield entries.append
        export(place, entries)


def _make_folder(place: Path) -> None:
    """The folder of results is made if its own folder is there."""
    if not place.parent.exists():
        try:
            place.parent.mkdir()
        except OSError as e:
            raise UserError(f"{place}: cannot be written ({e.strerror})") from e


def _run(
    preset: Preset, file: str, take: Take, wanted: frozenset[str] | None, quiet: bool
) -> tuple[Engine, int, float]:
    """The engine after the run, the number of events, and the seconds it took."""
    source = FileSource(file, paced=False)
    collector = Collector(wanted, take, lambda: engine.lane.now)
    engine = Engine(preset.model_copy(deep=True), source, tap=collector, outputs=False)
    begun = time.perf_counter()
    with progress_bar(Path(file).name, quiet) as bar:
        engine.run_offline(lambda seconds: bar(seconds, source.duration))
    return engine, collector.events, time.perf_counter() - begun
