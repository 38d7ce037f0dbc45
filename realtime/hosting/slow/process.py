"""A worker process as its host sees it: started, spoken with, measured, ended. Nothing here decides anything."""

from __future__ import annotations

import contextlib
import multiprocessing as mp
import os
import socket
from collections.abc import Iterator

from realtime.hosting.slow.shared import Board, Sound
from realtime.hosting.slow.wire import HostEnd
from realtime.hosting.slow.worker import Task, main

_SINGLE = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "TOKENIZERS_PARALLELISM",
)


class WorkerProcess:
    """One worker, running from here on. Used by one thread.

    Parameters
    ----------
    task : Task
    sound : Sound
    board : Board
    """

    def __init__(self, task: Task, sound: Sound, board: Board) -> None:
        context = mp.get_context("spawn")
        ours, theirs = socket.socketpair()
        try:
            self._process = context.Process(
                target=main, args=(task, sound, board, theirs), name=f"sidechain-slow-{task.key}"
            )
            with _one_thread():
                self._process.start()
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        self.end = HostEnd(ours)
        self._open = True
        self._pid = self._process.pid or 0

    @property
    def pid(self) -> int:
        """Process id."""
        return self._pid

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._open and self._process.is_alive()

    def resident_mb(self) -> float:
        """Memory in RAM, MB, the shared sound taken off; 0 where the system does not say."""
        try:
            with open(f"/proc/{self.pid}/statm", encoding="ascii") as f:
                _, resident, shared, *_ = map(int, f.read().split())
            return (resident - shared) * os.sysconf("SC_PAGE_SIZE") / 1e6
        except (OSError, ValueError):
            return 0.0

    def kill(self) -> None:
        """End it at once, and wait until it has."""
        if self._open:
            self._process.kill()
            self.finish(2.0)

    def finish(self, timeout: float) -> str:
        """It is about to end: wait for that so long, else end it. Returns how it ended, in words."""
        if not self._open:
            return "ended"
        self._process.join(timeout)
        code = self._process.exitcode
        if code is None:
            self._process.kill()
            self._process.join(2.0)
        self._close()
        if code is None:
            return "did not end by itself"
        return f"was killed by signal {-code}" if code < 0 else f"ended by itself (exit status {code})"

    def _close(self) -> None:
        self._open = False
        self.end.close()
        with contextlib.suppress(ValueError):  # a process that even SIGKILL has not ended yet
            self._process.close()


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Libraries for arithmetic read from the environment, when they are loaded, how many threads to make."""
    before = {name: os.environ.get(name) for name in _SINGLE}
    os.environ.update({name: "1" if name.endswith("THREADS") else "false" for name in _SINGLE})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
