"""The store itself: a folder with one folder a model, its files, and a record of what came.

A file appears under its name only when it is whole and right; until then it is ``NAME.part``, from which a broken
transfer goes on.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import platformdirs

from realtime.errors import NotFetched, UserError
from realtime.store import entries, fetching
from realtime.store.entries import Entry, ModelFile
from realtime.store.fetching import Report

State = Literal["here", "missing", "damaged"]
RECORD = "fetched.json"
OWN_ENTRIES = "models.toml"


def models_folder() -> Path:
    """Where models are kept (``SIDECHAIN_MODELS`` overrides the platform's data folder)."""
    return Path(os.environ.get("SIDECHAIN_MODELS") or Path(platformdirs.user_data_dir("sidechain")) / "models")


def sha256(path: Path) -> str:
    """Checksum of a file, 64 hex digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True, slots=True)
class Found:
    """What :meth:`Store.verify` says about one file."""

    model: str
    file: str
    fault: str


class Store:
    """Models on this machine.

    Parameters
    ----------
    folder : Path, optional
        In place of :func:`models_folder`. ``models.toml`` in it adds entries, or replaces those of the host.

    Raises
    ------
    UserError
        If that file is wrong.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or models_folder()
        self.entries: dict[str, Entry] = {**entries.shipped(), **entries.read(self.folder / OWN_ENTRIES)}

    def entry(self, name: str) -> Entry:
        """The entry of that name. Raises ``UserError`` if there is none."""
        found = self.entries.get(name)
        if found is None:
            raise UserError(f"no model '{name}'; there are: {', '.join(sorted(self.entries))}")
        return found

    def state(self, name: str) -> State:
        """Whether the model is here, by names and sizes; :meth:`verify` reads the files."""
        entry = self.entry(name)
        paths = [self._path(entry, f) for f in entry.files]
        if not any(p.exists() for p in paths):
            return "missing"
        record = self._record(entry)
        right = all(
            p.is_file() and p.stat().st_size == (f.size or record.get(f.name, ("", -1))[1])
            for p, f in zip(paths, entry.files)
        )
        return "here" if right else "damaged"

    def get(self, name: str, report: Report = lambda done, total: None, trust: bool = False) -> Path:
        """Fetch a model if it is not here yet; its folder.

        Parameters
        ----------
        name : str
        report : callable
            Progress of each file, in bytes.
        trust : bool
            Take files whose checksum is not pinned; what came is recorded, and later changes are seen.

        Raises
        ------
        UserError
            Not to be had, too large, or not the file that was pinned.
        """
        entry = self.entry(name)
        if not any(True for _ in self._faults(entry)):
            return self.folder / name
        system = entry.wrong_system()
        if system:
            raise UserError(f"model '{name}' is for {system} only")
        if not entry.pinned and not trust:
            raise UserError(
                f"model '{name}': no checksum is pinned for it; --trust takes what {entry.place} gives"
            )
        place = self.folder / name
        record = self._record(entry)
        try:
            place.mkdir(parents=True, exist_ok=True)
            with fetching.opened(entry) as fetch:
                for file in entry.files:
                    if self._fault(entry, file, record):
                        part = place / f"{file.name}.part"
                        fetch(file, part, report)
                        record[file.name] = self._take(entry, file, part)
                        self._write_record(entry, record)
        except OSError as e:
            raise UserError(f"model '{name}': {place} cannot be written ({e.strerror or e})") from e
        return place

    def remove(self, name: str) -> bool:
        """Delete a model's files; whether there were any."""
        place = self.folder / self.entry(name).name
        if not place.is_dir():
            return False
        try:
            shutil.rmtree(place)
        except OSError as e:
            raise UserError(f"model '{name}': {place} cannot be removed ({e.strerror or e})") from e
        return True

    def verify(self, name: str) -> list[Found]:
        """What is wrong with a model's files, by their checksums; empty if nothing."""
        return list(self._faults(self.entry(name)))

    def use(self, name: str) -> Path:
        """The folder of a model that is here and right, for whoever loads it. Never fetches.

        Raises
        ------
        NotFetched
            It is not here: says which command fetches it.
        UserError
            It is damaged: says which command mends it.
        """
        entry = self.entry(name)
        for found in self._faults(entry):
            if self.state(name) == "missing":
                raise NotFetched(f"model '{name}' is not here; fetch it with: sidechain models get {name}")
            raise UserError(f"model '{name}': {found.file} {found.fault}; mend with: sidechain models get {name}")
        return self.folder / name

    def _path(self, entry: Entry, file: ModelFile) -> Path:
        return self.folder / entry.name / file.name

    def _take(self, entry: Entry, file: ModelFile, part: Path) -> tuple[str, int]:
        size, digest = part.stat().st_size, sha256(part)
        if file.sha256 and digest != file.sha256:
            part.unlink()
            raise UserError(
                f"model '{entry.name}': {file.name} is not the file that was pinned (sha256 {digest[:12]}…, "
                f"expected {file.sha256[:12]}…); nothing is kept"
            )
        os.replace(part, self._path(entry, file))
        return digest, size

    def _faults(self, entry: Entry) -> Iterator[Found]:
        record = self._record(entry)
        for file in entry.files:
            fault = self._fault(entry, file, record)
            if fault:
                yield Found(entry.name, file.name, fault)

    def _fault(self, entry: Entry, file: ModelFile, record: dict[str, tuple[str, int]]) -> str:
        path = self._path(entry, file)
        if not path.is_file():
            return "is missing"
        expected = file.sha256 or record.get(file.name, ("", 0))[0]
        try:
            return "" if sha256(path) == expected else "has another checksum than it should"
        except OSError as e:
            return f"cannot be read ({e.strerror or e})"

    def _record(self, entry: Entry) -> dict[str, tuple[str, int]]:
        try:
            data = json.loads((self.folder / entry.name / RECORD).read_text(encoding="utf-8"))
            return {str(k): (str(v["sha256"]), int(v["size"])) for k, v in data["files"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}  # what is not known to be right is fetched anew

    def _write_record(self, entry: Entry, record: dict[str, tuple[str, int]]) -> None:
        data = {
            "source": entry.place,
            "license": entry.license,
            "files": {name: {"sha256": digest, "size": size} for name, (digest, size) in record.items()},
        }
        path = self.folder / entry.name / RECORD
        part = path.with_suffix(".tmp")
        part.write_text(json.dumps(data, indent=1), encoding="utf-8")
        os.replace(part, path)
