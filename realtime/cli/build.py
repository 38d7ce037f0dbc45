"""From what was written on the command line to a preset that is known to be right."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from realtime import preset as presets
from realtime.cli.common import nearest
from realtime.errors import UserError
from realtime.hosting import registry
from realtime.outputs import routing
from realtime.outputs.registry import check_all, parse_osc_target
from realtime.preset import PluginSettings, Preset


def add_plugin_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags that choose and set plugins."""
    parser.add_argument(
        "--only", metavar="PLUGIN,…", help="run just these plugins, whether the preset names them or not"
    )
    parser.add_argument(
        "--set",
        metavar="PLUGIN.PARAMETER=VALUE",
        action="append",
        default=[],
        help="set a parameter of a plugin (repeatable), e.g. --set pitch.minimum=80",
    )


def preset_for(name: str, only: str | None, settings: Sequence[str]) -> Preset:
    """The preset by name or path, with the plugins and parameters that the command line asks for.

    Raises
    ------
    UserError
        Unknown preset, plugin or parameter; value out of range.
    """
    preset = presets.load(name)
    if only is not None:
        wanted = [n.strip() for n in only.split(",") if n.strip()]
        if not wanted:
            raise UserError("--only names no plugin; 'sidechain plugins' lists them")
        known = {n: registry.find(n).descriptor.identifier for n in wanted}
        preset.plugins = {n: preset.plugins.get(known[n], PluginSettings()) for n in wanted}
        for plugin in preset.plugins.values():
            plugin.enabled = True
        if preset.transport.source not in preset.plugins:
            preset.transport.source = ""
    for setting in settings:
        _set(preset, setting)
    try:
        check_plugins(preset)
    except UserError as e:
        raise UserError(f"preset {name}: {e}") from e
    return preset


def _set(preset: Preset, setting: str) -> None:
    left, equals, text = setting.partition("=")
    plugin, dot, parameter = left.strip().partition(".")
    if not (equals and dot and parameter):
        raise UserError(f"--set {setting}: not PLUGIN.PARAMETER=VALUE, e.g. pitch.minimum=80")
    # A plugin of one's own is in the preset by its path, but set by its identifier.
    found = {registry.find(n).descriptor.identifier: n for n in preset.plugins}
    if plugin not in found:
        raise UserError(f"--set {setting}: the preset has no plugin '{plugin}'{nearest(plugin, found)}")
    key, name, value = found[plugin], parameter.strip(), number_or_text(text.strip())
    try:
        descriptor = registry.find(key).descriptor
        if descriptor.text(name) is not None:
            value = registry.check_text(descriptor, name, text.strip())
        else:
            registry.check(descriptor, name, value)
    except UserError as e:
        raise UserError(f"--set {setting}: {e}") from e
    preset.plugins[key] = PluginSettings.model_validate(preset.plugins[key].model_dump() | {name: value})


def number_or_text(text: str) -> float | str:
    """A value from the command line: a number if it reads as one, else the name of a choice."""
    try:
        return float(text)
    except ValueError:
        return text


def check_plugins(preset: Preset) -> None:
    """Every plugin of the preset exists, loads, and takes the parameters given; raises ``UserError``."""
    for name, settings in preset.plugins.items():
        descriptor = registry.find(name).descriptor
        registry.resolve(descriptor, settings.parameters)
        registry.resolve_texts(descriptor, settings.parameters)


def check_preset(preset: Preset, origin: str) -> None:
    """All that can be checked without opening anything: plugins, parameters, outputs, routes, rules."""
    try:
        check_plugins(preset)
        named = {settings.name for settings in check_all(preset.outputs)}
        routing.check(preset, set(output_names(preset)), named)
    except UserError as e:
        raise UserError(f"preset {origin}: {e}") from e


CLOCK_VALUES = (
    "bpm",
    "beat_phase",
    "bar_phase",
    "beat_in_bar",
    "beats_per_bar",
    "beat",
    "bar",
    "phrase",
    "confidence",
    "state",
    "locked",
)


def output_names(preset: Preset) -> list[str]:
    """Names ``plugin.output`` of everything that a host with this preset publishes about the sound."""
    found = [f"transport.{n}" for n in CLOCK_VALUES]
    for name in preset.plugins:
        descriptor = registry.find(name).descriptor
        for output in descriptor.outputs:
            if output.kind == "observation":
                found += [f"{descriptor.identifier}.{n}" for n in ("beat", "tempo", "confidence")]
            else:
                found.append(f"{descriptor.identifier}.{output.identifier}")
    return found


def redirect_osc(outputs: Sequence[dict[str, Any]], targets: Sequence[str]) -> list[dict[str, Any]]:
    """The preset's outputs with its OSC going to `targets` instead.

    The first OSC output of the preset is the pattern (profile, offset); without one it is plain OSC.
    """
    if not targets:
        return list(outputs)
    pattern = next((dict(o) for o in outputs if o.get("kind") == "osc"), {"kind": "osc"})
    sent = [pattern | parse_osc_target(target) for target in targets]
    if "name" in pattern:
        sent[0]["name"] = pattern["name"]  # routes may ask for it by name
    return sent + [dict(o) for o in outputs if o.get("kind") != "osc"]


def redirect_osc_in(outputs: Sequence[dict[str, Any]], target: str | None) -> list[dict[str, Any]]:
    """The preset's outputs with OSC commands taken at `target` instead; ``off`` = nowhere, None = as they are."""
    if target is None:
        return list(outputs)
    pattern = next((dict(o) for o in outputs if o.get("kind") == "osc-in"), {"kind": "osc-in", "name": "control"})
    kept = [dict(o) for o in outputs if o.get("kind") != "osc-in"]
    if target == "off":
        return kept
    where = parse_osc_target(target)
    return [*kept, pattern | {"host": where["host"], "port": where["port"]}]
