"""Bundles: a folder with ``plugin.toml`` and ``model.onnx``, hosted with no code.

The manifest
------------
::

    [plugin]
    identifier = "brightness"        # a-z, 0-9, -
    name = "Brightness"
    description = "Spectral centroid"
    maker = "You"
    license = "MIT"
    version = "1"
    latency = 0.0                    # seconds beyond the hop

    [input]
    kind = "stft"                    # "audio", "stft" or "log-mel"; the other keys are those of
    sample_rate = 24000              # AudioInput, StftSpec or LogMelSpec
    hop = 240
    window = 1024

    [model]
    file = "model.onnx"              # float32 input of shape (1, …) whose other sizes multiply to the block's
    input = "x"

    [[model.states]]                 # explicit states: start at zero, each output feeds its input
    input = "h"
    output = "h_next"

    [[outputs]]
    identifier = "hz"
    kind = "value"                   # "value", "vector", "label" or "event"
    from = "y"                       # name of the model's output
    index = 0                        # which element (value, event)
    unit = "Hz"
    minimum = 0.0
    maximum = 12000.0
    labels = []                      # label: names of the elements; the largest wins
    smoothing_ms = 0.0               # value, vector: one-pole
    threshold = 0.5                  # event: value 1 when it rises above, 0 when it falls below
    hysteresis = 0.1                 # event: falls below threshold - hysteresis
"""

from __future__ import annotations

import difflib
import math
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from realtime.errors import UserError
from realtime.hosting.plugin import (
    Array,
    AudioInput,
    Context,
    Descriptor,
    Feature,
    InputSpec,
    Output,
    Plugin,
    PluginFactory,
)
from realtime.hosting.spectral import LogMelSpec, StftSpec
from realtime.preset import explain

MOST_BYTES = 512 << 20
"""Largest model file that is loaded."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, populate_by_name=True)


class _PluginSection(_Strict):
    identifier: str
    name: str
    description: str = ""
    maker: str = ""
    license: str = ""
    version: str = "1"
    latency: float = Field(0.0, ge=0.0, le=60.0)


class _InputSection(_Strict):
    kind: Literal["audio", "stft", "log-mel"] = "audio"
    sample_rate: int = Field(24_000, ge=1000, le=384_000)
    channels: int = Field(1, ge=1, le=2)
    hop: int = Field(240, ge=1)
    window: int = Field(0, ge=0)
    bands: int = Field(80, ge=1, le=1024)
    fmin: float = Field(30.0, ge=0.0)
    fmax: float = Field(11_000.0, gt=0.0)
    gamma: float = Field(1000.0, gt=0.0)

    def spec(self) -> InputSpec:
        """The plugin contract's terms for it."""
        window = self.window or (self.hop if self.kind == "audio" else 1024)
        if self.kind == "audio":
            return AudioInput(self.sample_rate, self.channels, self.hop, window)
        AudioInput(self.sample_rate, 1, self.hop, max(window, self.hop))  # the same rules for hops
        if self.kind == "stft":
            return StftSpec(self.sample_rate, self.hop, window)
        return LogMelSpec(self.sample_rate, self.hop, window, self.bands, self.fmin, self.fmax, self.gamma)


class _State(_Strict):
    input: str
    output: str


class _Model(_Strict):
    file: str = "model.onnx"
    input: str
    states: list[_State] = Field(default_factory=list)


class _Output(_Strict):
    identifier: str
    kind: Literal["value", "vector", "label", "event"] = "value"
    source: str = Field(alias="from")
    index: int = Field(0, ge=0)
    unit: str = ""
    minimum: float = 0.0
    maximum: float = 1.0
    labels: list[str] = Field(default_factory=list)
    smoothing_ms: float = Field(0.0, ge=0.0, le=60_000.0)
    threshold: float = 0.5
    hysteresis: float = Field(0.0, ge=0.0)
    description: str = ""


class Manifest(_Strict):
    """The contents of a ``plugin.toml``."""

    plugin: _PluginSection
    input: _InputSection
    model: _Model
    outputs: list[_Output] = Field(min_length=1)


def load_bundle(folder: Path) -> PluginFactory:
    """Read and check a bundle; the model itself is loaded when the plugin prepares.

    Raises
    ------
    UserError
        Missing or malformed manifest (line and key named), a model file outside the folder or missing.
    """
    path = folder / "plugin.toml"
    try:
        text = path.read_text(encoding="utf-8")
        manifest = Manifest.model_validate(tomllib.loads(text))
        descriptor = _describe(manifest)
    except OSError as e:
        raise UserError(f"bundle {folder}: plugin.toml cannot be read ({e.strerror})") from e
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
        raise UserError(f"bundle {path}: not valid TOML: {e}") from e
    except ValidationError as e:
        raise UserError(f"bundle {path}: {explain(e, Manifest, text)}") from e
    except ValueError as e:
        raise UserError(f"bundle {path}: {e}") from e
    model = (folder / manifest.model.file).resolve()
    if not model.is_relative_to(folder.resolve()):
        raise UserError(f"bundle {path}: model file '{manifest.model.file}' lies outside the bundle")
    if model.suffix != ".onnx":
        raise UserError(f"bundle {path}: model file '{manifest.model.file}' is not an .onnx file")
    if not model.is_file():
        raise UserError(f"bundle {path}: model file '{manifest.model.file}' is missing")
    if model.stat().st_size > MOST_BYTES:
        raise UserError(f"bundle {path}: model file is larger than {MOST_BYTES >> 20} MB")
    return _Factory(manifest, descriptor, model)


def _describe(manifest: Manifest) -> Descriptor:
    p = manifest.plugin
    rate = manifest.input.sample_rate / manifest.input.hop
    outputs = tuple(
        Output(o.identifier, o.kind, o.unit, o.minimum, o.maximum, max(1, len(o.labels)), rate, o.description)
        for o in manifest.outputs
    )
    return Descriptor(
        p.identifier,
        p.name,
        p.description,
        p.maker,
        p.license,
        p.version,
        manifest.input.spec(),
        outputs,
        latency=p.latency,
    )


class _Factory:
    """Makes instances of one bundle."""

    def __init__(self, manifest: Manifest, descriptor: Descriptor, model: Path) -> None:
        self.descriptor = descriptor
        self._manifest = manifest
        self._model = model

    def __call__(self) -> Plugin:
        return BundlePlugin(self._manifest, self.descriptor, self._model)


class BundlePlugin(Plugin):
    """A bundle at work: one ONNX session, its states, and the shaping of its outputs."""

    def __init__(self, manifest: Manifest, descriptor: Descriptor, model: Path) -> None:
        self.descriptor = descriptor  # type: ignore[misc]  # each bundle has its own
        self._manifest = manifest
        self._model = model

    def prepare(self, context: Context) -> None:
        """Load the model and check it against the manifest."""
        import onnxruntime as ort

        del context
        name = self.descriptor.identifier
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry("session.set_denormal_as_zero", "1")
        options.log_severity_level = 3
        try:
            self._session = ort.InferenceSession(str(self._model), options, providers=["CPUExecutionProvider"])
        except Exception as e:  # onnxruntime raises its own types, one per fault
            reason = " ".join(str(e).split())[:200]
            raise UserError(f"bundle '{name}': the model cannot be loaded: {reason}") from e
        inputs = {i.name: i for i in self._session.get_inputs()}
        outputs = {o.name for o in self._session.get_outputs()}
        m = self._manifest.model
        wanted = [m.input, *(s.input for s in m.states)]
        for given in wanted:
            _require(name, "input", given, inputs)
        for given in [o.source for o in self._manifest.outputs] + [s.output for s in m.states]:
            _require(name, "output", given, outputs)
        if missing := set(inputs) - set(wanted):
            raise UserError(
                f"bundle '{name}': the model's input '{sorted(missing)[0]}' is not named in plugin.toml"
            )
        self._shape = _concrete(inputs[m.input].shape, self._block_size())
        if math.prod(self._shape) != self._block_size():
            raise UserError(
                f"bundle '{name}': input '{m.input}' has shape {inputs[m.input].shape}, "
                f"which does not hold a block of {self._block_size()} values"
            )
        for given in wanted:
            if inputs[given].type != "tensor(float)":
                raise UserError(f"bundle '{name}': input '{given}' is {inputs[given].type}, not tensor(float)")
        self._zeros = {s.input: np.zeros(_concrete(inputs[s.input].shape, 0), np.float32) for s in m.states}
        self._wanted = [o.source for o in self._manifest.outputs] + [s.output for s in m.states]
        self.reset()
        self._session.run(self._wanted, {m.input: np.zeros(self._shape, np.float32), **self._zeros})

    def process(self, block: Array, time: float) -> Iterable[Feature]:
        """Run the model on one block."""
        m = self._manifest.model
        feeds = {m.input: np.ascontiguousarray(block).reshape(self._shape), **self._states}
        results = self._session.run(self._wanted, feeds)
        first = len(self._manifest.outputs)
        for state, value in zip(m.states, results[first:], strict=True):
            self._states[state.input] = value
        return [
            f
            for k, o in enumerate(self._manifest.outputs)
            if (f := self._shaped(k, o, np.asarray(results[k], np.float64).reshape(-1), time)) is not None
        ]

    def reset(self) -> None:
        """States and smoothing back to the start."""
        self._states = dict(self._zeros)
        self._smooth: list[Any] = [None] * len(self._manifest.outputs)
        self._on = [False] * len(self._manifest.outputs)

    def _shaped(self, k: int, o: _Output, result: Any, time: float) -> Feature | None:
        if o.kind == "label":
            best = int(np.argmax(result))
            label = o.labels[best] if best < len(o.labels) else str(best)
            return Feature(o.identifier, time, float(result[best]), label)
        value = result if o.kind == "vector" else result[o.index]
        if o.kind == "event":
            level = o.threshold - (o.hysteresis if self._on[k] else 0.0)
            on = bool(value > level)
            if on == self._on[k]:
                return None
            self._on[k] = on
            return Feature(o.identifier, time, float(on))
        if o.smoothing_ms:
            hop = self.descriptor.input.hop / self.descriptor.input.sample_rate
            keep = math.exp(-hop / (o.smoothing_ms / 1000))
            before = value if self._smooth[k] is None else self._smooth[k]
            value = self._smooth[k] = keep * before + (1 - keep) * value
        return Feature(o.identifier, time, value)

    def _block_size(self) -> int:
        spec = self.descriptor.input
        return spec.length * spec.channels if isinstance(spec, AudioInput) else spec.size


def _concrete(shape: list[Any], size: int) -> tuple[int, ...]:
    """An ONNX shape with free axes set to 1, the last free one to what is needed to hold `size` values.

    The first of several axes is the batch and stays 1.
    """
    fixed = [d if isinstance(d, int) and d > 0 else 0 for d in shape]
    known = math.prod(d for d in fixed if d) or 1
    result = [d or 1 for d in fixed]
    free = [i for i, d in enumerate(fixed) if not d and (i or len(fixed) == 1)]
    if size and free and size % known == 0:
        result[free[-1]] = size // known
    return tuple(result)


def _require(plugin: str, what: str, name: str, names: Iterable[str]) -> None:
    if name not in names:
        near = difflib.get_close_matches(name, list(names), n=1, cutoff=0.3)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise UserError(f"bundle '{plugin}': the model has no {what} '{name}'{hint}")
