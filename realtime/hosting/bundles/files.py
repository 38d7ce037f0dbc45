"""The files of a bundle: inside its folder, of a bounded size, of a kind that is safe to read."""

from __future__ import annotations

import zipfile
from pathlib import Path

from realtime.errors import UserError

MOST_BYTES = 1 << 30
"""Largest model or weights file that is read, and most that an archive may unpack to."""

MOST_MANIFEST = 1 << 20
"""Largest ``plugin.toml``."""

MOST_LABELS = 8 << 20
"""Largest file of labels."""

MOST_MEMBERS = 20_000
"""Most files in an archive."""

_MOST_RATIO = 1000
"""Most that a compressed member of an archive may grow to; weights and text never grow as much."""

MODELS = (".onnx", ".pt2", ".pt", ".ts")
"""Endings of models that can be hosted."""

_TO_CONVERT = {
    ".safetensors": "it holds weights but no network; export the network to .onnx or .pt2 and name this file "
    "as model.weights",
    ".pkl": "pickles can run any program and are never read; export the network to .onnx or .pt2",
    ".pickle": "pickles can run any program and are never read; export the network to .onnx or .pt2",
    ".joblib": "pickles can run any program and are never read; export the model to .onnx (skl2onnx)",
    ".pth": "checkpoints are pickles and are never read; export the network with 'sidechain plugins export'",
    ".ckpt": "checkpoints are pickles and are never read; export the network with 'sidechain plugins export'",
    ".bin": "checkpoints are pickles and are never read; export the network with 'sidechain plugins export'",
    ".h5": "Keras files are not hosted; convert it with tf2onnx",
    ".keras": "Keras files are not hosted; convert it with tf2onnx",
    ".tflite": "TensorFlow Lite is not hosted; convert it with tf2onnx --tflite",
    ".so": "programs are never loaded from a bundle; export the network to .onnx or .pt2",
    ".dll": "programs are never loaded from a bundle; export the network to .onnx or .pt2",
}


def inside(folder: Path, name: str, key: str) -> Path:
    """The file of that name in the bundle.

    Parameters
    ----------
    folder : Path
        The bundle.
    name : str
        As the manifest says; relative, with ``/`` or not.
    key : str
        The key of the manifest, for messages.

    Raises
    ------
    UserError
        It lies outside the folder (also through a link), is missing, is no file, or is too large.
    """
    where = f"bundle {folder}: {key} '{name}'"
    if not name or "\0" in name or ":" in name or "\\" in name:
        raise UserError(f"{where} is not the name of a file in the bundle; use a plain name, with / for folders")
    if name.startswith("/") or Path(name).is_absolute():
        raise UserError(f"{where} is absolute and lies outside the bundle; put the file into the bundle's folder")
    try:
        path = (folder / name).resolve()
        if not path.is_relative_to(folder.resolve()):
            raise UserError(f"{where} lies outside the bundle; put the file into the bundle's folder")
        if not path.is_file():
            raise UserError(f"{where} is missing" if not path.exists() else f"{where} is not a file")
        size = path.stat().st_size
    except (OSError, RuntimeError) as e:  # a link that leads to itself, a name that is too long, no permission
        raise UserError(f"{where} cannot be read ({getattr(e, 'strerror', None) or e})") from e
    if size > MOST_BYTES:
        raise UserError(f"{where} has {size >> 20} MB; at most {MOST_BYTES >> 20} MB are read")
    return path


def model_file(folder: Path, name: str) -> Path:
    """The model of a bundle; see :func:`inside`. Raises ``UserError`` also if its kind is not hosted."""
    ending = Path(name).suffix.lower()
    if ending in _TO_CONVERT:
        raise UserError(f"bundle {folder}: model.file '{name}' is refused: {_TO_CONVERT[ending]}")
    if ending not in MODELS:
        raise UserError(
            f"bundle {folder}: model.file '{name}' is not an .onnx, .pt2 or TorchScript (.pt, .ts) file"
        )
    return inside(folder, name, "model.file")


def text(folder: Path, name: str, key: str, most: int) -> str:
    """The contents of a small text file of the bundle, UTF-8. Raises ``UserError``."""
    path = inside(folder, name, key)
    try:
        if path.stat().st_size > most:
            raise UserError(
                f"bundle {folder}: {key} '{name}' has {path.stat().st_size} bytes; at most {most} are read"
            )
        return path.read_text(encoding="utf-8")
    except OSError as e:
        raise UserError(f"bundle {folder}: {key} '{name}' cannot be read ({e.strerror})") from e
    except UnicodeDecodeError as e:
        raise UserError(f"bundle {folder}: {key} '{name}' is not UTF-8 text (byte {e.start})") from e


def open_archive(path: Path) -> zipfile.ZipFile:
    """A zip file whose contents are of a bounded size. To be closed by the caller.

    Raises
    ------
    UserError
        Not a zip file, too many members, members that unpack to too much, or names that lead elsewhere.
    """
    refuse_pickle(path)
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as e:
        raise UserError(f"{path}: not a torch archive; save it with torch.export.save or torch.jit.save") from e
    try:
        _check(path, archive)
    except BaseException:
        archive.close()
        raise
    return archive


def refuse_pickle(path: Path) -> None:
    """Raise ``UserError`` if a file begins as pickles do, or cannot be read."""
    try:
        with path.open("rb") as f:
            pickled = f.read(1) == b"\x80"
    except OSError as e:
        raise UserError(f"{path}: cannot be read ({e.strerror})") from e
    if pickled:
        raise UserError(f"{path}: is a pickle, which can run any program and is never read; export the network")


def _check(path: Path, archive: zipfile.ZipFile) -> None:
    members = archive.infolist()
    if len(members) > MOST_MEMBERS:
        raise UserError(f"{path}: {len(members)} files in the archive; at most {MOST_MEMBERS}")
    total = 0
    seen: set[str] = set()
    for m in members:
        parts = m.filename.replace("\\", "/").split("/")
        if m.filename.startswith("/") or ".." in parts or ":" in m.filename:
            raise UserError(f"{path}: the archive's file '{m.filename[:100]}' leads outside of it")
        if m.filename in seen:
            raise UserError(f"{path}: the archive has two files '{m.filename[:100]}'")
        seen.add(m.filename)
        total += m.file_size
        if m.file_size > _MOST_RATIO * max(m.compress_size, 1024):
            raise UserError(
                f"{path}: the archive's file '{m.filename[:100]}' grows from {m.compress_size} to {m.file_size} "
                "bytes; archives like that are refused"
            )
    if total > MOST_BYTES:
        raise UserError(f"{path}: the archive unpacks to {total >> 20} MB; at most {MOST_BYTES >> 20} MB are read")


def member(path: Path, archive: zipfile.ZipFile, name: str, most: int = MOST_BYTES) -> bytes:
    """One file of an archive, never more than it says. Raises ``UserError``."""
    try:
        if archive.getinfo(name).file_size > most:
            raise UserError(f"{path}: the archive's file '{name}' is larger than {most >> 10} kB")
        with archive.open(name) as f:
            data = f.read(most + 1)
    except KeyError as e:
        raise UserError(f"{path}: the archive has no file '{name}'; save it anew") from e
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError, EOFError, ValueError) as e:
        raise UserError(f"{path}: the archive's file '{name}' cannot be read ({e})") from e
    if len(data) > most:
        raise UserError(f"{path}: the archive's file '{name}' is larger than it says")
    return data
