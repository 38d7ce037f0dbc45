"""One question to an OpenAI-compatible endpoint: bounded in time and size, and given up when nobody wants it."""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import json
import queue
import socket
import ssl
import threading
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from realtime.errors import UserError
from realtime.hosting.kinds import JobControl

MOST_ANSWER = 1 << 20
"""Bytes of an answer."""

_LOOK_EVERY = 0.05
_PIECE = 1 << 14
_MOST_TOLD = 300


@dataclass(frozen=True, slots=True)
class Address:
    """Where questions go: ``https://HOST[:PORT]/v1``, or ``http://`` on this machine and the local network."""

    secure: bool
    host: str
    port: int
    path: str

    @property
    def place(self) -> str:
        """For messages."""
        return f"{self.host}:{self.port}"


def address(url: str, keyed: bool) -> Address:
    """A checked address.

    Parameters
    ----------
    url : str
        Up to and with the version: ``/chat/completions`` is put behind it.
    keyed : bool
        A key goes along: it leaves this machine only encrypted.

    Raises
    ------
    UserError
        It is none, or the key would travel in the open.
    """
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname or "", parts.port
    except ValueError as e:
        raise UserError(f"endpoint: url '{url[:100]}' is no address ({e})") from e
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment:
        raise UserError(f"endpoint: url '{url[:100]}' must be like https://api.example.org/v1")
    if parts.username or parts.password:
        raise UserError("endpoint: no name or password in the url; the key comes from the environment")
    if keyed and parts.scheme == "http" and not _here(host):
        raise UserError(f"endpoint: a key is not sent to {host} without encryption; use https://")
    secure = parts.scheme == "https"
    path = parts.path.rstrip("/").removesuffix("/chat/completions") + "/chat/completions"
    if not path.isascii() or not path.isprintable() or " " in path:
        raise UserError(f"endpoint: url '{url[:100]}' has a path with characters that must be escaped")
    return Address(secure, host, port or (443 if secure else 80), path)


def _here(host: str) -> bool:
    if host == "localhost":
        return True
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return False


def ask(at: Address, key: str, body: dict[str, Any], seconds: float, job: JobControl) -> dict[str, Any] | None:
    """Send a question and wait for the answer.

    Parameters
    ----------
    seconds : float
        Most it may take, all together.
    job : JobControl
        Told that it still waits; asked whether anybody does.

    Returns
    -------
    dict, or None when nobody wants it any more

    Raises
    ------
    UserError
        No answer in time, a refusal, or what is no answer: in one line, without the key.
    """
    call = _Call(at, key, json.dumps(body).encode(), seconds)
    begun = time.monotonic()
    try:
        while True:
            with contextlib.suppress(queue.Empty):
                status, data = call.done.get(timeout=_LOOK_EVERY)
                break
            if job.cancelled:
                return None
            waited = time.monotonic() - begun
            if waited > seconds:
                raise UserError(f"endpoint: {at.place} has not answered within {seconds:g} s")
            job.progress(min(0.95, waited / seconds), f"waiting for {at.host}")
    finally:
        call.end()
    return _answer(at, key, status, data)


class _Call(threading.Thread):
    """The exchange itself, on a thread that can be left alone: nothing it waits for can hold up the job."""

    def __init__(self, at: Address, key: str, body: bytes, seconds: float) -> None:
        super().__init__(name="endpoint", daemon=True)
        self.done: queue.Queue[tuple[int, bytes | str]] = queue.Queue(1)
        self._at, self._body, self._end_by = at, body, time.monotonic() + seconds
        self._headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if key:
            self._headers["Authorization"] = f"Bearer {key}"
        patience = seconds + 5.0  # who waits for this gives up first, and says so
        # never a proxy, never a redirection: what is sent goes to the address that the preset names
        if at.secure:
            context = ssl.create_default_context()
            self._link: http.client.HTTPConnection = http.client.HTTPSConnection(
                at.host, at.port, timeout=patience, context=context
            )
        else:
            self._link = http.client.HTTPConnection(at.host, at.port, timeout=patience)
        self.start()

    def run(self) -> None:
        """Send, receive, and leave what came (status 0: what went wrong) in `done`."""
        try:
            self._link.request("POST", self._at.path, self._body, self._headers)
            answer = self._link.getresponse()
            data = b""
            while len(data) <= MOST_ANSWER and time.monotonic() < self._end_by:
                piece = answer.read1(_PIECE)
                if not piece:
                    break
                data += piece
            self.done.put((answer.status, data))
        except (OSError, http.client.HTTPException, ValueError) as e:
            self.done.put((0, f"{type(e).__name__}: {e}"))
        finally:
            self._link.close()

    def end(self) -> None:
        """Have it stop waiting."""
        sock = self._link.sock
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


def _answer(at: Address, key: str, status: int, data: bytes | str) -> dict[str, Any]:
    if isinstance(data, str):
        raise UserError(f"endpoint: {at.place} cannot be asked ({_told(data, key)})")
    if len(data) > MOST_ANSWER:
        raise UserError(f"endpoint: {at.place} answers with more than {MOST_ANSWER >> 20} MB")
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        found = None
    if status != 200:
        error = found.get("error") if isinstance(found, dict) else None
        said = error.get("message") if isinstance(error, dict) else error
        remedy = "; is SIDECHAIN_ENDPOINT_KEY right?" if status in (401, 403) else ""
        raise UserError(f"endpoint: {at.place} says {status} {_told(str(said or ''), key)}".rstrip() + remedy)
    if not isinstance(found, dict):
        raise UserError(f"endpoint: {at.place} answers with what is no JSON object")
    return found


def _told(text: str, key: str) -> str:
    """Somebody else's words in one line of bounded length, without the key."""
    if key:
        text = text.replace(key, "…")
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:_MOST_TOLD]
