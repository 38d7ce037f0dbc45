"""Changing the preset of a running host without stopping it: the sound, the clock and what is the same go on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from realtime.errors import UserError
from realtime.hosting import registry
from realtime.hosting.plugin import Descriptor, PluginFactory
from realtime.hosting.slot import Slot
from realtime.outputs.registry import check_all, create
from realtime.outputs.routing import Routing
from realtime.preset import Preset
from realtime.transport import Transport

if TYPE_CHECKING:
    from realtime.engine import Engine

_PREFERRED_CLOCKS = ("beat", "tempo")
NO_CLOCK = "transport"
"""Name of the transport of a host without a beat tracker: it runs by tapping."""


def make_slots(
    preset: Preset, plugins: Mapping[str, PluginFactory] | None = None, present: Mapping[str, Slot] | None = None
) -> list[Slot]:
    """The preset's plugins as slots; those of `present` that only differ in live parameters are kept.

    Raises
    ------
    UserError
        Unknown plugin or parameter, value out of range, or a plugin of the slow lane.
    """
    slots = []
    for name, settings in preset.plugins.items():
        factory = plugins[name] if plugins is not None and name in plugins else registry.find(name)
        if factory.descriptor.lane != "fast":
            raise UserError(f"plugin '{name}' runs in the slow lane, which this version does not have")
        parameters = registry.resolve(factory.descriptor, settings.parameters)
        slot = (present or {}).get(factory.descriptor.identifier)
        if slot is None or not _same_at_start(factory.descriptor, slot.parameters, parameters):
            slot = Slot(factory, parameters)
            slot.enabled = settings.enabled
        slot.key = name
        slots.append(slot)
    return slots


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
    try:
        for slot in fresh:
            slot.prepare()
    except UserError:
        for slot in fresh:
            slot.close()
        raise
    engine.on_lane(lambda: _swap(engine, preset, slots, transports, main))
    runner = engine.runner
    engine.routing = routing
    runner.reroute(routing, preset.transport)
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
    if failed:
        raise UserError(f"preset '{preset.name}' is on, but {'; '.join(failed)}")


def _swap(engine: Engine, preset: Preset, slots: list[Slot], transports: dict[str, Transport], main: str) -> None:
    """The part that runs on the lane's thread, between two blocks."""
    gone = [s for s in engine.slots if s not in slots]
    engine.lane.replace(slots, transports, main)
    for slot in slots:
        settings = preset.plugins[slot.key]
        for name, value in registry.resolve(slot.descriptor, settings.parameters).items():
            if slot.parameters.get(name) != value:
                slot.set(name, value)
        slot.turn(settings.enabled)
    for slot in gone:
        slot.close()
        engine.bus.drop(slot.identifier)
    engine.slots, engine.transports, engine.main = slots, transports, main
    for transport in transports.values():
        transport.configure(preset.transport)
    engine.preset = preset


def _same_at_start(descriptor: Descriptor, old: Mapping[str, float], new: Mapping[str, float]) -> bool:
    """Whether two sets of parameters differ in live ones only."""
    return all(p.live or old.get(p.identifier) == new.get(p.identifier) for p in descriptor.parameters)
