"""The web page: a few files, read once, served from memory."""

from __future__ import annotations

import json
from http import HTTPStatus
from pathlib import Path

from websockets.datastructures import Headers
from websockets.http11 import Response

from realtime.web import protocol

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
}

SCHEMA = "/websocket.schema.json"
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; manifest-src 'self'; "
    "connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def answer(status: HTTPStatus, body: bytes, kind: str = "text/plain; charset=utf-8") -> Response:
    """An HTTP response that asks for no trust: own scripts only, no framing, no sniffing, no cache."""
    headers = Headers(
        [
            ("Content-Type", kind),
            ("Content-Length", str(len(body))),
            ("Content-Security-Policy", _POLICY),
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "no-referrer"),
            ("Cache-Control", "no-cache"),
            ("Connection", "close"),
        ]
    )
    return Response(status.value, status.phrase, headers, body)


class Files:
    """The page's files by path."""

    def __init__(self, folder: Path | None = None) -> None:
        folder = folder or Path(__file__).resolve().parent / "static"
        self._found = {
            f"/{p.name}": (p.read_bytes(), _TYPES[p.suffix]) for p in folder.iterdir() if p.suffix in _TYPES
        }
        if "/index.html" in self._found:
            self._found["/"] = self._found["/index.html"]

    def get(self, path: str) -> Response:
        """The file at a path (without its query), or 404."""
        if path == SCHEMA and path not in self._found:  # made when somebody wants it
            self._found[path] = (json.dumps(protocol.schema(), indent=1).encode(), _TYPES[".json"])
        if path not in self._found:
            return answer(HTTPStatus.NOT_FOUND, b"There is nothing here.\n")
        body, kind = self._found[path]
        return answer(HTTPStatus.OK, body, kind)
