"""Structure on the bar lines: what ``structure`` hears, moved to the nearest bar line of the host's clock."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from models.structure.labels import EVENTS
from realtime.hosting.kinds import CombinePlugin, Latest
from realtime.hosting.plugin import AudioInput, Context, Descriptor, Feature, Output

MOST_WAITING = 16
"""Events that may wait for their bar line; further ones go out at once."""

SECTION_AGO = 1.5
"""Seconds since a section began when it is told, median of the held-out pieces."""
_CLOCK = ("locked", "bpm", "beats_per_bar", "bar_phase")


class _Waiting(NamedTuple):
    due: float
    output: str
    strength: float | None
    label: str | None


class StructureBar(CombinePlugin):
    """Each event goes to the bar line that is nearest to it.

    At once and with that line's time if it lies back, else when it comes; the section likewise, by when it began.
    Without a locked clock events pass as they are, and ``on_bar`` is 0.
    """

    descriptor = Descriptor(
        identifier="structure-bar",
        name="Structure on the bar",
        description="Events of 'structure' on the nearest bar line of the clock",
        maker="Sidechain",
        license="MIT",
        version="1.0.0",
        kind="combine",
        sources=(
            "structure.section",
            *(f"structure.{name}" for name in EVENTS),
            *(f"transport.{name}" for name in _CLOCK),
        ),
        input=AudioInput(48_000, 1, 960),
        outputs=(
            Output("section", "label", rate=50.0, description="as of 'structure', from its bar line on"),
            Output("on_bar", "value", rate=50.0, description="1 while there is a locked clock to go by"),
            *(Output(name, "event", description="on a bar line; value: how sure") for name in EVENTS),
        ),
    )

    def prepare(self, context: Context) -> None:
        """Nothing to load."""
        self.reset()

    def reset(self) -> None:
        """Nothing waits, nothing is known."""
        self._seen: dict[str, float] = {}
        self._waiting: list[_Waiting] = []
        self._section = self._next_section = ""

    def combine(self, results: Mapping[str, Latest], time: float) -> list[Feature]:
        """Take what is new, and let go what is due."""
        bar, line = self._bar(results)
        out: list[Feature] = []
        for name in EVENTS:
            new = results.get(f"structure.{name}")
            if new is None or self._seen.get(name) == new.time:
                continue
            self._seen[name] = new.time
            strength = new.value if isinstance(new.value, float) else None
            self._place(out, name, new.time, strength, new.label, bar, line, time)
        section = results.get("structure.section")
        if section is not None and section.label and section.label != self._next_section:
            self._next_section = section.label
            self._place(out, "section", section.time - SECTION_AGO, None, section.label, bar, line, time)
        for w in [w for w in self._waiting if w.due <= time]:
            self._waiting.remove(w)
            self._say(out, w.output, w.due, w.strength, w.label)
        out.append(Feature("section", time, None, self._section))
        out.append(Feature("on_bar", time, 1.0 if bar else 0.0))
        return out

    def _place(
        self,
        out: list[Feature],
        output: str,
        at: float,
        strength: float | None,
        label: str | None,
        bar: float,
        line: float,
        now: float,
    ) -> None:
        due = line + round((at - line) / bar) * bar if bar else at
        if due <= now or len(self._waiting) >= MOST_WAITING:
            self._say(out, output, due, strength, label)
        else:
            self._waiting.append(_Waiting(due, output, strength, label))

    def _say(
        self, out: list[Feature], output: str, time: float, strength: float | None, label: str | None
    ) -> None:
        if output == "section":
            self._section = label or ""
        else:
            out.append(Feature(output, time, strength, label))

    @staticmethod
    def _bar(results: Mapping[str, Latest]) -> tuple[float, float]:
        """Length of a bar and the time of the newest bar line; 0, 0 without a locked clock."""
        found = [results.get(f"transport.{n}") for n in _CLOCK]
        values = [f.value for f in found if f is not None and isinstance(f.value, float)]
        if len(values) < 4 or not values[0] or values[1] <= 0 or values[2] < 1:
            return 0.0, 0.0
        bar = values[2] * 60.0 / values[1]
        phase = found[3]
        assert phase is not None
        return bar, phase.time - values[3] * bar
