"""What the store can fetch: entries, read from TOML and checked."""

from __future__ import annotations

import platform
import re
import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from realtime.errors import UserError

SourceKind = Literal["wheel", "hub", "url", "local"]
MOST_BYTES = 20 << 30
"""Bytes of one file at most."""

_NAME = r"^[a-z0-9]+([-.][a-z0-9]+)*$"
_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*\Z")
_NEEDS: Mapping[SourceKind, tuple[str, ...]] = {
    "wheel": ("package", "version"),
    "hub": ("repo", "revision"),
    "url": ("url",),
    "local": ("path",),
}


class ModelFile(BaseModel):
    """One file of a model.

    Attributes
    ----------
    name : str
        As it is kept; a plain file name.
    member : str
        Its name where it comes from; empty = `name`.
    size : int
        Bytes; 0 = not known.
    sha256 : str
        64 hex digits; empty = not pinned.
    system : str
        ``linux-x86_64`` …: it is for that system only; empty = for all.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    member: str = ""
    size: int = Field(default=0, ge=0, le=MOST_BYTES)
    sha256: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")
    system: str = ""

    @model_validator(mode="after")
    def _plain(self) -> ModelFile:
        if not _FILE.match(self.name):
            raise ValueError(f"file '{self.name}' must be a plain file name of letters, digits, '.', '_' and '-'")
        return self

    @property
    def origin(self) -> str:
        """Its name where it comes from."""
        return self.member or self.name


class Entry(BaseModel):
    """One published model: where it comes from, under which licence, and which files it has."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    name: str = Field(pattern=_NAME)
    title: str
    purpose: str = Field(default="", alias="for")
    license: str = Field(min_length=1)
    license_url: str = ""
    commercial: bool = True
    source: SourceKind
    package: str = Field(default="", pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]*)?$")
    version: str = Field(default="", pattern=r"^([A-Za-z0-9][A-Za-z0-9._+!-]*)?$")
    repo: str = Field(default="", pattern=r"^([A-Za-z0-9._-]+/[A-Za-z0-9._-]+)?$")
    revision: str = Field(default="", pattern=r"^([A-Za-z0-9._-]+)?$")
    url: str = ""
    path: str = ""
    files: tuple[ModelFile, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _complete(self) -> Entry:
        for key in _NEEDS[self.source]:
            if not getattr(self, key):
                raise ValueError(f"source '{self.source}' needs '{key}'")
        names = [f.name for f in self.files]
        if len(set(names)) < len(names):
            raise ValueError("two files of the same name")
        return self

    @property
    def size(self) -> int:
        """Bytes of all files, 0 where one is not known."""
        return 0 if any(not f.size for f in self.files) else sum(f.size for f in self.files)

    @property
    def pinned(self) -> bool:
        """Whether the checksum of every file is known beforehand."""
        return all(f.sha256 for f in self.files)

    @property
    def place(self) -> str:
        """Where it comes from, for people."""
        return {
            "wheel": f"wheel {self.package} {self.version}",
            "hub": f"hub {self.repo}",
            "url": self.url,
            "local": self.path,
        }[self.source]

    def wrong_system(self) -> str:
        """The system that it is for, if that is another than this one; else empty."""
        ours = f"{platform.system()}-{platform.machine()}".lower()
        return next((f.system for f in self.files if f.system and f.system != ours), "")


def shipped() -> dict[str, Entry]:
    """The entries that come with the host."""
    text = resources.files("realtime.store").joinpath("models.toml").read_text(encoding="utf-8")
    return parse(text, "models.toml of the host")


def read(path: Path) -> dict[str, Entry]:
    """The entries of a file; none where there is no such file.

    Raises
    ------
    UserError
        If it cannot be read or is wrong: names the entry and the key.
    """
    try:
        return parse(path.read_text(encoding="utf-8"), str(path))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as e:
        raise UserError(f"{path}: cannot be read ({e})") from e


def parse(text: str, name: str) -> dict[str, Entry]:
    """Entries by name, from TOML text; `name` says where it comes from in errors."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as e:
        raise UserError(f"{name}: no valid TOML ({e})") from e
    unknown = data.keys() - {"model"}
    if unknown or not isinstance(data.get("model", []), list):
        raise UserError(f"{name}: only [[model]] entries are allowed")
    found: dict[str, Entry] = {}
    for i, item in enumerate(data.get("model", []), 1):
        entry = _entry(item, f"{name}: [[model]] {i}")
        if entry.name in found:
            raise UserError(f"{name}: model '{entry.name}' is there twice")
        found[entry.name] = entry
    return found


def _entry(item: Any, where: str) -> Entry:
    try:
        return Entry.model_validate(item)
    except ValidationError as e:
        first = e.errors()[0]
        key = ".".join(str(p) for p in first["loc"])
        label = f" ('{item['name']}')" if isinstance(item, dict) and isinstance(item.get("name"), str) else ""
        said = first["msg"].removeprefix("Value error, ")
        raise UserError(f"{where}{label}: {key + ': ' if key else ''}{said}") from e
