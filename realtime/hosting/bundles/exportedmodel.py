"""Runs programs of ``torch.export``: an interpreter of their graph over torch's own operators."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from realtime.errors import UserError
from realtime.hosting.bundles import exportedfile
from realtime.hosting.bundles.backend import F32, Tensors, input_shape, reason, require, state_start
from realtime.hosting.bundles.exportedfile import Operator, Program
from realtime.hosting.bundles.manifest import Manifest
from realtime.hosting.bundles.torchneeds import torch_for

_KINDS = {
    1: "uint8", 2: "int8", 3: "int16", 4: "int32", 5: "int64", 6: "float16", 7: "float32", 8: "float64",
    9: "complex32", 10: "complex64", 11: "complex128", 12: "bool", 13: "bfloat16",
}  # fmt: skip
_FORMATS = {1: "contiguous_format", 2: "channels_last", 3: "channels_last_3d", 4: "preserve_format"}
_STRIDED = 7
_PLAIN = ("as_int", "as_ints", "as_bool", "as_bools", "as_string", "as_strings", "as_int_lists")


class _Ref(NamedTuple):
    """A tensor of the graph, by its place among the values of a run."""

    slot: int


class _Step(NamedTuple):
    call: Callable[..., Any]
    arguments: list[Any]
    keywords: dict[str, Any]
    results: list[int]
    several: bool


class ExportedBackend:
    """One program and its states; see :class:`~realtime.hosting.bundles.backend.Backend`."""

    def __init__(self, manifest: Manifest, model: Path, weights: Tensors) -> None:
        self._plugin = manifest.plugin.identifier
        self._who = f"bundle '{self._plugin}'"
        self._model = model
        program = exportedfile.read(model)  # before torch: what is refused is refused at once
        self._torch = torch_for(self._plugin)
        m = manifest.model
        self._slots: dict[str, int] = {}
        self._base: list[Any] = []
        self._weights(program, weights)
        wanted = [m.input, *(s.input for s in m.states), *(c.input for c in m.constants)]
        for name in wanted:
            require(self._plugin, "input", name, program.inputs)
        if missing := set(program.inputs) - set(wanted):
            raise UserError(f"{self._who}: the model's input '{sorted(missing)[0]}' is not named in plugin.toml")
        names = m.outputs or program.outputs
        if len(names) != len(program.outputs):
            raise UserError(
                f"{self._who}: model.outputs names {len(names)}, the program gives {len(program.outputs)}"
            )
        for name in manifest.wanted:
            require(self._plugin, "output", name, names)
        for name in program.inputs:
            self._slot(name)
        self._input = self._slots[m.input]
        self._shape = input_shape(manifest, self._known(program, m.input, "float32"))
        try:
            self._steps = [self._step(o) for o in program.operators]
            self._wanted = [self._slots[program.outputs[names.index(n)]] for n in manifest.wanted]
            self._mutated = [(self._slots[program.places[b]], self._slots[v]) for b, v in program.mutated.items()]
        except (KeyError, TypeError, ValueError, AttributeError) as e:
            raise UserError(f"{model}: its graph does not fit together ({reason(e)}); export it again") from e
        self._results = len(manifest.outputs)
        self._start = {}
        for state in m.states:
            known = self._known(program, state.input)
            shape = state.shape or [d or 1 for d in known]
            kind = self._kind(program.values[state.input]["dtype"])
            start = state_start(self._plugin, state.input, shape, state.initial, np.float64)
            self._start[self._slots[state.input]] = self._torch.tensor(start, dtype=kind)
        for constant in m.constants:
            kind = self._kind(program.values[constant.input]["dtype"])
            shape = [d or 1 for d in self._known(program, constant.input)]
            value = self._torch.tensor(constant.value, dtype=kind)
            self._base[self._slots[constant.input]] = self._fit(constant.input, value, shape)
        self._order = list(self._start)
        self.reset()

    def run(self, x: F32) -> Sequence[npt.NDArray[Any]]:
        """One call."""
        torch = self._torch
        with torch.inference_mode():
            values = self._base.copy()
            values[self._input] = torch.tensor(np.ascontiguousarray(x, np.float32)).reshape(self._shape)
            for slot, value in self._states.items():
                values[slot] = value
            for step in self._steps:
                arguments = [_taken(a, values) for a in step.arguments]
                keywords = {k: _taken(a, values) for k, a in step.keywords.items()} if step.keywords else {}
                result = step.call(*arguments, **keywords)
                if step.several:
                    for slot, value in zip(step.results, result):
                        values[slot] = value
                elif step.results:
                    values[step.results[0]] = result
            for buffer, value in self._mutated:
                values[buffer].copy_(values[value])
            for slot, place in zip(self._order, self._wanted[self._results :]):
                value = values[place]
                if value.shape != self._start[slot].shape:
                    raise UserError(
                        f"{self._who}: a state of shape {list(self._start[slot].shape)} comes back as "
                        f"{list(value.shape)}; set its shape under [[model.states]]"
                    )
                self._states[slot] = value.clone()
            return [values[place].numpy() for place in self._wanted[: self._results]]

    def reset(self) -> None:
        """States and buffers back to their start."""
        with self._torch.inference_mode():
            self._states = {slot: value.clone() for slot, value in self._start.items()}
            for slot, value in self._pristine.items():
                self._base[slot] = value.clone()

    def _weights(self, program: Program, given: Tensors) -> None:
        torch = self._torch
        for name in given:
            require(self._plugin, "weights", name, program.weights)
        self._pristine: dict[int, Any] = {}
        for name, place in program.places.items():
            w = program.weights[name]
            kind = self._kind(w.kind)
            try:
                flat = torch.frombuffer(bytearray(w.data), dtype=kind) if w.data else torch.zeros(0, dtype=kind)
                tensor = torch.as_strided(flat, w.sizes, w.strides, w.offset).clone()
            except (RuntimeError, ValueError) as e:
                raise UserError(
                    f"{self._model}: '{name}' of shape {w.sizes} does not fit {len(w.data)} bytes; export it again"
                ) from e
            if name in given:
                tensor = self._replaced(name, tensor, given[name])
            slot = self._slot(place)
            self._base[slot] = tensor
            if w.buffer:
                self._pristine[slot] = tensor

    def _replaced(self, name: str, tensor: Any, given: npt.NDArray[Any]) -> Any:
        if list(given.shape) != list(tensor.shape):
            raise UserError(
                f"{self._who}: weights '{name}' have shape {list(given.shape)}, the model's {list(tensor.shape)}"
            )
        return self._torch.tensor(np.array(given)).to(tensor.dtype)

    def _slot(self, name: str) -> int:
        if name not in self._slots:
            self._slots[name] = len(self._base)
            self._base.append(None)
        return self._slots[name]

    def _kind(self, number: Any) -> Any:
        if number not in _KINDS:
            raise UserError(f"{self._model}: holds numbers of kind {number}, which are not hosted")
        return getattr(self._torch, _KINDS[number])

    def _known(self, program: Program, name: str, kind: str = "") -> list[int]:
        try:
            meta = program.values[name]
            sizes = [d.get("as_int", 0) for d in meta["sizes"]]
            number = meta["dtype"]
        except (KeyError, TypeError, AttributeError) as e:
            raise UserError(f"{self._model}: says nothing of '{name}'; export it again") from e
        if kind and _KINDS.get(number) != kind:
            raise UserError(
                f"{self._who}: input '{name}' is {_KINDS.get(number, number)}, not {kind}; "
                f"export the model with {kind} input"
            )
        return sizes

    def _fit(self, name: str, value: Any, shape: list[int]) -> Any:
        try:
            return value.expand(shape).clone() if value.numel() == 1 else value.reshape(shape)
        except RuntimeError as e:
            raise UserError(
                f"{self._who}: constant '{name}' has {value.numel()} values, the model takes {shape}"
            ) from e

    def _step(self, o: Operator) -> _Step:
        try:
            call = getattr(getattr(getattr(self._torch.ops, o.namespace), o.name), o.overload)
        except AttributeError as e:
            raise UserError(
                f"{self._model}: needs the operator '{o.name}.{o.overload}', which torch "
                f"{self._torch.__version__} does not have; install the torch it was exported with"
            ) from e
        arguments: list[Any] = []
        keywords: dict[str, Any] = {}
        for given in o.inputs:
            value = self._argument(given["arg"])
            if given.get("kind") == 2 or (given.get("kind") is None and self._keyword(call, given["name"])):
                keywords[str(given["name"])] = value
            else:
                arguments.append(value)
        results: list[int] = []
        several = len(o.outputs) > 1
        for result in o.outputs:
            if "as_tensors" in result:
                several = True
                results += [self._slot(t["name"]) for t in result["as_tensors"]]
            elif "as_tensor" in result:
                results.append(self._slot(result["as_tensor"]["name"]))
            elif "as_none" in result:
                results.append(self._slot(f"nothing {len(self._base)}"))
            else:
                raise UserError(
                    f"{self._model}: '{o.name}' gives a number, not a tensor; export without free sizes"
                )
        return _Step(call, arguments, keywords, results, several)

    @staticmethod
    def _keyword(call: Any, name: str) -> bool:
        return any(a.name == name and a.kwarg_only for a in call._schema.arguments)

    def _argument(self, arg: Any) -> Any:
        ((kind, value),) = arg.items()
        if kind == "as_tensor":
            return _Ref(self._slots[value["name"]])
        if kind == "as_tensors":
            return [_Ref(self._slots[v["name"]]) for v in value]
        if kind == "as_optional_tensor":
            return self._argument(value)
        if kind == "as_optional_tensors":
            return [self._argument(v) for v in value]
        if kind == "as_none":
            return None
        if kind in _PLAIN:
            return value
        if kind == "as_float":
            return float(value)
        if kind == "as_floats":
            return [float(v) for v in value]
        if kind == "as_sym_int" and "as_int" in value:
            return int(value["as_int"])
        if kind == "as_sym_ints" and all("as_int" in v for v in value):
            return [int(v["as_int"]) for v in value]
        if kind == "as_scalar_type":
            return self._kind(value)
        if kind == "as_memory_format" and value in _FORMATS:
            return getattr(self._torch, _FORMATS[value])
        if kind == "as_layout" and value == _STRIDED:
            return self._torch.strided
        if kind == "as_device" and value["type"] == "cpu":
            return self._torch.device("cpu")
        if kind.startswith("as_sym"):
            raise UserError(f"{self._model}: has free sizes; export it without dynamic_shapes")
        raise UserError(f"{self._model}: has an argument '{kind}' that is not hosted; export it for the CPU")


def _taken(argument: Any, values: list[Any]) -> Any:
    if type(argument) is _Ref:
        return values[argument.slot]
    if type(argument) is list and argument and any(type(a) is _Ref for a in argument):
        return [values[a.slot] if type(a) is _Ref else a for a in argument]
    return argument
