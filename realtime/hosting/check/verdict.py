"""What a check says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

State = Literal["pass", "warn", "fail", "skip"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of one check.

    Attributes
    ----------
    name : str
        Which check.
    state : {"pass", "warn", "fail", "skip"}
        ``skip``: it does not apply to this kind of plugin, or could not be asked after an earlier failure.
    detail : str
        What was measured, or what is wrong and how to mend it.
    """

    name: str
    state: State
    detail: str = ""


@dataclass(slots=True)
class Report:
    """All verdicts about one plugin."""

    identifier: str
    verdicts: list[Verdict] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        return not self.failures

    @property
    def failures(self) -> list[Verdict]:
        """What failed."""
        return [v for v in self.verdicts if v.state == "fail"]

    def verdict(self, name: str) -> Verdict:
        """The verdict of one check. Raises ``KeyError`` if there is none."""
        for v in self.verdicts:
            if v.name == name:
                return v
        raise KeyError(name)

    def data(self) -> dict[str, Any]:
        """As plain data, for ``--json``."""
        rows = [{"check": v.name, "state": v.state, "detail": v.detail} for v in self.verdicts]
        return {"identifier": self.identifier, "ok": self.ok, "checks": rows}
