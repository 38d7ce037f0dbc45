"""Where a published model lies on this machine, and how it is opened: from safetensors, never from a pickle."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from realtime.errors import NotFetched, UserError
from realtime.store.store import Store

EXTRA = "pip install 'sidechain[hub,torch]'"


def packages() -> tuple[Any, Any]:
    """torch and transformers. Raises ``NotFetched`` with the remedy where they are missing or broken."""
    try:
        torch, transformers = importlib.import_module("torch"), importlib.import_module("transformers")
        transformers.logging.set_verbosity_error()
        transformers.logging.disable_progress_bar()
    except Exception as e:  # a broken torch beside transformers fails in many ways
        said = str(e).splitlines()[0] if str(e) else type(e).__name__
        raise NotFetched(f"needs torch and transformers ({said}): {EXTRA}") from e
    return torch, transformers


def place(model: str, store: Store | None = None) -> str:
    """What ``from_pretrained`` is to be given.

    Parameters
    ----------
    model : str
        A folder, an entry of the model store, or ``OWNER/NAME`` as it lies in the hub's own cache.

    Raises
    ------
    UserError
        Neither; or the folder has weights only as a pickle.
    """
    folder = Path(model).expanduser()
    if not folder.is_dir():
        models = store or Store()
        if model in models.entries:
            folder = models.use(model)
        elif "/" in model and not model.startswith((".", "/", "~")) and model.count("/") == 1:
            return model
        else:
            raise UserError(f"model '{model}': no folder, no entry of 'sidechain models', and no OWNER/NAME")
    if not (folder / "config.json").is_file():
        raise UserError(f"model '{model}': {folder} has no config.json")
    if not any(folder.glob("*.safetensors")):
        raise UserError(f"model '{model}': {folder} has no .safetensors file; pickled weights are not read")
    return str(folder)


def pretrained(kind: Any, model: str, **options: Any) -> Any:
    """``kind.from_pretrained`` without network, foreign code or pickles.

    Raises
    ------
    NotFetched
        ``OWNER/NAME`` is not in the cache.
    UserError
        It is not such a model.
    """
    try:
        return kind.from_pretrained(model, local_files_only=True, trust_remote_code=False, **options)
    except Exception as e:  # transformers raises what it likes
        said = str(e).strip().splitlines()[0] if str(e).strip() else type(e).__name__
        if not Path(model).is_dir() and isinstance(e, OSError):
            raise NotFetched(f"model '{model}' is not in the hub's cache; get it by: hf download {model}") from e
        raise UserError(f"model '{model}': {kind.__name__} cannot read it ({said[:300]})") from e


def vectors(found: Any) -> npt.NDArray[np.float32]:
    """What ``get_audio_features`` and their like give, as array; since transformers 5 it is an object."""
    tensor = getattr(found, "pooler_output", found)
    made: npt.NDArray[np.float32] = tensor.detach().float().cpu().numpy()
    return made
