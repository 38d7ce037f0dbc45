"""
Music from tracker modules, with the times of its rows.

    python -m models.training.modules OUT --music DIR [DIR …]

A module (MOD, S3M, XM, IT) is a score and its instruments in one file. Played, it tells when each row of which
pattern sounds, and composers begin bars where patterns begin: beats that are exact, of music that people made.

Each becomes ``OUT/NAME.flac`` (mono, 24 kHz, at most two minutes) and ``NAME.rows``, whose lines are the time in
s, the row and the pattern's number of rows. Played by libopenmpt (BSD; Debian: ``apt-get install libopenmpt0``).
"""

from __future__ import annotations

import argparse
import ctypes
import ctypes.util
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import soundfile

from models.training.dataset import named_files
from models.training.mix import RATE
from realtime.errors import UserError, reported

KINDS = {".mod", ".s3m", ".xm", ".it"}
SHORTEST, LONGEST = 35.0, 120.0
"""Seconds that music must have to be heard, and how much of it is."""
STEP = RATE // 500
"""Samples at a time: rows are told to this."""


class Played(NamedTuple):
    """A module's sound.

    Attributes
    ----------
    sound : ndarray of float32, shape (n,)
        Mono at 24 kHz.
    rows : ndarray, shape (m, 3)
        Of each row: time in s, its number in the pattern, the pattern's number of rows.
    """

    sound: npt.NDArray[np.float32]
    rows: npt.NDArray[np.float64]


class Player:
    """libopenmpt; raises ``UserError`` where it is not installed."""

    def __init__(self) -> None:
        name = ctypes.util.find_library("openmpt")
        if name is None:
            raise UserError("libopenmpt is missing; install it (Debian: apt-get install libopenmpt0)")
        self._library = lib = ctypes.CDLL(name)
        whole, pointer, number = ctypes.c_size_t, ctypes.c_void_p, ctypes.c_int32
        shapes: dict[str, tuple[Any, tuple[Any, ...]]] = {
            "create_from_memory2": (pointer, (ctypes.c_char_p, whole, *[pointer] * 7)),
            "destroy": (None, (pointer,)),
            "read_float_mono": (whole, (pointer, number, whole, pointer)),
            "get_current_order": (number, (pointer,)),
            "get_current_row": (number, (pointer,)),
            "get_current_pattern": (number, (pointer,)),
            "get_pattern_num_rows": (number, (pointer, number)),
        }
        for function, (result, arguments) in shapes.items():
            f = getattr(lib, f"openmpt_module_{function}")
            f.restype, f.argtypes = result, arguments
        self._ignore = ctypes.CFUNCTYPE(None, ctypes.c_char_p, pointer)(lambda *_: None)

    def play(self, path: Path) -> Played:
        """The first two minutes of a file. Raises ``UserError`` if it is no module."""
        lib, data = self._library, path.read_bytes()
        ignore = ctypes.cast(self._ignore, ctypes.c_void_p)
        module = lib.openmpt_module_create_from_memory2(data, len(data), ignore, *[None] * 6)
        if not module:
            raise UserError(f"{path}: not a module that libopenmpt plays; leave it out")
        sound = np.zeros(int(LONGEST * RATE), np.float32)
        rows: list[tuple[float, int, int]] = []
        place, end = None, 0
        try:
            while end < len(sound):
                here = lib.openmpt_module_get_current_order(module), lib.openmpt_module_get_current_row(module)
                if here != place:
                    pattern = lib.openmpt_module_get_current_pattern(module)
                    rows.append((end / RATE, here[1], lib.openmpt_module_get_pattern_num_rows(module, pattern)))
                    place = here
                room = min(STEP, len(sound) - end)
                got = lib.openmpt_module_read_float_mono(module, RATE, room, sound[end:].ctypes.data)
                if not got:
                    break
                end += got
        finally:
            lib.openmpt_module_destroy(module)
        return Played(sound[:end], np.array(rows, float).reshape(-1, 3))


def main() -> None:
    """Play from the command line."""
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("out", type=Path)
    ap.add_argument("--music", type=Path, nargs="+", required=True, help="folders, searched to any depth")
    a = ap.parse_args()
    player = Player()
    a.out.mkdir(parents=True, exist_ok=True)
    found = named_files(a.music, KINDS)
    if not found:
        raise UserError(f"{a.music[0]}: no modules ({', '.join(sorted(KINDS))}); give folders with some")
    kept = 0
    for name, path in found:
        try:
            played = player.play(path)
        except UserError as error:
            print(f"left out: {error}")
            continue
        loudest = float(np.abs(played.sound).max(initial=0.0))
        if len(played.sound) < SHORTEST * RATE or loudest < 1e-3:
            continue
        sound = played.sound * np.float32(min(1.0, 0.99 / loudest))
        np.savetxt(a.out / f"{name}.rows", played.rows, ["%.4f", "%d", "%d"], "\t")
        soundfile.write(a.out / f"{name}.flac", sound, RATE, subtype="PCM_16")
        kept += 1
    print(f"{kept} of {len(found)} modules played")


if __name__ == "__main__":
    reported(main)
