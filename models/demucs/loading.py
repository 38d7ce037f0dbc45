"""A published Demucs from its safetensors files: no pickle, and no class but the package's own three."""

from __future__ import annotations

import importlib
import json
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

from realtime.errors import NotFetched, UserError
from realtime.store.store import Store

EXTRA = "pip install 'sidechain[demucs]'"
RATE = 44_100

_CLASSES = {
    "demucs.demucs.Demucs": "demucs.demucs",
    "demucs.hdemucs.HDemucs": "demucs.hdemucs",
    "demucs.htdemucs.HTDemucs": "demucs.htdemucs",
}
_SIGNATURE = re.compile(r"[A-Za-z0-9_-]{1,80}\Z")
_MOST_MODELS = 8


def packages() -> tuple[Any, Any]:
    """torch and ``demucs.apply``. Raises ``NotFetched`` with the remedy where they are missing or broken."""
    try:
        return importlib.import_module("torch"), importlib.import_module("demucs.apply")
    except Exception as e:  # a broken torch fails in many ways
        said = str(e).splitlines()[0] if str(e) else type(e).__name__
        raise NotFetched(f"demucs: needs the package demucs 4.1 ({said}): {EXTRA}") from e


def load(model: str, store: Store | None = None) -> Any:
    """The networks of a Demucs model, ready for ``demucs.apply.apply_model``.

    Parameters
    ----------
    model : str
        A folder as published at ``adefossez/HTDemucs`` (``NAME.yaml``, ``SIGNATURE.safetensors``; without the
        former, one such file), or an entry of the model store.

    Raises
    ------
    NotFetched
        The package or the model is not here.
    UserError
        It is no such model.
    """
    folder = Path(model).expanduser()
    if not folder.is_dir():
        models = store or Store()
        if model not in models.entries:
            raise UserError(f"demucs: model '{model}': no folder, and no entry of 'sidechain models'")
        folder = models.use(model)
    _, apply = packages()
    paths, weights, segment = _bag(folder)
    networks = [_network(path) for path in paths]
    try:
        bag = apply.BagOfModels(networks, weights, segment)
    except Exception as e:
        raise UserError(f"demucs: {folder}: its networks do not go together ({type(e).__name__}: {e})") from e
    if bag.samplerate != RATE or bag.audio_channels != 2:
        raise UserError(
            f"demucs: {folder} is for {bag.samplerate} Hz, {bag.audio_channels} channels; not 44100, 2"
        )
    return bag.eval()


def _bag(folder: Path) -> tuple[list[Path], Any, float | None]:
    """Files of the networks, their weights, length of a piece in seconds."""
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise UserError(
            f"demucs: {folder} has no .safetensors file; pickled weights (.th) are not read, "
            "get the new ones by: hf download adefossez/HTDemucs --local-dir FOLDER"
        )
    pages = sorted(folder.glob("*.yaml"))
    if len(pages) > 1 or (not pages and len(files) > 1):
        raise UserError(f"demucs: {folder} must have one .yaml file that says which networks belong together")
    if not pages:
        return files, None, None
    yaml = importlib.import_module("yaml")  # comes with demucs
    try:
        page = yaml.safe_load(pages[0].read_text(encoding="utf-8"))
        names, weights, segment = page["models"], page.get("weights"), page.get("segment")
        right = 1 <= len(names) <= _MOST_MODELS and all(_SIGNATURE.match(n) for n in names)
        segment = None if segment is None else float(segment)
    except Exception as e:
        raise UserError(f"demucs: {pages[0]} is no list of networks ({type(e).__name__})") from e
    if not right or (segment is not None and not 1.0 <= segment <= 60.0):
        raise UserError(f"demucs: {pages[0]} names networks or lengths that are none")
    paths = [folder / f"{n}.safetensors" for n in names]
    missing = [p.name for p in paths if not p.is_file()]
    if missing:
        raise UserError(f"demucs: {folder} lacks {missing[0]}")
    return paths, weights, segment


def _network(path: Path) -> Any:
    """One network. The file says of which class: only the package's own are made."""
    safetensors = importlib.import_module("safetensors")
    try:
        with safetensors.safe_open(str(path), framework="pt") as file:
            said = file.metadata() or {}
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except Exception as e:
        raise UserError(f"demucs: {path} cannot be read ({type(e).__name__}: {e})") from e
    kind = said.get("klass", "")
    if kind not in _CLASSES:
        raise UserError(f"demucs: {path} is of class '{kind[:80]}'; only {', '.join(_CLASSES)} are read")
    if "structure" in said:
        raise UserError(f"demucs: {path} is quantised; only plain weights are read")
    try:
        made = getattr(importlib.import_module(_CLASSES[kind]), kind.rpartition(".")[2])
        arguments = _decoded(json.loads(said["args"]))
        options = _decoded(json.loads(said["kwargs"]))
        network = made(*arguments, **options)
        network.load_state_dict(state)
    except Exception as e:
        first = (str(e).splitlines() or [""])[0][:200]
        raise UserError(f"demucs: {path} does not fit the package ({type(e).__name__}: {first})") from e
    return network.eval()


def _decoded(value: Any) -> Any:
    """Arguments as the file has them: JSON, with fractions as objects."""
    if isinstance(value, dict):
        if value.get("_type") == "fraction":
            return Fraction(value["numerator"], value["denominator"])
        return {key: _decoded(item) for key, item in value.items()}
    return [_decoded(item) for item in value] if isinstance(value, list) else value
