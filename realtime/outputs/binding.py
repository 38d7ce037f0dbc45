"""What a key, knob or button elsewhere does here: a command, written in one line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from realtime.errors import UserError


@dataclass(frozen=True, slots=True)
class Binding:
    """What a key or knob does: a command with fixed parameters, and the one that takes the knob's value."""

    method: str
    params: tuple[tuple[str, Any], ...] = ()
    takes: str = ""
    low: float = 0.0
    high: float = 1.0

    @classmethod
    def parse(cls, text: str) -> Binding:
        """Read ``METHOD [NAME=VALUE …] [NAME=LOW..HIGH]``.

        Examples: ``transport.tap``; ``transport.nudge ms=-10``; ``plugin.set plugin=bands parameter=gain
        value=0..2`` (the knob runs from 0 to 2); ``transport.hold on=0..1``.

        Raises
        ------
        UserError
            Not of that form.
        """
        method, *words = text.split() or [""]
        if not method:
            raise UserError("an empty binding; expected for example transport.tap")
        fixed: list[tuple[str, Any]] = []
        takes, low, high = "", 0.0, 1.0
        for word in words:
            name, equals, value = word.partition("=")
            if not equals or not name or not value:
                raise UserError(f"binding '{text}': expected NAME=VALUE in place of '{word}'")
            first, dots, second = value.partition("..")
            if dots:
                try:
                    takes, low, high = name, float(first), float(second)
                except ValueError:
                    raise UserError(f"binding '{text}': '{value}' is not LOW..HIGH") from None
            else:
                fixed.append((name, _plain(value)))
        return cls(method, tuple(fixed), takes, low, high)

    def call(self, value: float) -> tuple[str, dict[str, Any]]:
        """The command for a knob at `value` in [0, 1]."""
        params = dict(self.params)
        if self.takes:
            scaled = self.low + (self.high - self.low) * value
            params[self.takes] = scaled >= 0.5 if self.takes == "on" else scaled
        return self.method, params


def _plain(text: str) -> Any:
    if text in ("true", "false"):
        return text == "true"
    try:
        return float(text)
    except ValueError:
        return text
