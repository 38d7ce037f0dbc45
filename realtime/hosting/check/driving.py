"""Calls a plugin as the host would, hop by hop, without a host."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from realtime.bus import plain
from realtime.errors import PluginError
from realtime.hosting.kinds import EventPlugin, Happening, InsertPlugin
from realtime.hosting.plugin import AudioInput, Context, Descriptor, Feature, Output, Plugin, PluginFactory
from realtime.hosting.spectral import frames
from realtime.musical import BeatObservation

F32 = npt.NDArray[np.float32]

HEARD = ("frame", "window", "event", "insert")
"""Kinds of plugin that are given sound as it comes, and so can be driven here."""

MOST_FEATURES = 256
_FAR = 60.0


class Said(NamedTuple):
    """A feature, made comparable. `value` is a number, a tuple, an observation, or the bytes of sound."""

    emitted: float
    output: str
    time: float
    value: Any
    label: str | None


@dataclass(frozen=True, slots=True)
class Subject:
    """A plugin to be checked, with the parameters to check it with."""

    factory: PluginFactory
    parameters: dict[str, float]
    texts: dict[str, str]

    @property
    def descriptor(self) -> Descriptor:
        """What it declares."""
        return self.factory.descriptor

    def fresh(self, **parameters: float) -> Plugin:
        """A new instance, prepared; whatever it raises comes through."""
        plugin = self.factory()
        plugin.prepare(Context(self.parameters | parameters, texts=self.texts))
        return plugin


def blocks(descriptor: Descriptor, sound: F32, start: float = 0.0) -> Iterator[tuple[F32, float]]:
    """What the host would give for a recording: blocks or frames, and the stream time of each one's end.

    Parameters
    ----------
    sound : ndarray of float32, shape (n,) or (2, n)
        At the plugin's own rate; a last incomplete hop is left out.
    """
    spec = descriptor.input
    if isinstance(spec, AudioInput):
        padding = np.zeros((*sound.shape[:-1], spec.length - spec.hop), np.float32)
        padded = np.concatenate([padding, sound], axis=-1)
        count = sound.shape[-1] // spec.hop
        found = (padded[..., k * spec.hop : k * spec.hop + spec.length].copy() for k in range(count))
    else:
        found = (frame for frame in frames(sound, spec))
    for k, block in enumerate(found):
        block.flags.writeable = False
        yield block, start + (k + 1) * spec.hop / spec.sample_rate


def call(plugin: Plugin, block: F32, at: float) -> Iterable[Any]:
    """One call, whatever its kind. Sound that an insert gives counts as a feature of its output."""
    if isinstance(plugin, InsertPlugin):
        rendered = plugin.render(block, at)
        sound, features = rendered if isinstance(rendered, tuple) else (rendered, ())
        if np.shape(sound) != block.shape:
            raise PluginError(f"render gave sound of shape {np.shape(sound)} for a block of {block.shape}")
        if not np.isfinite(sound).all():
            raise PluginError("render gave sound that is not finite")
        output = next((o.identifier for o in plugin.descriptor.outputs if o.kind == "audio"), "audio")
        return [Feature(output, at, np.asarray(sound, np.float32).tobytes()), *(features or ())]
    if isinstance(plugin, EventPlugin):
        source = next(iter(plugin.descriptor.sources), "onset.onset").replace("*", "onset")
        return plugin.on_event(Happening(source, at - plugin.descriptor.after, 1.0, None), block, at) or ()
    return plugin.process(block, at) or ()


def drive(
    plugin: Plugin,
    sound: F32,
    start: float = 0.0,
    scribble: bool = False,
    ranges: bool = True,
    taken: Callable[[float, float], None] | None = None,
) -> list[Said]:
    """Feed a recording hop by hop, and check each feature as the host does.

    Parameters
    ----------
    scribble : bool
        Overwrite each block after the call: a plugin that kept it is found out.
    ranges : bool
        Whether results must lie in their declared ranges.
    taken : callable, optional
        Called after each call with the seconds it took on the clock and of this thread's processor time.

    Raises
    ------
    PluginError
        A feature breaks the contract.
    Exception
        Whatever the plugin raises.
    """
    said: list[Said] = []
    for block, at in blocks(plugin.descriptor, sound, start):
        begun, busy = time.perf_counter(), time.thread_time()
        features = list(call(plugin, block, at))
        if taken is not None:
            taken(time.perf_counter() - begun, time.thread_time() - busy)
        if len(features) > MOST_FEATURES:
            raise PluginError(f"{len(features)} features in one call; at most {MOST_FEATURES}")
        said += [checked(plugin.descriptor, f, at, ranges) for f in features]
        if scribble:
            block.flags.writeable = True
            block[...] = 7.0
    return said


def checked(descriptor: Descriptor, feature: Any, at: float, ranges: bool = True) -> Said:
    """One feature as :class:`Said`. Raises ``PluginError`` if it breaks the contract."""
    if not isinstance(feature, Feature):
        raise PluginError(f"returned {type(feature).__name__} in place of Feature")
    output = descriptor.output(feature.output)
    if output is None:
        names = ", ".join(o.identifier for o in descriptor.outputs)
        raise PluginError(f"returned a feature for '{feature.output}', which is not declared (declared: {names})")
    where = f"'{feature.output}'"
    when = float(feature.time)
    if not abs(when - at) < _FAR:
        raise PluginError(f"{where} has time {when:g} s at {at:g} s; at most a minute away is taken")
    if feature.label is not None and not isinstance(feature.label, str):
        raise PluginError(f"{where} has a label of type {type(feature.label).__name__}; it must be text")
    if output.kind == "label" and feature.label is None:
        raise PluginError(f"{where} is declared as a label, but has none")
    if output.kind == "observation":
        return Said(at, feature.output, when, _observation(where, feature.value), feature.label)
    if output.kind == "audio":
        return Said(at, feature.output, when, feature.value, feature.label)
    try:
        value = plain(feature.value)
    except (TypeError, ValueError) as e:
        raise PluginError(
            f"{where} has a value of type {type(feature.value).__name__}; it must be a number"
        ) from e
    numbers = value if isinstance(value, tuple) else () if value is None else (value,)
    if not all(math.isfinite(v) for v in numbers):
        raise PluginError(f"{where} is not finite ({value}) at {at:.3f} s")
    if output.kind == "vector" and output.size and len(numbers) != output.size:
        raise PluginError(f"{where} has {len(numbers)} values; declared is size {output.size}")
    if output.kind == "value" and len(numbers) != 1:
        raise PluginError(f"{where} must be one number (given {value})")
    wrong = outside(output, numbers)
    if ranges and wrong is not None:
        raise PluginError(
            f"{where} is {wrong:g} at {at:.3f} s; declared is {output.minimum:g} to {output.maximum:g}"
        )
    return Said(at, feature.output, when, value, feature.label)


def outside(output: Output, numbers: tuple[float, ...]) -> float | None:
    """The first number that is not in the declared range (scores of labels have none)."""
    if output.kind == "label":
        return None
    slack = 1e-6 * max([1.0, *(abs(v) for v in (output.minimum, output.maximum) if math.isfinite(v))])
    return next((v for v in numbers if not output.minimum - slack <= v <= output.maximum + slack), None)


def _observation(where: str, value: Any) -> BeatObservation:
    if not isinstance(value, BeatObservation):
        raise PluginError(f"{where} must be a BeatObservation (given {type(value).__name__})")
    if not all(math.isfinite(v) for v in (value.time, value.tempo, value.phase, value.confidence)):
        raise PluginError(f"{where} is not finite")
    return value
