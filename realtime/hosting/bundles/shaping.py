"""From what a model gives to the results that the host publishes: pooling, activation, smoothing, thresholds."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from realtime.errors import UserError
from realtime.hosting.bundles.manifest import MOST_WIDTH, OutputSection
from realtime.hosting.plugin import Feature

F64 = npt.NDArray[np.float64]

_POOLS: dict[str, Callable[[F64], F64]] = {
    "last": lambda rows: rows[-1],
    "mean": lambda rows: rows.mean(axis=0),
    "max": lambda rows: rows.max(axis=0),
}


class Shaper:
    """One output of a bundle, with its smoothing and its switch. Owned by the lane's thread.

    Parameters
    ----------
    plugin : str
        For messages.
    section : OutputSection
        With labels already read from their file.
    """

    def __init__(self, plugin: str, section: OutputSection) -> None:
        self._plugin = plugin
        self._s = section
        self._rise = 0.5 if section.threshold is None else section.threshold
        self.reset()

    def reset(self) -> None:
        """Forget what was smoothed and switched."""
        self._smooth: F64 | None = None
        self._time = 0.0
        self._on: npt.NDArray[np.bool_] | None = None

    def check(self, result: npt.NDArray[Any]) -> None:
        """Refuse a model whose output does not fit; `result` is of a trial run.

        Raises
        ------
        UserError
            Wrong number of values for the labels, the size or the index; not numbers.
        """
        s = self._s
        where = f"bundle '{self._plugin}': output '{s.identifier}'"
        if result.dtype.kind not in "fiub":
            raise UserError(f"{where}: the model's '{s.source}' is {result.dtype}, not numbers")
        count = self._values(result).size
        if count == 0 or count > MOST_WIDTH:
            raise UserError(
                f"{where}: the model's '{s.source}' gives {count} values; 1 to {MOST_WIDTH} are hosted"
            )
        if s.labels and count != len(s.labels):
            raise UserError(
                f"{where} has {len(s.labels)} labels, but the model's '{s.source}' gives {count} values"
            )
        if s.size and count != s.size:
            raise UserError(f"{where} has size {s.size}, but the model's '{s.source}' gives {count} values")
        if not s.width and s.index >= count:
            raise UserError(f"{where}: index {s.index}, but the model's '{s.source}' gives {count} values")

    def shape(self, result: npt.NDArray[Any], time: float) -> list[Feature]:
        """The features that one result of the model amounts to, at `time`."""
        s = self._s
        values = self._smoothed(self._activated(self._values(result)), time)
        if s.kind == "label":
            best = int(values.argmax())
            score = float(values[best])
            known = s.threshold is None or score >= s.threshold
            return [Feature(s.identifier, time, score, s.labels[best] if known else s.otherwise)]
        if s.kind == "vector":
            return [Feature(s.identifier, time, values.tolist())]
        if s.kind == "event":
            return self._switched(values if s.labels else values[s.index : s.index + 1], time)
        return [Feature(s.identifier, time, float(values[s.index]))]

    def _values(self, result: npt.NDArray[Any]) -> F64:
        values = np.asarray(result, np.float64)
        pool = _POOLS.get(self._s.pool)
        if pool is None or values.ndim < 2:
            return values.reshape(-1)
        return pool(values.reshape(-1, values.shape[-1]))

    def _activated(self, values: F64) -> F64:
        if self._s.activation == "sigmoid":
            return 0.5 * (1.0 + np.tanh(0.5 * values))
        if self._s.activation == "softmax":
            raised = np.exp(values - values.max())
            return np.asarray(raised / raised.sum(), np.float64)
        return values

    def _smoothed(self, values: F64, time: float) -> F64:
        if not self._s.smoothing_ms:
            return values
        if self._smooth is None:
            self._smooth = values
        else:
            keep = math.exp(-max(0.0, time - self._time) / (self._s.smoothing_ms / 1000))
            self._smooth = keep * self._smooth + (1 - keep) * values
        self._time = time
        return self._smooth

    def _switched(self, values: F64, time: float) -> list[Feature]:
        s = self._s
        if self._on is None:
            self._on = np.zeros(len(values), np.bool_)
        on = values > np.where(self._on, self._rise - s.hysteresis, self._rise)
        changed = np.flatnonzero(on != self._on)
        self._on = on
        return [Feature(s.identifier, time, float(on[i]), s.labels[i] if s.labels else None) for i in changed]
