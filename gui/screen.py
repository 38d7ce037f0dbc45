"""A screen that nobody sees (Xvfb): for measurements, tests and pictures on machines without one."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

from realtime.errors import UserError


@contextlib.contextmanager
def virtual_screen(width: int = 1920, height: int = 1080, force: bool = False) -> Iterator[str]:
    """Give this process a screen; what was there before is back afterwards.

    Parameters
    ----------
    width, height : int
    force : bool
        Even if there is a screen already.

    Yields
    ------
    str
        The display's name; empty where the screen that is there is used.

    Raises
    ------
    UserError
        Xvfb is missing.
    """
    before = os.environ.get("DISPLAY"), os.environ.get("QT_QPA_PLATFORM")
    if not sys.platform.startswith("linux") or ((before[0] or os.environ.get("WAYLAND_DISPLAY")) and not force):
        yield ""
        return
    if shutil.which("Xvfb") is None:
        raise UserError("there is no screen, and Xvfb is missing: sudo apt-get install xvfb")
    ours, theirs = os.pipe()
    command = ["Xvfb", "-displayfd", str(theirs), "-screen", "0", f"{width}x{height}x24", "-nolisten", "tcp"]
    server = subprocess.Popen(command, pass_fds=(theirs,), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(theirs)
    try:
        with os.fdopen(ours) as pipe:
            number = pipe.readline().strip()
        if not number:
            raise UserError("Xvfb did not start")
        os.environ["DISPLAY"], os.environ["QT_QPA_PLATFORM"] = f":{number}", "xcb"
        yield f":{number}"
    finally:
        for name, value in zip(("DISPLAY", "QT_QPA_PLATFORM"), before):
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
        server.terminate()
        server.wait()
