"""What a file sounds like: the vectors of a plugin over it, by the very graph that runs live."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from realtime.audio.file import FileSource
from realtime.bus import Event, Value
from realtime.engine import Engine
from realtime.errors import UserError
from realtime.hosting import registry
from realtime.hosting.plugin import Array, Context, Descriptor, Feature, Plugin
from realtime.preset import PluginSettings, Preset

F32 = npt.NDArray[np.float32]


class _Kept(Plugin):
    """A plugin that outlives a run, so that its model is loaded once for a whole library."""

    def __init__(self, inner: Plugin) -> None:
        self._inner = inner
        self._prepared = False

    def prepare(self, context: Context) -> None:
        """The first time only; afterwards it forgets the sound of before."""
        if self._prepared:
            self._inner.reset()
        else:
            self._inner.prepare(context)
            self._prepared = True

    def process(self, block: Array, time: float) -> list[Feature]:
        return list(self._inner.process(block, time) or ())

    def skipped(self, samples: int) -> None:
        self._inner.skipped(samples)

    def reset(self) -> None:
        self._inner.reset()

    def close(self) -> None:
        """Nothing: the run is over, the plugin goes on."""

    def end(self) -> None:
        """Now."""
        if self._prepared:
            self._inner.close()


class _Factory:
    """Gives the same instance each time."""

    def __init__(self, descriptor: Descriptor, plugin: Plugin) -> None:
        self.descriptor = descriptor
        self._plugin = plugin

    def __call__(self) -> Plugin:
        return self._plugin


class Means:
    """A tap of the bus that takes means of one vector output over equal stretches of time."""

    def __init__(self, name: str, size: int, every: float) -> None:
        # A plugin may hold a model with more or fewer numbers than it declares: the first vector settles it
        self._name, self._size, self._every = name, size, every
        self._sums: list[F32] = []

    def event(self, event: Event) -> None:
        """Not wanted."""

    def value(self, name: str, value: Value) -> None:
        """A value was replaced."""
        if name != self._name or not isinstance(value.value, tuple):
            return
        if not self._sums:
            self._size = len(value.value)
        elif len(value.value) != self._size:
            return
        at = max(0, int((value.time - 1e-6) / self._every))
        while len(self._sums) <= at:
            self._sums.append(np.zeros(self._size, np.float32))
        self._sums[at] += np.asarray(value.value, np.float32)

    def vectors(self) -> F32:
        """Unit vectors, shape ``(n, size)``; zeros where nothing sounded."""
        if not self._sums:
            return np.zeros((0, self._size), np.float32)
        found = np.stack(self._sums)
        length = np.linalg.norm(found, axis=1, keepdims=True)
        return np.where(length > 1e-4, found / np.maximum(length, 1e-4), 0).astype(np.float32)


class Embedder:
    """Vectors of files by one plugin.

    Parameters
    ----------
    plugin : str
        As in presets: identifier, or path.
    output : str
        Its vector output.
    every : float
        Seconds of sound a vector stands for.
    settings : PluginSettings, optional
        Parameters and texts, as in a preset.

    Attributes
    ----------
    key : str
        What else gives the same vectors has the same.

    Raises
    ------
    UserError
        No such plugin, or it has no such vector.
    """

    def __init__(
        self, plugin: str, output: str = "embedding", every: float = 2.0, settings: PluginSettings | None = None
    ) -> None:
        factory = registry.find(plugin)
        self.descriptor = factory.descriptor
        found = self.descriptor.output(output)
        if found is None or found.kind != "vector":
            vectors = [o.identifier for o in self.descriptor.outputs if o.kind == "vector"]
            have = f"it has {', '.join(vectors)}" if vectors else "it has no vector at all"
            raise UserError(f"plugin '{plugin}' has no vector output '{output}'; {have}")
        if self.descriptor.kind not in ("frame", "window"):
            raise UserError(f"plugin '{plugin}' is of kind {self.descriptor.kind}; an index wants frame or window")
        self.output, self.size, self.every = output, found.size, every
        self._key, self._settings = plugin, settings or PluginSettings()
        given = json.dumps(self._settings.parameters, sort_keys=True, default=str).encode()
        of_settings = hashlib.blake2b(given, digest_size=6).hexdigest()
        d = self.descriptor
        self.key = f"{d.identifier}-{d.version}-{output}-{every:g}-{of_settings}"
        self._plugin = _Kept(factory())

    def prepare(self) -> None:
        """Load what the plugin needs, so that what is missing is said before any file is read; ``UserError``."""
        given = self._settings.parameters
        self._plugin.prepare(
            Context(registry.resolve(self.descriptor, given), "", registry.resolve_texts(self.descriptor, given))
        )

    def vectors(self, path: Path, progress: Callable[[float], None] | None = None) -> F32:
        """Vectors of a file, shape ``(n, size)``.

        Raises ``UserError`` where it cannot be read or the plugin fails.
        """
        taken = Means(f"{self.descriptor.identifier}.{self.output}", self.size, self.every)
        preset = Preset(plugins={self._key: self._settings.model_copy(deep=True)})
        factory = _Factory(self.descriptor, self._plugin)
        engine = Engine(
            preset, FileSource(path, paced=False), plugins={self._key: factory}, tap=taken, outputs=False
        )
        engine.run_offline(progress)
        failed = next((s for s in engine.slots if s.errors), None)
        if failed is not None:
            raise UserError(f"{path}: plugin '{failed.identifier}' failed: {failed.error}")
        return taken.vectors()

    def close(self) -> None:
        """Release the plugin."""
        self._plugin.end()
