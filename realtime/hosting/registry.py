"""Which plugins there are: entry points, the user's plugin folder, bundles.

A plugin that cannot be loaded is still listed, with its error; it never keeps the others from loading.
"""

from __future__ import annotations

import difflib
import importlib.util
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import platformdirs

from realtime.errors import UserError
from realtime.hosting.plugin import Descriptor, Plugin, PluginFactory

GROUP = "sidechain.plugins"

MOST_TEXT = 20_000
"""Characters of a text setting."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A plugin that was found.

    Attributes
    ----------
    identifier : str
    origin : str
        Distribution, file or folder it comes from.
    factory : PluginFactory or None
        Makes an instance; has the ``descriptor``. None if it could not be loaded.
    error : str
        Why not; else empty.
    """

    identifier: str
    origin: str
    factory: PluginFactory | None
    error: str = ""

    @property
    def descriptor(self) -> Descriptor | None:
        """The plugin's descriptor, if it could be loaded."""
        return self.factory.descriptor if self.factory is not None else None


def plugin_folder() -> Path:
    """The user's plugin folder (``SIDECHAIN_PLUGINS`` overrides the platform's data folder)."""
    return Path(os.environ.get("SIDECHAIN_PLUGINS") or Path(platformdirs.user_data_dir("sidechain")) / "plugins")


def discover(only: set[str] | None = None, folder: Path | None = None) -> dict[str, Entry]:
    """All plugins by identifier.

    Parameters
    ----------
    only : set of str, optional
        Load just these (others from entry points are left out without importing them).
    folder : Path, optional
        In place of :func:`plugin_folder`. Files ``*.py``, folders with ``plugin.py``, and bundles in it hide
        packaged plugins of the same identifier.
    """
    found: dict[str, Entry] = {}
    for point in entry_points(group=GROUP):
        if only is None or point.name in only:
            origin = point.dist.name if point.dist else point.value
            found[point.name] = _load(point.name, origin, point.load)
    place = folder or plugin_folder()
    if place.is_dir():
        for path in sorted(place.iterdir()):
            for entry in _from_path(path):
                if only is None or entry.identifier in only:
                    found[entry.identifier] = entry
    return found


def find(identifier: str) -> PluginFactory:
    """One plugin by identifier, or by the path of a file, of a folder with ``plugin.py``, or of a bundle.

    Raises
    ------
    UserError
        Unknown (with the nearest name) or not loadable (with the reason).
    """
    if os.sep in identifier or "/" in identifier or identifier.endswith(".py"):
        entries = _from_path(Path(identifier))
        if not entries:
            raise UserError(f"plugin {identifier}: no plugin class, no plugin.py and no plugin.toml there")
        entry: Entry | None = entries[0]
    else:
        entry = discover({identifier}).get(identifier)
    if entry is None:
        near = difflib.get_close_matches(identifier, list(discover()), n=1, cutoff=0.4)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise UserError(f"unknown plugin '{identifier}'{hint} ('sidechain plugins' lists them)")
    if entry.factory is None:
        raise UserError(f"plugin '{identifier}' cannot be loaded: {entry.error}")
    return entry.factory


def resolve(descriptor: Descriptor, given: Mapping[str, Any]) -> dict[str, float]:
    """A value for every parameter: what is given, checked, over the defaults.

    Raises
    ------
    UserError
        Unknown parameter (with the nearest), out of range, unknown choice.
    """
    values = {p.identifier: p.default for p in descriptor.parameters}
    for name, value in given.items():
        if descriptor.text(name) is None:
            values[name] = check(descriptor, name, value)
    return values


def resolve_texts(descriptor: Descriptor, given: Mapping[str, Any]) -> dict[str, str]:
    """A value for every text setting: what is given, checked, over the defaults; raises ``UserError``."""
    values = {t.identifier: t.default for t in descriptor.texts}
    return values | {name: check_text(descriptor, name, given[name]) for name in values if name in given}


def check_text(descriptor: Descriptor, name: str, value: Any) -> str:
    """One text setting; a list becomes one entry a line. Raises ``UserError`` if it is neither."""
    lines = value if isinstance(value, list) else [value]
    if not all(isinstance(line, str) for line in lines):
        raise UserError(f"plugin '{descriptor.identifier}': '{name}' must be text or a list of texts")
    text = "\n".join(lines)
    if len(text) > MOST_TEXT:
        raise UserError(f"plugin '{descriptor.identifier}': '{name}' is longer than {MOST_TEXT} characters")
    return text


def check(descriptor: Descriptor, name: str, value: Any) -> float:
    """One parameter value as a number within its range; raises ``UserError`` otherwise."""
    where = f"plugin '{descriptor.identifier}'"
    parameter = descriptor.parameter(name)
    if parameter is None:
        names = [p.identifier for p in descriptor.parameters] + [t.identifier for t in descriptor.texts]
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
        hint = f"; did you mean '{near[0]}'?" if near else f"; it has {', '.join(names) or 'none'}"
        raise UserError(f"{where}: unknown parameter '{name}'{hint}")
    if parameter.choices and isinstance(value, str):
        if value not in parameter.choices:
            raise UserError(f"{where}: '{name}' is one of {', '.join(parameter.choices)} (given '{value}')")
        return float(parameter.choices.index(value))
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise UserError(f"{where}: '{name}' must be a number (given {value!r})")
    if not parameter.minimum <= value <= parameter.maximum:
        unit = f" {parameter.unit}" if parameter.unit else ""
        raise UserError(
            f"{where}: '{name}' must be between {parameter.minimum:g} and {parameter.maximum:g}{unit}"
            f" (given {value:g})"
        )
    return float(value)


def _load(identifier: str, origin: str, load: Any) -> Entry:
    try:
        factory = load()
        if factory.descriptor.identifier != identifier:
            return Entry(identifier, origin, None, f"its descriptor says '{factory.descriptor.identifier}'")
        return Entry(identifier, origin, factory)
    except Exception as e:  # anybody's code: whatever it raises is its error, shown to the user
        return Entry(identifier, origin, None, f"{e.__class__.__name__}: {e}")


def _from_path(path: Path) -> list[Entry]:
    if path.is_dir():
        if not (path / "plugin.toml").is_file():
            return _from_path(path / "plugin.py")
        from realtime.hosting.bundle import load_bundle

        try:
            factory = load_bundle(path)
        except UserError as e:
            return [Entry(path.name, str(path), None, str(e))]
        return [Entry(factory.descriptor.identifier, str(path), factory)]
    if path.suffix != ".py" or not path.is_file():
        return []
    try:
        classes = _plugin_classes(path)
    except Exception as e:  # as in _load
        return [Entry(path.stem, str(path), None, f"{e.__class__.__name__}: {e}")]
    return [_load(c.descriptor.identifier, str(path), partial(_same, c)) for c in classes]


def _same(value: type[Plugin]) -> type[Plugin]:
    return value


def _plugin_classes(path: Path) -> list[type[Plugin]]:
    own = path.resolve().parent.name if path.name == "plugin.py" else path.stem
    name = f"sidechain_plugin_{own}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return [
        v
        for v in vars(module).values()
        if isinstance(v, type) and issubclass(v, Plugin) and v.__module__ == name and hasattr(v, "descriptor")
    ]
