"""Take pictures of the web page: ``python -m scripts.web_screenshots FOLDER [--url URL]``.

Without ``--url`` a host plays the demo piece with the preset ``everything`` and its page is photographed: desktop,
phone, high contrast, and with no host.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from scripts.chromium import Browser

LIVE = "document.getElementById('connection')?.textContent === 'live'"


def photograph(url: str, folder: Path, settle: float) -> list[Path]:
    """All pictures of a running host."""
    found: list[Path] = []

    def take(browser: Browser, name: str) -> None:
        path = folder / f"{name}.png"
        browser.picture(path)
        found.append(path)

    for name, size in (("desktop", (1360, 900, False)), ("phone", (390, 844, True))):
        with Browser(*size) as browser:
            browser.open(url)
            browser.until(LIVE)
            time.sleep(settle)
            take(browser, name)
            browser.js("document.getElementById('contrast').click()")
            time.sleep(0.3)
            take(browser, f"{name}-contrast")
            if browser.console:
                print(f"{name}: the page complained: {browser.console}")
    return found


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--url", help="page of a host that runs already")
    parser.add_argument("--preset", default="everything")
    parser.add_argument("--settle", type=float, default=12.0, help="seconds to listen before a picture")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    if args.url:
        print(*photograph(args.url, args.folder, args.settle), sep="\n")
        return
    from realtime.preset import load
    from realtime.supervisor import Supervisor
    from realtime.web.server import WebSocketServer

    host = Supervisor(load(args.preset), "demo")
    host.start()
    server = WebSocketServer(host, port=0)
    try:
        server.start()
        print(*photograph(server.url, args.folder, args.settle), sep="\n")
    finally:
        server.stop()
        host.stop()


if __name__ == "__main__":
    main()
