from __future__ import annotations

import random
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.outputs.jack_frames import CLOCK, FrameTime, Placement, unwrapped

RATE = 48_000.0
BLOCK = 128
PERIOD = 0.02


def play(
    stalls: dict[int, int], messages: list[tuple[float, bytes]], blocks: int, first: int = 0
) -> list[tuple[int, bytes]]:
    """Blocks of a JACK whose callback is not called for some blocks at a time; frames of what was written.

    JACK's frame 0 is at 100 s, and goes on during a stall.
    """
    clock, waiting = FrameTime(RATE), Placement(RATE)
    written: list[tuple[int, bytes]] = []
    filed, k = 0, 0
    while k < blocks:
        k += stalls.get(k, 0)
        begin, now = k * BLOCK, 100.0 + k * BLOCK / RATE
        clock.cycle((first + begin) % 2**32, ((first + begin) % 2**32, now))
        while filed < len(messages) and messages[filed][0] <= now + 0.015:
            waiting.put(*messages[filed])
            filed += 1
        while (due := waiting.next(clock, BLOCK)) is not None:
            written.append((begin + due[0], due[1]))
            waiting.sent(clock, due[0])
        k += 1
    return written


def test_every_message_lies_on_its_frame() -> None:
    meant = [(100.05 + i * PERIOD, CLOCK) for i in range(50)]
    written = play({}, meant, 600)
    assert [round((t - 100.0) * RATE) for t, _ in meant] == [f for f, _ in written]


def test_the_counter_wraps_after_a_day() -> None:
    meant = [(100.05 + i * PERIOD, CLOCK) for i in range(50)]
    assert play({}, meant, 600, first=2**32 - 20_000) == play({}, meant, 600)
    assert unwrapped(5, 2**32 - 3) == 2**32 + 5
    assert unwrapped(2**32 - 3, 2**33 + 5) == 2**33 - 3


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.integers(0, 500), st.integers(1, 60), max_size=6), st.integers(0, 2**32 - 1))
def test_what_is_late_goes_out_at_once_in_order_and_never_in_a_burst(stalls: dict[int, int], seed: int) -> None:
    draw = random.Random(seed)
    meant = [(100.05 + i * PERIOD, CLOCK) for i in range(100)]
    meant += [(draw.uniform(100.05, 102.0), bytes([0x90, i, 64])) for i in range(30)]
    meant.sort()
    written = play(stalls, meant, 1500)
    assert sorted(m for _, m in written) == sorted(m for _, m in meant)
    assert all(a <= b for (a, _), (b, _) in pairwise(written))
    ticks = [f for f, m in written if m == CLOCK]
    assert min(b - a for a, b in pairwise(ticks)) >= 0.5 * PERIOD * RATE - 1
    due = [round((t - 100.0) * RATE) for t, m in meant if m == CLOCK]
    assert all(at >= wanted for at, wanted in zip(ticks, due, strict=True))
    if not stalls:
        assert ticks == due


def test_a_jump_of_the_frames_is_followed_from_the_next_block_on() -> None:
    clock = FrameTime(RATE)
    for k in range(40):
        clock.cycle(k * BLOCK, (k * BLOCK, k * BLOCK / RATE), (k * BLOCK, (k + 1) * BLOCK / RATE))
    assert clock.frame_at(1.0) == 48_000
    clock.jumped()
    assert clock.frame_at(1.0) == 48_000
    clock.cycle(41 * BLOCK, (41 * BLOCK, 42 * BLOCK / RATE))
    assert clock.frame_at(1.0) == 48_000 - BLOCK
    assert clock.time_of(48_000 - BLOCK) == 1.0


def test_what_is_taken_back_does_not_go_out() -> None:
    clock, waiting = FrameTime(RATE), Placement(RATE)
    clock.cycle(0, (0, 0.0))
    waiting.put(0.001, CLOCK)
    assert waiting.first == 0.001
    waiting.clear()
    assert waiting.first is None
    assert waiting.next(clock, BLOCK) is None
