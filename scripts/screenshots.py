"""Take pictures of the visualizer and of the web page: ``python scripts/screenshots.py [FOLDER]``.

A host plays the demo piece; the window is photographed page by page, with ``--all`` also large and small, in both
themes, and with no host. It is drawn on a screen that nobody sees (Xvfb). The web page needs Chromium and is left
out where there is none.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
README = ("stage", "analysis", "rack", "outputs")
PAGES = {"stage": 0, "analysis": 1, "rack": 2, "outputs": 3, "routes": 4, "input": 5, "presets": 6, "recording": 7}


def photograph(folder: Path, preset: str, settle: float, everything: bool) -> list[Path]:
    """Pictures of the window: the four of the README, or every page in every dress."""
    from PySide6.QtWidgets import QApplication

    from gui import theme
    from gui.client import Client
    from gui.host import LocalHost
    from gui.settings import Settings
    from gui.window import Window
    from realtime.errors import UserError

    app = QApplication.instance() or QApplication(["sidechain"])
    host = LocalHost(["--preset", preset, "--input", "demo"], again=True)
    host.start()
    if not host.wait():
        raise UserError(f"the host did not start: {host.last_words()}")
    client = Client("127.0.0.1", host.port)
    client.start()
    window = Window(client, Settings(), local=True)
    window.resize(1440, 900)
    window.show()
    window.pulse.start()
    found: list[Path] = []

    def run(seconds: float, done: Callable[[], bool] = lambda: False) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end and not done():
            app.processEvents()
            time.sleep(0.002)

    def take(name: str, page: str, seconds: float = 1.5) -> None:
        window.pages.setCurrentIndex(PAGES[page])
        run(seconds)
        before = window.model.flash[1]
        run(1.0, lambda: window.model.flash[1] > before)
        path = folder / f"{name}.png"
        window.grab().save(str(path))
        found.append(path)

    try:
        run(60, lambda: window.model.clock.state == "locked")
        window.pages.setCurrentIndex(PAGES["analysis"])
        run(settle)
        for page in PAGES if everything else README:
            take(page, page, 0.5 if page == "analysis" else 1.5)
        if not everything:
            return found
        window.resize(1920, 1080)
        take("stage-large", "stage")
        take("analysis-large", "analysis", 9.0)
        window.resize(390, 844)
        for page in ("stage", "analysis", "rack", "outputs"):
            take(f"{page}-small", page, 2.0)
        window.resize(1280, 720)
        window._choose(theme=theme.CONTRAST)
        for page in ("stage", "analysis", "outputs"):
            take(f"{page}-contrast", page, 2.0)
        window._choose(theme=theme.DARK)
        host.stop()
        run(1.5)
        for page in ("stage", "analysis", "rack", "outputs"):
            take(f"{page}-empty", page, 0.5)
    finally:
        window.close()
        host.stop()
    return found


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=ROOT / "docs" / "images")
    parser.add_argument("--preset", default="everything")
    parser.add_argument("--settle", type=float, default=24.0, help="seconds to listen before the first picture")
    parser.add_argument("--all", action="store_true", help="every page, small and large, both themes, no host")
    parser.add_argument("--no-web", action="store_true", help="the window only")
    args = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    from gui.screen import virtual_screen
    from realtime.errors import UserError
    from scripts import chromium

    args.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as config, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        os.environ["SIDECHAIN_CONFIG"] = config
        with contextlib.suppress(OSError):
            listener.bind(("127.0.0.1", 9000))  # somebody listens to the preset's OSC
        try:
            with virtual_screen(1920, 1200, force=True):
                print(*photograph(args.folder, args.preset, args.settle, args.all), sep="\n")
        except UserError as e:
            print(f"screenshots: {e}", file=sys.stderr)
            return 2
        if not args.no_web and chromium.find() is not None:
            command = [
                sys.executable,
                "-m",
                "scripts.web_screenshots",
                str(args.folder / "web"),
                "--preset",
                args.preset,
            ]
            return subprocess.run(command, cwd=ROOT, check=False).returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
