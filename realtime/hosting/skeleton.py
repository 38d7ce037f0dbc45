"""Writes a new plugin that works, for its author to change."""

from __future__ import annotations

import re
from pathlib import Path

from realtime.errors import UserError

KINDS = ("frame", "window", "bundle")
TEMPLATES = Path(__file__).with_name("templates")

_IDENTIFIER = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*\Z")


def write(place: Path, kind: str) -> list[Path]:
    """Write the skeleton of a plugin.

    Parameters
    ----------
    place : Path
        The folder to make; its name becomes the plugin's identifier.
    kind : {"frame", "window", "bundle"}

    Returns
    -------
    list of Path
        The files that were written.

    Raises
    ------
    UserError
        The name is no identifier, something is there already, or the folder cannot be written.
    """
    if kind not in KINDS:
        raise UserError(f"kind '{kind}' is not one of {', '.join(KINDS)}")
    name = place.name
    if not _IDENTIFIER.match(name):
        better = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "my-plugin"
        raise UserError(
            f"'{name}' cannot name a plugin: only a-z, 0-9 and -, a letter first; for instance '{better}'"
        )
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise UserError(f"{place} is there already; choose another name")
    words = name.replace("-", " ")
    changes = {
        "my-plugin": name,
        "MyPlugin": words.title().replace(" ", ""),
        "My plugin": words[0].upper() + words[1:],
    }
    written = []
    try:
        place.mkdir(parents=True, exist_ok=True)
        for template in sorted((TEMPLATES / kind).iterdir()):
            if template.is_dir():
                continue
            target = place / template.name
            if template.suffix == ".onnx":
                target.write_bytes(template.read_bytes())
            else:
                text = template.read_text(encoding="utf-8")
                for old, new in changes.items():
                    text = text.replace(old, new)
                target.write_text(text, encoding="utf-8")
            written.append(target)
    except OSError as e:
        raise UserError(f"{place}: cannot be written ({e.strerror})") from e
    return written
