"""The schema of ``[[rules]]``.

.. code-block:: toml

    [[rules]]
    name = "flash on the one"
    when = { on = "beat", beat = 1, every_bars = 2 }
    only_if = { probability = 0.5, bpm = [100, 150] }
    send = [{ address = "/flash", values = [1.0] }]
    then = [{ after_beats = 0.5, send = [{ address = "/flash", values = [0.0] }] }]

A value is a number, a text, or one of ``{ cycle = […] }``, ``{ shuffle = […] }``, ``{ random = [low, high] }``,
``{ weighted = [[value, weight], …] }``, ``{ live = "plugin.output", scale = [low, high, to_low, to_high] }``,
``{ trigger = [low, high] }`` (the triggering event's value, 0–1, over that range), or
``{ ramp = [from, to], beats = 4 }``.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

FINEST = Fraction(1, 24)


class Strict(BaseModel):
    """Base of all parts: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


def fraction(beats: float) -> Fraction:
    """Beats as a fraction of 24ths (a third is written 0.333)."""
    return Fraction(round(beats * 24), 24)


def _on_grid(beats: float) -> float:
    if abs(float(fraction(beats)) - beats) > 0.01:
        raise ValueError("must be a multiple of 1/24 beat")
    return beats


Beats = Annotated[float, Field(gt=0.0, le=256.0), AfterValidator(_on_grid)]
Offset = Annotated[float, Field(ge=0.0, le=256.0), AfterValidator(_on_grid)]
Source = Annotated[str, Field(pattern=r"^[a-z0-9_-]+\.[a-z0-9_.-]+$")]
Fixed = float | str


class OnBeats(Strict):
    """Every so many beats, or parts of a beat."""

    on: Literal["beats"]
    every: Beats = 1.0
    offset: Offset = 0.0


class OnBeat(Strict):
    """On beat k of the bar, every so many bars, from bar k of the phrase on."""

    on: Literal["beat"]
    beat: int = Field(1, ge=1, le=12)
    every_bars: int = Field(1, ge=1, le=256)
    from_bar: int = Field(1, ge=1, le=64, description="of the phrase")


class OnPhrase(Strict):
    """At the start of each phrase."""

    on: Literal["phrase"]
    every: int = Field(1, ge=1, le=64)


class OnEuclid(Strict):
    """Pulses spread as evenly as possible over steps (Toussaint, "The Euclidean algorithm generates …", 2005)."""

    on: Literal["euclid"]
    pulses: int = Field(ge=1, le=64)
    steps: int = Field(ge=1, le=64)
    rotate: int = Field(0, ge=0, le=63)
    step: Beats = 0.25

    @model_validator(mode="after")
    def _fits(self) -> OnEuclid:
        if self.pulses > self.steps:
            raise ValueError("more pulses than steps")
        return self


class OnEvent(Strict):
    """An event of a plugin: a drum hit, an onset, a voice's start, a note, a section …"""

    on: Literal["event"]
    source: Source
    label: str = ""
    at_least: float | None = None
    at_most: float | None = None


class OnCrossing(Strict):
    """A value rises above (or falls below) a level; it must go back by the hysteresis before it counts again."""

    on: Literal["crossing"]
    source: Source
    level: float
    hysteresis: float = Field(0.0, ge=0.0)
    direction: Literal["up", "down", "both"] = "up"


class OnTempo(Strict):
    """The tempo differs by so many BPM from what it was when this rule last fired."""

    on: Literal["tempo"]
    by: float = Field(1.0, gt=0.0)


class OnLock(Strict):
    """The clock locks, or loses its lock."""

    on: Literal["lock", "unlock"]


class OnSilence(Strict):
    """The level stays below so many dB for so many seconds."""

    on: Literal["silence"]
    below: float = -60.0
    seconds: float = Field(4.0, ge=0.1, le=3600.0)


class OnManual(Strict):
    """By hand only: ``rule.fire``, ``/rule/NAME``, a button."""

    on: Literal["manual"]


When = Annotated[
    OnBeats | OnBeat | OnPhrase | OnEuclid | OnEvent | OnCrossing | OnTempo | OnLock | OnSilence | OnManual,
    Field(discriminator="on"),
]


class OnlyIf(Strict):
    """Conditions; all must hold."""

    confidence: float = Field(0.0, ge=0.0, le=1.0)
    probability: float = Field(1.0, ge=0.0, le=1.0)
    bpm: tuple[float, float] | None = None
    section: list[str] = Field(default_factory=list)
    values: dict[Source, tuple[float, float]] = Field(
        default_factory=dict, description="plugin.output = [at least, at most]"
    )
    unlocked: bool = Field(False, description="also while the clock is not locked")


class Cycle(Strict):
    """One after the other."""

    cycle: list[Fixed] = Field(min_length=1, max_length=256)


class Shuffle(Strict):
    """Each once, in random order, then anew; never the same twice in a row."""

    shuffle: list[Fixed] = Field(min_length=1, max_length=256)


class Random(Strict):
    """Any number of a range."""

    random: tuple[float, float]
    whole: bool = False


class Weighted(Strict):
    """One of some, by weight."""

    weighted: list[tuple[Fixed, Annotated[float, Field(ge=0.0)]]] = Field(min_length=1, max_length=256)

    @model_validator(mode="after")
    def _some(self) -> Weighted:
        if not any(w for _, w in self.weighted):
            raise ValueError("all weights are 0")
        return self


class Live(Strict):
    """The newest value of an output, scaled and clamped."""

    live: Source
    scale: tuple[float, float, float, float] = (0.0, 1.0, 0.0, 1.0)


class Trigger(Strict):
    """The value of the event that fired the rule (0–1) over a range; 1 where it had none."""

    trigger: tuple[float, float]


class Ramp(Strict):
    """From one number to another over so many beats, sent again and again."""

    ramp: tuple[float, float]
    beats: Beats


Slot = Fixed | Cycle | Shuffle | Random | Weighted | Live | Trigger | Ramp


class Send(Strict):
    """One message."""

    to: list[str] = Field(default_factory=list, description="names of outputs; empty = all that understand")
    address: str = Field(min_length=1, description="OSC address, note:36@10, cc:21@1, dmx:NAME …")
    values: list[Slot] = Field(default=[1.0], min_length=1, max_length=16)


class Then(Strict):
    """A follow-up: messages or another rule, after a while."""

    after_ms: float = Field(0.0, ge=0.0, le=600_000.0)
    after_beats: Offset = 0.0
    after_bars: float = Field(0.0, ge=0.0, le=256.0)
    send: list[Send] = Field(default_factory=list, max_length=32)
    rule: str = Field("", description="name of a rule to fire")

    @model_validator(mode="after")
    def _one(self) -> Then:
        given = [n for n in ("after_ms", "after_beats", "after_bars") if getattr(self, n) > 0.0]
        if len(given) != 1:
            raise ValueError("give one of after_ms, after_beats, after_bars")
        if bool(self.send) == bool(self.rule):
            raise ValueError("give send or rule")
        return self


class RuleSettings(Strict):
    """One rule."""

    name: str = Field(pattern=r"^[^/\s#*,?\[\]{}][^/#*,?\[\]{}]{0,63}$")
    enabled: bool = True
    muted: bool = Field(False, description="keeps time and its place in cycles, sends nothing")
    seed: int = Field(0, ge=0, description="of its chances; 0 = made from its name")
    when: When
    only_if: OnlyIf = Field(default_factory=OnlyIf)
    send: list[Send] = Field(min_length=1, max_length=32)
    then: list[Then] = Field(default_factory=list, max_length=32)
