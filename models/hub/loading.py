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
    """What ``from_pretrained`` is to be given: a folder with ``config.json`` and weights as safetensors.

    Parameters
    ----------
    model : str
        A folder, an entry of the model store, or ``OWNER/NAME`` as it lies in the hub's own cache.

    Raises
    ------
    NotFetched
        It is known, but not here.
    UserError
        It is not known, or has weights only as a pickle.
    """
    folder = found(model, store)
    if not (folder / "config.json").is_file():
        raise UserError(f"model '{model}': {folder} has no config.json")
    if not any(folder.glob("*.safetensors")):
        raise UserError(
            f"model '{model}': {folder} has no .safetensors file; pickled weights are not read, but can be made "
            f"safetensors once: python -m models.hub.convert {model} NEW-FOLDER"
        )
    return str(folder)


def found(model: str, store: Store | None = None) -> Path:
    """The folder of a model, whatever is in it. Raises as :func:`place` does."""
    folder = Path(model).expanduser()
    if folder.is_dir():
        return folder
    models = store or Store()
    if model in models.entries:
        return models.use(model)
    if model.startswith((".", "/", "~")) or model.count("/") != 1:
        raise UserError(f"model '{model}': no folder, no entry of 'sidechain models', and no OWNER/NAME")
    try:
        hub = importlib.import_module("huggingface_hub")
    except ImportError as e:
        raise NotFetched(f"model '{model}' needs the hub's package ({e}): {EXTRA}") from e
    try:
        return Path(hub.snapshot_download(model, local_files_only=True))
    except Exception as e:  # of several kinds, by version
        raise NotFetched(f"model '{model}' is not in the hub's cache; get it by: hf download {model}") from e


def pretrained(kind: Any, model: str, **options: Any) -> Any:
    """``kind.from_pretrained`` without network, foreign code or pickles.

    Raises
    ------
    UserError
        It is not such a model.
    """
    try:
        return kind.from_pretrained(model, local_files_only=True, trust_remote_code=False, **options)
    except Exception as e:  # transformers raises what it likes
        said = str(e).strip().splitlines()[0] if str(e).strip() else type(e).__name__
        raise UserError(f"model '{model}': {kind.__name__} cannot read it ({said[:300]})") from e


def vectors(found: Any) -> npt.NDArray[np.float32]:
    """What ``get_audio_features`` and their like give, as array; since transformers 5 it is an object."""
    tensor = getattr(found, "pooler_output", found)
    made: npt.NDArray[np.float32] = tensor.detach().float().cpu().numpy()
    return made
