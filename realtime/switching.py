"""Changing the preset of a running host without stopping it: the sound, the clock and what is the same go on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from realtime.errors import UserError
from realtime.hosting import registry
from realtime.hosting.kindslots import CombineSlot, InsertSlot, make_slot
from realtime.hosting.plugin import AudioInput, PluginFactory
from realtime.hosting.slot import Slot
from realtime.hosting.slow.inline import InlineEvents
from realtime.hosting.slow.shared import LONGEST
from realtime.hosting.slow.slot import SlowSlot
from realtime.outputs.registry import check_all, create
from realtime.outputs.routing import Routing
from realtime.preset import PluginSettings, Preset
from realtime.transport import Transport

if TYPE_CHECKING:
    from realtime.engine import Engine

_PREFERRED_CLOCKS = ("beat", "tempo")
NO_CLOCK = "transport"
"""Name of the transport of a host without a beat tracker: it runs by tapping."""


def make_slots(
    preset: Preset,
    plugins: Mapping[str, PluginFactory] | None = None,
    present: Mapping[str, Slot] | None = None,
    inline: bool = False,
) -> list[Slot]:
    """The preset's plugins as slots; those of `present` that only differ in what acts live are kept.

    Parameters
    ----------
    inline : bool
        For a run over a file: plugins of the slow lane run in the caller's process, every window in order.

    Raises
    ------
    UserError
        Unknown plugin or parameter, value out of range, or what a plugin asks for cannot be given.
    """
    slots = []
    for name, settings in preset.plugins.items():
        brought = plugins is not None and name in plugins
        factory = plugins[name] if plugins is not None and brought else registry.find(name)
        d = factory.descriptor
        parameters = registry.resolve(d, settings.parameters)
        texts = registry.resolve_texts(d, settings.parameters)
        slot = (present or {}).get(d.identifier)
        if slot is None or not _same_at_start(slot, parameters, texts, settings):
            slot = _make(factory, parameters, texts, settings, brought, inline)
            slot.enabled = settings.enabled
        slot.key = name
        slots.append(slot)
    return sorted(slots, key=lambda s: s.descriptor.kind == "combine")  # what reads the others' results runs last


def _make(
    factory: PluginFactory,
    parameters: dict[str, float],
    texts: dict[str, str],
    settings: PluginSettings,
    brought: bool,
    inline: bool,
) -> Slot:
    d, sources = factory.descriptor, tuple(settings.sources)
    if settings.to and d.kind not in ("insert", "job"):
        raise UserError(f"plugin '{d.identifier}': 'to' is for inserts and jobs; this is of kind {d.kind}")
    if sources and d.kind not in ("event", "combine", "job"):
        raise UserError(
            f"plugin '{d.identifier}': 'sources' is for event, combine and job; this is of kind {d.kind}"
        )
    if d.lane == "slow":
        length = d.input.length if isinstance(d.input, AudioInput) else d.input.window
        if length > LONGEST * d.input.sample_rate:
            raise UserError(f"plugin '{d.identifier}' asks for more than {LONGEST:g} s of sound at a time")
        if any(o.kind == "observation" for o in d.outputs):
            raise UserError(
                f"plugin '{d.identifier}' is in the slow lane, but a clock can only follow the fast one"
            )
    slot: Slot
    if d.lane == "slow" and not inline:
        slot = SlowSlot(factory, parameters, texts, sources, brought)
    elif d.kind == "event":
        slot = InlineEvents(factory, parameters, texts)
        slot.sources = sources or d.sources
    else:
        slot = make_slot(factory, parameters, texts, sources)
    if isinstance(slot, (SlowSlot, InsertSlot)):
        slot.to = settings.to
    if isinstance(slot, InsertSlot):
        slot.offline = inline
    return slot


def split(slots: Sequence[Slot]) -> tuple[list[Slot], list[SlowSlot]]:
    """Slots of the fast lane, and of the slow one."""
    return [s for s in slots if not isinstance(s, SlowSlot)], [s for s in slots if isinstance(s, SlowSlot)]


def bind(slots: Sequence[Slot], engine: Engine) -> None:
    """Give slots that read others' results the bus, and those that look for sound themselves the sound."""
    for slot in slots:
        if isinstance(slot, CombineSlot):
            slot.attach(engine.bus)
        elif isinstance(slot, InlineEvents):
            slot.attach(engine.bus, engine.slow)
        elif isinstance(slot, InsertSlot):
            slot.say = engine.lane.say


def make_transports(
    preset: Preset, slots: list[Slot], present: Mapping[str, Transport] | None = None, main: str = ""
) -> tuple[dict[str, Transport], str]:
    """A transport for each beat tracker, and the name of the main one.

    The main transport of before stays the main one whatever it now follows: beat numbers go on.
    """
    clocks = [s.identifier for s in slots if any(o.kind == "observation" for o in s.descriptor.outputs)]
    wanted = preset.transport.source
    if wanted and wanted not in clocks:
        raise UserError(f"[transport] source '{wanted}' is not a beat tracker of this preset ({clocks or 'none'})")
    first = clocks[0] if clocks else NO_CLOCK
    chosen = wanted or next((name for name in _PREFERRED_CLOCKS if name in clocks), first)
    known = dict(present or {})
    kept = known.pop(main, None)
    made = {name: known.get(name) or Transport(preset.transport) for name in clocks}
    made[chosen] = kept or made.get(chosen) or Transport(preset.transport)
    return made, chosen


def switch(engine: Engine, preset: Preset) -> None:
    """Run `engine` by another preset from now on.

    The input stays as it is. Plugins, outputs and routes that both presets have in the same way go on without
    a break; the rest is opened or closed. Called on any thread but the fast lane's.

    Raises
    ------
    UserError
        The new preset is wrong (nothing has changed then), or one of its outputs cannot be opened (all else
        has changed).
    """
    wanted = {s.name: s for s in check_all(preset.outputs, f"preset {preset.name}")}
    routing = Routing(preset)
    present = {s.identifier: s for s in engine.slots}
    slots = make_slots(preset, engine.plugins, present)
    transports, main = make_transports(preset, slots, engine.transports, engine.main)
    fresh = [s for s in slots if present.get(s.identifier) is not s]
    bind(fresh, engine)
    try:
        for slot in fresh:
            slot.prepare()
    except UserError:
        for slot in fresh:
            slot.close()
        raise
    engine.on_lane(lambda: _swap(engine, preset, slots, transports, main))
    engine.use_slow()
    runner = engine.runner
    engine.routing = routing
    runner.reroute(routing, preset.transport)
    runner.unopened.clear()
    open_now = {str(s["name"]): s for s in runner.settings()}
    for name, as_it_is in open_now.items():
        new = wanted.get(name)
        if new is None or new.model_dump(exclude_defaults=True) | {"kind": new.kind, "name": name} != as_it_is:
            runner.remove(name)
        else:
            del wanted[name]
    failed = []
    for settings in wanted.values():
        try:
            runner.add(create(settings, engine))
        except UserError as e:
            failed.append(str(e))
            runner.keep(settings)
    if failed:
        raise UserError(f"preset '{preset.name}' is on, but {'; '.join(failed)}")


def _swap(engine: Engine, preset: Preset, slots: list[Slot], transports: dict[str, Transport], main: str) -> None:
    """The part that runs on the lane's thread, between two blocks."""
    gone = [s for s in engine.slots if s not in slots]
    engine.lane.replace(split(slots)[0], transports, main)
    for slot in slots:
        settings = preset.plugins[slot.key]
        for name, value in registry.resolve(slot.descriptor, settings.parameters).items():
            if slot.parameters.get(name) != value:
                slot.set(name, value)
        for name, text in registry.resolve_texts(slot.descriptor, settings.parameters).items():
            if slot.texts.get(name) != text:
                slot.set_text(name, text)
        slot.turn(settings.enabled)
    for slot in gone:
        slot.close()
        engine.bus.drop(slot.identifier)
        engine.bus.drop(f"host.slow.{slot.identifier}")
    engine.slots, engine.transports, engine.main = slots, transports, main
    for transport in transports.values():
        transport.configure(preset.transport)
    engine.preset = preset


def _same_at_start(
    slot: Slot, parameters: Mapping[str, float], texts: Mapping[str, str], settings: PluginSettings
) -> bool:
    """Whether a slot differs from what is wanted in what acts live only."""
    d = slot.descriptor
    if settings.to != getattr(slot, "to", ""):
        return False
    if tuple(settings.sources or d.sources) != tuple(getattr(slot, "sources", d.sources)):
        return False
    same = [p.live or slot.parameters.get(p.identifier) == parameters.get(p.identifier) for p in d.parameters]
    same += [t.live or slot.texts.get(t.identifier) == texts.get(t.identifier) for t in d.texts]
    return all(same)
