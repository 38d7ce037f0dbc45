"""Asking the host: for its preset and descriptors, kept fresh while somebody looks; and changes as a whole."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

from PySide6.QtCore import QObject, Signal

from gui.model import Model
from realtime.errors import UserError
from realtime.outputs import registry

EVERY = 1.5
"""Seconds between two looks at the preset while a page that shows it is open."""


class Desk(QObject):
    """What pages know of the host beyond values and status. One thread, the window's.

    Parameters
    ----------
    model : Model
    """

    preset_changed = Signal()
    """The host's preset, or the stored one that it came from, is not as before. At most a few times a second."""
    plugins_changed = Signal()
    """The hosted plugins are others."""
    presets_changed = Signal()
    """The list of presets is another one."""
    refused = Signal(str)
    """Something was asked for and refused: one line for a person."""
    told = Signal(str)
    """Something worked: one line for a person."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model
        self.preset: dict[str, Any] = {}
        self.stored: dict[str, Any] = {}
        self.descriptors: dict[str, dict[str, Any]] = {}
        self.presets: list[str] = []
        self._next = 0.0
        self._hosted: tuple[str, ...] = ()
        self._stored_name = ""
        self._lives = -1

    # -- asking ---------------------------------------------------------------------------------------------

    def call(self, method: str, params: Mapping[str, Any] | None = None, done: Callable[[Any], None] | None = None,
             told: str = "") -> None:  # fmt: skip
        """Ask; a refusal is shown, an answer handed to `done`."""

        def answered(result: Any, error: str) -> None:
            if error:
                self.refused.emit(error)
                return
            if told:
                self.told.emit(told)
            if done is not None:
                done(result)

        self.model.feed.call(method, params, answered)

    def change(self, alter: Callable[[dict[str, Any]], None], told: str = "") -> None:
        """Alter the host's preset as it stands there now, and run by it."""

        def got(preset: dict[str, Any]) -> None:
            wanted = copy.deepcopy(preset)
            alter(wanted)
            self.call("preset.apply", {"settings": wanted}, lambda _: self.look_again(), told)

        self.call("preset.get", {}, got)

    def look_again(self) -> None:
        """What was known of the preset is old."""
        self._next = 0.0

    # -- once a frame ---------------------------------------------------------------------------------------

    def refresh(self, seconds: float, looking: bool) -> None:
        """Keep what is known fresh.

        Parameters
        ----------
        seconds : float
            Any clock that goes forward.
        looking : bool
            Whether a page is open that shows presets.
        """
        feed, status = self.model.feed, self.model.status
        if feed.lives != self._lives:
            self._lives, self._hosted, self._next, self._stored_name = feed.lives, (), 0.0, ""
        if not feed.connected:
            return
        hosted = tuple(p["identifier"] for p in status.get("plugins", ()))
        if hosted != self._hosted:
            self._hosted = hosted
            self._ask("plugin.describe", {}, list, self._describe)
            self._next = 0.0
        if seconds >= self._next and (looking or not self.preset or self._next == 0.0):
            self._next = seconds + EVERY
            self._ask("preset.get", {}, dict, self._got_preset)
            self._ask("preset.list", {}, list, self._got_list)

    def unsaved(self) -> list[str]:
        """What differs from the stored preset of the same name, as ``section.key``."""
        if not self.stored or not self.preset:
            return []
        return differences(_plain(self.stored), _plain(self.preset))

    def _ask(self, method: str, params: dict[str, Any], kind: type, done: Callable[[Any], None]) -> None:
        """Ask without a person knowing: no answer, or none of the right kind, is as good as not having asked."""

        def answered(result: Any, error: str) -> None:
            if not error and isinstance(result, kind):
                done(result)

        self.model.feed.call(method, params, answered)

    def _describe(self, found: list[dict[str, Any]]) -> None:
        self.descriptors = {d["identifier"]: d for d in found}
        self.plugins_changed.emit()

    def _got_preset(self, preset: dict[str, Any]) -> None:
        if preset.get("name") != self._stored_name:
            self._stored_name = str(preset.get("name", ""))
            self.stored = {}
            self._ask("preset.read", {"name": self._stored_name}, dict, self._got_stored)
        if preset != self.preset:
            self.preset = preset
            self.preset_changed.emit()

    def _got_stored(self, stored: dict[str, Any]) -> None:
        self.stored = stored
        self.preset_changed.emit()

    def read_stored_again(self) -> None:
        """The stored preset is not what it was (it was saved over)."""
        self._stored_name = ""
        self._next = 0.0

    def _got_list(self, names: list[str]) -> None:
        if names != self.presets:
            self.presets = names
            self.presets_changed.emit()


def differences(one: Any, other: Any, place: str = "") -> list[str]:
    """Where two plain structures differ, as dotted places."""
    if isinstance(one, dict) and isinstance(other, dict):
        found = []
        for key in sorted({*one, *other}):
            found += differences(one.get(key), other.get(key), f"{place}.{key}" if place else str(key))
        return found
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [d for k, (a, b) in enumerate(zip(one, other)) for d in differences(a, b, f"{place}[{k + 1}]")]
    return [] if one == other else [place]


def _plain(preset: dict[str, Any]) -> dict[str, Any]:
    """What counts as a change: names and the window's own scope do not, nor settings left at their default."""
    made = {k: v for k, v in preset.items() if k not in ("name", "description")}
    made["plugins"] = {k: v for k, v in preset.get("plugins", {}).items() if k != "scope"}
    made["outputs"] = [_whole(o) for o in preset.get("outputs", [])]
    return made


def _whole(output: dict[str, Any]) -> dict[str, Any]:
    """An output's settings with those that are left at their default."""
    try:
        return registry.check(output).model_dump() | {"name": output.get("name") or output.get("kind")}
    except UserError:
        return output
