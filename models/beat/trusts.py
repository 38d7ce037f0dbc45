"""Ways of trusting the filter's sources, compared: ``python -m models.beat.trusts DIR [--crop SEED …]``.

The network hears the recordings of DIR (as for ``sidechain bench beat``) once; the decoder then runs on its
answers with one belief or several, each trusting network, accents and tempo to another degree
(:class:`~models.beat.statespace.Trust`). The decoder's own predictions, without transport and count of the bar.
With ``--crop``, recordings begin at random places, and the means go over all seeds given.
"""

from __future__ import annotations

import argparse
import sys
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.beat import scoring
from models.beat.decoder import BeatDecoder
from models.beat.decoderconfig import DecoderConfig
from models.beat.features import blocks
from models.beat.recordings import Cropped, Recordings
from models.beat.statespace import FilterConfig, Trust
from models.beat.tracker import Heard, Tracker, tell
from realtime.errors import UserError

F64 = npt.NDArray[np.float64]
COLUMNS = ("F70e", "F25e", "CMLt", "AMLt", "Acc1", "lock")
_NETWORK = Trust(evidence=2.0, accents=False)
WAYS: dict[str, tuple[Trust, ...]] = {
    "one": (Trust(),),
    "one, half the tempo": (Trust(tempo=0.5),),
    "one, no tempo": (Trust(tempo=0.0),),
    "one, network alone": (_NETWORK,),
    "one and network alone": (Trust(), _NETWORK),
    "one, network alone, no tempo": (Trust(), _NETWORK, Trust(tempo=0.0)),
    "the same, and tempo twice": (Trust(), _NETWORK, Trust(tempo=0.0), Trust(tempo=2.0)),
    "tempo twice, network alone, no tempo": (Trust(tempo=2.0), _NETWORK, Trust(tempo=0.0)),
    "the same, two of them without bass as well": (
        Trust(tempo=2.0, answer=1),
        _NETWORK,
        Trust(tempo=0.0, answer=1),
    ),
    "the same, the first by the second network": FilterConfig().beliefs,
}
"""The last ships."""


def listen(sound: npt.NDArray[np.float32], tracker: Tracker) -> list[Heard]:
    """Everything that a tracker's decoder is told while it hears a recording."""
    tracker.reset()
    return [deepcopy(heard) for block, end in blocks(sound) for heard in tracker.hear(block, end)]


def decode(told: list[Heard], beliefs: tuple[Trust, ...]) -> F64:
    """Beats as rows of time, beat in bar, time of telling."""
    config = DecoderConfig()
    decoder = BeatDecoder(replace(config, filter=replace(config.filter, beliefs=beliefs)))
    rows = [(b.time, b.number, max(b.time, b.emitted)) for heard in told if (b := tell(decoder, heard))]
    return np.array(rows, float).reshape(-1, 3)


def main(argv: list[str] | None = None) -> int:
    """Print the table."""
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("folder", type=Path)
    ap.add_argument("--crop", type=int, nargs="+", metavar="SEED", help="begin each recording at random places")
    a = ap.parse_args(argv)
    try:
        sets = [Cropped(a.folder, seed) for seed in a.crop] if a.crop else [Recordings(a.folder)]
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    tracker = Tracker()
    scores: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    for recordings in sets:
        for name in recordings.names:
            told, truth = listen(recordings.sound(name), tracker), recordings.beats(name)
            for way, beliefs in WAYS.items():
                scores[way].append(scoring.score_track(truth, decode(told, beliefs)))
    print(f"{'beliefs':<46}" + "".join(f"{c:>8}" for c in COLUMNS))
    for way, tracks in scores.items():
        means = scoring.mean(tracks)
        print(f"{way:<46}" + "".join(f"{means[c]:8.{1 if c == 'lock' else 3}f}" for c in COLUMNS))
    return 0


if __name__ == "__main__":
    sys.exit(main())
