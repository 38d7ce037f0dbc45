"""Whether the weights that a plugin needs are here: those of its default model, or the store's for it."""

from __future__ import annotations

import importlib.util
import os
import re
from pathlib import Path

from realtime.errors import UserError
from realtime.hosting.plugin import Descriptor
from realtime.store.store import Store

_SAID = {"here": "here", "missing": "not fetched", "damaged": "damaged"}
_OWNED = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+\Z")


def weights(descriptor: Descriptor, store: Store) -> str:
    """What a plugin loads and whether it is here, in a few words; empty if it brings all that it needs.

    Parameters
    ----------
    descriptor : Descriptor
        Its text setting ``model`` names a store entry, ``OWNER/NAME`` on the hub, or a package; without one, an
        entry of the store that says ``for = "plugin NAME"`` counts.
    store : Store

    Returns
    -------
    str
        ``"silero-vad: here"``, ``"OWNER/NAME: not fetched"``.
    """
    text = descriptor.text("model")
    model = text.default if text is not None else ""
    if not model:
        model = next((n for n, e in store.entries.items() if descriptor.identifier in _named(e.purpose)), "")
    if model in store.entries:
        try:
            return f"{model}: {_SAID[store.state(model)]}"
        except (OSError, UserError):
            return f"{model}: cannot be read"
    if _OWNED.match(model):
        return f"{model}: {'here' if in_hub_cache(model) else 'not fetched'}"
    if model.isidentifier():  # a model that is a package
        return f"{model}: {'here' if importlib.util.find_spec(model) is not None else 'not fetched'}"
    return model


def in_hub_cache(model: str) -> bool:
    """Whether some revision of ``OWNER/NAME`` lies where the hub's own programs keep it."""
    home = os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "huggingface")
    cache = Path(os.environ.get("HF_HUB_CACHE") or Path(home, "hub")).expanduser()
    try:
        return any((cache / f"models--{model.replace('/', '--')}" / "snapshots").iterdir())
    except OSError:
        return False


def _named(purpose: str) -> set[str]:
    """The plugins that an entry of the store says it is for."""
    first = purpose.split(";")[0]
    return set(re.split(r"[\s,]+", first)) - {"plugin", "plugins"} if first.startswith("plugin") else set()
