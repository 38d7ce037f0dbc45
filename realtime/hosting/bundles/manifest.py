"""The schema of ``plugin.toml``. What each key means for an author is in docs/plugins.md."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from realtime.hosting.bundles.conventions import CONVENTIONS, Convention, Log, Normal, Padding, Scale, Window
from realtime.hosting.plugin import AudioInput, InputSpec, Output
from realtime.hosting.spectral import LogMelSpec, StftSpec

MOST_SECONDS = 120.0
"""Longest sound that one call of a model may be given."""

MOST_VALUES = 4_000_000
"""Most numbers that one call of a model may be given."""

MOST_WIDTH = 65_536
"""Most values of one result: what the host publishes at once."""

Name = Annotated[str, Field(min_length=1, max_length=200)]
Numbers = float | list[float]


class Strict(BaseModel):
    """Base of all sections: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, populate_by_name=True)


class PluginSection(Strict):
    """``[plugin]``: who it is, and in which lane it runs."""

    identifier: str
    name: str
    description: str = ""
    maker: str = ""
    license: str = ""
    version: str = "1"
    latency: float = Field(0.0, ge=0.0, le=60.0)
    lane: Literal["fast", "slow"] = "fast"
    patience: float = Field(10.0, gt=0.0, le=3600.0)
    memory_mb: int = Field(2048, ge=64, le=262_144)


class InputSection(Strict):
    """``[input]``: the sound, and the front end that turns it into what the model takes."""

    kind: Literal["audio", "stft", "mel", "log-mel"] = "audio"
    sample_rate: int = Field(24_000, ge=1000, le=384_000)
    channels: int = Field(1, ge=1, le=2)
    hop: int = Field(240, ge=1, le=10_000_000)
    window: int = Field(0, ge=0, le=10_000_000)
    frames: int = Field(1, ge=1, le=20_000)
    every: int = Field(1, ge=1, le=20_000)
    samples: int = Field(0, ge=0, le=50_000_000)
    layout: Literal["time-band", "band-time"] = "time-band"
    convention: Literal["sidechain", "librosa", "torchaudio", "kaldi", "whisper"] = "sidechain"
    bands: int = Field(80, ge=1, le=1024)
    fmin: float | None = Field(None, ge=0.0)
    fmax: float | None = Field(None, gt=0.0)
    gamma: float = Field(1000.0, gt=0.0)
    fft: int = Field(0, ge=0, le=1 << 20)
    taper: Window | None = None
    centre: bool | None = None
    padding: Padding | None = None
    power: Literal[1, 2] | None = None
    mel: Scale | None = None
    triangles: Literal["hz", "mel"] | None = None
    area: bool | None = None
    log: Log | None = None
    floor: float | None = Field(None, gt=0.0)
    range_db: float | None = Field(None, gt=0.0)
    remove_dc: bool | None = None
    preemphasis: float | None = Field(None, ge=0.0, lt=1.0)
    gain: float | None = Field(None, gt=0.0)
    normalise: Normal = "none"
    mean: Numbers = 0.0
    scale: Numbers = 1.0

    @model_validator(mode="after")
    def _consistent(self) -> InputSection:
        given = [k for k in self._own() if getattr(self, k) not in (None, 0)]
        if self.convention == "sidechain" and given:
            raise ValueError(
                f"'{given[0]}' belongs to another convention than the host's own; "
                "set convention to librosa, torchaudio, kaldi or whisper"
            )
        if self.kind == "audio" and self.convention != "sidechain":
            raise ValueError("convention is for spectra; kind 'audio' has none")
        if self.kind == "audio" and self.frames * self.every != 1:
            raise ValueError("frames and every count spectra; for kind 'audio' set window and hop")
        if self.kind != "audio" and self.channels != 1:
            raise ValueError("spectra are made of one channel; set channels = 1")
        if self.kind == "mel" and self.convention == "sidechain":
            raise ValueError("kind 'mel' needs a convention: librosa, torchaudio, kaldi or whisper")
        self._sizes()
        self._normal()
        return self

    def _own(self) -> tuple[str, ...]:
        return ("fft", "taper", "centre", "padding", "power", "mel", "triangles", "area", "log", "floor",
                "range_db", "remove_dc", "preemphasis", "gain")  # fmt: skip

    def _sizes(self) -> None:
        top = self.sample_rate / 2
        if self.kind in ("mel", "log-mel") and not self.lowest < self.highest <= top:
            raise ValueError(
                f"fmin {self.lowest:g} and fmax {self.highest:g} Hz must lie in order below {top:g} Hz"
            )
        if self.fft and self.fft < self.length:
            raise ValueError(f"fft {self.fft} is shorter than window {self.length}")
        if self.padded and self.transform % 2:
            raise ValueError(f"a centred transform needs an even number of points (given {self.transform})")
        if self.samples and self.frames == 1:
            raise ValueError("samples is for several frames; for one, set window")
        if self.samples and self.samples < self.needed:
            raise ValueError(
                f"samples {self.samples} is too short for {self.frames} frames; {self.needed} are needed"
            )
        if self.block > MOST_SECONDS * self.sample_rate:
            raise ValueError(f"{self.block / self.sample_rate:.0f} s of sound a call; at most {MOST_SECONDS:g} s")
        if self.size > MOST_VALUES:
            raise ValueError(f"{self.size} values a call; at most {MOST_VALUES}")
        AudioInput(self.sample_rate, self.channels, self.hop * self.every, max(self.block, self.hop * self.every))

    def _normal(self) -> None:
        for name, value in (("mean", self.mean), ("scale", self.scale)):
            if isinstance(value, list):
                if self.kind == "audio":
                    raise ValueError(f"{name} of kind 'audio' is one number")
                if len(value) != self.width:
                    raise ValueError(f"{name} has {len(value)} numbers for {self.width} bands")
        if 0.0 in (self.scale if isinstance(self.scale, list) else [self.scale]):
            raise ValueError("scale must not be 0")
        if self.normalise == "band" and (self.kind == "audio" or self.frames == 1):
            raise ValueError("normalise 'band' needs several frames")

    @property
    def rules(self) -> Convention:
        """The convention with the keys that were given in place of its own."""
        return CONVENTIONS[self.convention].changed(
            {k: v for k in self._own() if k != "fft" and (v := getattr(self, k)) is not None}
        )

    @property
    def length(self) -> int:
        """Samples of one block of sound, or of one window of the transform."""
        return self.window or (self.hop if self.kind == "audio" else 1024)

    @property
    def transform(self) -> int:
        """Points of the Fourier transform."""
        if self.fft:
            return self.fft
        return 1 << (self.length - 1).bit_length() if self.convention == "kaldi" else self.length

    @property
    def lowest(self) -> float:
        """Lower edge of the bands, Hz."""
        return self.fmin if self.fmin is not None else 30.0 if self.convention == "sidechain" else 0.0

    @property
    def highest(self) -> float:
        """Upper edge of the bands, Hz."""
        if self.fmax is not None:
            return self.fmax
        return min(11_000.0, self.sample_rate / 2) if self.convention == "sidechain" else self.sample_rate / 2

    @property
    def padded(self) -> bool:
        """Whether the front end pads both ends of the block, as a centred transform of a recording does."""
        return self.frames > 1 and self.rules.centre and self.rules.padding != "none"

    @property
    def needed(self) -> int:
        """Fewest samples that give `frames` frames."""
        span = (self.frames - 1) * self.hop
        return max(span, 1) if self.padded else span + self.length

    @property
    def block(self) -> int:
        """Samples of sound that one call of the model hears."""
        return self.length if self.kind == "audio" else max(self.samples or self.needed, self.hop * self.every)

    @property
    def width(self) -> int:
        """Values of one frame."""
        if self.kind == "audio":
            return self.channels
        return self.bands if self.kind in ("mel", "log-mel") else self.transform // 2 + 1

    @property
    def size(self) -> int:
        """Values that one call of the model is given."""
        return self.channels * self.length if self.kind == "audio" else self.frames * self.width

    @property
    def delay(self) -> float:
        """Seconds that the middle of a centred frame lies behind the newest sample."""
        if self.kind == "audio" or not self.rules.centre or self.padded:
            return 0.0
        return self.length / 2 / self.sample_rate

    @property
    def shared(self) -> bool:
        """Whether the host's front end has it: made once for all plugins that ask for the same."""
        one = self.frames == self.every == 1 and self.length >= self.hop
        return self.kind != "audio" and self.convention == "sidechain" and one

    def spec(self, lane: str) -> InputSpec:
        """What the host is asked for."""
        if self.kind == "audio":
            return AudioInput(self.sample_rate, self.channels, self.hop, self.length)
        if self.shared and lane == "fast":
            if self.kind == "stft":
                return StftSpec(self.sample_rate, self.hop, self.length)
            return LogMelSpec(
                self.sample_rate, self.hop, self.length, self.bands, self.lowest, self.highest, self.gamma
            )
        return AudioInput(self.sample_rate, 1, self.hop * self.every, self.block)


class State(Strict):
    """``[[model.states]]``: an output that is the next call's input."""

    input: Name
    output: Name
    initial: Numbers = 0.0
    shape: list[int] | None = Field(None, max_length=8)


class Constant(Strict):
    """``[[model.constants]]``: an input that is always the same."""

    input: Name
    value: float | list[float] | bool | int


class ModelSection(Strict):
    """``[model]``: the file, and how its inputs and outputs are called."""

    file: Name = "model.onnx"
    weights: str = ""
    input: Name
    shape: list[int] | None = Field(None, max_length=8)
    outputs: list[Name] = Field(default_factory=list, max_length=256)
    states: list[State] = Field(default_factory=list, max_length=256)
    constants: list[Constant] = Field(default_factory=list, max_length=64)

    @model_validator(mode="after")
    def _distinct(self) -> ModelSection:
        _no_twice("model input", [self.input, *(s.input for s in self.states), *(c.input for c in self.constants)])
        _no_twice("model state output", [s.output for s in self.states])
        _no_twice("model output", self.outputs)
        for shape in [self.shape or [], *(s.shape or [] for s in self.states)]:
            if any(d < 1 for d in shape):
                raise ValueError(f"shape {shape}: every size must be 1 or more")
        return self


class OutputSection(Strict):
    """``[[outputs]]``: one result, made of one output of the model."""

    identifier: str
    kind: Literal["value", "vector", "label", "event"] = "value"
    source: Name = Field(alias="from")
    index: int = Field(0, ge=0)
    size: int = Field(0, ge=0, le=MOST_WIDTH)
    pool: Literal["none", "last", "mean", "max"] = "none"
    activation: Literal["none", "sigmoid", "softmax"] = "none"
    unit: str = ""
    minimum: float = 0.0
    maximum: float = 1.0
    labels: list[str] = Field(default_factory=list, max_length=MOST_WIDTH)
    labels_file: str = ""
    smoothing_ms: float = Field(0.0, ge=0.0, le=60_000.0)
    threshold: float | None = None
    hysteresis: float = Field(0.0, ge=0.0)
    otherwise: str = ""
    description: str = ""

    @model_validator(mode="after")
    def _consistent(self) -> OutputSection:
        if self.labels and self.labels_file:
            raise ValueError("give labels or labels_file, not both")
        if self.minimum > self.maximum:
            raise ValueError(f"minimum {self.minimum:g} is above maximum {self.maximum:g}")
        if self.kind == "label" and not (self.labels or self.labels_file):
            raise ValueError("kind 'label' needs labels or labels_file, one name for each value of the model")
        if self.kind == "vector" and not (self.size or self.labels or self.labels_file):
            raise ValueError("kind 'vector' needs size, the number of values")
        if self.size and self.labels and self.size != len(self.labels):
            raise ValueError(f"size is {self.size}, but there are {len(self.labels)} labels")
        if self.kind in ("value", "vector") and self.threshold is not None:
            raise ValueError(f"threshold is for kinds 'event' and 'label', not '{self.kind}'")
        return self

    @property
    def width(self) -> int:
        """Values the model must give; 0 = any."""
        return len(self.labels) or self.size

    def output(self, rate: float) -> Output:
        """The plugin contract's terms for it."""
        size = self.width if self.kind == "vector" else 1
        return Output(
            self.identifier, self.kind, self.unit, self.minimum, self.maximum, max(1, size),
            0.0 if self.kind == "event" else rate, self.description,
        )  # fmt: skip


class Manifest(Strict):
    """The contents of a ``plugin.toml``."""

    plugin: PluginSection
    input: InputSection
    model: ModelSection
    outputs: list[OutputSection] = Field(min_length=1, max_length=256)

    @model_validator(mode="after")
    def _distinct(self) -> Manifest:
        _no_twice("output", [o.identifier for o in self.outputs])
        if self.model.outputs:
            known = set(self.model.outputs)
            for name in [*(o.source for o in self.outputs), *(s.output for s in self.model.states)]:
                if name not in known:
                    raise ValueError(f"model.outputs does not name '{name}'")
        return self

    @property
    def latency(self) -> float:
        """Seconds beyond the hop: the model's own and that of a centred frame."""
        return self.plugin.latency + self.input.delay

    @property
    def wanted(self) -> list[str]:
        """The model's outputs that are asked for: results in order, then states in order."""
        return [*(o.source for o in self.outputs), *(s.output for s in self.model.states)]


def _no_twice(what: str, names: list[Any]) -> None:
    twice = next((n for n in names if names.count(n) > 1), None)
    if twice is not None:
        raise ValueError(f"{what} '{twice}' is named twice")
