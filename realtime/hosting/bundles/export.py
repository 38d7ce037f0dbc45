"""From a torch module to a bundle: export, and proof that the hosted model says what the module says."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pydantic import ValidationError

from realtime.errors import UserError
from realtime.hosting.bundle import MANIFEST, read_manifest
from realtime.hosting.bundles import safetensors, toml
from realtime.hosting.bundles.backend import input_shape, open_backend, reason, state_start
from realtime.hosting.bundles.manifest import Manifest
from realtime.hosting.bundles.torchneeds import torch_for
from realtime.preset import explain

PARITY = 1e-4
"""Largest difference from torch, relative to results beyond 1."""

STEPS = 50
"""Calls over which the exported model is compared, states carried on."""


class Exported(NamedTuple):
    """What was written, and how far it is from the module."""

    model: Path
    difference: float


def export(module: str, place: Path, weights: Path | None = None) -> Exported:
    """Export a module into a bundle.

    Parameters
    ----------
    module : str
        ``package.module:Class`` or ``path/file.py:Class``: a ``torch.nn.Module`` made without arguments (or a
        function that gives one). ``forward`` takes the input and the states in the order of the manifest, and
        returns what ``model.outputs`` names.
    place : Path
        Folder of the bundle. Its ``plugin.toml`` is followed; where there is none, the class must have a
        ``manifest`` (a dict of the same shape), which is written there. ``model.file`` settles the format:
        ``.onnx``, ``.pt2`` or ``.pt``.
    weights : Path, optional
        ``.safetensors``, or a checkpoint that holds nothing but tensors.

    Raises
    ------
    UserError
        Something is missing or does not fit, or the exported model differs from the module; then nothing is
        replaced.
    """
    torch = torch_for("export")
    net = _made(module)
    manifest, text = _manifest(net, place, module)
    if not isinstance(net, torch.nn.Module):
        raise UserError(f"{module} is a {type(net).__name__}, not a torch.nn.Module")
    if weights is not None:
        _load(torch, net, weights)
    net.eval()
    given, start = _examples(torch, manifest)
    _try(torch, net, module, given, start, manifest)
    try:
        place.mkdir(parents=True, exist_ok=True)
        target = place / manifest.model.file
        with tempfile.TemporaryDirectory(dir=place, prefix=".export-") as temporary:
            made = Path(temporary) / target.name
            _write(torch, net, made, manifest, given, start)
            difference = parity(torch, net, made, manifest)
            if not difference <= PARITY:
                raise UserError(
                    f"{module}: the exported model differs from torch by {difference:.2g} (at most {PARITY:g}); "
                    "is it in another state after each call, or random?"
                )
            os.replace(made, target)
        if text:
            (place / MANIFEST).write_text(text, encoding="utf-8")
    except OSError as e:
        raise UserError(f"{place}: cannot be written ({e.strerror})") from e
    return Exported(target, difference)


def parity(torch: Any, net: Any, model: Path, manifest: Manifest) -> float:
    """Largest difference between the module and the hosted model over :data:`STEPS` calls with noise."""
    backend = open_backend(manifest, model.parent, model, {})
    rng = np.random.default_rng(0)
    given, states = _examples(torch, manifest)
    names = manifest.model.outputs
    worst = 0.0
    with torch.no_grad():
        for step in range(STEPS):
            x = rng.standard_normal(tuple(given.shape)).astype(np.float32) * (0.1 if step % 2 else 1.0)
            said = dict(zip(names, _tuple(net(torch.tensor(x), *states))))
            states = [said[s.output] for s in manifest.model.states]
            for output, found in zip(manifest.outputs, backend.run(x)):
                wanted = said[output.source].detach().numpy().astype(np.float64)
                off = np.abs(wanted - np.asarray(found, np.float64).reshape(wanted.shape))
                worst = max(worst, float((off / np.maximum(1.0, np.abs(wanted))).max(initial=0.0)))
    return worst


def _made(where: str) -> Any:
    name, _, attribute = where.rpartition(":")
    if not name or not attribute.isidentifier():
        raise UserError(f"'{where}' is not MODULE:CLASS, e.g. ./my-plugin/network.py:Network")
    try:
        if name.endswith(".py"):
            path = Path(name).resolve()
            spec = importlib.util.spec_from_file_location(f"sidechain_export_{path.stem}", path)
            if spec is None or spec.loader is None or not path.is_file():
                raise UserError(f"{name}: no such file")
            module = importlib.util.module_from_spec(spec)
            sys.modules[spec.name] = module
            spec.loader.exec_module(module)
        else:
            module = importlib.import_module(name)
        return getattr(module, attribute)()
    except UserError:
        raise
    except Exception as e:  # the author's code
        raise UserError(f"{where} cannot be made: {e.__class__.__name__}: {reason(e)}") from e


def _manifest(net: Any, place: Path, module: str) -> tuple[Manifest, str]:
    """The manifest, and its text if it has to be written."""
    if (place / MANIFEST).is_file():
        manifest, text = read_manifest(place), ""
    else:
        given = getattr(net, "manifest", None)
        if not isinstance(given, dict):
            raise UserError(
                f"there is no {place / MANIFEST}, and {module} has no 'manifest'; write one of the two"
            )
        try:
            text = toml.dumps(given)
            manifest = Manifest.model_validate(given)
        except ValidationError as e:
            raise UserError(f"{module}.manifest: {explain(e, Manifest)}") from e
        except ValueError as e:
            raise UserError(f"{module}.manifest: {e}") from e
    m = manifest.model
    if not m.outputs:
        raise UserError(f"model.outputs is missing: name what {module} returns, in order")
    if m.weights or m.constants:
        raise UserError(
            "model.weights and model.constants are for models from elsewhere; leave them out to export"
        )
    if "/" in m.file or "\\" in m.file or Path(m.file).suffix not in (".onnx", ".pt2", ".pt", ".ts"):
        raise UserError(f"model.file '{m.file}' must be a plain name that ends in .onnx, .pt2, .pt or .ts")
    missing = next((s.input for s in m.states if s.shape is None), None)
    if missing is not None:
        raise UserError(f"state '{missing}' has no shape; give it under [[model.states]]")
    return manifest, text


def _examples(torch: Any, manifest: Manifest) -> tuple[Any, list[Any]]:
    """An input and the states at the start."""
    name = manifest.plugin.identifier
    shape = input_shape(manifest, None)
    states = [
        torch.tensor(state_start(name, s.input, s.shape or [], s.initial, np.float32))
        for s in manifest.model.states
    ]
    return torch.zeros(shape), states


def _try(torch: Any, net: Any, module: str, given: Any, states: list[Any], manifest: Manifest) -> None:
    try:
        with torch.no_grad():
            results = _tuple(net(given, *states))
    except Exception as e:  # the author's code
        raise UserError(
            f"{module}: fails on an input of shape {list(given.shape)} and {len(states)} states: {reason(e)}"
        ) from e
    names = manifest.model.outputs
    if len(results) != len(names) or not all(isinstance(r, torch.Tensor) for r in results):
        raise UserError(f"{module}: returns {len(results)} values, model.outputs names {len(names)} tensors")


def _tuple(results: Any) -> tuple[Any, ...]:
    return tuple(results) if isinstance(results, (tuple, list)) else (results,)


def _load(torch: Any, net: Any, path: Path) -> None:
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    try:
        if path.suffix == ".safetensors":
            state = {k: torch.tensor(np.array(v)) for k, v in safetensors.read(path).items()}
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
            state = state.get("state_dict", state)
        net.load_state_dict(state)
    except UserError:
        raise
    except Exception as e:  # torch: anything from a pickle that is refused to a name that does not fit
        raise UserError(f"{path}: its weights cannot be taken: {reason(e)}") from e


def _write(torch: Any, net: Any, path: Path, manifest: Manifest, given: Any, states: list[Any]) -> None:
    names = [manifest.model.input, *(s.input for s in manifest.model.states)]
    examples = (given, *states)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            if path.suffix == ".onnx":
                torch.onnx.export(
                    net, examples, str(path), input_names=names, output_names=manifest.model.outputs,
                    opset_version=17, dynamo=False,
                )  # fmt: skip
            elif path.suffix == ".pt2":
                torch.export.save(torch.export.export(net, examples), str(path))
            else:
                torch.jit.trace(net, examples).save(str(path))
    except Exception as e:  # each exporter has its own ways to say no
        raise UserError(f"torch cannot export it as {path.suffix}: {reason(e)}") from e
