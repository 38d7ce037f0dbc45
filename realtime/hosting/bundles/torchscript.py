"""TorchScript models (``.pt``, ``.ts``).

torch reads their data with an unpickler of its own, in C++, that makes tensors and nothing else; their code runs
in TorchScript's interpreter, which knows no Python. What remains are operators that touch files; those are looked
for in the code before torch sees it.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from realtime.errors import UserError
from realtime.hosting.bundles import files
from realtime.hosting.bundles.backend import F32, Tensors, input_shape, reason, require, state_start
from realtime.hosting.bundles.manifest import Manifest
from realtime.hosting.bundles.torchneeds import torch_for

_MOST_CODE = 16 << 20
_FORBIDDEN = re.compile(r"\b(?:from_file|torch\.save|torch\.load|torch\.classes|_torchbind\w*|open_file)\b")
_FOREIGN = re.compile(r"\bops\.(?!prim\b|aten\b|profiler\b)(\w+)\.(\w+)")


class TorchScriptBackend:
    """One module and its states; see :class:`~realtime.hosting.bundles.backend.Backend`."""

    def __init__(self, manifest: Manifest, model: Path, weights: Tensors) -> None:
        self._plugin = manifest.plugin.identifier
        self._who = f"bundle '{self._plugin}'"
        m = manifest.model
        if weights:
            raise UserError(f"{self._who}: model.weights is for .onnx and .pt2; TorchScript has its own inside")
        check(model)
        self._torch = torch_for(self._plugin)
        self._module = self._load(model)
        names = [a.name for a in self._module.forward.schema.arguments[1:]]
        wanted = [m.input, *(s.input for s in m.states), *(c.input for c in m.constants)]
        for name in wanted:
            require(self._plugin, "input", name, names)
        if missing := set(names) - set(wanted):
            raise UserError(f"{self._who}: the model's input '{sorted(missing)[0]}' is not named in plugin.toml")
        self._names = names
        self._outputs = m.outputs or (["output"] if not m.states else [])
        if not self._outputs:
            raise UserError(f"{self._who}: model.outputs must name what the TorchScript model returns")
        for name in manifest.wanted:
            require(self._plugin, "output", name, self._outputs)
        self._wanted = [self._outputs.index(n) for n in manifest.wanted]
        self._results = len(manifest.outputs)
        self._input = m.input
        self._shape = input_shape(manifest, None)
        torch = self._torch
        self._start = {}
        for s in m.states:
            if s.shape is None:
                raise UserError(f"{self._who}: state '{s.input}' needs a shape, which TorchScript does not say")
            self._start[s.input] = torch.tensor(state_start(self._plugin, s.input, s.shape, s.initial, np.float32))
        self._order = [s.input for s in m.states]
        self._constants = {c.input: torch.tensor(c.value) for c in m.constants}
        self._buffers = [(b, b.clone()) for b in self._module.buffers()]
        self.reset()

    def run(self, x: F32) -> Sequence[npt.NDArray[Any]]:
        """One call."""
        torch = self._torch
        with torch.inference_mode():
            given = {**self._constants, **self._states}
            given[self._input] = torch.tensor(np.ascontiguousarray(x, np.float32)).reshape(self._shape)
            found = self._module(*(given[n] for n in self._names))
            found = (found,) if isinstance(found, torch.Tensor) else tuple(found)
            if len(found) != len(self._outputs) or not all(isinstance(v, torch.Tensor) for v in found):
                raise UserError(
                    f"{self._who}: model.outputs names {len(self._outputs)}, the model gives {len(found)}"
                )
            for name, place in zip(self._order, self._wanted[self._results :]):
                if found[place].shape != self._start[name].shape:
                    raise UserError(
                        f"{self._who}: state '{name}' has shape {list(self._start[name].shape)}, but comes "
                        f"back as {list(found[place].shape)}; set its shape under [[model.states]]"
                    )
                self._states[name] = found[place].clone()
            return [found[place].numpy() for place in self._wanted[: self._results]]

    def reset(self) -> None:
        """States and buffers back to their start."""
        with self._torch.no_grad():
            self._states = {n: v.clone() for n, v in self._start.items()}
            for buffer, start in self._buffers:
                buffer.copy_(start)

    def _load(self, model: Path) -> Any:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # that TorchScript is old; it is what was asked for
                return self._torch.jit.load(str(model), map_location="cpu").eval()
        except Exception as e:  # torch raises RuntimeError for nearly everything
            raise UserError(f"{self._who}: the model cannot be loaded: {reason(e)}") from e


def check(path: Path) -> None:
    """Look at the archive without torch.

    Raises
    ------
    UserError
        It is a checkpoint (a pickle) and no TorchScript, or its code touches files or needs operators that torch
        does not have.
    """
    with files.open_archive(path) as archive:
        names = archive.namelist()
        code = [n for n in names if "/code/" in n and n.endswith(".py")]
        if not code:
            if any(n.endswith("archive_format") for n in names):
                raise UserError(f"{path}: is a program of torch.export; name it .pt2")
            raise UserError(
                f"{path}: is a checkpoint, and its pickle is never read; export the network with "
                "'sidechain plugins export' or torch.jit.save"
            )
        for name in code:
            text = files.member(path, archive, name, _MOST_CODE).decode("utf-8", "replace")
            if bad := _FORBIDDEN.search(text):
                raise UserError(f"{path}: its code uses '{bad[0]}', which reaches beyond the model; it is refused")
            if foreign := _FOREIGN.search(text):
                raise UserError(
                    f"{path}: needs the operator '{foreign[1]}::{foreign[2]}', which torch alone does not have; "
                    "export it without custom operators"
                )
