"""Make safetensors of weights that were published as a pickle: once, beforehand, by hand.

usage: python -m models.hub.convert FOLDER|OWNER/NAME NEW-FOLDER

Only tensors are read (``torch.load(weights_only=True)``): what else a pickle would do is refused by torch.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

from models.hub.loading import found, packages
from realtime.errors import UserError

PICKLE = "pytorch_model.bin"
_KEPT = ("*.json", "*.txt", "*.model")


def convert(model: str, target: Path) -> Path:
    """Copy a model's small files and write its weights as ``model.safetensors``; the new folder.

    Raises
    ------
    UserError
        It is not here, has no ``pytorch_model.bin``, or that holds more than tensors; or `target` is not empty.
    """
    source = found(model)
    if not (source / PICKLE).is_file():
        raise UserError(f"model '{model}': {source} has no {PICKLE}; weights in several files are not converted")
    if target.exists() and any(target.iterdir()):
        raise UserError(f"{target} is not empty")
    torch, _ = packages()
    from safetensors.torch import save_file

    try:
        held: Any = torch.load(source / PICKLE, map_location="cpu", weights_only=True)
    except Exception as e:  # torch raises what it likes
        said = (str(e).strip().splitlines() or [type(e).__name__])[0]
        raise UserError(f"model '{model}': {PICKLE} holds more than tensors, or is damaged ({said[:200]})") from e
    if not isinstance(held, dict) or not all(isinstance(v, torch.Tensor) for v in held.values()):
        raise UserError(f"model '{model}': {PICKLE} is no plain list of named tensors")
    target.mkdir(parents=True, exist_ok=True)
    for pattern in _KEPT:
        for file in source.glob(pattern):
            if not file.name.endswith(".index.json"):
                shutil.copyfile(file, target / file.name)
    # Tensors that share memory are written apart: the format asks for it.
    save_file({k: v.clone().contiguous() for k, v in held.items()}, target / "model.safetensors", {"format": "pt"})
    return target


def main(arguments: list[str]) -> int:
    """The exit status."""
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        print(convert(arguments[0], Path(arguments[1]).expanduser()))
    except (UserError, OSError) as e:
        print(e, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
