"""OSC dialects: which of the host's results go to which address of a target program.

A profile is a data file in ``realtime/outputs/profiles``: the target's usual port, a prefix, and a list of
lines. A line's `source` is

- a moment of the musical grid, sent at its deadline: ``grid.beat``, ``grid.downbeat``, ``grid.phrase`` (pulses),
  ``grid.beat_number``, ``grid.beat_in_bar``, ``grid.bar_number``, ``grid.phrase_number``, ``grid.tempo``;
- a phase that runs between the beats, sent at the line's rate: ``phase.beat``, ``phase.beats2``,
  ``phase.beats4``, ``phase.bar`` (0–1) and ``phase.total`` (beats since the start, with fraction);
- any ``plugin.output`` of the bus, ``plugin.*`` for all outputs of a plugin (``{name}`` in the address). Events
  are sent at once, values at the line's rate when they change.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from realtime.errors import UserError
from realtime.preset import explain

GRID_SOURCES = frozenset(
    f"grid.{n}"
    for n in (
        "beat",
        "downbeat",
        "phrase",
        "beat_number",
        "beat_in_bar",
        "bar_number",
        "phrase_number",
        "tempo",
    )
)
PHASE_SOURCES = frozenset(f"phase.{n}" for n in ("beat", "beats2", "beats4", "bar", "total"))


class Line(BaseModel):
    """One result to one address.

    `scale` is ``[input low, input high, output low, output high]``, clamped to the output range.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    source: str = Field(pattern=r"^[a-z0-9_-]+\.([a-z0-9_.-]+|\*)$")
    address: str = Field(pattern=r"^/[^\s#*,?\[\]]+$")
    type: Literal["f", "i", "s"] = "f"
    label: str = Field("", description="only events with this label")
    pulse: bool = Field(False, description="followed by a 0 after the pulse time")
    constant: float | None = Field(None, description="send this instead of the value")
    scale: tuple[float, float, float, float] | None = None
    convert: Literal["", "midi"] = Field("", description="midi: Hz to MIDI note number; unvoiced is not sent")
    rate: float = Field(30.0, gt=0.0, le=500.0, description="most messages a second, for values and phases")
    step: float = Field(0.0, ge=0.0, description="smaller changes of the sent number are not sent")
    refresh: float = Field(1.0, ge=0.0, description="seconds until an unchanged value is repeated; 0 = never")

    def number(self, value: float) -> float | None:
        """`value` as this line sends it; None = not to be sent."""
        if self.constant is not None:
            return self.constant
        if self.convert == "midi":
            if value <= 0.0:
                return None
            value = 69.0 + 12.0 * math.log2(value / 440.0)
        if self.scale is not None:
            low, high, to_low, to_high = self.scale
            share = (value - low) / (high - low) if high != low else 0.0
            value = to_low + min(1.0, max(0.0, share)) * (to_high - to_low)
        return value if math.isfinite(value) else None


class Profile(BaseModel):
    """A target program's dialect."""

    model_config = ConfigDict(extra="forbid")

    title: str
    port: int = Field(ge=1, le=65535, description="the target's usual port")
    prefix: str = ""
    notes: str = Field(description="where the facts come from, and which lines are merely convention")
    send: list[Line]


def folder() -> Path:
    """Folder of the shipped profiles."""
    return Path(__file__).resolve().parent / "profiles"


def names() -> list[str]:
    """Names of the shipped profiles."""
    return sorted(p.stem for p in folder().glob("*.toml"))


def load(name: str) -> Profile:
    """A shipped profile by name, or one's own by path (ending in ``.toml``).

    Raises
    ------
    UserError
        Unknown, unreadable or malformed.
    """
    path = Path(name) if name.endswith(".toml") else folder() / f"{name}.toml"
    if not name.endswith(".toml") and name not in names():
        raise UserError(f"unknown OSC profile '{name}'; there are {', '.join(names())}, or a path to a .toml file")
    try:
        text = path.read_text(encoding="utf-8")
        return Profile.model_validate(tomllib.loads(text))
    except (OSError, UnicodeDecodeError) as e:
        raise UserError(f"OSC profile {path}: cannot be read ({e})") from e
    except tomllib.TOMLDecodeError as e:
        raise UserError(f"OSC profile {path}: not valid TOML: {e}") from e
    except ValidationError as e:
        raise UserError(f"OSC profile {path}: {explain(e, Profile, text)}") from e


_FORBIDDEN = re.compile(r"[^A-Za-z0-9_.+-]+")


def fill(address: str, name: str, label: str | None) -> str:
    """`address` with ``{name}`` and ``{label}`` replaced, made safe for OSC (no spaces or pattern characters)."""
    if "{" not in address:
        return address
    clean: Callable[[str], str] = lambda s: _FORBIDDEN.sub("_", s).strip("_") or "none"  # noqa: E731
    return address.replace("{name}", clean(name)).replace("{label}", clean(label or ""))
