"""Event files for other programs: CSV, Audacity labels, Reaper markers, JAMS, and a MIDI file with a tempo map."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from realtime.errors import UserError
from realtime.outputs import tempomap
from realtime.outputs.eventfile import Entry

Writer = Callable[[Sequence[Entry], str], bytes]


def text_of(entry: Entry) -> str:
    """An event in a few words, for labels and markers."""
    value = entry.value
    number = "" if value is None else " ".join(f"{v:g}" for v in (value if isinstance(value, tuple) else (value,)))
    if entry.output == "beat" and number:
        return "bar" if number == "1" else f"beat {number}"
    return " ".join(w for w in (entry.name if not entry.label else entry.label, number) if w)


def to_csv(entries: Sequence[Entry], clock: str) -> bytes:
    """All events, a line each: time, emitted, plugin, output, value, label (RFC 4180)."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["time", "emitted", "plugin", "output", "value", "label"])
    for e in entries:
        value = " ".join(map(str, e.value)) if isinstance(e.value, tuple) else "" if e.value is None else e.value
        writer.writerow([f"{e.time:.6f}", f"{e.emitted:.6f}", e.plugin, e.output, value, e.label or ""])
    return out.getvalue().encode()


def to_audacity(entries: Sequence[Entry], clock: str) -> bytes:
    """A label track: start, end and text, tab-separated (Audacity manual, "Importing and Exporting Labels")."""
    lines = []
    for e in sorted(entries, key=lambda e: e.time):
        if e.time >= 0.0:
            words = " ".join(text_of(e).split())
            lines.append(f"{e.time:.6f}\t{e.time:.6f}\t{words}\n")
    return "".join(lines).encode()


def to_reaper(entries: Sequence[Entry], clock: str) -> bytes:
    """Markers for REAPER's Region/Marker Manager, "Import regions/markers" (ruler in minutes and seconds).

    Downbeats and everything with a label become markers; plain beats would be too many.
    """
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["#", "Name", "Start", "End", "Length"])
    number = 0
    for e in sorted(entries, key=lambda e: e.time):
        downbeat = e.name == f"{clock}.beat" and e.value == 1.0
        if e.time >= 0.0 and (downbeat or e.label is not None):
            number += 1
            minutes, seconds = divmod(round(e.time, 3), 60.0)
            writer.writerow(
                [f"M{number}", " ".join(text_of(e).split()), f"{int(minutes)}:{seconds:06.3f}", "", ""]
            )
    return out.getvalue().encode()


def to_jams(entries: Sequence[Entry], clock: str) -> bytes:
    """JAMS, one annotation an output (Humphrey et al., "JAMS: A JSON annotated music specification", 2014)."""
    outputs: dict[str, list[Entry]] = {}
    for e in entries:
        outputs.setdefault(e.name, []).append(e)
    annotations = []
    for name, found in outputs.items():
        namespace = _NAMESPACES.get(name.split(".")[1] if name.endswith(".beat") else name, "tag_open")
        annotations.append(
            {
                "namespace": namespace,
                "annotation_metadata": {
                    "annotator": {},
                    "annotation_tools": "sidechain",
                    "corpus": "",
                    "curator": {"name": "", "email": ""},
                    "data_source": "program",
                    "validation": "",
                    "version": "",
                    "annotation_rules": "",
                },
                "data": [
                    {"time": e.time, "duration": 0.0, "value": _jams_value(namespace, e), "confidence": None}
                    for e in sorted(found, key=lambda e: e.time)
                    if e.time >= 0.0
                ],
                "sandbox": {"output": name},
                "time": 0,
                "duration": None,
            }
        )
    duration = max((e.time for e in entries), default=0.0)
    whole = {
        "annotations": annotations,
        "file_metadata": {
            "title": "",
            "artist": "",
            "release": "",
            "duration": duration,
            "identifiers": {},
            "jams_version": "0.3.4",
        },
        "sandbox": {},
    }
    return (json.dumps(whole, indent=1, ensure_ascii=False) + "\n").encode()


FORMATS: Mapping[str, tuple[Writer, str]] = {
    "csv": (to_csv, "all events, for spreadsheets and scripts"),
    "audacity": (to_audacity, "a label track for Audacity"),
    "reaper": (to_reaper, "markers for REAPER's Region/Marker Manager"),
    "jams": (to_jams, "JAMS, for music research"),
    "midi": (tempomap.to_midi, "a MIDI file: tempo map, metre, drums and notes"),
}
"""Format → writer, and what it is for."""

ENDINGS: Mapping[str, str] = {
    ".csv": "csv",
    ".txt": "audacity",
    ".labels": "audacity",
    ".jams": "jams",
    ".mid": "midi",
    ".midi": "midi",
}
"""Ending of a file's name → format; ``.reaper.csv`` besides."""


def format_of(path: Path) -> str:
    """Format by a file's name (REAPER markers are CSV, too: ``NAME.reaper.csv``).

    Raises
    ------
    UserError
        The name ends in nothing we know.
    """
    if path.name.endswith(".reaper.csv"):
        return "reaper"
    if path.suffix.lower() not in ENDINGS:
        raise UserError(f"export {path}: end the name in {', '.join(ENDINGS)} or .reaper.csv")
    return ENDINGS[path.suffix.lower()]


def clock_of(entries: Sequence[Entry]) -> str:
    """The plugin whose beats are the clock: ``beat``, else ``tempo``, else any with beats; empty without."""
    found = {e.plugin for e in entries if e.output == "beat"}
    return next((p for p in ("beat", "tempo") if p in found), min(found, default=""))


def export(path: Path, entries: Sequence[Entry], form: str = "", clock: str = "") -> None:
    """Write events in another program's format, atomically.

    Parameters
    ----------
    form : str
        One of `FORMATS`; empty = by the file's name.
    clock : str
        Plugin whose beats make the tempo map; empty = see :func:`clock_of`.

    Raises
    ------
    UserError
        Unknown format, nothing to make it from, or the file cannot be written.
    """
    form = form or format_of(path)
    if form not in FORMATS:
        raise UserError(f"export: unknown format '{form}'; there are {', '.join(FORMATS)}")
    data = FORMATS[form][0](entries, clock or clock_of(entries))
    part = path.with_name(path.name + ".part")
    try:
        part.write_bytes(data)
        os.replace(part, path)
    except OSError as e:
        part.unlink(missing_ok=True)
        raise UserError(f"export {path}: cannot be written ({e.strerror})") from e


_NAMESPACES = {
    "beat": "beat",
    "onset.onset": "onset",
    "structure.section": "segment_open",
    "key.key": "key_mode",
    "pitch.note": "note_midi",
}


def _jams_value(namespace: str, e: Entry) -> float | str | None:
    first = e.value[0] if isinstance(e.value, tuple) and e.value else e.value
    number = float(first) if isinstance(first, (int, float)) else None
    if namespace == "onset":
        return number
    if namespace in ("beat", "note_midi"):
        return number
    return e.label if e.label is not None else f"{number:g}" if number is not None else e.output
