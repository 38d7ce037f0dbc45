from __future__ import annotations

import threading

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from realtime.bus import Bus, plain


@given(st.lists(st.one_of(st.none(), st.integers(1, 20)), max_size=60), st.integers(1, 16))
def test_readers_get_every_event_in_order_or_count_what_they_missed(
    steps: list[int | None], capacity: int
) -> None:
    """None = poll, n = publish n events."""
    bus = Bus(capacity)
    reader = bus.reader()
    seen, published = [], 0
    for step in [*steps, None]:
        if step is None:
            seen += [e.sequence for e in reader.poll()]
        else:
            for _ in range(step):
                bus.publish(0.0, 0.0, "p", "o", float(published))
                published += 1
    assert seen == sorted(set(seen))
    assert len(seen) + reader.missed == published
    if published:
        assert seen[-1] == published - 1


def test_a_reader_starts_at_the_next_event() -> None:
    bus = Bus()
    bus.publish(0, 0, "p", "o")
    reader = bus.reader()
    assert reader.poll() == []
    bus.publish(1, 1, "p", "o", 2.0, "kick")
    (event,) = reader.poll()
    assert (event.name, event.value, event.label) == ("p.o", 2.0, "kick")


def test_waiting_ends_when_an_event_comes() -> None:
    bus = Bus()
    reader = bus.reader()
    assert not reader.wait(0.001)
    thread = threading.Thread(target=lambda: bus.publish(0, 0, "p", "o"))
    thread.start()
    assert reader.wait(10)
    thread.join()


def test_values_are_latest_wins_and_can_be_dropped() -> None:
    bus = Bus()
    bus.set("a.x", 1.0, 1.0)
    bus.set("a.x", 2.0, 5.0)
    bus.set("ab.x", 2.0, 7.0)
    assert bus.values()["a.x"].value == 5.0
    bus.drop("a")
    assert list(bus.values()) == ["ab.x"]


def test_plain_numbers() -> None:
    assert plain(np.float32(2)) == 2.0
    assert plain(np.array([1, 2])) == (1.0, 2.0)
    assert plain([1, 2]) == (1.0, 2.0)
    assert plain(True) == 1.0
    assert plain(None) is None


def test_a_plugins_values_are_taken_at_once_and_the_rest_comes_back() -> None:
    bus = Bus()
    before = bus.counted
    hit = ("hit", 1.0, 0.5, None)
    assert bus.take({"rms": "level.rms", "key": "key.key"}, [("rms", 1.0, -3.0, None), hit]) == [hit]
    assert bus.value("level.rms") == (1.0, -3.0, None)
    assert bus.value("key.key") is None
    assert bus.counted != before
    before = bus.counted
    bus.drop("level")
    bus.set("key.key", 2.0, None, "A minor")
    assert bus.counted != before
