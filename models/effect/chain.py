"""A chain of effects out of lines of text: ``Compressor threshold_db=-18 ratio=4``."""

from __future__ import annotations

import difflib
import importlib
import shlex
from typing import Any

from realtime.errors import NotFetched, UserError

EFFECTS = (
    "Bitcrush", "Chorus", "Clipping", "Compressor", "Delay", "Distortion", "Gain", "HighShelfFilter",
    "HighpassFilter", "LadderFilter", "Limiter", "LowShelfFilter", "LowpassFilter", "NoiseGate", "PeakFilter",
    "Phaser", "Reverb",
)  # fmt: skip
"""Of pedalboard's own; those that read files, change the rate, or hold sound back for seconds are left out."""

PLUGIN = "VST3"
MOST = 16
_NOT_SETTINGS = {"is_effect", "is_instrument"}


def package() -> Any:
    """The package; raises ``NotFetched`` with the remedy."""
    try:
        return importlib.import_module("pedalboard")
    except ImportError as e:
        raise NotFetched(f"effect: needs pedalboard (GPL-3.0): pip install 'sidechain[effects]' ({e})") from e


def build(text: str) -> Any:
    """A ``pedalboard.Pedalboard`` of the lines of `text`; raises ``UserError``."""
    pedalboard = package()
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise NotFetched('effect: no chain; e.g. [plugins.effect] chain = ["Compressor ratio=4", "Reverb"]')
    if len(lines) > MOST:
        raise UserError(f"effect: chain has {len(lines)} effects; at most {MOST}")
    return pedalboard.Pedalboard([_effect(pedalboard, line) for line in lines])


def _effect(pedalboard: Any, line: str) -> Any:
    try:
        name, *words = shlex.split(line)
    except ValueError as e:
        raise UserError(f"effect: chain: '{line}': {e}") from e
    given = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            raise UserError(f"effect: chain: '{word}' in '{line}' must be NAME=VALUE")
        given[key] = value
    if name == PLUGIN:
        return _plugin(pedalboard, line, given)
    if name not in EFFECTS:
        near = difflib.get_close_matches(name, [*EFFECTS, PLUGIN], n=1, cutoff=0.4)
        hint = f"did you mean '{near[0]}'?" if near else f"there are {', '.join(EFFECTS)}, {PLUGIN}"
        raise UserError(f"effect: chain: no effect '{name}'; {hint}")
    effect = getattr(pedalboard, name)()
    known = [k for k, v in vars(type(effect)).items() if isinstance(v, property) and k not in _NOT_SETTINGS]
    for key, value in given.items():
        if key not in known:
            raise UserError(f"effect: chain: {name} has no '{key}'; it has {', '.join(known) or 'none'}")
        _set(effect, name, key, value)
    return effect


def _plugin(pedalboard: Any, line: str, given: dict[str, str]) -> Any:
    """A VST3 plugin from a file: foreign code, which runs in the host's process."""
    path = given.pop("path", "")
    if not path:
        raise UserError(f"effect: chain: '{line}' must name a file: VST3 path=/…/Name.vst3")
    try:
        effect = pedalboard.VST3Plugin(path, plugin_name=given.pop("plugin", None))
    except Exception as e:  # whatever the loader raises
        said = str(e).strip().splitlines()[0] if str(e).strip() else type(e).__name__
        raise UserError(f"effect: chain: {path} cannot be loaded as VST3 ({said[:200]})") from e
    if not effect.is_effect:
        raise UserError(f"effect: chain: {path} is an instrument, not an effect")
    for key, value in given.items():
        if key not in effect.parameters:
            raise UserError(f"effect: chain: {path} has no '{key}'; it has {', '.join(effect.parameters)[:300]}")
        _set(effect, path, key, value)
    return effect


def _set(effect: Any, name: str, key: str, value: str) -> None:
    try:
        setattr(effect, key, float(value))
    except Exception as e:  # a word where a number belongs, or a value that the effect refuses
        said = str(e).strip().splitlines()[0] if str(e).strip() else type(e).__name__
        raise UserError(f"effect: chain: {name} {key}={value}: {said[:200]}") from e
