"""The sound of a session under the supervisor: by command, and through the death of an engine."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from realtime.audio.tape import is_session
from realtime.errors import UserError
from realtime.outputs.recorder import Recordings
from realtime.preset import parse
from realtime.supervisor import Supervisor
from tests.fixtures.waiting import until

pytestmark = pytest.mark.device

Start = Callable[..., Supervisor]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    path = tmp_path / "tone.wav"
    soundfile.write(path, np.full(48_000 * 60, 0.5, np.float32), 48_000)
    running: list[Supervisor] = []

    def run(**where: str) -> Supervisor:
        host = Supervisor(parse("[plugins.level]\n", "test.toml"), str(path), **where)
        running.append(host)
        host.start()
        return host

    yield run
    for host in running:
        host.stop()


def seconds(host: Supervisor) -> float:
    return float((host.status().get("recording") or {}).get("seconds", 0.0))


def test_sound_is_recorded_by_command_beside_the_events(start: Start, tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    host = start(recordings=str(folder))
    recordings = Recordings(host, folder)
    assert recordings.start("one.jsonl", audio=True)["audio"]["recording"]
    with pytest.raises(UserError, match="already"):
        host.call("audio.start", {"name": "two.flac"})
    until(lambda: seconds(host) > 0.5)
    ended = recordings.stop()["audio"]
    assert not ended["recording"]
    assert sorted(p.name for p in folder.iterdir()) == ["one.flac", "one.jsonl"]
    with soundfile.SoundFile(folder / "one.flac") as file:
        assert is_session(file)
        assert file.frames == round(48_000 * ended["seconds"])
        assert np.allclose(file.read(), 0.5, atol=1e-6)
    for name in ("../x.flac", "/tmp/x.flac", ".x.flac", "x.wav"):
        with pytest.raises(UserError, match=r"plain file name|ending \.flac"):
            host.call("audio.start", {"name": name})
    with pytest.raises(UserError, match="no sound"):
        host.call("audio.stop")


def test_a_host_without_a_folder_records_nothing(start: Start) -> None:
    with pytest.raises(UserError, match="no folder"):
        start().call("audio.start", {"name": "x.flac"})


@pytest.mark.skipif(os.name != "posix", reason="kills by signal")
def test_the_engine_that_comes_after_goes_on_in_a_file_of_its_own(start: Start, tmp_path: Path) -> None:
    host = start(record=str(tmp_path / "set.flac"))
    until(lambda: seconds(host) > 1.0)
    assert host.pid is not None
    os.kill(host.pid, signal.SIGKILL)
    until(lambda: str((host.status().get("recording") or {}).get("path", "")).endswith("set-2.flac"))
    until(lambda: seconds(host) > 0.5)
    host.stop()
    assert soundfile.info(tmp_path / "set.part.flac").duration > 0.5
    assert soundfile.info(tmp_path / "set-2.flac").duration > 0.5
    assert not (tmp_path / "set-2.part.flac").exists()
