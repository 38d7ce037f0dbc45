"""A job in its worker: the request, the last sound, signs of life, and what it returns."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

import platformdirs

from realtime.errors import PluginError, UserError
from realtime.hosting.kinds import Latest
from realtime.hosting.kindslots import JobCaller
from realtime.hosting.plugin import AudioInput
from realtime.hosting.slot import Slot
from realtime.hosting.slow import wire
from realtime.hosting.slow.ear import snippet
from realtime.hosting.slow.shared import Board, Sound
from realtime.hosting.slow.snapshot import Heard, received

MOST_FILES = 100
"""Files of sound that are kept; the oldest go."""

_PROGRESS_EVERY = 0.05


def job_folder() -> Path:
    """Where jobs keep their sound (``SIDECHAIN_JOBS`` overrides the platform's data folder)."""
    return Path(os.environ.get("SIDECHAIN_JOBS") or Path(platformdirs.user_data_dir("sidechain")) / "jobs")


class Control:
    """A :class:`~realtime.hosting.kinds.JobControl` over board and pipe."""

    def __init__(
        self, number: int, board: Board, pipe: wire.WorkerEnd, results: Mapping[str, Latest] | None = None
    ) -> None:
        self._number, self._board, self._pipe = number, board, pipe
        self._results = dict(results or {})
        self._said = 0.0

    @property
    def results(self) -> Mapping[str, Latest]:
        """What others had said when the job was asked for."""
        return self._results

    @property
    def cancelled(self) -> bool:
        """Whether somebody wants it to end."""
        return self._board["cancel"] >= self._number

    def progress(self, share: float, text: str = "") -> None:
        """Say how far it is; said to the host 20 times a second at most."""
        now = time.monotonic()
        self._board["busy_since"] = now
        if now - self._said >= _PROGRESS_EVERY:
            self._said = now
            self._pipe.send("progress", min(1.0, max(0.0, float(share))), str(text)[:200])


def run_job(
    slot: Slot,
    sound: Sound,
    spec: AudioInput,
    board: Board,
    pipe: wire.WorkerEnd,
    folder: str,
    number: int,
    request: dict[str, str | float],
    results: Heard,
) -> None:
    """Run one job and tell the host how it went."""
    assert isinstance(slot, JobCaller)
    control = Control(number, board, pipe, received(results))
    fault = ""
    board["busy_since"] = time.monotonic()
    try:
        heard = snippet(sound, spec)
        assert heard is not None  # the sound of now is always there
        place = Path(folder) / f"{slot.identifier}-{time.strftime('%Y%m%d-%H%M%S')}-{number}"
        place.parent.mkdir(parents=True, exist_ok=True)
        _tidy(place.parent)
        made = slot.run_job(request, *heard, control, sound.now(), place)
        if not control.cancelled:
            for feature in made:
                wire.checked(slot.descriptor, feature)
            for at in range(0, len(made), 16):
                pipe.send("results", made[at : at + 16])
    except (UserError, PluginError) as e:
        fault = str(e)
    except wire.GarbageError as e:
        fault = f"plugin '{slot.identifier}' returned {e}"
    finally:
        board["busy_since"] = 0.0
    slot.turn(True)  # a failed job is not held against the next
    pipe.send("done", number, fault[: wire.MOST_LABEL])


def _tidy(folder: Path) -> None:
    files = sorted(folder.glob("*.wav"), key=lambda p: p.stat().st_mtime)
    for path in files[: max(0, len(files) - MOST_FILES + 1)]:
        path.unlink(missing_ok=True)
