"""How loud drums are in real mixes: what :mod:`models.drums.scenes` is modelled on.

    python -m models.drums.levels DIR        # laid out as for: sidechain bench drums DIR, with drum_only and full

Of each recording that is there with and without its band: level of the drums against the rest of the mix in dB, in
all and in ten groups of six mel bands each, lowest first. The rest is the mix less its best multiple of the drums.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from models.drums.features import BANDS, RATE, Features
from models.scoring.recordings import SOUND
from realtime.errors import reported

F64 = npt.NDArray[np.float64]


def against(drums: F64, mix: F64) -> tuple[float, F64]:
    """Drums over the rest in dB: in all, and by group of bands."""
    count = min(len(drums), len(mix))
    drums, mix = drums[:count], mix[:count]
    drums = drums * (np.dot(drums, mix) / np.dot(drums, drums))
    rest = mix - drums
    heard = [Features().clip(x.astype(np.float32))[:, :BANDS].astype(np.float64) for x in (drums, rest)]
    powers = [np.mean(x**2, 0) + 1e-12 for x in heard]
    groups = 10 * np.log10(powers[0] / powers[1])
    return float(10 * np.log10(np.mean(drums**2) / np.mean(rest**2))), groups.reshape(10, -1).mean(1)


def _read(path: Path) -> F64:
    sound, rate = soundfile.read(path, always_2d=True)
    return np.asarray(soxr.resample(sound.mean(1), rate, RATE), np.float64)


def main() -> None:
    """Print the levels."""
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("folder", type=Path)
    folder: Path = ap.parse_args().folder
    for path in sorted(p for p in (folder / "full" / "audio").iterdir() if p.suffix.lower() in SOUND):
        alone = folder / "drum_only" / "audio" / path.name
        if alone.exists():
            whole, groups = against(_read(alone), _read(path))
            print(f"{path.stem:28} {whole:6.1f}   " + " ".join(f"{g:5.0f}" for g in groups))


if __name__ == "__main__":
    reported(main)
