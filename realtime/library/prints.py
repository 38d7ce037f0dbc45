"""Chromaprint fingerprints, through libchromaprint and the ``chromaprint`` module of pyacoustid.

A fingerprint is a row of 32-bit words, one each 124 ms, whose bits say how energy moved between pitch classes and
in time (Lalinsky, "How does Chromaprint work?", 2011; after Ke, Hoiem & Sukthankar 2005). Two recordings of the
same sound differ in few bits.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from realtime.errors import NotFetched

U32 = npt.NDArray[np.uint32]

STEP = 4096 / 3 / 11_025
"""Seconds from one word to the next: a third of a frame of 4096 at 11025 Hz."""

REMEDY = (
    "pip install 'sidechain[fingerprint]' and libchromaprint (Debian: apt-get install libchromaprint1; "
    "macOS: brew install chromaprint; Windows: chromaprint.dll on the PATH)"
)


class Chromaprint:
    """The library, loaded.

    Raises
    ------
    NotFetched
        It, or pyacoustid, is not installed.
    """

    def __init__(self) -> None:
        self._module = _module()

    def fingerprint(self, pieces: Iterable[npt.NDArray[np.float32]], rate: int, channels: int) -> U32:
        """Words of a recording.

        Parameters
        ----------
        pieces : iterable of ndarray, each shape (n,) or (n, channels)
            The sound, one piece after another, ±1.
        rate : int
            Hz.
        channels : int

        Returns
        -------
        ndarray of uint32, shape (m,)
            Empty for less than about 3 s of sound, and for sample rates that it does not take.
        """
        maker = self._module.Fingerprinter()
        try:
            maker.start(rate, channels)
        except self._module.FingerprintError:  # below about 1 kHz
            return np.zeros(0, np.uint32)
        for piece in pieces:
            scaled = np.clip(np.nan_to_num(piece), -1, 1) * np.float32(32767)
            maker.feed(scaled.astype(np.int16).tobytes())
        words, _ = self._module.decode_fingerprint(maker.finish())
        return np.array(words, np.uint64).astype(np.uint32)


def _module() -> ModuleType | Any:
    try:
        return importlib.import_module("chromaprint")
    except ImportError as e:
        raise NotFetched(f"fingerprints need libchromaprint ({e}): {REMEDY}") from e
