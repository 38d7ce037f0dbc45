"""The schema of everything a user can set, and the one place that reads and writes it.

A preset is a TOML file: ``[input] [plugins.NAME] [transport] [[outputs]] [[routes]] [[rules]]``. Unknown keys
are errors that name the key and the nearest valid one.
"""

from __future__ import annotations

import difflib
import os
import re
import tempfile
import tomllib
from pathlib import Path
from typing import Any, Literal

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from realtime.errors import UserError
from realtime.outputs.rules.settings import RuleSettings


class Strict(BaseModel):
    """Base of all sections: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class InputSettings(Strict):
    """Where the sound comes from."""

    device: str = Field("", description="stable device name, a file, 'demo' or '-'; empty = system default")
    channels: list[int] = Field(default_factory=list, description="channels to use, from 1; empty = all")
    sample_rate: int = Field(0, ge=0, le=384_000, description="Hz; 0 = the device's own")
    block: int = Field(128, ge=16, le=8192, description="frames per device block")
    gain_db: float = Field(0.0, ge=-60.0, le=60.0)
    latency_ms: float = Field(0.0, ge=-1000.0, le=1000.0, description="correction of the input latency")


class PluginSettings(BaseModel):
    """One plugin: on or off, where its sound goes, what it reads, and its parameters by name (checked against its
    descriptor)."""

    model_config = ConfigDict(extra="allow")

    enabled: bool = True
    to: str = Field("", description="insert, job: where its sound goes: a device name, 'default', or NAME.flac")
    sources: list[str] = Field(
        default_factory=list, description="event, combine, job: plugin.output, in place of its own"
    )

    @property
    def parameters(self) -> dict[str, Any]:
        """Parameters as written in the preset."""
        return dict(self.model_extra or {})

    def keep(self, parameter: str, value: float | str) -> None:
        """Take over a parameter that was changed while running."""
        assert self.model_extra is not None
        self.model_extra[parameter] = value


class TransportSettings(Strict):
    """The musical clock."""

    source: str = Field("", description="plugin that the clock follows; empty = beat if present, else tempo")
    beats_per_bar: int = Field(0, ge=0, le=12, description="0 = as the tracker says")
    phrase_bars: int = Field(4, ge=1, le=64)
    low_bpm: float = Field(40.0, ge=20.0, le=400.0)
    high_bpm: float = Field(280.0, ge=20.0, le=400.0)
    max_slew: float = Field(0.04, gt=0.0, le=0.5, description="largest tempo deviation to correct, once settled")
    horizon_ms: float = Field(40.0, ge=5.0, le=500.0, description="how far ahead beats are committed")
    lock_confidence: float = Field(0.6, ge=0.0, le=1.0, description="chance of being right from which it locks")
    coast_bars: int = Field(32, ge=1, le=1024, description="bars to keep time without evidence")
    send_unlocked: bool = Field(False, description="send beats before the clock is locked")

    @model_validator(mode="after")
    def _window(self) -> TransportSettings:
        if self.high_bpm < self.low_bpm * 1.5:
            raise ValueError("high_bpm must be at least 1.5 × low_bpm")
        return self


class RouteSettings(Strict):
    """One plugin output to one message."""

    source: str = Field(description="plugin.output, e.g. bands.low, voice.active, transport.bpm")
    to: list[str] = Field(default_factory=list, description="names of outputs; empty = all that understand")
    address: str = Field(description="OSC address, or note:36@10, cc:21@1 …")
    label: str = Field("", description="only events with this label (e.g. kick)")
    low: float = Field(0.0, description="input value that maps to out_low")
    high: float = Field(1.0, description="input value that maps to out_high")
    out_low: float = 0.0
    out_high: float = 1.0
    curve: Literal["linear", "exp", "log", "s"] = "linear"
    invert: bool = False
    clamp: bool = True
    threshold: float | None = Field(None, description="gate: 1 above, 0 below")
    hysteresis: float = Field(0.0, ge=0.0)
    attack_ms: float = Field(0.0, ge=0.0, le=60_000.0)
    release_ms: float = Field(0.0, ge=0.0, le=60_000.0)
    quantise: float = Field(0.0, ge=0.0, le=64.0, description="wait for the next multiple of so many beats")
    rate: float = Field(0.0, ge=0.0, le=1000.0, description="most messages a second; 0 = no limit")
    enabled: bool = True


class Preset(Strict):
    """Everything a user can set."""

    name: str = ""
    description: str = ""
    input: InputSettings = Field(default_factory=InputSettings)
    plugins: dict[str, PluginSettings] = Field(default_factory=dict)
    transport: TransportSettings = Field(default_factory=TransportSettings)
    outputs: list[dict[str, Any]] = Field(
        default_factory=list, description="checked by each output's own Settings"
    )
    routes: list[RouteSettings] = Field(default_factory=list)
    rules: list[RuleSettings] = Field(default_factory=list)


def user_folder() -> Path:
    """Folder of the user's own presets (``SIDECHAIN_CONFIG`` overrides the platform's config folder)."""
    root = os.environ.get("SIDECHAIN_CONFIG") or platformdirs.user_config_dir("sidechain")
    return Path(root) / "presets"


def shipped_folder() -> Path:
    """Folder of the presets that come with the host."""
    return Path(__file__).resolve().parent.parent / "presets"


def available() -> dict[str, Path]:
    """Presets by name; a user's own hides a shipped one of the same name."""
    found = {p.stem: p for p in sorted(shipped_folder().glob("*.toml"))}
    if user_folder().is_dir():
        found |= {p.stem: p for p in sorted(user_folder().glob("*.toml"))}
    return found


def load(name: str) -> Preset:
    """Read a preset by name or path.

    Raises
    ------
    UserError
        Unknown name (with the nearest one), unreadable, malformed (with line), or wrong (with key).
    """
    path = Path(name)
    if not (name.endswith(".toml") or os.sep in name):
        found = available()
        if name not in found:
            raise UserError(f"unknown preset '{name}'{_nearest(name, found)}; 'sidechain presets' lists them")
        path = found[name]
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as e:
        raise UserError(f"preset {path}: cannot be read ({e.__class__.__name__}: {e})") from e
    return parse(text, str(path))


def parse(text: str, origin: str) -> Preset:
    """A preset from TOML text; `origin` names it in errors."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as e:
        raise UserError(f"preset {origin}: not valid TOML: {e}") from e
    try:
        preset = Preset.model_validate(data)
    except ValidationError as e:
        raise UserError(f"preset {origin}: {explain(e, Preset, text)}") from e
    preset.name = preset.name or Path(origin).stem
    return preset


def explain(error: ValidationError, model: type[BaseModel], text: str = "") -> str:
    """The first fault of a validation as one line: line number, key, what is wrong, nearest valid key."""
    first = error.errors()[0]
    path = [str(p) for p in first["loc"]]
    key = path[-1] if path else ""
    where = ".".join(path) or "preset"
    line = _line_of(text, path)
    at = f"line {line}: " if line else ""
    if first["type"] == "extra_forbidden":
        keys = _fields_at(model, path[:-1])
        return f"{at}unknown key '{where}'{_nearest(key, keys)}"
    given = first.get("input")
    shown = f" (given {given!r})" if isinstance(given, (int, float, str, bool)) else ""
    return f"{at}'{where}': {first['msg'].removeprefix('Value error, ')}{shown}"


def save(preset: Preset, path: Path) -> None:
    """Write atomically; the file that was there is kept as ``NAME.toml.bak``.

    Whenever the machine stops, `path` is the whole old file or the whole new one.

    Raises
    ------
    UserError
        It cannot be written, or a text in it cannot be; what was there is as before.
    """
    text = dumps(preset)
    try:
        again = parse(text, str(path)).model_copy(update={"name": preset.name})
        if dumps(again) != text:
            raise UserError(f"preset {path}: it would not be read as it is; nothing was written")
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            _write(path.with_suffix(".toml.bak"), path.read_bytes())
        _write(path, text.encode("utf-8"))
    except UnicodeEncodeError as e:
        raise UserError(f"preset {path}: holds a character that is none ({e.object[e.start : e.end]!r})") from e
    except OSError as e:
        raise UserError(f"preset {path}: cannot be written ({e.strerror})") from e


def _write(path: Path, content: bytes) -> None:
    """A file appears whole or not at all."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as f:
            f.write(content)
            f.flush()
            os.fsync(f.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def dumps(preset: Preset) -> str:
    """A preset as TOML, defaults left out."""
    data = preset.model_dump(exclude_defaults=True)
    lines: list[str] = []
    _table(lines, "", data)
    return "\n".join(lines).strip() + "\n"


def _table(lines: list[str], prefix: str, data: dict[str, Any]) -> None:
    nested = {k: v for k, v in data.items() if isinstance(v, dict)}
    arrays = {k: v for k, v in data.items() if isinstance(v, list) and v and all(isinstance(i, dict) for i in v)}
    for key, value in data.items():
        if key not in nested and key not in arrays and value is not None:
            lines.append(f"{_key(key)} = {_value(value)}")
    for key, value in nested.items():
        name = f"{prefix}{_key(key)}"
        lines += ["", f"[{name}]"]
        _table(lines, name + ".", value)
    for key, items in arrays.items():
        name = f"{prefix}{_key(key)}"
        for item in items:
            lines += ["", f"[[{name}]]"]
            _table(lines, name + ".", item)


_ESCAPES = {chr(c): f"\\u{c:04x}" for c in (*range(0x20), 0x7F)} | {
    '"': '\\"',
    "\\": "\\\\",
    "\n": "\\n",
    "\t": "\\t",
}
"""What a TOML string may not hold as it is."""


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _value(key)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_value(v) for v in value) + "]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items() if v is not None) + " }"
    return '"' + "".join(_ESCAPES.get(c, c) for c in str(value)) + '"'


def _nearest(name: str, names: Any) -> str:
    near = difflib.get_close_matches(name, list(names), n=1, cutoff=0.4)
    return f"; did you mean '{near[0]}'?" if near else ""


def _fields_at(model: type[BaseModel], path: list[str]) -> list[str]:
    """Valid keys at a place of the schema, followed through sections and lists."""
    for step in path:
        if step.isdigit():
            continue
        info = model.model_fields.get(step)
        if info is None:
            continue
        inner = info.annotation
        arguments = [a for a in getattr(inner, "__args__", ()) if isinstance(a, type)]
        for candidate in [inner, *arguments]:
            if isinstance(candidate, type) and issubclass(candidate, BaseModel):
                model = candidate
    return list(model.model_fields)


def _line_of(text: str, path: list[str]) -> int:
    """Line of the last key of `path` in the TOML text, found by walking its tables; 0 if not found."""
    if not text or not path:
        return 0
    section, index, want = [p for p in path[:-1] if not p.isdigit()], -1, path[-1]
    position = next((int(p) for p in path if p.isdigit()), None)
    inside = not section
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if line.startswith("["):
            name = line.strip("[] \t").split("]")[0].replace('"', "").split(".")
            if name == section:
                index += 1
            inside = name == section and (position is None or index == position)
            if name == [*section, want]:
                return number
        elif inside and re.match(rf'"?{re.escape(want)}"?\s*=', line):
            return number
    return 0
