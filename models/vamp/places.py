"""Where Vamp libraries lie on this machine, by the rules that Vamp hosts share (``VAMP_PATH``, else the standard
folders of the system), with the folders that Debian and Fedora use in addition."""

from __future__ import annotations

import difflib
import os
import platform
import re
from collections.abc import Mapping
from pathlib import Path

from realtime.errors import UserError

_SUFFIXES = {"Windows": ".dll", "Darwin": ".dylib"}
_NAME = re.compile(r"[\w.+-]+\Z")


def suffix() -> str:
    """Ending of libraries here."""
    return _SUFFIXES.get(platform.system(), ".so")


def folders(environment: Mapping[str, str] = os.environ) -> list[Path]:
    """The folders that are searched, the first wins; those that are there."""
    if given := environment.get("VAMP_PATH"):
        wanted = [Path(part) for part in given.split(os.pathsep) if part]
    elif platform.system() == "Windows":
        programs = environment.get("ProgramFiles", r"C:\Program Files")
        wanted = [Path(programs) / "Vamp Plugins"]
    elif platform.system() == "Darwin":
        own = Path("~/Library/Audio/Plug-Ins/Vamp").expanduser()
        wanted = [own, Path("/Library/Audio/Plug-Ins/Vamp")]
    else:
        home = Path.home()
        wanted = [home / "vamp", home / ".vamp", *map(Path, ("/usr/local/lib/vamp", "/usr/lib/vamp"))]
        wanted += [Path("/usr/lib64/vamp"), *sorted(Path("/usr/lib").glob("*-linux-gnu*/vamp"))]
    return [path for path in wanted if path.is_dir()]


def libraries(environment: Mapping[str, str] = os.environ) -> dict[str, Path]:
    """All libraries by name, without loading any."""
    found: dict[str, Path] = {}
    for folder in folders(environment):
        for path in sorted(folder.glob(f"*{suffix()}")):
            found.setdefault(path.name.removesuffix(suffix()), path)
    return found


def split(key: str) -> tuple[str, str]:
    """Library and plugin of ``library:plugin`` (``vamp:`` before it is allowed); raises ``UserError``."""
    parts = key.strip().removeprefix("vamp:").split(":")
    if len(parts) != 2 or not all(_NAME.match(part) for part in parts):
        raise UserError(
            f"vamp: key '{key}' must be library:plugin, e.g. 'vamp-example-plugins:percussiononsets' "
            "('sidechain plugins vamp' lists them)"
        )
    return parts[0], parts[1]


def place(library: str) -> Path:
    """File of a library; raises ``UserError``."""
    found = libraries()
    if library in found:
        return found[library]
    where = ", ".join(str(f) for f in folders()) or "no folder of Vamp plugins is there"
    near = difflib.get_close_matches(library, list(found), n=1, cutoff=0.4)
    hint = f"; did you mean '{near[0]}'?" if near else ""
    raise UserError(f"vamp: no library '{library}{suffix()}' (looked in: {where}; set VAMP_PATH){hint}")
