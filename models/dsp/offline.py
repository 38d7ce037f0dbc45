"""Run one plugin over an array, as the host would, without a host: for scoring, tuning and tests."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from realtime.hosting.plugin import Array, AudioInput, Context, Feature, Plugin, PluginFactory
from realtime.hosting.spectral import frames


def prepared(kind: PluginFactory, **parameters: float) -> Plugin:
    """A new plugin, prepared with its defaults and `parameters`."""
    plugin = kind()
    values = {p.identifier: p.default for p in kind.descriptor.parameters}
    plugin.prepare(Context(values | parameters))
    return plugin


def drive(plugin: Plugin, samples: npt.NDArray[np.floating], start: float = 0.0) -> list[tuple[float, Feature]]:
    """Feed a recording hop by hop.

    Parameters
    ----------
    plugin : Plugin
        Prepared.
    samples : ndarray, shape (n,) or (2, n)
        At the plugin's own sample rate; a last incomplete hop is left out.
    start : float
        Stream seconds of the first sample.

    Returns
    -------
    list of (emitted, Feature)
        `emitted` is the stream time of the end of the hop that brought the feature.
    """
    spec = plugin.descriptor.input
    sound = np.ascontiguousarray(samples, np.float32)
    stereo = isinstance(spec, AudioInput) and spec.channels == 2
    if stereo and sound.ndim == 1:
        sound = np.stack([sound, sound])
    if isinstance(spec, AudioInput):
        padding = np.zeros((*sound.shape[:-1], spec.length - spec.hop), np.float32)
        padded = np.concatenate([padding, sound], axis=-1)
        count = sound.shape[-1] // spec.hop
        blocks: Iterable[Array] = (padded[..., k * spec.hop : k * spec.hop + spec.length] for k in range(count))
    else:
        blocks = frames(sound, spec)
    found: list[tuple[float, Feature]] = []
    for k, block in enumerate(blocks):
        block.flags.writeable = False
        time = start + (k + 1) * spec.hop / spec.sample_rate
        found += [(time, feature) for feature in plugin.process(block, time) or ()]
    return found
