"""The checks of behaviour: each gives a verdict. Plugins may raise anything; the runner makes it their verdict."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

import realtime.hosting.check.sounds as sounds
from realtime.audio.source import Block, Source
from realtime.bus import Event, Value
from realtime.engine import Engine
from realtime.errors import PluginError
from realtime.hosting.check.driving import F32, Said, Subject, blocks, call, checked, drive, outside
from realtime.hosting.check.verdict import Verdict
from realtime.hosting.plugin import ENGINE_RATE, TICK, AudioInput
from realtime.preset import PluginSettings, Preset


@dataclass(frozen=True, slots=True)
class Hearing:
    """The subject, the sound it is checked with, and what a first instance said about it.

    Attributes
    ----------
    wall, busy : list of float
        Seconds that each call took on the clock, and of the processor.
    """

    subject: Subject
    sound: F32
    said: list[Said]
    wall: list[float]
    busy: list[float]

    @property
    def rate(self) -> int:
        """Sample rate of the sound."""
        return self.subject.descriptor.input.sample_rate

    @property
    def hop(self) -> int:
        """Samples between calls."""
        return self.subject.descriptor.input.hop


def declared(subject: Subject) -> Verdict:
    """What the descriptor says, by itself."""
    d = subject.descriptor
    missing = [k for k in ("license", "description", "maker") if not getattr(d, k)]
    twice = [o.identifier for o in d.outputs if [p.identifier for p in d.outputs].count(o.identifier) > 1]
    if twice:
        return Verdict("declared", "fail", f"output '{twice[0]}' is declared twice")
    wrong = next((o for o in d.outputs if not o.minimum <= o.maximum), None)
    if wrong is not None:
        return Verdict("declared", "fail", f"output '{wrong.identifier}': minimum is above maximum")
    if d.latency < 0:
        return Verdict("declared", "fail", f"latency {d.latency:g} s is negative")
    if missing:
        return Verdict("declared", "warn", f"no {', '.join(missing)}: people will ask")
    return Verdict("declared", "pass", f"{d.kind}, {d.lane} lane, latency {1e3 * d.latency:.0f} ms, {d.license}")


def outputs(h: Hearing) -> Verdict:
    """That what is declared comes; ranges and kinds were checked while it was driven."""
    d = h.subject.descriptor
    silent = [
        o.identifier
        for o in d.outputs
        if o.kind in ("value", "vector", "label", "observation") and all(s.output != o.identifier for s in h.said)
    ]
    counted = f"{len(h.said)} results in {h.sound.shape[-1] / h.rate:.1f} s of sound"
    if silent:
        return Verdict("outputs", "warn", f"{counted}, but nothing from '{silent[0]}'")
    if not h.said:
        return Verdict("outputs", "warn", f"{counted}: nothing to compare; events need a sound that has some")
    return Verdict("outputs", "pass", f"{counted}, all declared, finite and in range")


def causality(h: Hearing) -> Verdict:
    """Other sound later changes nothing said before."""
    half = h.sound.shape[-1] // 2 // h.hop * h.hop
    other = h.sound.copy()
    other[..., half:] = sounds.music(h.rate, h.sound.shape[-1], 2, seed=9)[0, half:]
    until = half / h.rate + 1e-9
    changed = drive(h.subject.fresh(), other)
    difference = first_difference(
        [s for s in h.said if s.emitted <= until], [s for s in changed if s.emitted <= until]
    )
    if difference:
        return Verdict(
            "causality", "fail", f"other sound after {half / h.rate:.2f} s changes what came before: {difference}"
        )
    ahead = next((s for s in h.said if s.time > s.emitted + 1e-9 and _continuous(h, s)), None)
    if ahead is not None:
        return Verdict(
            "causality",
            "warn",
            f"'{ahead.output}' is stamped {ahead.time - ahead.emitted:.3f} s ahead of the sound",
        )
    return Verdict("causality", "pass", "results do not depend on what comes later")


def _continuous(h: Hearing, s: Said) -> bool:
    output = h.subject.descriptor.output(s.output)
    return output is not None and output.kind in ("value", "vector", "label")


def reset(h: Hearing) -> Verdict:
    """After ``reset`` it is as new; also after numbers that are none have reached its state."""
    plugin = h.subject.fresh()
    drive(plugin, sounds.music(h.rate, h.sound.shape[-1], h.sound.ndim, seed=4))
    plugin.reset()
    if difference := first_difference(h.said, drive(plugin, h.sound)):
        return Verdict("reset", "fail", f"after reset() it is not as new: {difference}")
    _poison(h, plugin)
    plugin.reset()
    try:
        difference = first_difference(h.said, drive(plugin, h.sound))
    except PluginError as e:
        difference = str(e)
    if difference:
        return Verdict("reset", "fail", f"after NaN in the sound and reset() it is not as new: {difference}")
    return Verdict("reset", "pass", "as a new instance")


def _poison(h: Hearing, plugin: Any) -> None:
    spec = h.subject.descriptor.input
    if isinstance(spec, AudioInput):
        shape: tuple[int, ...] = (spec.length,) if spec.channels == 1 else (2, spec.length)
    else:
        shape = (spec.size,)
    for k in range(3):
        try:
            list(call(plugin, np.full(shape, np.nan, np.float32), k * h.hop / h.rate))
        except Exception:  # it may refuse; the host never gives such a block. What counts is what reset leaves.
            return


def isolation(h: Hearing) -> Verdict:
    """Two instances in turns say what each says alone."""
    first, second = h.subject.fresh(), h.subject.fresh()
    size = max(h.hop, h.sound.shape[-1] // 8 // h.hop * h.hop)
    other = sounds.music(h.rate, h.sound.shape[-1], h.sound.ndim, seed=4)
    alone = drive(h.subject.fresh(), h.sound)
    if difference := first_difference(h.said, alone):
        return Verdict(
            "isolation", "fail", f"two new instances differ (random numbers, a clock, shared state?): {difference}"
        )
    # the other hears something else between any two of its hops
    together: list[Said] = []
    feed = _Turns(first, h)
    for at in range(0, h.sound.shape[-1], size):
        drive(second, other[..., at : at + size], at / h.rate)
        together += feed.until(at + size)
    if difference := first_difference(h.said, together):
        return Verdict("isolation", "fail", f"another instance changes its results: {difference}")
    return Verdict("isolation", "pass", "instances share nothing")


class _Turns:
    """Drives one instance over the sound in several goes, with the windows of one go."""

    def __init__(self, plugin: Any, h: Hearing) -> None:
        self._plugin, self._h = plugin, h
        self._blocks = blocks(h.subject.descriptor, h.sound)
        self._done = 0

    def until(self, sample: int) -> list[Said]:
        """All hops that end at or before that sample."""
        said: list[Said] = []
        while self._done + self._h.hop <= min(sample, self._h.sound.shape[-1]):
            block, at = next(self._blocks)
            self._done += self._h.hop
            said += [checked(self._h.subject.descriptor, f, at) for f in call(self._plugin, block, at)]
        return said


def keeping(h: Hearing) -> Verdict:
    """It keeps no block: blocks are overwritten after each call."""
    if difference := first_difference(h.said, drive(h.subject.fresh(), h.sound, scribble=True)):
        return Verdict(
            "blocks", "fail", f"it keeps a block beyond the call; copy what is needed later: {difference}"
        )
    return Verdict("blocks", "pass", "keeps none beyond the call, writes into none")


def hostile(h: Hearing) -> Verdict:
    """Silence, denormals, far too loud, a constant: finite results in range, and music afterwards works."""
    plugin = h.subject.fresh()
    shape = h.sound.shape[-1]
    try:
        loud = drive(plugin, sounds.hostile(h.rate, shape, h.sound.ndim), ranges=False)
        after = drive(plugin, h.sound, start=shape / h.rate, ranges=False)
        plugin.skipped(4800)
        drive(plugin, h.sound, start=2 * shape / h.rate + 0.1, ranges=False)
    except PluginError as e:
        return Verdict("hostile sound", "fail", str(e))
    expected = {s.output for s in h.said if _continuous(h, s)}
    if missing := expected - {s.output for s in after}:
        return Verdict("hostile sound", "fail", f"after it, '{sorted(missing)[0]}' says nothing any more")
    for s in loud:
        output = h.subject.descriptor.output(s.output)
        numbers = s.value if isinstance(s.value, tuple) else (s.value,) if isinstance(s.value, float) else ()
        if output is not None and (wrong := outside(output, numbers)) is not None:
            told = f"'{s.output}' is {wrong:g}, declared is {output.minimum:g} to {output.maximum:g}"
            return Verdict("hostile sound", "warn", f"finite, but {told}")
    return Verdict("hostile sound", "pass", "silence, denormals, +24 dB, a gap: finite, in range, and goes on")


def parameters(h: Hearing) -> Verdict:
    """Every parameter at its ends, live and from the start."""
    d = h.subject.descriptor
    if not d.parameters:
        return Verdict("parameters", "skip", "has none")
    short = h.sound[..., : max(h.hop, h.sound.shape[-1] // 4 // h.hop * h.hop)]
    live = h.subject.fresh()
    for p in d.parameters:
        values = range(len(p.choices)) if p.choices else (p.minimum, p.maximum, p.default)
        for value in values:
            where = f"'{p.identifier}' at {p.choices[int(value)] if p.choices else f'{value:g}'}"
            try:
                if p.live:
                    live.parameter(p.identifier, float(value))
                    drive(live, short)
                else:
                    drive(h.subject.fresh(**{p.identifier: float(value)}), short)
            except Exception as e:  # anybody's code
                return Verdict("parameters", "fail", f"{where}: {described(e)}")
    return Verdict("parameters", "pass", f"{len(d.parameters)} at their ends and defaults")


def block_sizes(h: Hearing) -> Verdict:
    """Through the whole host, the results are the same however the device cuts its sound."""
    spec = h.subject.descriptor.input
    heard = h.sound.shape[-1] / h.rate
    seconds = min(12.0, heard, max(3.0, 4 * spec.hop / spec.sample_rate))
    sound = sounds.music(ENGINE_RATE, round(seconds * ENGINE_RATE), 2).T
    whole = _hosted(h.subject, sound, (TICK,))
    for sizes in ((1, 97, 1024, 5, 480, 4096), (64,)):
        if difference := first_difference(whole, _hosted(h.subject, sound, sizes)):
            return Verdict("block sizes", "fail", f"results depend on the device's blocks: {difference}")
    return Verdict(
        "block sizes", "pass", f"hosted over {seconds:.1f} s in blocks of 240, of 64, and of changing size: equal"
    )


def _hosted(subject: Subject, sound: F32, sizes: Iterable[int]) -> list[Said]:
    """What the host publishes of a plugin over a sound, in an engine of its own."""
    tap = _Listener(subject.descriptor.identifier)
    settings = PluginSettings.model_validate(subject.parameters | subject.texts)
    preset = Preset(name="check", plugins={subject.descriptor.identifier: settings})
    engine = Engine(
        preset,
        _Cut(sound, sizes),
        plugins={subject.descriptor.identifier: subject.factory},
        tap=tap,
        outputs=False,
    )
    engine.run_offline()
    for slot in engine.slots:
        if slot.errors:
            raise PluginError(slot.error)
    return tap.said


class _Listener:
    """Takes down what one plugin says."""

    def __init__(self, plugin: str) -> None:
        self._plugin = plugin
        self.said: list[Said] = []

    def event(self, event: Event) -> None:
        """An event was published."""
        if event.plugin == self._plugin:
            self.said.append(Said(0.0, event.output, event.time, event.value, event.label))

    def value(self, name: str, value: Value) -> None:
        """A value was replaced."""
        if name.startswith(f"{self._plugin}."):
            self.said.append(Said(0.0, name, value.time, value.value, value.label))


class _Cut(Source):
    """A sound in blocks of the sizes given, again and again, as fast as it is read."""

    def __init__(self, sound: F32, sizes: Iterable[int]) -> None:
        super().__init__()
        self.name, self.sample_rate, self.channels, self.live = "check", ENGINE_RATE, sound.shape[1], False
        self._sound, self._sizes, self._at, self._turn = sound, tuple(sizes), 0, 0

    def open(self) -> None:
        """Nothing to acquire."""

    def read(self, most: int) -> Block | None:
        """The next block."""
        if self._at >= len(self._sound):
            return None
        size = min(self._sizes[self._turn % len(self._sizes)], most)
        block = np.ascontiguousarray(self._sound[self._at : self._at + size])
        first = self._at
        self._at += len(block)
        self._turn += 1
        return Block(block, first, 0, 0.0)

    def close(self) -> None:
        """Nothing to release."""


def first_difference(wanted: list[Said], found: list[Said]) -> str:
    """The first place at which two accounts differ, in words; empty if they are equal."""
    for a, b in zip(wanted, found):
        if a != b:
            if a.output == b.output:
                return f"'{a.output}' at {a.time:.3f} s is {_short(b)}, was {_short(a)}"
            return f"at {a.time:.3f} s comes '{b.output}', was '{a.output}'"
    if len(wanted) != len(found):
        return f"{len(found)} results, were {len(wanted)}"
    return ""


def _short(s: Said) -> str:
    value = (
        "sound" if isinstance(s.value, bytes) else f"{s.value:g}" if isinstance(s.value, float) else str(s.value)
    )
    return (value if s.label is None else f"{value} '{s.label}'")[:60]


def described(error: BaseException) -> str:
    """A failure on one line, with its place in the plugin's code."""
    text = " ".join(str(error).split())[:300]
    if isinstance(error, PluginError):
        return text
    trace = error.__traceback__
    place = ""
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if "realtime/hosting/check" not in name.replace("\\", "/"):
            place = f" ({name.replace(chr(92), '/').rsplit('/', 1)[-1]}:{trace.tb_lineno})"
        trace = trace.tb_next
    return f"{error.__class__.__name__}: {text}{place}"
