"""Who may connect: this machine by default; others with a token; web pages only if they are ours."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Collection
from urllib.parse import parse_qs, urlsplit

from realtime.errors import UserError


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine's own, by itself (no name service is asked)."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class Access:
    """The rules of one server.

    Parameters
    ----------
    host : str
        Address that the server listens on.
    token : str
        Secret that clients must give; needed beyond loopback.
    origins : collection of str
        Further web origins (``https://desk.example``) whose pages may connect.

    Raises
    ------
    UserError
        Beyond loopback without a token.
    """

    def __init__(self, host: str, token: str = "", origins: Collection[str] = ()) -> None:
        self.local = is_loopback(host)
        self._token = token
        self._origins = frozenset(origins)
        if not self.local and not token:
            raise UserError(
                f"WebSocket on {host}: beyond this machine a token is needed; give one with --token SECRET"
            )

    def authorised(self, path: str, authorization: str | None) -> bool:
        """Whether the token is there: ``?token=…`` or ``Authorization: Bearer …``."""
        if not self._token:
            return True
        given = parse_qs(urlsplit(path).query).get("token", [""])[0]
        if authorization is not None and authorization.startswith("Bearer "):
            given = authorization.removeprefix("Bearer ").strip()
        return hmac.compare_digest(given.encode(), self._token.encode())

    def from_here(self, host: str | None) -> bool:
        """Whether the name that a client used for us is ours (a foreign name that resolves to us is an attack)."""
        return not self.local or is_loopback(_name(host))

    def welcome(self, origin: str | None, host: str | None) -> bool:
        """Whether the page that opens the connection is ours; programs send no ``Origin``."""
        if origin is None or origin in self._origins:
            return True
        parts = urlsplit(origin)
        return parts.scheme in ("http", "https") and host is not None and parts.netloc.lower() == host.lower()


def _name(host: str | None) -> str:
    return (urlsplit(f"//{host}").hostname or "") if host else ""
