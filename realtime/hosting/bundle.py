"""Bundles: a folder with ``plugin.toml`` and a model, hosted with no code.

The manifest, key by key, is described in docs/plugins.md; its schema is
:class:`realtime.hosting.bundles.manifest.Manifest`. The way of a block through a bundle:

``bundles/intake.py`` (front end) → ``bundles/onnxmodel.py``, ``exportedmodel.py`` or ``torchscript.py`` (the model
and its states) → ``bundles/shaping.py`` (results). What a bundle's files may be, ``bundles/files.py`` says: they
lie in its folder, are of a bounded size, and none is ever unpickled.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from realtime.errors import UserError
from realtime.hosting.bundles import files
from realtime.hosting.bundles.manifest import Manifest, OutputSection
from realtime.hosting.bundles.plugin import BundlePlugin
from realtime.hosting.plugin import Descriptor, Plugin, PluginFactory
from realtime.preset import explain

MANIFEST = "plugin.toml"


def load_bundle(folder: Path) -> PluginFactory:
    """Read and check a bundle; the model itself is loaded when the plugin prepares.

    Raises
    ------
    UserError
        Missing or malformed manifest (line and key named); a model, weights or labels file that is missing, too
        large, of a kind that is not hosted, or outside the folder.
    """
    manifest = read_manifest(folder)
    files.model_file(folder, manifest.model.file)
    if manifest.model.weights:
        if not manifest.model.weights.endswith(".safetensors"):
            raise UserError(
                f"bundle {folder}: model.weights '{manifest.model.weights}' is not a .safetensors file"
            )
        files.inside(folder, manifest.model.weights, "model.weights")
    manifest = manifest.model_copy(update={"outputs": [_with_labels(folder, o) for o in manifest.outputs]})
    try:
        return BundleFactory(describe(manifest), manifest, folder)
    except ValueError as e:
        raise UserError(f"bundle {folder / MANIFEST}: {e}") from e


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a bundle, checked by itself. Raises ``UserError``."""
    path = folder / MANIFEST
    text = files.text(folder, MANIFEST, "manifest", files.MOST_MANIFEST)
    try:
        return Manifest.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as e:
        raise UserError(f"bundle {path}: not valid TOML: {e}") from e
    except ValidationError as e:
        raise UserError(f"bundle {path}: {explain(e, Manifest, text)}") from e
    except (ValueError, RecursionError) as e:
        raise UserError(f"bundle {path}: {e}") from e


def describe(manifest: Manifest) -> Descriptor:
    """What the host is told about a bundle. Raises ``ValueError`` for names that are none."""
    p, i = manifest.plugin, manifest.input
    rate = i.sample_rate / (i.hop * i.every)
    return Descriptor(
        p.identifier,
        p.name,
        p.description,
        p.maker,
        p.license,
        p.version,
        i.spec(p.lane),
        tuple(o.output(rate) for o in manifest.outputs),
        latency=manifest.latency,
        lane=p.lane,
        patience=p.patience,
        memory_mb=p.memory_mb,
    )


@dataclass(frozen=True)
class BundleFactory:
    """Makes instances of one bundle. Can be sent to another process."""

    descriptor: Descriptor
    manifest: Manifest
    folder: Path

    def __call__(self) -> Plugin:
        return BundlePlugin(self.manifest, self.descriptor, self.folder)


def _with_labels(folder: Path, output: OutputSection) -> OutputSection:
    if not output.labels_file:
        return output
    lines = files.text(folder, output.labels_file, "labels_file", files.MOST_LABELS).splitlines()
    labels = [line.strip() for line in lines if line.strip()]
    if output.size and output.size != len(labels):
        raise UserError(
            f"bundle {folder}: output '{output.identifier}' has size {output.size}, but {output.labels_file} has "
            f"{len(labels)} labels"
        )
    if not labels:
        raise UserError(f"bundle {folder}: labels_file '{output.labels_file}' is empty; one label a line")
    return output.model_copy(update={"labels": labels, "labels_file": ""})
