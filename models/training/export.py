"""ONNX export of stateful models: states are explicit inputs and outputs, the batch axis is free.

A state called ``h`` goes in as ``h`` and comes out as ``h_next``; inside the network tensors may run in any
order, the wrapper a model hands in sees to the batch coming first or second.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from models.training import loop
from realtime.hosting.inference import open_session

Net = TypeVar("Net", bound=nn.Module)
PARITY = 1e-4
"""Largest difference from torch that is let through."""


def export_onnx(
    step: nn.Module,
    inputs: dict[str, Tensor],
    outputs: list[str],
    batch_axis: dict[str, int],
    path: Path,
    opset: int = 17,
) -> None:
    """Write `step` as ONNX.

    Parameters
    ----------
    step : Module
        Takes the tensors of `inputs` in order, returns a tuple in the order of `outputs`.
    inputs : dict of str to Tensor
        Examples with a batch of 2 or more.
    batch_axis : dict of str to int
        Which axis of each input and output is the batch.
    """
    step.eval()
    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            step,
            tuple(inputs.values()),
            str(path),
            input_names=list(inputs),
            output_names=outputs,
            dynamic_axes={name: {axis: "batch"} for name, axis in batch_axis.items()},
            opset_version=opset,
            dynamo=False,
        )


def export_step(
    step: nn.Module, frame: Tensor, states: dict[str, Tensor], outputs: list[str], path: Path
) -> float:
    """Write a stateful model that takes a frame or a few at a time, and hold the file against torch.

    Parameters
    ----------
    step : Module
        Takes the frame and the states in order; returns a tuple of `outputs` and the new states.
    frame : Tensor, shape (batch, …)
        An example with a batch of 2 or more.
    states : dict of str to Tensor, each ``(…, batch, size)``
        Examples; a state ``h`` comes out as ``h_next``.

    Returns
    -------
    float
        Largest difference from torch.

    Raises
    ------
    RuntimeError
        If that exceeds 1e-4.
    """
    step = step.eval()
    inputs = {"frame": frame, **{k: v.clone() for k, v in states.items()}}
    following = [f"{n}_next" for n in states]
    axes = dict.fromkeys(["frame", *outputs], 0)
    axes |= {name: v.ndim - 2 for n, v in states.items() for name in (n, f"{n}_next")}
    export_onnx(step, inputs, outputs + following, axes, path)
    noisy = {k: v + 0.3 * torch.rand_like(v) for k, v in inputs.items()}
    difference = parity(step, noisy, path)
    if difference > PARITY:
        raise RuntimeError(f"{path}: ONNX differs from torch by {difference:.2g}")
    return difference


def parity(step: nn.Module, inputs: dict[str, Tensor], path: Path) -> float:
    """Largest absolute difference between the torch model and its ONNX file over all outputs."""
    with torch.no_grad():
        expected = step(*inputs.values())
    found = open_session(path).run(None, {k: v.numpy() for k, v in inputs.items()})
    return max(float(np.abs(e.numpy() - np.asarray(f)).max()) for e, f in zip(expected, found))


def command(
    about: str | None, make: Callable[[dict[str, Any]], Net], export: Callable[[Net, Path], float]
) -> None:
    """Export from the command line: the averaged weights of a checkpoint of :mod:`models.training.loop` as ONNX.

    Parameters
    ----------
    make : callable
        A network of the shape that the checkpoint's ``about`` tells.
    """
    ap = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("out", type=Path)
    ap.add_argument("checkpoint", type=Path)
    a = ap.parse_args()
    found = loop.load(a.checkpoint)
    net = make(found["about"])
    net.load_state_dict(found["mean"])
    print(f"largest difference from torch {export(net, a.out):.2g}")
