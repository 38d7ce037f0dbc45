"""The parts of the slow lane without processes: shared sound, an ear in it, the wire, shares of the machine."""

from __future__ import annotations

import contextlib
import json
import socket

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.hosting.plugin import ENGINE_RATE, TICK, AudioInput
from realtime.hosting.slow import admission
from realtime.hosting.slow.ear import Ear, snippet
from realtime.hosting.slow.shared import Board, Sound
from realtime.hosting.slow.wire import MOST_BYTES, GarbageError, HostEnd, WorkerEnd, checked, line
from tests.hosting.slow_plugins import declare

FRAMES = 1 << 16


def ramp(seconds: float, channels: int = 1) -> np.ndarray:
    """Samples that say at which second they are."""
    t = np.arange(round(seconds * ENGINE_RATE), dtype=np.float32) / ENGINE_RATE
    return np.repeat(t[:, None], channels, axis=1)


def play(sound: Sound, samples: np.ndarray) -> None:
    for at in range(0, len(samples), TICK):
        sound.write(samples[at : at + TICK])


@given(st.lists(st.integers(0, 60), min_size=1, max_size=12))
@settings(max_examples=30)
def test_windows_lie_on_the_grid_whenever_one_listens(ticks: list[int]) -> None:
    """However late an ear is, what it gives is the newest whole hop, at the place where it says it is."""
    sound = Sound(1, FRAMES)
    sound.jump(0.0)
    x = ramp(5.0)
    ear = Ear(sound, AudioInput(48_000, 1, 960, 2400))
    at = last = 0
    for n in ticks:
        play(sound, x[at : at + n * TICK])
        at = min(len(x), at + n * TICK)
        ear.listen()
        if not ear.feed.due():
            continue
        left_out = ear.newest()
        found = ear.feed.next()
        assert found is not None
        block, end = found
        number = round(end * 50)
        assert number == at // 960
        assert end == pytest.approx(number / 50)
        assert not last or left_out == number - last - 1
        expected = x[max(0, number * 960 - 2400) : number * 960, 0]
        assert np.array_equal(block[2400 - len(expected) :], expected)
        last = number


def test_a_reader_that_the_ring_has_overrun_counts_it_and_goes_on() -> None:
    sound = Sound(1, FRAMES)
    sound.jump(0.0)
    ear = Ear(sound, AudioInput(16_000, 1, 160, 320))
    x = ramp(5.0)
    play(sound, x[:4800])
    assert ear.listen() == 0
    play(sound, x[4800:])
    lost = len(x) - 4800 - sound.ring.capacity
    assert ear.listen() == lost
    assert (ear.gaps, ear.lost) == (1, lost)
    assert ear.listen() == 0
    ear.newest()
    found = ear.feed.next()
    assert found is not None
    assert found[1] == pytest.approx(5.0, abs=0.011)
    assert found[0][-20] == pytest.approx(5.0, abs=0.02)


def test_a_jump_of_the_stream_is_told_and_nothing_from_before_it_is_heard() -> None:
    sound = Sound(2, FRAMES)
    sound.jump(0.0)
    ear = Ear(sound, AudioInput(48_000, 2, 480, 4800))
    play(sound, np.ones((9600, 2), np.float32))
    assert ear.listen() == 0
    sound.jump(10.0)
    assert ear.listen() == round(9.8 * ENGINE_RATE)
    play(sound, np.zeros((2400, 2), np.float32))
    assert ear.listen() == 0
    ear.newest()
    found = ear.feed.next()
    assert found is not None
    assert found[0].shape == (2, 4800)
    assert not found[0].any()
    assert found[1] == pytest.approx(10.05)


@pytest.mark.parametrize("channels", [1, 2, 3, 6])
def test_one_and_two_channels_of_any_sound(channels: int) -> None:
    sound = Sound(channels, FRAMES)
    sound.jump(0.0)
    x = np.tile(np.arange(1, channels + 1, dtype=np.float32), (4800, 1))
    play(sound, x)
    mono, end = snippet(sound, AudioInput(48_000, 1, 240, 960), 0.1) or (None, 0.0)
    assert mono is not None
    assert np.allclose(mono, x[0].mean())
    assert end == pytest.approx(0.1)
    stereo = snippet(sound, AudioInput(48_000, 2, 240, 960), 0.1)
    assert stereo is not None
    assert np.allclose(stereo[0][:, 0], x[0, :2] if channels > 1 else [1.0, 1.0])


def test_snippets_wait_for_their_sound_and_begin_with_silence() -> None:
    sound = Sound(1, FRAMES)
    sound.jump(5.0)
    play(sound, ramp(0.2) + 5.0)
    spec = AudioInput(16_000, 1, 80, 1600)
    assert snippet(sound, spec, 5.3) is None
    found = snippet(sound, spec, 5.05)
    assert found is not None
    block, end = found
    assert end == pytest.approx(5.05, abs=1e-4)
    assert len(block) == 1600
    assert abs(block[:700]).max() < 0.2
    assert block[-100] == pytest.approx(5.05 - 100 / 16_000, abs=0.01)


@given(st.dictionaries(st.sampled_from("abcdef"), st.floats(0, 1), min_size=1), st.floats(0.1, 4))
def test_shares_are_fair(demands: dict[str, float], cores: float) -> None:
    given_ = admission.shares(demands, cores)
    assert all(given_[n] <= demands[n] + 1e-12 for n in demands)
    assert sum(given_.values()) <= cores + 1e-9
    if sum(demands.values()) <= cores:
        assert given_ == pytest.approx(demands)
    else:
        assert sum(given_.values()) == pytest.approx(cores)
        most = max(given_.values())
        assert all(g >= demands[n] - 1e-9 or g == pytest.approx(most) for n, g in given_.items())


def pair() -> tuple[HostEnd, WorkerEnd, socket.socket]:
    ours, theirs = socket.socketpair()
    return HostEnd(ours), WorkerEnd(theirs), theirs


def test_messages_arrive_whole_and_in_order() -> None:
    host, worker, raw = pair()
    message = line("results", [["rms", 1.0, 0.5, None]])
    raw.sendall(message[:7])
    assert host.receive() == []
    raw.sendall(message[7:] + line("ready"))
    assert [m.kind for m in host.receive()] == ["results", "ready"]
    assert host.send("set", "gain", 2.0)
    assert next(worker.receive()) == ("set", ["gain", 2.0])
    raw.shutdown(socket.SHUT_RDWR)
    assert host.receive() == []
    assert host.ended
    assert not host.send("stop")


def test_a_worker_that_takes_nothing_holds_nobody_up() -> None:
    host, _worker, raw = pair()
    sent = 0
    while host.send("text", "word", "x" * 5000):
        sent += 1
        assert sent < 10_000
    assert not host.send("turn", True)
    while True:
        raw.settimeout(0.2)
        try:
            data = raw.recv(1 << 20)
        except TimeoutError:
            break
        assert data
        host.receive()  # sends what is left of the message that was cut
    assert host.send("turn", False)


@pytest.mark.parametrize(
    "data",
    [b"\x00\xff\xfe\n", b"{}\n", b"[]\n", b"12\n", b'["turn", true]\n', b"[[]]\n", b'"ready"\n',
     b"[" * 100_000 + b"\n", bytes(range(128, 256)) + b"\n"],
)  # fmt: skip
def test_garbage_is_known_as_such(data: bytes) -> None:
    host, _, raw = pair()
    raw.sendall(data)
    with pytest.raises(GarbageError):
        host.receive()


def test_a_message_without_end_is_garbage() -> None:
    host, _, raw = pair()
    raw.setblocking(False)

    def shout() -> None:
        for _ in range(MOST_BYTES // 1000 * 2):
            with contextlib.suppress(BlockingIOError):
                raw.send(b"x" * 1000)
            host.receive()

    with pytest.raises(GarbageError):
        shout()


@pytest.mark.parametrize(
    "item",
    [None, [], ["rms"], ["rms", None, 1, None], ["rms", 0, "x", None], ["nobody", 0, 1, None], [3, 0, 1, None],
     ["rms", 0, float("nan"), None], ["rms", float("inf"), 1, None], ["vector", 0, [1.0] * 5000, None],
     ["label", 0, None, 7], ["label", 0, None, "x" * 3000], ["vector", 0, [[1]], None], ["rms", {}, 1, None]],
)  # fmt: skip
def test_results_that_nobody_declared_are_garbage(item: object) -> None:
    with pytest.raises(GarbageError):
        checked(declare("rms"), json.loads(json.dumps(item)))


def test_a_proper_result() -> None:
    found = checked(declare("rms"), ["vector", 1.5, [1, 2], "a"])
    assert (found.output.identifier, found.time, found.value, found.label) == ("vector", 1.5, (1.0, 2.0), "a")


def test_a_board_starts_anew_with_each_worker() -> None:
    board = Board()
    board["cost"], board["duty"], board["drops"] = 0.5, 0.25, 3.0
    board.clear()
    assert (board["cost"], board["duty"], board["drops"]) == (0.0, 0.25, 3.0)
