"""The ring: every frame is either read once, in order, or counted as lost."""

from __future__ import annotations

import multiprocessing
import threading
from multiprocessing.shared_memory import SharedMemory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from realtime.audio.ring import AudioRing


def numbered(first: int, n: int, channels: int = 1) -> np.ndarray:
    """Frames whose value is their index (exact in float32 up to 2**24), channels offset by 0.5."""
    index = np.arange(first, first + n, dtype=np.float32)[:, None]
    return index + 0.5 * np.arange(channels, dtype=np.float32)


class RingMachine(RuleBasedStateMachine):
    """Any order of writes and reads by two readers."""

    def __init__(self) -> None:
        super().__init__()
        self.ring = AudioRing(50, 2)
        self.readers = [self.ring.reader(), self.ring.reader()]
        self.expected = [0, 0]

    @rule(n=st.integers(0, 200))
    def write(self, n: int) -> None:
        self.ring.write(numbered(self.ring.written, n, 2))

    @rule(which=st.integers(0, 1), most=st.integers(0, 100))
    def read(self, which: int, most: int) -> None:
        reader = self.readers[which]
        view = reader.read(most)
        assert view.first == self.expected[which] + view.lost
        assert np.array_equal(view.samples, numbered(view.first, len(view.samples), 2))
        assert reader.valid(view)
        self.expected[which] = view.first + len(view.samples)

    @rule(which=st.integers(0, 1), n=st.integers(0, 100))
    def newest(self, which: int, n: int) -> None:
        view = self.readers[which].newest(n)
        assert len(view.samples) == min(n, self.ring.written, self.ring.capacity)
        assert np.array_equal(view.samples, numbered(view.first, len(view.samples), 2))
        self.expected[which] = self.ring.written

    @invariant()
    def nothing_beyond_the_capacity(self) -> None:
        for reader in self.readers:
            assert 0 <= reader.available <= self.ring.capacity


TestRingMachine = RingMachine.TestCase


@given(st.integers(1, 5000))
def test_capacity_is_a_power_of_two(capacity: int) -> None:
    ring = AudioRing(capacity, 1)
    assert capacity <= ring.capacity < 2 * capacity or capacity == ring.capacity == 1
    assert ring.capacity & (ring.capacity - 1) == 0


def test_a_slow_reader_skips_forward_and_counts() -> None:
    ring = AudioRing(64, 1)
    slow, quick = ring.reader(), ring.reader()
    for _ in range(10):
        ring.write(numbered(ring.written, 32))
        assert quick.read(32).lost == 0
    view = slow.read(1000)
    assert (view.first, view.lost, len(view.samples)) == (320 - 64, 320 - 64, 64)
    assert slow.lost == 320 - 64
    assert quick.lost == 0


def test_an_overwritten_view_is_told() -> None:
    ring = AudioRing(64, 1)
    reader = ring.reader()
    ring.write(numbered(0, 64))
    view = reader.read(64)
    assert reader.valid(view)
    ring.write(numbered(64, 1))
    assert not reader.valid(view)


def test_views_cannot_be_written() -> None:
    ring = AudioRing(8, 1)
    ring.write(numbered(0, 8))
    view = ring.reader(from_now=False).read(8)
    with pytest.raises(ValueError, match="read-only"):
        view.samples[0] = 1


def test_threads_lose_or_read_every_frame() -> None:
    ring = AudioRing(4096, 1)
    total = 400_000
    problems: list[str] = []

    def consume() -> None:
        reader = ring.reader(from_now=False)
        expected = 0
        while expected < total:
            view = reader.read(1000)
            copy = view.samples.copy()
            if not reader.valid(view):
                expected = view.first + len(copy)
                continue
            if view.first != expected + view.lost or not np.array_equal(copy, numbered(view.first, len(copy))):
                problems.append(f"wrong frames at {view.first}")
                return
            expected = view.first + len(copy)

    consumer = threading.Thread(target=consume)
    consumer.start()
    for first in range(0, total, 100):
        ring.write(numbered(first, 100))
    consumer.join(30)
    assert not consumer.is_alive()
    assert not problems


def _write_in_child(name: str, blocks: int) -> None:
    memory = SharedMemory(name)
    assert memory.buf is not None
    ring = AudioRing(1 << 14, 2, memory.buf, attach=True)
    for _ in range(blocks):
        ring.write(numbered(ring.written, 64, 2))
    ring.release()
    memory.close()


def test_between_processes() -> None:
    memory = SharedMemory(create=True, size=AudioRing.size(1 << 14, 2))
    assert memory.buf is not None
    ring = AudioRing(1 << 14, 2, memory.buf)
    reader = ring.reader()
    child = multiprocessing.get_context("spawn").Process(target=_write_in_child, args=(memory.name, 200))
    child.start()
    child.join(60)
    view = reader.read(100_000)
    lost, samples = view.lost, view.samples.copy()
    del view
    try:
        assert child.exitcode == 0
        assert lost == 0
        assert np.array_equal(samples, numbered(0, 12_800, 2))
    finally:
        ring.release()
        memory.close()
        memory.unlink()


def test_memory_too_small_is_refused() -> None:
    with pytest.raises(ValueError, match="bytes"):
        AudioRing(64, 1, memoryview(bytearray(10)))
