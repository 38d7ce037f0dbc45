"""The commands a running host understands, whoever sends them: console, OSC, MIDI, WebSocket, embedding code.

Each command is a method name and named parameters; answers are plain data. Wrong ones raise ``UserError`` with
one clear line. Commands that touch the sound run on the fast lane's thread, between two blocks.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from realtime import preset as presets
from realtime.errors import UserError
from realtime.hosting import registry
from realtime.hosting.slow.slot import SlowSlot
from realtime.hosting.slow.snapshot import snapshot
from realtime.outputs.registry import check_all, create
from realtime.switching import switch

if TYPE_CHECKING:
    from realtime.engine import Engine

_MOST_REQUEST = 16_384


@dataclass(frozen=True, slots=True)
class Command:
    """One command: the parameters it takes (name → type), which may be left out, and what it does."""

    takes: dict[str, type]
    run: Callable[..., Any]
    optional: tuple[str, ...] = ()


class Commands:
    """Dispatches commands to the parts of an engine. ``call`` may be used from any thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        acts: dict[str, dict[str, type]] = {
            "tap": {},
            "nudge": {"ms": float},
            "double": {},
            "halve": {},
            "lock": {"on": bool},
            "hold": {"on": bool},
            "one": {},
            "resync": {},
            "metre": {"beats": int},
            "window": {"low": float, "high": float},
            "sync": {"bpm": float, "beat": float, "beats": int},
        }
        self._table: dict[str, Command] = {
            f"transport.{name}": Command(takes, self._act(name), optional=("on",)) for name, takes in acts.items()
        }
        self._table |= {
            "plugin.enable": Command({"plugin": str, "on": bool}, self._plugin_enable),
            "plugin.set": Command({"plugin": str, "parameter": str, "value": object}, self._plugin_set),
            "plugin.describe": Command({}, lambda: [asdict(s.descriptor) for s in self._engine.slots]),
            "job.start": Command({"plugin": str, "request": dict}, self._job_start, optional=("request",)),
            "job.cancel": Command({"plugin": str}, lambda plugin: self._job(plugin).cancel_job()),
            "output.add": Command({"settings": dict}, self._output_add),
            "output.remove": Command({"name": str}, lambda name: self._engine.runner.remove(name)),
            "output.offset": Command({"name": str, "ms": float}, self._output_offset),
            "output.enable": Command(
                {"name": str, "on": bool}, lambda name, on: self._engine.runner.enable(name, on)
            ),
            "output.test": Command({"name": str}, lambda name: self._engine.runner.test(name)),
            "output.learn": Command(
                {"name": str, "action": str}, lambda name, action: self._engine.runner.learn(name, action)
            ),
            "outputs.panic": Command({}, self._panic),
            "rule.fire": Command({"name": str}, lambda name: self._engine.routing.rules.fire(name)),
            "rule.mute": Command(
                {"name": str, "on": bool}, lambda name, on: self._engine.routing.rules.mute(name, on)
            ),
            "rule.enable": Command(
                {"name": str, "on": bool}, lambda name, on: self._engine.routing.rules.enable(name, on)
            ),
            "rule.scale": Command(
                {"name": str, "factor": float}, lambda name, factor: self._engine.routing.rules.scale(name, factor)
            ),
            "input.event": Command({"name": str, "value": float}, self._input_event),
            "preset.get": Command({}, lambda: self._engine.current_preset().model_dump()),
            "preset.list": Command({}, lambda: sorted(presets.available())),
            "preset.read": Command({"name": str}, lambda name: presets.load(name).model_dump()),
            "preset.apply": Command({"settings": dict}, self._preset_apply),
            "preset.load": Command({"name": str}, lambda name: switch(self._engine, presets.load(name))),
            "preset.save": Command({"name": str}, self._preset_save),
            "audio.start": Command({"name": str}, self._audio_start),
            "audio.stop": Command({}, self._audio_stop),
            "state.get": Command({}, lambda: self._engine.status()),
            "ping": Command({}, lambda: "pong"),
        }

    @property
    def table(self) -> Mapping[str, Command]:
        """All commands by name, with what they take."""
        return self._table

    @property
    def names(self) -> list[str]:
        """All commands."""
        return sorted(self._table)

    def call(self, method: str, params: Mapping[str, Any]) -> Any:
        """Run one command; raises ``UserError`` if it is unknown, wrong, or refused."""
        command = self._table.get(method)
        if command is None:
            near = difflib.get_close_matches(method, self.names, n=1)
            raise UserError(f"unknown command '{method}'" + (f"; did you mean '{near[0]}'?" if near else ""))
        return command.run(**_checked(method, command, params))

    def _act(self, name: str) -> Callable[..., Any]:
        def act(**params: Any) -> Any:
            engine = self._engine
            at = engine.stream_now()
            return engine.on_lane(lambda: engine.transport.act(name, params, at))

        return act

    def _slot(self, plugin: str) -> Any:
        for slot in self._engine.slots:
            if slot.identifier == plugin:
                return slot
        names = [s.identifier for s in self._engine.slots]
        near = difflib.get_close_matches(plugin, names, n=1)
        raise UserError(
            f"no plugin '{plugin}' in this host"
            + (f"; did you mean '{near[0]}'?" if near else f" ({', '.join(names)})")
        )

    def _plugin_enable(self, plugin: str, on: bool) -> None:
        slot = self._slot(plugin)
        self._engine.on_lane(lambda: slot.turn(on))
        self._engine.preset.plugins[slot.key].enabled = on

    def _job(self, plugin: str) -> SlowSlot:
        slot = self._slot(plugin)
        if not isinstance(slot, SlowSlot) or slot.descriptor.kind != "job":
            raise UserError(f"plugin '{plugin}' is not a job; it is of kind {slot.descriptor.kind}")
        return slot

    def _job_start(self, plugin: str, request: dict[str, Any] | None = None) -> int:
        """Begin a job with what was asked for and what the host knows of the moment; returns its number."""
        slot, given = self._job(plugin), dict(request or {})
        if not all(isinstance(v, (str, int, float)) for v in given.values()) or len(str(given)) > _MOST_REQUEST:
            raise UserError(f"job.start: a request holds texts and numbers, {_MOST_REQUEST} characters in all")
        tempo, key = self._engine.transport.timeline.tempo, self._engine.bus.value("key.key")
        if tempo > 0:
            given.setdefault("bpm", float(tempo))
        if key is not None and key.label:
            given.setdefault("key", key.label)
        return slot.start_job(given, snapshot(self._engine.bus, slot, self._engine.stream_now()))

    def _plugin_set(self, plugin: str, parameter: str, value: Any) -> float | str:
        slot = self._slot(plugin)
        text = slot.descriptor.text(parameter)
        if text is not None:
            words = registry.check_text(slot.descriptor, parameter, value)
            if not text.live:
                raise UserError(
                    f"plugin '{plugin}': '{parameter}' takes effect at the next start only; set it in the preset"
                )
            self._engine.on_lane(lambda: slot.set_text(parameter, words))
            self._engine.preset.plugins[slot.key].keep(parameter, words)
            return words
        checked = registry.check(slot.descriptor, parameter, value)
        declared = slot.descriptor.parameter(parameter)
        if not declared.live:
            raise UserError(
                f"plugin '{plugin}': '{parameter}' takes effect at the next start only; set it in the preset"
            )
        self._engine.on_lane(lambda: slot.set(parameter, checked))
        self._engine.preset.plugins[slot.key].keep(parameter, checked)
        return checked

    def _output_add(self, settings: dict[str, Any]) -> str:
        runner = self._engine.runner
        name = settings.get("name")
        others = [s for s in runner.settings() if s["name"] != name or name not in runner.unopened]
        checked = check_all([*others, settings], "output.add")[-1]
        runner.add(create(checked, self._engine))
        return checked.name

    def _output_offset(self, name: str, ms: float) -> None:
        if not -1000.0 <= ms <= 1000.0:
            raise UserError(f"output '{name}': offset must be between -1000 and 1000 ms (given {ms:g})")
        self._engine.runner.offset(name, ms)

    def _preset_apply(self, settings: dict[str, Any]) -> None:
        try:
            wanted = presets.Preset.model_validate(settings)
        except ValidationError as e:
            raise UserError(f"preset.apply: {presets.explain(e, presets.Preset)}") from e
        switch(self._engine, wanted)

    def _rule(self, action: str) -> Callable[..., Any]:
        return lambda **params: getattr(self._engine.routing.rules, action)(**params)

    def _panic(self) -> None:
        self._engine.routing.rules.panic()
        self._engine.runner.panic()

    def _input_event(self, name: str, value: float) -> None:
        """Something pressed or moved elsewhere (OS2L, MIDI): an event ``input.NAME`` that routes can use."""
        if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,63}", name):
            raise UserError(f"input.event: '{name[:40]}' is not a name of letters a–z, digits, '-' and '_'")
        lane, bus = self._engine.lane, self._engine.bus
        self._engine.on_lane(lambda: bus.publish(lane.now, lane.now, "input", name, value))

    def _audio_start(self, name: str) -> dict[str, Any]:
        """Record the sound from now on, into the folder of recordings: clients name files, never paths."""
        engine = self._engine
        if not engine.recordings:
            raise UserError("audio.start: this host has no folder for recordings")
        if name != Path(name).name or name.startswith(".") or "\\" in name or "\0" in name or len(name) > 120:
            raise UserError(f"audio.start: '{name[:40]}' is not a plain file name")
        running = engine.lane.tape
        if running is not None and running.recording:
            raise UserError(f"sound is recorded to {running.path} already; stop it first")
        tape = engine.lane.begin_tape(Path(engine.recordings) / name)
        engine.on_lane(lambda: setattr(engine.lane, "tape", tape))
        return tape.status()

    def _audio_stop(self) -> dict[str, Any]:
        """End the recording of sound and finish its file."""
        lane = self._engine.lane
        tape = lane.tape
        if tape is None:
            raise UserError("no sound is being recorded")
        self._engine.on_lane(lambda: setattr(lane, "tape", None))
        tape.stop()
        return tape.status()

    def _preset_save(self, name: str) -> str:
        if not re.fullmatch(r"\w[\w -]{0,63}", name):
            raise UserError(f"preset name '{name[:70]}': letters, digits, spaces, '-' and '_' only, 64 at most")
        path = presets.user_folder() / f"{name}.toml"
        saved = self._engine.current_preset().model_copy(update={"name": name})
        presets.save(saved, path)
        return str(path)


def _checked(method: str, command: Command, params: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters of the right names and types."""
    for name in params:
        if name not in command.takes:
            raise UserError(
                f"{method}: unknown parameter '{name}' (it takes {', '.join(command.takes) or 'none'})"
            )
    checked: dict[str, Any] = {}
    for name, kind in command.takes.items():
        if name not in params:
            if name in command.optional:
                continue
            raise UserError(f"{method}: parameter '{name}' is missing")
        checked[name] = _as(method, name, kind, params[name])
    return checked


def _as(method: str, name: str, kind: type, value: Any) -> Any:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind is float and number and math.isfinite(value):
        return float(value)
    if kind is int and number and math.isfinite(value) and value == int(value):
        return int(value)
    if kind is bool and (isinstance(value, bool) or (number and value in (0, 1))):
        return bool(value)
    if kind is object or (kind in (str, dict) and isinstance(value, kind)):
        return value
    raise UserError(f"{method}: '{name}' must be a {kind.__name__} (given {value!r})")
