"""Where the command starts: Ctrl-C is taken care of before anything that takes time is imported."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

INTERRUPTED = 130
_ONE_THREAD = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def main() -> int:
    """Run the command line; the exit status.

    Notes
    -----
    Products of small matrices get slower, not faster, on several threads, and a real-time thread must not wait for
    helpers; the libraries below numpy read that from the environment when they are loaded, here and in children.
    """
    ours = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if ours:
        signal.signal(signal.SIGINT, _leave)
    for name in _ONE_THREAD:
        os.environ.setdefault(name, "1")
    from realtime.cli.main import main as run

    if ours:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return run()
    except KeyboardInterrupt:
        return INTERRUPTED


def _leave(number: int, frame: FrameType | None) -> None:
    """End at once: nothing is open yet, and an exception in the middle of an import would only be in the way."""
    del number, frame
    os._exit(INTERRUPTED)


if __name__ == "__main__":
    sys.exit(main())
