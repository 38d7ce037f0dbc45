"""What runs a model of a bundle, whatever it was made with."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from realtime.errors import UserError
from realtime.hosting.bundles.manifest import Manifest, Numbers

F32 = npt.NDArray[np.float32]
Tensors = Mapping[str, npt.NDArray[Any]]

MOST_STATE = 16_000_000
"""Most values in one state."""


class Backend(Protocol):
    """A loaded model with its states. One per plugin instance, used by one thread."""

    def run(self, x: F32) -> Sequence[npt.NDArray[Any]]:
        """One call: the results that the manifest names, in its order; the states move on."""
        ...

    def reset(self) -> None:
        """States back to their start."""
        ...


def open_backend(manifest: Manifest, folder: Path, model: Path, weights: Tensors) -> Backend:
    """Load the model.

    Parameters
    ----------
    manifest : Manifest
    folder, model : Path
        The bundle, and the model file in it (already known to lie there).
    weights : mapping of str to ndarray
        Tensors that replace those of the model with the same name.

    Raises
    ------
    UserError
        It cannot be loaded, or does not fit the manifest; one line with the remedy.
    """
    if model.suffix.lower() == ".onnx":
        from realtime.hosting.bundles.onnxmodel import OnnxBackend

        return OnnxBackend(manifest, folder, model, weights)
    if model.suffix.lower() == ".pt2":
        from realtime.hosting.bundles.exportedmodel import ExportedBackend

        return ExportedBackend(manifest, model, weights)
    from realtime.hosting.bundles.torchscript import TorchScriptBackend

    return TorchScriptBackend(manifest, model, weights)


def require(plugin: str, what: str, name: str, names: Iterable[str]) -> None:
    """Raise ``UserError`` unless the model has an input or output of that name."""
    known = list(names)
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.3)
        hint = f"; did you mean '{near[0]}'?" if near else f"; it has {', '.join(known[:8]) or 'none'}"
        raise UserError(f"bundle '{plugin}': the model has no {what} '{name}'{hint}")


def input_shape(manifest: Manifest, known: Sequence[Any] | None) -> tuple[int, ...]:
    """Shape in which the model is given its block.

    Parameters
    ----------
    known : sequence or None
        The model's own shape; what is not a positive number is free. None if the model does not say.
    """
    plugin, m, size = manifest.plugin.identifier, manifest.model, manifest.input.size
    if known is None:
        shape = tuple(m.shape or (1, *_natural(manifest)))
    else:
        shape = tuple(m.shape) if m.shape else concrete(known, size)
        fits = len(shape) == len(known) and all(not _fixed(k) or k == s for k, s in zip(known, shape))
        if not fits:
            raise UserError(f"bundle '{plugin}': model.shape {list(shape)} is not the model's {_shown(known)}")
    if math.prod(shape) != size:
        raise UserError(
            f"bundle '{plugin}': input '{m.input}' has shape {_shown(known or shape)}, which does not hold a "
            f"block of {size} values; set [input] as the model was trained"
        )
    return shape


def state_start(plugin: str, name: str, shape: Sequence[int], initial: Numbers, kind: Any) -> npt.NDArray[Any]:
    """A state before the first call.

    Raises
    ------
    UserError
        Too large, or `initial` does not fit the shape.
    """
    size = math.prod(shape)
    if size > MOST_STATE:
        raise UserError(
            f"bundle '{plugin}': state '{name}' of shape {list(shape)} is too large (most {MOST_STATE})"
        )
    if isinstance(initial, list):
        if len(initial) != size:
            raise UserError(
                f"bundle '{plugin}': state '{name}' has {size} values, but 'initial' has {len(initial)} numbers"
            )
        return np.asarray(initial, np.float64).astype(kind).reshape(shape)
    return np.full(shape, initial, kind)


def concrete(shape: Sequence[Any], size: int) -> tuple[int, ...]:
    """A shape with free axes set to 1, the last free one to what is needed to hold `size` values.

    The first of several axes is the batch and stays 1.
    """
    fixed = [int(d) if _fixed(d) else 0 for d in shape]
    known = math.prod(d for d in fixed if d) or 1
    result = [d or 1 for d in fixed]
    free = [i for i, d in enumerate(fixed) if not d and (i or len(fixed) == 1)]
    if size and free and size % known == 0:
        result[free[-1]] = size // known
    return tuple(result)


def _natural(manifest: Manifest) -> tuple[int, ...]:
    s = manifest.input
    if s.kind == "audio":
        return (s.length,) if s.channels == 1 else (2, s.length)
    if s.frames == 1:
        return (s.width,)
    return (s.width, s.frames) if s.layout == "band-time" else (s.frames, s.width)


def _fixed(d: Any) -> bool:
    return isinstance(d, int) and d > 0


def _shown(shape: Sequence[Any]) -> str:
    return "[" + ", ".join(str(d) if _fixed(d) else "free" for d in shape) + "]"


def reason(error: BaseException) -> str:
    """What a library says went wrong, on one line and not too long."""
    text = " ".join(str(error).split())
    if "Traceback" in text:
        text = text.rsplit("Error: ", 1)[-1]  # of a story in many lines, its end
    return text[:240] or error.__class__.__name__
