"""Index a library of one's own, so that live sound can be compared with it: which pieces are like what sounds now
(plugin similarity), and which piece it is and where (plugin fingerprint, with libchromaprint).

Every file is heard once, by the same plugins that run live. What was heard is kept by content: breaking off and
starting again, moving files, or adding some costs only what is new. Bad files are named and left out.

examples:
  sidechain index ~/Music                        into the usual place, which similarity and fingerprint read
  sidechain index samples/ --out samples.index   an index of its own; [plugins.similarity] index = "samples.index"
  sidechain index ~/Music --plugin hub-embed --preset mine.toml     vectors of another plugin (any output of kind
                                                 vector), with the parameters and the model of that preset
"""

from __future__ import annotations

import argparse
from pathlib import Path

from realtime import preset as presets
from realtime.cli.common import notice, print_json
from realtime.cli.progress import progress_bar
from realtime.errors import NotFetched, UserError
from realtime.library import indexfile
from realtime.library.build import Builder, Report, default_cache, sound_files
from realtime.library.embedding import Embedder
from realtime.library.prints import Chromaprint

_MOST_NAMED = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("folder", type=Path, help="with sound files, also in folders below it")
    parser.add_argument(
        "--out", "-o", type=Path, help="the index (default: $SIDECHAIN_LIBRARY, or your data folder)"
    )
    parser.add_argument("--plugin", default="tags", help="whose vectors (default: tags)")
    parser.add_argument("--preset", "-p", help="preset with the plugin's parameters and texts (default: its own)")
    parser.add_argument("--output", default="embedding", help="which output of it (default: embedding)")
    parser.add_argument(
        "--every", type=float, default=2.0, help="seconds of sound a vector stands for (default: 2)"
    )
    parser.add_argument("--no-fingerprints", action="store_true", help="without Chromaprint")
    parser.add_argument(
        "--cache", type=Path, help="what was heard before (default: $SIDECHAIN_CACHE, or your cache)"
    )
    parser.add_argument("--quiet", "-q", action="store_true", help="no progress and no summary")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON for scripts")


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    if not 0.2 <= args.every <= 60:
        raise UserError(f"--every {args.every:g}: seconds from 0.2 to 60")
    files = sound_files(args.folder)
    out = args.out or indexfile.default_path()
    settings = presets.load(args.preset).plugins.get(args.plugin) if args.preset else None
    embedder = Embedder(args.plugin, args.output, args.every, settings)
    embedder.prepare()
    builder = Builder(embedder, _chromaprint(args), args.cache or default_cache())
    try:
        with progress_bar(f"{len(files)} files", args.quiet) as bar:
            library, report = builder.build(files, bar)
    finally:
        embedder.close()
    if library.tracks:
        indexfile.save(library, out)
    if not args.quiet:
        _tell(report)
    if args.json:
        print_json(
            {"index": str(out), "tracks": len(library.tracks), "heard": report.heard, "known": report.known}
            | {"vectors": len(library.vectors), "prints": len(library.prints), "bad": report.bad}
        )
    elif not args.quiet and library.tracks:
        hours = sum(t.seconds for t in library.tracks) / 3600
        told = f"{len(library.tracks)} tracks, {hours:.1f} h, {len(library.vectors)} vectors of {args.plugin}"
        print(f"{out}: {told}{', fingerprints' if len(library.prints) else ''}")
    if not library.tracks:
        raise UserError(f"{args.folder}: not one of {len(files)} sound files could be read; nothing was written")
    return 0


def _chromaprint(args: argparse.Namespace) -> Chromaprint | None:
    if args.no_fingerprints:
        return None
    try:
        return Chromaprint()
    except NotFetched as e:
        notice(f"no fingerprints in this index: {e}")
        return None


def _tell(report: Report) -> None:
    notice(f"{report.heard} files heard, {report.known} known from before, {len(report.bad)} left out")
    for line in report.bad[:_MOST_NAMED]:
        notice(f"left out: {' '.join(line.split())}")
    if len(report.bad) > _MOST_NAMED:
        notice(f"left out: {len(report.bad) - _MOST_NAMED} more (--json names all)")
