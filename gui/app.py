"""The live visualizer: starts a host of its own, or looks at one that runs.

examples:
  sidechain gui                                 a host on the default input, or the demo where there is none
  sidechain gui --demo                          a host on the built-in piece
  sidechain gui --input "Scarlett" --preset lighting
  sidechain gui --connect 192.168.1.20:8765 --token SECRET
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gui.host import LocalHost
from realtime.cli.common import address
from realtime.errors import UserError

if TYPE_CHECKING:
    from gui.client import Client
    from gui.window import Window


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("--connect", metavar="HOST:PORT", help="look at a host that runs, e.g. 127.0.0.1:8765")
    parser.add_argument("--token", default="", help="secret of that host, where it wants one")
    parser.add_argument(
        "--demo", action="store_true", help="a host on the built-in piece; the same as --input demo"
    )
    parser.add_argument("--input", "-i", default="", metavar="INPUT", help="device name, file or 'demo'")
    parser.add_argument("--preset", "-p", default="everything", help="name or file (default: %(default)s)")
    parser.add_argument(
        "--osc", action="append", default=[], metavar="HOST:PORT", help="send OSC here (repeatable)"
    )
    parser.add_argument("--replay", metavar="FILE.jsonl", help="show a recording")
    parser.add_argument("--full-screen", action="store_true", help="begin on the whole screen")


def host_arguments(args: argparse.Namespace) -> list[str]:
    """Arguments of ``sidechain live`` for a host of our own."""
    wanted = ["--preset", args.preset]
    source = "demo" if args.demo else args.input
    if source:
        wanted += ["--input", source]
    for target in args.osc:
        wanted += ["--osc", target]
    return wanted


def check(args: argparse.Namespace) -> None:
    """What does not go together, before anything starts. Raises ``UserError``."""
    if args.connect and (args.demo or args.input or args.osc):
        raise UserError("--connect looks at a host that runs already; --demo, --input and --osc start one")
    if args.token and not args.connect:
        raise UserError("--token is for --connect")
    if args.input == "-":
        raise UserError("--input -: start 'sidechain live --input -' and look at it with --connect 127.0.0.1:8765")


def run(args: argparse.Namespace) -> int:
    """Show the window until it is closed."""
    check(args)
    where = address(args.connect) if args.connect else None

    from PySide6.QtCore import QTimer
    from PySide6.QtWidgets import QApplication

    from gui import settings
    from gui.client import Client
    from gui.polite import give_way
    from gui.window import Window

    app = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(app, QApplication)
    app.setApplicationName("Sidechain")
    app.setDesktopFileName("sidechain")
    host: LocalHost | None = None
    client = Client(where.host, where.port, args.token) if where else Client("127.0.0.1", 1, waiting=True)
    if where is None and not args.replay:
        looped = args.demo or args.input == "demo" or not args.input
        host = LocalHost(host_arguments(args), again=looped)
        host.start()
    give_way()
    client.start()
    window = Window(client, settings.load(), local=host is not None)
    if host is not None:
        window.watch(_Nurse(window, host, client).look)
    if args.replay:
        window.recording.replay(args.replay)
    for number in (signal.SIGINT, signal.SIGTERM):
        # Python may hear of it in the middle of painting: the window has to stay until that is done
        signal.signal(number, lambda *_: QTimer.singleShot(0, window.close))
    window.showFullScreen() if args.full_screen else window.show()
    if args.full_screen:
        window._trim()
    window.pulse.start()
    QTimer.singleShot(0, window.raise_)
    try:
        return int(app.exec())
    finally:
        client.close()
        if host is not None:
            host.stop()


class _Nurse:
    """Connects the window to its host when that is ready, and says why when it has ended."""

    def __init__(self, window: Window, host: LocalHost, client: Client) -> None:
        self._window, self._host, self._client = window, host, client
        self._port = 0
        self._told = False

    def look(self) -> None:
        if self._host.ready and self._host.port != self._port:
            self._port = self._host.port
            self._client.address("127.0.0.1", self._port)
        why = self._host.poll()
        if why and not self._told:
            self._told = True
            self._client.say(f"the host has ended: {why}")
            from gui import dialogs

            dialogs.fault(
                self._window,
                "The host has ended.",
                f"{why}\n\n'sidechain doctor' checks this machine; 'sidechain gui --demo' needs no sound input.",
                self._host.messages(),
            )


def main(arguments: Sequence[str] | None = None) -> int:
    """``python -m gui.app``."""
    from realtime.cli.common import Parser
    from realtime.cli.main import guarded

    parser = Parser(
        prog="sidechain gui", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_arguments(parser)
    try:
        args = parser.parse_args(arguments)
    except SystemExit as e:
        return int(e.code or 0)
    return guarded(lambda: run(args))


if __name__ == "__main__":
    sys.exit(main())
