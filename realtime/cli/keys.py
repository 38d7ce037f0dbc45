"""Single key presses from the terminal, without waiting and without echo."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager

ARROWS = {"\x1b[D": "left", "\x1b[C": "right", "\x1b[A": "up", "\x1b[B": "down"}
_WINDOWS_ARROWS = {"K": "left", "M": "right", "H": "up", "P": "down"}


class Keys:
    """Keys pressed since the last call; made by :func:`keyboard`."""

    def read(self) -> list[str]:
        """Characters, and ``left``, ``right``, ``up``, ``down`` for the arrow keys. Never waits."""
        return []


class _PosixKeys(Keys):
    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def read(self) -> list[str]:
        text = ""
        while select.select([self._descriptor], [], [], 0)[0]:
            piece = os.read(self._descriptor, 64)
            if not piece:
                break
            text += piece.decode("utf-8", "ignore")
        return split(text)


class _WindowsKeys(Keys):
    def read(self) -> list[str]:
        import msvcrt

        found = []
        while msvcrt.kbhit():  # type: ignore[attr-defined]
            key = msvcrt.getwch()  # type: ignore[attr-defined]
            if key in "\x00\xe0":
                key = _WINDOWS_ARROWS.get(msvcrt.getwch(), "")  # type: ignore[attr-defined]
            found.append(key)
        return [k for k in found if k]


def split(text: str) -> list[str]:
    """What the terminal sent, cut into keys; unknown escape sequences are left out."""
    found: list[str] = []
    while text:
        if text[0] == "\x1b":
            arrow = ARROWS.get(text[:3].replace("\x1bO", "\x1b["))
            if arrow:
                found.append(arrow)
            text = text[3:]
        else:
            found.append(text[0])
            text = text[1:]
    return found


@contextmanager
def keyboard() -> Iterator[Keys]:
    """Read keys for as long as the context lasts; the terminal is as before afterwards."""
    if not sys.stdin.isatty():
        yield Keys()
    elif sys.platform == "win32":
        yield _WindowsKeys()
    else:
        import termios
        import tty

        descriptor = sys.stdin.fileno()
        before = termios.tcgetattr(descriptor)
        try:
            tty.setcbreak(descriptor)
            yield _PosixKeys(descriptor)
        finally:
            termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
