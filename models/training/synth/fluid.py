"""
Sound-font rendering in process, through the FluidSynth C library.

Rendering is in blocks of 64 samples (FluidSynth's own granularity, 2.7 ms at 24 kHz; events go to the nearest
block).
"""

from __future__ import annotations

import ctypes
import ctypes.util
from collections.abc import Sequence
from pathlib import Path

import numpy as np

BLOCK = 64
FOLDERS = (Path("/usr/share/sounds/sf2"), Path("/usr/share/sounds/sf3"))
FONTS = {
    "FluidR3_GM.sf2": "MIT",
    "FluidR3Mono_GM.sf3": "MIT",
    "MuseScore_General_Lite.sf3": "MIT",
    "OPL-3_FM_128M.sf2": "CC BY-SA 4.0 (sound font)",
    "TimGM6mb.sf2": "GPL-2 (sound font)",
}

GM_DRUM = {
    "kick": 36,
    "snare": 38,
    "clap": 39,
    "rim": 37,
    "hat": 42,
    "open_hat": 46,
    "pedal_hat": 44,
    "ride": 51,
    "crash": 49,
    "tom_hi": 50,
    "tom_mid": 47,
    "tom_lo": 43,
    "shaker": 70,
    "tamb": 54,
    "cowbell": 56,
    "clave": 75,
    "conga_hi": 63,
    "conga_lo": 64,
}


def installed_fonts() -> list[str]:
    """Names of the known sound fonts present on this machine, in a fixed order."""
    return [name for name in FONTS if any((folder / name).exists() for folder in FOLDERS)]


class Fluid:
    """
    Renders parts, each with a fresh synthesiser: FluidSynth carries state from note to note, and a part must not
    depend on what was rendered before it. Sound fonts load lazily, so this costs 20-70 ms a part.
    """

    def __init__(self, rate: int) -> None:
        name = ctypes.util.find_library("fluidsynth")
        if name is None:
            raise OSError("libfluidsynth is not installed (Debian: libfluidsynth3)")
        lib = ctypes.CDLL(name)
        for function in ("new_fluid_settings", "new_fluid_synth"):
            getattr(lib, function).restype = ctypes.c_void_p
        for level in (1, 2):  # errors stay on; warnings about odd sound fonts do not help here
            lib.fluid_set_log_function(level, None, None)
        settings = ctypes.c_void_p(lib.new_fluid_settings())
        lib.fluid_settings_setnum(settings, b"synth.sample-rate", ctypes.c_double(rate))
        lib.fluid_settings_setnum(settings, b"synth.gain", ctypes.c_double(0.4))
        options = {"reverb.active": 0, "chorus.active": 0, "polyphony": 48, "dynamic-sample-loading": 1}
        for key, value in options.items():
            lib.fluid_settings_setint(settings, f"synth.{key}".encode(), value)
        self._lib, self._settings, self.rate = lib, settings, rate

    def render(
        self,
        font: str,
        program: int,
        notes: Sequence[tuple[float, float, float, float]],
        count: int,
        drums: bool = False,
    ) -> np.ndarray:
        """
        Render one part.

        Parameters
        ----------
        font : str
            A key of `FONTS`.
        program : int
            General MIDI program (or drum kit), 0-127; a missing one becomes 0.
        notes : sequence of (start s, length s, MIDI key, velocity 0-1)
        count : int
            Samples to render.

        Returns
        -------
        numpy.ndarray
            Mono float32 of `count` samples (sum of left and right).
        """
        path = next(folder / font for folder in FOLDERS if (folder / font).exists())
        synth = ctypes.c_void_p(self._lib.new_fluid_synth(self._settings))
        try:
            number = self._lib.fluid_synth_sfload(synth, str(path).encode(), 0)
            if number < 0:
                raise OSError(f"{path}: FluidSynth cannot load this sound font")
            channel, bank = (9, 128) if drums else (0, 0)
            if self._lib.fluid_synth_program_select(synth, channel, number, bank, program) != 0:
                self._lib.fluid_synth_program_select(synth, channel, number, bank, 0)
            return self._play(synth, channel, notes, count)
        finally:
            self._lib.delete_fluid_synth(synth)

    def _play(
        self, synth: ctypes.c_void_p, channel: int, notes: Sequence[tuple[float, float, float, float]], count: int
    ) -> np.ndarray:
        """Send the notes block by block."""
        blocks = -(-count // BLOCK)
        events: list[tuple[int, int, int, int]] = []
        for start, length, key, velocity in notes:
            on = round(start * self.rate / BLOCK)
            if not 0 <= on < blocks:
                continue
            off = max(on + 1, round((start + length) * self.rate / BLOCK))
            value = max(1, min(127, round(127 * velocity)))
            events.append((on, 1, round(key), value))
            events.append((off, 0, round(key), 0))
        events.sort()
        left, right = np.zeros(blocks * BLOCK, np.float32), np.zeros(blocks * BLOCK, np.float32)
        at = 0
        for when, kind, key, value in [*events, (blocks, 2, 0, 0)]:
            block = min(when, blocks)
            if block > at:
                self._lib.fluid_synth_write_float(
                    synth, (block - at) * BLOCK, _pointer(left), at * BLOCK, 1, _pointer(right), at * BLOCK, 1
                )
                at = block
            if kind == 1:
                self._lib.fluid_synth_noteon(synth, channel, key, value)
            elif kind == 0:
                self._lib.fluid_synth_noteoff(synth, channel, key)
        return (left + right)[:count]

    def close(self) -> None:
        """Free the settings."""
        self._lib.delete_fluid_settings(self._settings)


def _pointer(array: np.ndarray) -> ctypes.c_void_p:
    return array.ctypes.data_as(ctypes.c_void_p)
