"""A bundle at work."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from realtime.errors import UserError
from realtime.hosting.bundles import files, safetensors
from realtime.hosting.bundles.backend import open_backend, reason
from realtime.hosting.bundles.intake import Intake
from realtime.hosting.bundles.manifest import Manifest
from realtime.hosting.bundles.shaping import Shaper
from realtime.hosting.plugin import Array, AudioInput, Context, Descriptor, Feature, Plugin


class BundlePlugin(Plugin):
    """One instance of a bundle: front end, model with its states, shaping of its outputs."""

    def __init__(self, manifest: Manifest, descriptor: Descriptor, folder: Path) -> None:
        self.descriptor = descriptor  # type: ignore[misc]  # each bundle has its own
        self._manifest = manifest
        self._folder = folder

    def prepare(self, context: Context) -> None:
        """Load the model, check it against the manifest, and run it once on silence.

        Raises
        ------
        UserError
            The model cannot be loaded or does not fit the manifest.
        """
        del context
        m = self._manifest
        name = m.plugin.identifier
        model = files.model_file(self._folder, m.model.file)
        weights = {}
        if m.model.weights:
            weights = safetensors.read(files.inside(self._folder, m.model.weights, "model.weights"))
        self._backend = open_backend(m, self._folder, model, weights)
        self._intake = Intake(m.input, made=not isinstance(self.descriptor.input, AudioInput))
        self._shapers = [Shaper(name, o) for o in m.outputs]
        silence = np.zeros(_block_shape(self.descriptor), np.float32)
        try:
            results = self._backend.run(self._intake.take(silence, 0.0))
            self._backend.run(self._intake.take(silence, 0.0))  # once more: the states fit what they were
        except UserError:
            raise
        except Exception as e:  # whatever the model's library raises
            raise UserError(f"bundle '{name}': the model fails on silence: {reason(e)}") from e
        for shaper, result in zip(self._shapers, results, strict=True):
            shaper.check(np.asarray(result))
        self.reset()

    def process(self, block: Array, time: float) -> Iterable[Feature]:
        """Run the model on one block."""
        results = self._backend.run(self._intake.take(block, time))
        at = time - self._manifest.latency
        return [f for shaper, result in zip(self._shapers, results) for f in shaper.shape(result, at)]

    def reset(self) -> None:
        """Front end, states, smoothing and switches back to the start."""
        self._intake.reset()
        self._backend.reset()
        for shaper in self._shapers:
            shaper.reset()


def _block_shape(descriptor: Descriptor) -> tuple[int, ...]:
    spec = descriptor.input
    if not isinstance(spec, AudioInput):
        return (spec.size,)
    return (spec.length,) if spec.channels == 1 else (2, spec.length)
