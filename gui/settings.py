"""What the window remembers: one small JSON file, written atomically."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import platformdirs

from gui.look import PALETTES, Choices
from gui.theme import SCALES, THEMES


@dataclass
class Settings:
    """As remembered; anything that is missing or makes no sense is as in a new installation."""

    theme: str = "dark"
    palette: str = "inferno"
    low: float = -70.0
    high: float = 0.0
    span: float = 8.0
    scale: float = 1.0
    page: int = 0
    geometry: str = ""
    docks: str = ""
    recent: list[str] = field(default_factory=list)

    def choices(self) -> Choices:
        """The part that dresses the views."""
        return Choices(THEMES[self.theme], self.palette, self.low, self.high, self.span, self.scale)

    def take(self, choices: Choices) -> None:
        """Remember a dress."""
        self.theme, self.palette, self.scale = choices.theme.name, choices.palette, choices.scale
        self.low, self.high, self.span = choices.low, choices.high, choices.span


def place() -> Path:
    """The file (``SIDECHAIN_CONFIG`` overrides the platform's config folder)."""
    root = os.environ.get("SIDECHAIN_CONFIG") or platformdirs.user_config_dir("sidechain")
    return Path(root) / "gui.json"


def load(path: Path | None = None) -> Settings:
    """What was remembered; a damaged file is as good as none."""
    try:
        data = json.loads((path or place()).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return Settings()
    return _checked(data) if isinstance(data, dict) else Settings()


def save(settings: Settings, path: Path | None = None) -> bool:
    """Write beside the old file, then take its place; False where that is not possible."""
    target = path or place()
    temporary = ""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=target.parent, suffix=".tmp")
        with os.fdopen(handle, "w", encoding="utf-8") as f:
            json.dump(settings.__dict__, f, indent=1)
            f.flush()
            os.fsync(f.fileno())
        os.replace(temporary, target)
    except OSError:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        return False
    return True


def _checked(data: dict[str, Any]) -> Settings:
    made = Settings()
    for name, default in list(made.__dict__.items()):
        value = data.get(name)
        if isinstance(default, float) and isinstance(value, (int, float)) and not isinstance(value, bool):
            setattr(made, name, float(value))
        elif type(value) is type(default):
            setattr(made, name, value)
    fresh = Settings()
    made.theme = made.theme if made.theme in THEMES else fresh.theme
    made.palette = made.palette if made.palette in PALETTES else fresh.palette
    made.scale = made.scale if made.scale in SCALES else fresh.scale
    made.span = made.span if 2.0 <= made.span <= 30.0 else fresh.span
    if not -120.0 <= made.low <= made.high - 10.0 <= 10.0:
        made.low, made.high = fresh.low, fresh.high
    made.recent = [r for r in made.recent if isinstance(r, str)][:8]
    return made
