"""A headless Chromium, driven over its DevTools protocol: enough to test the web page and take pictures of it."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any

from websockets.sync.client import connect

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


def find() -> str | None:
    """The browser's program, or None where there is none."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Browser:
    """One browser with one page; a context manager.

    Parameters
    ----------
    width, height : int
        Size of the page in CSS pixels.
    phone : bool
        Touch screen, and twice as many device pixels.
    """

    def __init__(self, width: int = 1360, height: int = 900, phone: bool = False) -> None:
        self._size = (width, height, phone)
        self._number = 0
        self.console: list[str] = []
        """Errors and warnings of the page, in order."""

    def __enter__(self) -> Browser:
        program = find()
        if program is None:
            raise RuntimeError("no Chromium here: apt-get install chromium")
        self._stack = contextlib.ExitStack()
        folder = self._stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        arguments = [
            "--headless=new",
            "--remote-debugging-port=0",
            f"--user-data-dir={folder}",
            "--no-first-run",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-extensions",
            "--disable-component-update",
            "--disable-background-networking",
            "--force-color-profile=srgb",
            "about:blank",
        ]
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            arguments.insert(0, "--no-sandbox")
        self._process = subprocess.Popen(
            [program, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._stack.callback(self._end)
        try:
            port = self._port(Path(folder) / "DevToolsActivePort")
            self._socket = self._stack.enter_context(connect(self._page(port), max_size=1 << 26, proxy=None))
            width, height, phone = self._size
            self.do("Page.enable")
            self.do("Runtime.enable")
            self.do("Log.enable")
            self.do("Emulation.setDeviceMetricsOverride", width=width, height=height, mobile=phone,
                    deviceScaleFactor=2 if phone else 1)  # fmt: skip
            self.do("Emulation.setTouchEmulationEnabled", enabled=phone)
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._stack.close()

    def do(self, method: str, **params: Any) -> dict[str, Any]:
        """Run a DevTools command and return its result."""
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": params}))
        while True:
            message: dict[str, Any] = json.loads(self._socket.recv(timeout=30))
            if message.get("id") == self._number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                return dict(message["result"])
            self._listen(message)

    def open(self, url: str) -> None:
        """Go to a page."""
        self.do("Page.navigate", url=url)

    def js(self, expression: str) -> Any:
        """Value of a JavaScript expression in the page; promises are waited for."""
        result = self.do("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(str(result["exceptionDetails"]))
        return result["result"].get("value")

    def until(self, expression: str, seconds: float = 15.0) -> Any:
        """Wait until a JavaScript expression is true, and return it."""
        end = time.monotonic() + seconds
        while True:
            with contextlib.suppress(RuntimeError):  # the page may be between two documents
                if value := self.js(expression):
                    return value
            if time.monotonic() > end:
                raise TimeoutError(f"not in {seconds:g} s: {expression}")
            time.sleep(0.05)

    def key(self, key: str, code: str = "") -> None:
        """Press and release a key."""
        for kind in ("keyDown", "keyUp"):
            text = {"text": key} if kind == "keyDown" and len(key) == 1 else {}
            self.do("Input.dispatchKeyEvent", type=kind, key=key, code=code or key, **text)

    def click(self, selector: str) -> None:
        """Click in the middle of an element, as a mouse does."""
        place = self.js(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            " e.scrollIntoView({block: 'center'}); const r = e.getBoundingClientRect();"
            " return [r.x + r.width / 2, r.y + r.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.do("Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left", clickCount=1)

    def picture(self, path: Path, whole: bool = True) -> None:
        """Save a PNG of the page: all of it, or what fits on the screen."""
        if whole:
            size = self.do("Page.getLayoutMetrics")["cssContentSize"]
            clip = {"x": 0, "y": 0, "width": self._size[0], "height": size["height"], "scale": 1}
            data = self.do("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)["data"]
        else:
            data = self.do("Page.captureScreenshot")["data"]
        path.write_bytes(base64.b64decode(data))

    def _listen(self, message: dict[str, Any]) -> None:
        method, params = message.get("method"), message.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.console.append(str(params["exceptionDetails"].get("exception", {}).get("description", params)))
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            self.console.append(" ".join(str(a.get("value", a)) for a in params["args"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.console.append(params["entry"]["text"])

    def _port(self, file: Path) -> int:
        end = time.monotonic() + 60
        while time.monotonic() < end and self._process.poll() is None:
            with contextlib.suppress(OSError, ValueError, IndexError):
                return int(file.read_text().splitlines()[0])
            time.sleep(0.05)
        raise RuntimeError("Chromium did not start")

    def _page(self, port: int) -> str:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        end = time.monotonic() + 20
        while time.monotonic() < end:
            with opener.open(f"http://127.0.0.1:{port}/json/list", timeout=10) as answer:
                for target in json.load(answer):
                    if target["type"] == "page":
                        return str(target["webSocketDebuggerUrl"])
            time.sleep(0.05)
        raise RuntimeError("Chromium has no page")

    def _end(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
