"""What a rule's message carries: fixed values, and those that change each time."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping

from realtime.bus import Value
from realtime.outputs.rules.settings import Cycle, Fixed, Live, Ramp, Random, Shuffle, Slot, Trigger, Weighted

Values = Mapping[str, Value]
Draw = Callable[[float, Values], Fixed | Ramp]
"""(value of the trigger, newest values) → what to send; a ramp goes on from there."""


def number(values: Values, name: str) -> float | None:
    """The newest number of an output; the first of a vector; None where there is none."""
    value = values.get(name)
    if value is None or value.value is None:
        return None
    first = value.value[0] if isinstance(value.value, tuple) and value.value else value.value
    return float(first) if isinstance(first, (int, float)) and math.isfinite(first) else None


def drawer(slot: Slot, chance: random.Random) -> Draw:
    """The way a slot makes its values; each call is the next one."""
    if isinstance(slot, Cycle):
        return _cycle(slot.cycle)
    if isinstance(slot, Shuffle):
        return _shuffle(slot.shuffle, chance)
    if isinstance(slot, Random):
        low, high = sorted(slot.random)
        if slot.whole:
            return lambda _, __: float(chance.randint(math.ceil(low), max(math.ceil(low), math.floor(high))))
        return lambda _, __: chance.uniform(low, high)
    if isinstance(slot, Weighted):
        options, weights = [v for v, _ in slot.weighted], [w for _, w in slot.weighted]
        return lambda _, __: chance.choices(options, weights)[0]
    if isinstance(slot, Live):
        return _live(slot)
    if isinstance(slot, Trigger):
        low, high = slot.trigger
        return lambda strength, _: low + min(1.0, max(0.0, strength)) * (high - low)
    return lambda _, __: slot


def _cycle(options: list[Fixed]) -> Draw:
    place = -1

    def draw(_: float, __: Values) -> Fixed:
        nonlocal place
        place = (place + 1) % len(options)
        return options[place]

    return draw


def _shuffle(options: list[Fixed], chance: random.Random) -> Draw:
    left: list[Fixed] = []
    last: Fixed | None = None

    def draw(_: float, __: Values) -> Fixed:
        nonlocal last
        if not left:
            left.extend(chance.sample(options, len(options)))
            if len(set(options)) > 1:
                while left[-1] == last:
                    chance.shuffle(left)
        last = left.pop()
        return last

    return draw


def _live(slot: Live) -> Draw:
    low, high, to_low, to_high = slot.scale

    def draw(_: float, values: Values) -> Fixed:
        x = number(values, slot.live)
        if x is None:
            newest = values.get(slot.live)
            return newest.label if newest is not None and newest.label is not None else to_low
        share = (x - low) / (high - low) if high != low else 0.0
        return to_low + min(1.0, max(0.0, share)) * (to_high - to_low)

    return draw
