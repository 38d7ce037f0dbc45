"""librosa, if it is there."""

from __future__ import annotations

import importlib
from typing import Any

from realtime.errors import NotFetched


def librosa(who: str) -> Any:
    """The package. Raises ``NotFetched`` with the remedy where it, or what it stands on, is missing."""
    try:
        return importlib.import_module("librosa")
    except Exception as e:  # numba beside a numpy that it does not know fails in its own ways
        said = str(e).splitlines()[0] if str(e) else type(e).__name__
        raise NotFetched(f"{who}: needs librosa ({said}): pip install 'sidechain[reference]'") from e
