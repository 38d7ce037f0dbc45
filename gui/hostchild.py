"""Runs the command line of the host, and ends it when the window that started it is gone.

``python -m gui.hostchild live …``: standard input is a pipe from the window; when it closes, the host ends in
order, as on Ctrl-C.
"""

from __future__ import annotations

import _thread
import os
import signal
import sys
import threading

from realtime.cli.main import main


def _watch() -> None:
    while True:
        try:
            if not os.read(0, 64):
                break
        except OSError:
            break
    if os.name == "posix":
        os.kill(os.getpid(), signal.SIGTERM)
    else:
        _thread.interrupt_main()


if __name__ == "__main__":
    threading.Thread(target=_watch, daemon=True).start()
    sys.exit(main(sys.argv[1:]))
