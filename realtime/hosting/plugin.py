"""The plugin contract: what a plugin declares, what the host promises.

A plugin is a class with a :class:`Descriptor` and a few methods. Its life, all on one thread (the lane's):

1. ``__init__()`` without arguments: cheap, no model loading.
2. ``prepare(context)``: allocate everything, load the model. May take time; the sound does not wait for it.
3. ``process(block, time)`` again and again, once per hop: causal, bounded, no I/O, nothing that grows.
   In between: ``parameter(...)`` when a live parameter has changed, ``skipped(samples)`` after a gap in the
   sound, ``reset()`` when the stream starts anew.
4. ``close()`` once.

The host resamples, mixes down, and cuts windows, so a plugin never sees an odd block.

This is a plugin of kind ``frame`` (fast lane, every hop) or ``window`` (slow lane: a process of its own, the
newest window wins). The other kinds have base classes in :mod:`realtime.hosting.kinds`. Plugins of the slow lane
may load and compute what they like in ``prepare`` and ``process``; importing their module must be cheap (the host
reads the descriptor), so heavy packages are imported in ``prepare``.

References
----------
The shape follows the Vamp plugin SDK (Cannam et al., 2010), with declared latency, live parameters and
explicit state added.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from realtime.hosting.spectral import FluxSpec, LogMelSpec, StftSpec

ENGINE_RATE = 48_000
"""Sample rate inside the host, Hz. Every device is brought to it once; all other rates derive from it."""

TICK = 240
"""Frames per tick of the fast lane at :data:`ENGINE_RATE` (5 ms). Hops are whole numbers of ticks."""

Lane = Literal["fast", "slow"]
Kind = Literal["frame", "window", "event", "combine", "insert", "job"]
OutputKind = Literal["event", "value", "vector", "label", "audio", "observation"]
Array = npt.NDArray[np.float32]

_LANES: dict[str, Lane] = {"window": "slow", "event": "slow", "job": "slow", "combine": "fast", "insert": "fast"}
_IDENTIFIER = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*\Z")
_OUTPUT = re.compile(r"[a-z0-9_]+([-_][a-z0-9_]+)*\Z")


@dataclass(frozen=True, slots=True)
class Parameter:
    """One control of a plugin.

    Parameters
    ----------
    identifier : str
        ``[a-z0-9_]+``; addressed as ``/param/PLUGIN/IDENTIFIER`` and in presets.
    name : str
        For people.
    unit : str
        ``"dB"``, ``"ms"``, ``"Hz"``, ``""`` …
    minimum, maximum, default : float
        Range in `unit`. For `choices` they are indices into it.
    choices : tuple of str
        Named values; empty for a plain number.
    live : bool
        Whether it can change while running (else the plugin is prepared anew).
    """

    identifier: str
    name: str
    unit: str
    minimum: float
    maximum: float
    default: float
    choices: tuple[str, ...] = ()
    live: bool = True
    description: str = ""

    def __post_init__(self) -> None:
        if not _OUTPUT.match(self.identifier):
            raise ValueError(f"parameter identifier {self.identifier!r}: only a-z, 0-9, _ and -")
        if not self.minimum <= self.default <= self.maximum:
            raise ValueError(f"parameter {self.identifier}: default {self.default} outside its range")


@dataclass(frozen=True, slots=True)
class Text:
    """One setting of a plugin that is words, not a number: prompts, the name of a model, a keyword list.

    Parameters
    ----------
    identifier : str
        ``[a-z0-9_]+``; a key of ``[plugins.NAME]`` in presets. A list there arrives as one entry a line.
    name : str
        For people.
    default : str
    live : bool
        Whether it can change while running (``Plugin.text`` is called).
    """

    identifier: str
    name: str
    default: str = ""
    live: bool = False
    description: str = ""

    def __post_init__(self) -> None:
        if not _OUTPUT.match(self.identifier):
            raise ValueError(f"text identifier {self.identifier!r}: only a-z, 0-9, _ and -")


@dataclass(frozen=True, slots=True)
class Output:
    """One kind of result.

    Parameters
    ----------
    identifier : str
        ``[a-z0-9_]+``; on the bus it is ``PLUGIN.IDENTIFIER``.
    kind : {"event", "value", "vector", "label", "audio", "observation"}
        ``event``: each one counts, delivered in order. ``value``, ``vector``, ``label``: the newest wins.
        ``observation``: the value is a :class:`realtime.musical.BeatObservation`; the host feeds it to a
        transport, which publishes ``PLUGIN.beat``, ``PLUGIN.tempo`` and ``PLUGIN.confidence``.
        ``audio``: sound, of inserts and jobs; `rate` is its sample rate.
    unit : str
        Unit of the value.
    minimum, maximum : float
        Range of the value, for meters and scaling; may be infinite.
    size : int
        Length of a ``vector``; 0 = as it comes.
    rate : float
        Nominal results per second; 0 = irregular. For ``audio``: Hz.
    """

    identifier: str
    kind: OutputKind
    unit: str = ""
    minimum: float = 0.0
    maximum: float = 1.0
    size: int = 1
    rate: float = 0.0
    description: str = ""

    def __post_init__(self) -> None:
        if not _OUTPUT.match(self.identifier):
            raise ValueError(f"output identifier {self.identifier!r}: only a-z, 0-9, _ and -")


@dataclass(frozen=True, slots=True)
class Beside:
    """Which frames of a shared spectrum a plugin takes with its sound.

    Parameters
    ----------
    mel : LogMelSpec
        Taken before the logarithm: ``gamma * mel``.
    ago : tuple of int
        How many frames before the one that ends with the block, in the order wanted. All end within its hop.
    """

    mel: LogMelSpec
    ago: tuple[int, ...] = (0,)


@dataclass(frozen=True, slots=True)
class AudioInput:
    """Sound as samples.

    Parameters
    ----------
    sample_rate : int
        Hz; the host resamples. 48000, 24000 and 16000 are shared between plugins and cheapest.
    channels : int
        1: mean of the chosen channels, block shape ``(window,)``. 2: stereo, block shape ``(2, window)``
        (a mono input is given twice).
    hop : int
        New samples per call, at `sample_rate`; a whole number of 5 ms ticks.
    window : int
        Samples per block, the newest last (right-aligned, zeros before the stream began); 0 = `hop`.
    beside : Beside, optional
        Frames of a shared mel spectrum, which ``Plugin.beside`` is given before each ``process``. Fast lane, one
        channel.
    """

    sample_rate: int = ENGINE_RATE
    channels: int = 1
    hop: int = 480
    window: int = 0
    beside: Beside | None = None

    def __post_init__(self) -> None:
        if self.beside is not None:
            mel = self.beside.mel
            if self.channels > 1 or mel.sample_rate != self.sample_rate or self.hop % mel.hop:
                raise ValueError("the spectrum beside the sound must be of its rate, its hop a part of the hop")
            if not all(0 <= ago < self.hop // mel.hop for ago in self.beside.ago):
                raise ValueError("the frames beside the sound must end within its hop")
        if self.channels not in (1, 2):
            raise ValueError("channels must be 1 or 2")
        if self.hop <= 0 or (self.hop * ENGINE_RATE) % (self.sample_rate * TICK):
            raise ValueError(f"hop {self.hop} at {self.sample_rate} Hz is not a whole number of 5 ms ticks")
        if self.window and self.window < self.hop:
            raise ValueError("window is shorter than hop")

    @property
    def length(self) -> int:
        """Samples per block."""
        return self.window or self.hop


InputSpec = AudioInput | LogMelSpec | FluxSpec | StftSpec


@dataclass(frozen=True, slots=True)
class Descriptor:
    """What a plugin is, declared before it runs.

    Parameters
    ----------
    identifier : str
        ``[a-z0-9-]+``, unique in a host.
    input : AudioInput, LogMelSpec, FluxSpec or StftSpec
        What ``process`` is given. A spectral spec is a shared feature: computed once for all plugins that
        ask for an equal one; ``process`` then gets one frame, shape ``(bands,)`` or ``(bins,)``.
    latency : float
        Seconds from a sound at the input of the plugin to the first result about it, beyond the hop.
    lane : {"fast", "slow"}
        ``fast``: the real-time thread, every hop. ``slow``: a worker process, the newest window wins.
    kind : {"frame", "window", "event", "combine", "insert", "job"}
        How it is called, see :mod:`realtime.hosting.kinds`. ``frame`` in the slow lane is taken as ``window``; the
        other kinds settle the lane: ``window``, ``event`` and ``job`` slow, ``combine`` and ``insert`` fast.
    sources : tuple of str
        ``event``: the events it is called on; ``combine``, ``job``: the results it reads. ``plugin.output`` each,
        ``*`` for any part of a name; ``[plugins.NAME] sources`` in a preset replaces them.
    after : float
        ``event``: seconds of sound after the event that the snippet contains (it ends there).
    patience : float
        Slow lane: seconds one call may take before the worker counts as hung and is replaced (jobs: seconds
        without a word of progress).
    memory_mb : int
        Slow lane: resident memory at which the worker is replaced.
    texts : tuple of Text
        Settings that are words.
    """

    identifier: str
    name: str
    description: str
    maker: str
    license: str
    version: str
    input: InputSpec
    outputs: tuple[Output, ...]
    parameters: tuple[Parameter, ...] = ()
    latency: float = 0.0
    lane: Lane = "fast"
    kind: Kind = "frame"
    sources: tuple[str, ...] = ()
    after: float = 0.0
    patience: float = 10.0
    memory_mb: int = 2048
    texts: tuple[Text, ...] = ()

    def __post_init__(self) -> None:
        if self.kind == "frame" and self.lane == "slow":
            object.__setattr__(self, "kind", "window")
        object.__setattr__(self, "lane", _LANES.get(self.kind, self.lane))
        if self.kind in ("event", "job", "insert") and not isinstance(self.input, AudioInput):
            raise ValueError(f"plugin {self.identifier}: a plugin of kind {self.kind} takes sound, not spectra")
        if self.lane == "slow" and isinstance(self.input, FluxSpec):
            raise ValueError(f"plugin {self.identifier}: spectral flux is for the fast lane only")
        if self.kind != "frame" and isinstance(self.input, AudioInput) and self.input.beside is not None:
            raise ValueError(f"plugin {self.identifier}: a spectrum beside the sound is for frame plugins only")
        if not _IDENTIFIER.match(self.identifier):
            raise ValueError(f"plugin identifier {self.identifier!r}: only a-z, 0-9 and -")
        if not self.outputs:
            raise ValueError(f"plugin {self.identifier}: no outputs")

    def output(self, identifier: str) -> Output | None:
        """The output of that name, or None."""
        return next((o for o in self.outputs if o.identifier == identifier), None)

    def parameter(self, identifier: str) -> Parameter | None:
        """The parameter of that name, or None."""
        return next((p for p in self.parameters if p.identifier == identifier), None)

    def text(self, identifier: str) -> Text | None:
        """The text setting of that name, or None."""
        return next((t for t in self.texts if t.identifier == identifier), None)


class Feature(NamedTuple):
    """One result of a plugin.

    Attributes
    ----------
    output : str
        Identifier of one of the descriptor's outputs.
    time : float
        Stream seconds: when the thing happened, or (prediction) will happen, in the sound.
    value : float, sequence of float, BeatObservation or None
    label : str or None
    """

    output: str
    time: float
    value: Any = None
    label: str | None = None


@dataclass(frozen=True)
class Context:
    """What a plugin knows when it prepares.

    Parameters
    ----------
    parameters : mapping of str to float
        A value for every declared parameter (preset over default), already checked against its range.
    folder : str
        Folder of a bundle, else empty.
    texts : mapping of str to str
        A value for every declared text setting.
    """

    parameters: Mapping[str, float] = field(default_factory=dict)
    folder: str = ""
    texts: Mapping[str, str] = field(default_factory=dict)


class Plugin:
    """Base class of plugins. Subclasses set `descriptor` and override what they need."""

    descriptor: ClassVar[Descriptor]

    def prepare(self, context: Context) -> None:
        """Allocate, load, and take the parameters. Called once before any sound; may raise ``UserError``."""

    def process(self, block: Array, time: float) -> Iterable[Feature] | None:
        """Take one hop and return what it shows.

        Parameters
        ----------
        block : ndarray of float32
            As declared by ``descriptor.input``; finite (the host replaces NaN and Inf by 0 and counts them);
            read-only, valid only during the call.
        time : float
            Stream seconds of the END of the block, delays of the host's resamplers taken off: for samples at
            rate ``sr``, sample ``i`` of a block of length ``n`` is at ``time - (n - i) / sr``.

        Returns
        -------
        iterable of Feature, or None
        """
        raise NotImplementedError

    def beside(self, levels: Array) -> None:
        """Frames that ``descriptor.input.beside`` asks for, shape ``(len(ago), bands)``, for the next ``process``.

        A plugin must do without as well: whoever drives it by itself calls ``process`` alone.
        """

    def parameter(self, identifier: str, value: float) -> None:
        """A live parameter has changed; called between blocks on the lane's thread."""

    def text(self, identifier: str, value: str) -> None:
        """A live text setting has changed; called between blocks on the lane's thread."""

    def skipped(self, samples: int) -> None:
        """Sound is missing: `samples` at the engine rate were lost before the next block."""
        self.reset()

    def reset(self) -> None:
        """Forget all sound heard so far; afterwards results equal those of a new instance."""

    def close(self) -> None:
        """Release everything."""

    @classmethod
    def installed(cls) -> list[tuple[str, str]]:
        """What a plugin that hosts others' plugins finds on this machine: the name that its settings take, and a
        few words. ``sidechain plugins NAME`` shows it; may take seconds."""
        return []


class PluginFactory(Protocol):
    """What makes instances of a plugin: the plugin class itself, or a loaded bundle."""

    @property
    def descriptor(self) -> Descriptor:
        """Known before there is an instance."""
        ...

    def __call__(self) -> Plugin:
        """A new instance, not yet prepared."""
        ...
