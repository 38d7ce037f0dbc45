"""Sidechain's host: live sound in, causal plugins, messages out.

To embed it::

    from realtime import Engine, load_preset, open_source

    preset = load_preset("dj")
    engine = Engine(preset, open_source(preset.input, "demo"))
    engine.start()

To write a plugin::

    from realtime import AudioInput, Descriptor, Feature, Output, Plugin
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from realtime.audio.open import open_source
    from realtime.bus import Event, Value
    from realtime.engine import Engine
    from realtime.errors import UserError
    from realtime.hosting.kinds import (
        CombinePlugin,
        EventPlugin,
        Happening,
        InsertPlugin,
        JobControl,
        JobPlugin,
        Latest,
    )
    from realtime.hosting.plugin import AudioInput, Context, Descriptor, Feature, Output, Parameter, Plugin, Text
    from realtime.hosting.spectral import FluxSpec, LogMelSpec, StftSpec
    from realtime.musical import Beat, BeatObservation
    from realtime.preset import Preset
    from realtime.preset import load as load_preset
    from realtime.supervisor import Supervisor

_HOME = {
    "AudioInput": "realtime.hosting.plugin",
    "Beat": "realtime.musical",
    "BeatObservation": "realtime.musical",
    "CombinePlugin": "realtime.hosting.kinds",
    "Context": "realtime.hosting.plugin",
    "Descriptor": "realtime.hosting.plugin",
    "Engine": "realtime.engine",
    "Event": "realtime.bus",
    "EventPlugin": "realtime.hosting.kinds",
    "Feature": "realtime.hosting.plugin",
    "Happening": "realtime.hosting.kinds",
    "InsertPlugin": "realtime.hosting.kinds",
    "JobControl": "realtime.hosting.kinds",
    "JobPlugin": "realtime.hosting.kinds",
    "Latest": "realtime.hosting.kinds",
    "FluxSpec": "realtime.hosting.spectral",
    "LogMelSpec": "realtime.hosting.spectral",
    "Output": "realtime.hosting.plugin",
    "Parameter": "realtime.hosting.plugin",
    "Plugin": "realtime.hosting.plugin",
    "Preset": "realtime.preset",
    "StftSpec": "realtime.hosting.spectral",
    "Supervisor": "realtime.supervisor",
    "Text": "realtime.hosting.plugin",
    "UserError": "realtime.errors",
    "Value": "realtime.bus",
    "load_preset": "realtime.preset",
    "open_source": "realtime.audio.open",
}
_OTHER_NAME = {"load_preset": "load"}

__all__ = [
    "AudioInput",
    "Beat",
    "BeatObservation",
    "CombinePlugin",
    "Context",
    "Descriptor",
    "Engine",
    "Event",
    "EventPlugin",
    "Feature",
    "FluxSpec",
    "Happening",
    "InsertPlugin",
    "JobControl",
    "JobPlugin",
    "Latest",
    "LogMelSpec",
    "Output",
    "Parameter",
    "Plugin",
    "Preset",
    "StftSpec",
    "Supervisor",
    "Text",
    "UserError",
    "Value",
    "load_preset",
    "open_source",
]


def __getattr__(name: str) -> Any:
    """Import a public name at its first use: a plugin file needs none of the rest of the host."""
    if name not in _HOME:
        raise AttributeError(f"module 'realtime' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOME[name]), _OTHER_NAME.get(name, name))
