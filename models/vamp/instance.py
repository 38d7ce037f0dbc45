"""One Vamp plugin of a library: its settings, and its calls, block by block.

References
----------
C. Cannam: Vamp plugin SDK: ``vamp.h`` for the calls, ``PluginInputDomainAdapter`` for what plugins of the
frequency domain are given: the FFT of a block under a Hann window, its halves exchanged, stamped at its centre.
"""

from __future__ import annotations

import ctypes
import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from models.vamp import capi
from models.vamp.capi import text
from realtime.errors import UserError

F32 = npt.NDArray[np.float32]

_BLOCK = 1024
_MOST = 1 << 20  # samples of a block or a step: more is a mistake of the plugin


class VampOutput(NamedTuple):
    """One output: `sparse` where each result has a time of its own; `rate` of the others, 0 = one a step."""

    identifier: str
    name: str
    unit: str
    sparse: bool
    rate: float


class VampFeature(NamedTuple):
    """One result: `time` in seconds since the instance began, values, label."""

    output: int
    time: float
    values: tuple[float, ...]
    label: str


class Library:
    """A loaded library. What is in it runs in this process: a broken one takes the process down.

    Raises
    ------
    UserError
        Not a library for this machine, or not one of Vamp.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._library = ctypes.CDLL(str(path))
            found = capi.descriptors(self._library)
        except (OSError, AttributeError) as e:
            raise UserError(f"vamp: {path} is no Vamp library for this machine ({e})") from e
        self.plugins = {text(p.contents.identifier): p for p in found}

    def find(self, plugin: str) -> Any:
        """Pointer to a plugin's descriptor; raises ``UserError``."""
        if plugin in self.plugins:
            return self.plugins[plugin]
        near = difflib.get_close_matches(plugin, list(self.plugins), n=1, cutoff=0.3)
        hint = f"did you mean '{near[0]}'?" if near else f"it has {', '.join(self.plugins) or 'none'}"
        raise UserError(f"vamp: library {self.path.name} has no plugin '{plugin}'; {hint}")


def parameters(pointer: Any) -> dict[str, tuple[int, Any]]:
    """Number and descriptor of each parameter, by name."""
    d = pointer.contents
    found = [d.parameters[i].contents for i in range(d.parameter_count)]
    return {text(p.identifier): (i, p) for i, p in enumerate(found)}


def programs(pointer: Any) -> list[str]:
    """Names of its programs (named sets of parameters)."""
    d = pointer.contents
    return [text(d.programs[i]) for i in range(d.program_count)]


class Instance:
    """A plugin at work. One thread; `close` when done.

    Parameters
    ----------
    pointer : pointer to PluginDescriptor
        Of :meth:`Library.find`.
    rate : int
        Hz.
    settings : mapping of str to float
        Parameters, by name.
    program : str
        Taken before the parameters; empty = as it is.

    Attributes
    ----------
    outputs : list of VampOutput
    step, block : int
        Samples between calls, and of each.
    channels : int

    Raises
    ------
    UserError
        Unknown parameter or program, a value out of range, or the plugin refuses to work at this rate.
    """

    _handle: int | None = None

    def __init__(
        self, pointer: Any, rate: int, settings: Mapping[str, float], program: str = "", channels: int = 1
    ) -> None:
        self._pointer, self._d, self._rate = pointer, pointer.contents, rate
        name = text(self._d.identifier)
        self._handle = self._d.instantiate(pointer, float(rate))
        if not self._handle:
            raise UserError(f"vamp: plugin '{name}' does not start at {rate} Hz")
        try:
            self._set(name, settings, program)
            self._sizes(name, channels)
            self.outputs = self._outputs()
        except UserError:
            self.close()
            raise
        self._frequency = self._d.input_domain == capi.FREQUENCY_DOMAIN
        n = np.arange(self.block)
        self._taper = 0.5 - 0.5 * np.cos(2 * np.pi * n / self.block)  # in double precision, as Vamp's own
        self._given = np.zeros((self.channels, self.block + 2 * self._frequency), np.float32)
        pointers = [row.ctypes.data_as(capi.Floats) for row in self._given]
        self._buffers = (capi.Floats * self.channels)(*pointers)
        self._fixed: dict[int, float] = {}

    def _set(self, name: str, settings: Mapping[str, float], program: str) -> None:
        if program:
            names = programs(self._pointer)
            if program not in names:
                raise UserError(
                    f"vamp: plugin '{name}' has no program '{program}'; it has {', '.join(names) or 'none'}"
                )
            self._d.select_program(self._handle, names.index(program))
        known = parameters(self._pointer)
        for key, value in settings.items():
            if key not in known:
                raise UserError(
                    f"vamp: plugin '{name}' has no parameter '{key}'; it has {', '.join(known) or 'none'}"
                )
            number, p = known[key]
            if not p.minimum <= value <= p.maximum:
                raise UserError(
                    f"vamp: parameter '{key}' of '{name}' must be between {p.minimum:g} and {p.maximum:g} "
                    f"{text(p.unit)}".rstrip()
                    + f" (given {value:g})"
                )
            self._d.set_parameter(self._handle, number, value)

    def _sizes(self, name: str, channels: int) -> None:
        d, handle = self._d, self._handle
        least, most = d.get_min_channel_count(handle), d.get_max_channel_count(handle)
        self.channels = max(least, min(channels, most))
        if self.channels > 2:
            raise UserError(f"vamp: plugin '{name}' wants {self.channels} channels of sound; there are at most 2")
        self.block = int(d.get_preferred_block_size(handle)) or _BLOCK
        frequency = d.input_domain == capi.FREQUENCY_DOMAIN
        self.block += self.block % 2 if frequency else 0
        self.step = int(d.get_preferred_step_size(handle)) or (self.block // 2 if frequency else self.block)
        if not (0 < self.block <= _MOST and 0 < self.step <= _MOST):
            raise UserError(f"vamp: plugin '{name}' wants blocks of {self.block} samples each {self.step}")
        if not d.initialise(handle, self.channels, self.step, self.block):
            raise UserError(
                f"vamp: plugin '{name}' does not take {self.channels} channel(s) in blocks of {self.block} "
                f"samples at {self._rate} Hz"
            )

    def _outputs(self) -> list[VampOutput]:
        found = []
        for i in range(self._d.get_output_count(self._handle)):
            pointer = self._d.get_output_descriptor(self._handle, i)
            o = pointer.contents
            sparse = o.sample_type == capi.VARIABLE_RATE
            rate = float(o.sample_rate) if o.sample_type == capi.FIXED_RATE else 0.0
            found.append(VampOutput(text(o.identifier), text(o.name), text(o.unit), sparse, max(0.0, rate)))
            self._d.release_output_descriptor(pointer)
        return found

    def process(self, sound: F32, start: float) -> list[VampFeature]:
        """One block.

        Parameters
        ----------
        sound : ndarray of float32, shape (1 or 2, block)
        start : float
            Seconds from the beginning of this instance to the block's first sample.
        """
        at = start
        if self._frequency:
            at += self.block / 2 / self._rate
            spectrum = np.fft.rfft(np.fft.fftshift(sound * self._taper, axes=-1), axis=-1)
            self._given[:, 0::2], self._given[:, 1::2] = spectrum.real, spectrum.imag
        else:
            self._given[:] = sound
        nanoseconds = round(at * 1e9)
        said = self._d.process(self._handle, self._buffers, nanoseconds // 10**9, nanoseconds % 10**9)
        if not said:
            return []
        try:
            return [
                self._feature(number, said[number].features[i], at)
                for number in range(len(self.outputs))
                for i in range(said[number].count)
            ]
        finally:
            self._d.release_feature_set(said)

    def _feature(self, number: int, f: Any, at: float) -> VampFeature:
        rate = self.outputs[number].rate
        if f.has_timestamp:
            at = f.sec + f.nsec * 1e-9
        elif rate and number in self._fixed:
            at = self._fixed[number] + 1.0 / rate
        if rate:
            self._fixed[number] = at
        return VampFeature(number, at, tuple(f.values[: f.value_count]) if f.value_count else (), text(f.label))

    def close(self) -> None:
        """Give it back to its library."""
        if self._handle:
            self._d.cleanup(self._handle)
            self._handle = None
