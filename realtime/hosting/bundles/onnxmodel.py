"""ONNX models, run by onnxruntime on one thread."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from realtime.errors import UserError
from realtime.hosting.bundles import onnxfile
from realtime.hosting.bundles.backend import F32, Tensors, concrete, input_shape, reason, require, state_start
from realtime.hosting.bundles.manifest import Manifest
from realtime.hosting.inference import session_options

_TYPES = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(uint8)": np.uint8,
    "tensor(bool)": np.bool_,
}


class OnnxBackend:
    """One onnxruntime session and its states; see :class:`~realtime.hosting.bundles.backend.Backend`."""

    def __init__(self, manifest: Manifest, folder: Path, model: Path, weights: Tensors) -> None:
        self._plugin = manifest.plugin.identifier
        self._who = f"bundle '{self._plugin}'"
        m = manifest.model
        contents = onnxfile.inspect(folder, model, frozenset(weights))
        self._session = self._open(model, weights, contents)
        inputs = {i.name: i for i in self._session.get_inputs()}
        outputs = {o.name: o for o in self._session.get_outputs()}
        wanted = [m.input, *(s.input for s in m.states), *(c.input for c in m.constants)]
        for name in wanted:
            require(self._plugin, "input", name, inputs)
        for name in manifest.wanted:
            require(self._plugin, "output", name, outputs)
        if missing := set(inputs) - set(wanted):
            raise UserError(f"{self._who}: the model's input '{sorted(missing)[0]}' is not named in plugin.toml")
        if inputs[m.input].type != "tensor(float)":
            raise UserError(
                f"{self._who}: input '{m.input}' is {inputs[m.input].type}, not tensor(float); "
                "export the model with float32 input"
            )
        self._input = m.input
        self._shape = input_shape(manifest, inputs[m.input].shape)
        self._start: dict[str, npt.NDArray[Any]] = {}
        for state in m.states:
            given, back = inputs[state.input], outputs[state.output]
            if given.type != back.type:
                raise UserError(
                    f"{self._who}: state '{state.input}' is {given.type}, but '{state.output}' is {back.type}"
                )
            shape = state.shape or concrete(given.shape, 0)
            self._start[state.input] = state_start(
                self._plugin, state.input, shape, state.initial, self._type(state.input, given.type)
            )
        self._fixed = {c.input: self._constant(c.input, c.value, inputs[c.input]) for c in m.constants}
        self._wanted = manifest.wanted
        self._names = [s.input for s in m.states]
        self._results = len(manifest.outputs)
        self.reset()

    def run(self, x: F32) -> Sequence[npt.NDArray[Any]]:
        """One call."""
        self._feed[self._input] = np.ascontiguousarray(x, np.float32).reshape(self._shape)
        found = self._session.run(self._wanted, self._feed)
        for name, value in zip(self._names, found[self._results :]):
            if value.shape != self._start[name].shape:
                raise UserError(
                    f"{self._who}: state '{name}' has shape {list(self._start[name].shape)}, but comes back "
                    f"as {list(value.shape)}; set its shape under [[model.states]]"
                )
            self._feed[name] = value
        return found[: self._results]

    def reset(self) -> None:
        """States back to their start."""
        self._feed: dict[str, npt.NDArray[Any]] = {**self._fixed, **self._start}

    def _open(self, model: Path, weights: Tensors, contents: onnxfile.OnnxFile) -> Any:
        import onnxruntime as ort

        options = session_options()
        self._kept = self._replace(options, weights, contents)
        try:
            return ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        except Exception as e:  # onnxruntime raises its own types, one per fault
            raise UserError(f"{self._who}: the model cannot be loaded: {reason(e)}") from e

    def _replace(self, options: Any, weights: Tensors, contents: onnxfile.OnnxFile) -> list[Any]:
        """Weights of the bundle in place of the model's; they must stay alive as long as the session."""
        import onnxruntime as ort

        kept: list[Any] = []
        names: list[str] = []
        for name, value in weights.items():
            require(self._plugin, "weights", name, contents.initialisers)
            there = contents.initialisers[name]
            if list(value.shape) != there.shape:
                raise UserError(
                    f"{self._who}: weights '{name}' have shape {list(value.shape)}, the model's {there.shape}"
                )
            if _ONNX_TYPES.get(there.kind) != value.dtype:
                raise UserError(f"{self._who}: weights '{name}' are {value.dtype}, the model's are not")
            names.append(name)
            kept.append(ort.OrtValue.ortvalue_from_numpy(np.array(value)))
        outside = [i for i, n in enumerate(names) if contents.initialisers[n].location == 1]
        for i, name in enumerate(names):
            if i not in outside:
                options.add_initializer(name, kept[i])
        if outside:
            options.add_external_initializers([names[i] for i in outside], [kept[i] for i in outside])
        return kept

    def _type(self, name: str, kind: str) -> Any:
        if kind not in _TYPES:
            raise UserError(f"{self._who}: input '{name}' is {kind}; hosted are {', '.join(_TYPES)}")
        return _TYPES[kind]

    def _constant(self, name: str, value: Any, given: Any) -> npt.NDArray[Any]:
        kind = self._type(name, given.type)
        array = np.asarray(value).astype(kind)
        shape = concrete(given.shape, array.size)
        if array.size not in (1, int(np.prod(shape))):
            raise UserError(f"{self._who}: constant '{name}' has {array.size} values, not {list(shape)}")
        return np.full(shape, array.item(), kind) if array.size == 1 else array.reshape(shape)


_ONNX_TYPES = {
    1: np.dtype(np.float32), 2: np.dtype(np.uint8), 3: np.dtype(np.int8), 5: np.dtype(np.int16),
    6: np.dtype(np.int32), 7: np.dtype(np.int64), 9: np.dtype(np.bool_), 10: np.dtype(np.float16),
    11: np.dtype(np.float64),
}  # fmt: skip
