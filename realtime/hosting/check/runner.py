"""Runs all checks on one plugin, in an order in which the first failure says the most."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import realtime.hosting.check.contract as contract
import realtime.hosting.check.resources as resources
from realtime.errors import UserError
from realtime.hosting import registry
from realtime.hosting.check.contract import Hearing, described
from realtime.hosting.check.driving import HEARD, Subject, drive
from realtime.hosting.check.sounds import music
from realtime.hosting.check.verdict import Report, State, Verdict
from realtime.hosting.plugin import AudioInput, PluginFactory

_BUDGET = 0.5
"""Seconds that one run over the sound may take, roughly; nearly twenty are made."""

_FEWEST = 4
"""Calls that one run makes at least, however long they take."""

_SHORTEST, _LONGEST = 6.0, 120.0

_CHECKS: tuple[tuple[str, Callable[[Hearing], Verdict]], ...] = (
    ("outputs", contract.outputs),
    ("cost", resources.cost),
    ("causality", contract.causality),
    ("isolation", contract.isolation),
    ("reset", contract.reset),
    ("blocks", contract.keeping),
    ("hostile sound", contract.hostile),
    ("parameters", contract.parameters),
    ("block sizes", contract.block_sizes),
    ("memory", resources.growth),
)


def check_plugin(
    factory: PluginFactory,
    settings: Mapping[str, object] | None = None,
    seconds: float = 0.0,
    told: Callable[[Verdict], None] | None = None,
) -> Report:
    """Check a plugin against the contract in ``realtime/hosting/plugin.py``.

    Parameters
    ----------
    factory : PluginFactory
        A plugin class, or what ``registry.find`` gives for a name, a file or a bundle's folder.
    settings : mapping, optional
        Values of parameters and texts in place of their defaults.
    seconds : float
        Sound to check with; 0 = as much as is needed and affordable.
    told : callable, optional
        Given each verdict as soon as it is there.

    Returns
    -------
    Report
        With a verdict for every check; what a plugin raises is a verdict, not an exception.

    Raises
    ------
    UserError
        The plugin itself says that it cannot run here (a missing model or package, a wrong bundle), or `settings`
        are wrong.
    """
    d = factory.descriptor
    subject = Subject(factory, registry.resolve(d, settings or {}), registry.resolve_texts(d, settings or {}))
    report = Report(d.identifier)

    def say(name: str, state: State, detail: str) -> None:
        add(Verdict(name, state, detail))

    def add(verdict: Verdict) -> None:
        report.verdicts.append(verdict)
        if told is not None:
            told(verdict)

    add(contract.declared(subject))
    try:
        subject.fresh().close()
        say("prepares", "pass", "with its defaults")
    except UserError:
        raise
    except Exception as e:  # anybody's code
        say("prepares", "fail", described(e))
        return report
    if d.kind not in HEARD:
        say("behaviour", "skip", f"a plugin of kind {d.kind} hears no stream of its own")
        return report
    try:
        hearing = _hear(subject, seconds)
    except Exception as e:  # anybody's code, or its features break the contract
        say("outputs", "fail", described(e))
        return report
    for name, check in _CHECKS:
        if name == "block sizes" and d.kind not in ("frame", "window"):
            say(name, "skip", f"does not apply to kind {d.kind}")
            continue
        try:
            add(check(hearing))
        except Exception as e:  # anybody's code
            say(name, "fail", described(e))
    return report


def _hear(subject: Subject, seconds: float) -> Hearing:
    spec = subject.descriptor.input
    hop = spec.hop / spec.sample_rate
    length = spec.length if isinstance(spec, AudioInput) else spec.window
    if seconds <= 0:
        affordable = max(_FEWEST, int(_BUDGET / max(resources.estimate(subject), 1e-6))) * hop
        wanted = max(_SHORTEST, 8 * hop, min(length / spec.sample_rate + 4 * hop, 30.0))
        seconds = min(_LONGEST, wanted, affordable)
    hops = max(_FEWEST, round(seconds / hop))
    channels = spec.channels if isinstance(spec, AudioInput) else 1
    sound = music(spec.sample_rate, hops * spec.hop, channels)
    wall: list[float] = []
    busy: list[float] = []

    def take(clock: float, processor: float) -> None:
        wall.append(clock)
        busy.append(processor)

    return Hearing(subject, sound, drive(subject.fresh(), sound, taken=take), wall, busy)
