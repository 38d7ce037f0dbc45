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
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from realtime.cli.build import add_plugin_arguments, output_names, preset_for
from realtime.cli.common import names, nearest, notice
from realtime.cli.progress import progress_bar
from realtime.errors import UserError
from realtime.outputs.export import ENDINGS, Collector, write
from realtime.preset import Preset


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
    if path.suffix.lower() not in ENDINGS:
        raise UserError(f"'{output}': the ending must be one of {', '.join(sorted(ENDINGS))}")
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
    from realtime.audio.file import FileSource
    from realtime.engine import Engine

    collector = Collector(wanted)
    source = FileSource(file, paced=False)
    engine = Engine(preset.model_copy(deep=True), source, tap=collector, outputs=False)
    begun = time.perf_counter()
    with progress_bar(Path(file).name, quiet) as bar:
        engine.run_offline(lambda seconds: bar(seconds, source.duration))
    took = time.perf_counter() - begun
    if place is None:
        collector.print_to(sys.stdout)
    else:
        write(place, collector)
    if not quiet:
        seconds = engine.lane.now
        target = f" → {place}" if place is not None else ""
        notice(
            f"{file}: {seconds:.1f} s in {took:.2f} s ({seconds / max(took, 1e-9):.0f} × real time), "
            f"{collector.events} events{target}"
        )
        for slot in engine.slots:
            if slot.errors:
                notice(f"{file}: plugin '{slot.identifier}' failed {slot.errors} times: {slot.error}")
