"""
Sound-font rendering in process, through the FluidSynth C library.

One synthesiser per process stays loaded; rendering is in blocks of 64 samples (FluidSynth's own
granularity, 2.7 ms at 24 kHz; events go to the nearest block), so results do not depend on history.
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
    """One FluidSynth instance. Not thread-safe; make one per process."""

    def __init__(self, rate: int) -> None:
        name = ctypes.util.find_library("fluidsynth")
        if name is None:
            raise OSError("libfluidsynth is not installed (Debian: libfluidsynth3)")
        lib = ctypes.CDLL(name)
        for function in ("new_fluid_settings", "new_fluid_synth"):
            getattr(lib, function).restype = ctypes.c_void_p
        self._lib = lib
        lib.fluid_set_log_function(2, None, None)
        lib.fluid_set_log_function(1, None, None)
        settings = ctypes.c_void_p(lib.new_fluid_settings())
        lib.fluid_settings_setnum(settings, b"synth.sample-rate", ctypes.c_double(rate))
        lib.fluid_settings_setnum(settings, b"synth.gain", ctypes.c_double(0.4))
        for key, value in (
            ("reverb.active", 0),
            ("chorus.active", 0),
            ("polyphony", 48),
            ("dynamic-sample-loading", 1),
        ):
            lib.fluid_settings_setint(settings, b"synth." + key.encode(), value)
        self._settings = settings
        self._synth = ctypes.c_void_p(lib.new_fluid_synth(settings))
        self._fonts: dict[str, int] = {}
        self.rate = rate

    def _font(self, name: str) -> int:
        if name not in self._fonts:
            path = next(folder / name for folder in FOLDERS if (folder / name).exists())
            number = self._lib.fluid_synth_sfload(self._synth, str(path).encode(), 0)
            if number < 0:
                raise OSError(f"{path}: FluidSynth cannot load this sound font")
            self._fonts[name] = number
        return self._fonts[name]

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
        notes : sequence of (start s, length s, MIDI key, velocity 0-1)
        count : int
            Samples to render.

        Returns
        -------
        numpy.ndarray
            Mono float32 of `count` samples (sum of left and right).
        """
        lib, synth = self._lib, self._synth
        channel, bank = (9, 128) if drums else (0, 0)
        lib.fluid_synth_system_reset(synth)
        if lib.fluid_synth_program_select(synth, channel, self._font(font), bank, program) != 0:
            lib.fluid_synth_program_select(synth, channel, self._font(font), bank, 0)
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
        for block, kind, key, velocity in [*events, (blocks, 2, 0, 0)]:
            block = min(block, blocks)
            if block > at:
                self._write(left, right, at * BLOCK, (block - at) * BLOCK)
                at = block
            if kind == 1:
                lib.fluid_synth_noteon(synth, channel, key, velocity)
            elif kind == 0:
                lib.fluid_synth_noteoff(synth, channel, key)
        lib.fluid_synth_all_sounds_off(synth, -1)
        # A last empty block lets voices that were switched off end before the next part.
        scratch = np.zeros(BLOCK, np.float32)
        self._write(scratch, scratch.copy(), 0, BLOCK)
        return (left + right)[:count]

    def _write(self, left: np.ndarray, right: np.ndarray, start: int, count: int) -> None:
        self._lib.fluid_synth_write_float(
            self._synth,
            count,
            left.ctypes.data_as(ctypes.c_void_p),
            start,
            1,
            right.ctypes.data_as(ctypes.c_void_p),
            start,
            1,
        )

    def close(self) -> None:
        """Free the synthesiser."""
        self._lib.delete_fluid_synth(self._synth)
        self._lib.delete_fluid_settings(self._settings)
