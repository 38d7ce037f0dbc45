"""Make docs/catalogue.md of docs/catalogue.toml, of the plugins themselves and of the model store.

usage: python scripts/catalogue.py [--check]     --check: only say whether the page is as it should be
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from typing import Any

from realtime.hosting import registry
from realtime.hosting.plugin import Descriptor
from realtime.store import entries

ROOT = Path(__file__).resolve().parent.parent
DATA, PAGE = ROOT / "docs" / "catalogue.toml", ROOT / "docs" / "catalogue.md"
STATES = {
    "hosted": "hosted",
    "partly": "in part",
    "bundle": "as a bundle from your own ONNX file; none is shipped or tested",
    "missing": "no",
}
HEAD = """# Catalogue

Every published system that Sidechain is to host, and how far that is. This page is made by
`python scripts/catalogue.py` of `docs/catalogue.toml`, the plugins and the model store; a test holds it to them.

{counts}.

What one of the slow lane costs here is its value `host.slow.NAME.cost`. Weights with a name in the store come by
`sidechain models get NAME`, after their licence has been shown.

| system | does | hosted | kind | latency | licence | weights | what is missing |
|---|---|---|---|---|---|---|---|
"""


def systems() -> list[dict[str, Any]]:
    """The rows of the data."""
    found: list[dict[str, Any]] = tomllib.loads(DATA.read_text(encoding="utf-8"))["system"]
    return found


def page() -> str:
    """The text of the page."""
    rows = systems()
    counts = {s: sum(r["state"] == s for r in rows) for s in STATES}
    told = (
        f"Of {len(rows)} rows, {counts['hosted']} are hosted in full, {counts['partly']} in part, "
        f"{counts['bundle']} run as a bundle only, and {counts['missing']} are missing"
    )
    return HEAD.format(counts=told) + "".join(_row(r) for r in rows)


def _row(row: dict[str, Any]) -> str:
    plugins = [_descriptor(p) for p in row.get("plugins", [])]
    names = ", ".join(f"`{d.identifier}`" for d in plugins)
    hosted = STATES[row["state"]] + (f": {names}" if names else "")
    kind = ", ".join(d.kind for d in plugins) or row["kind"]
    latency = ", ".join(f"{d.latency * 1e3:.0f} ms" for d in plugins) or "–"
    weights = row["weights"] + (f": `{row['model']}`" if "model" in row else "")
    cells = (row["name"], row["does"], hosted, kind, latency, row["licence"], weights, row.get("missing", ""))
    return "| " + " | ".join(cells) + " |\n"


def _descriptor(plugin: str) -> Descriptor:
    return registry.find(plugin).descriptor


def faults() -> list[str]:
    """What the data says that is not so."""
    found, store = [], entries.shipped()
    for row in systems():
        name, state = row["name"], row["state"]
        if state not in STATES:
            found.append(f"{name}: state '{state}'")
        if (state in ("hosted", "partly")) != bool(row.get("plugins")):
            found.append(f"{name}: plugins and state '{state}' do not go together")
        if state in ("partly", "missing") and not row.get("missing"):
            found.append(f"{name}: does not say what is missing")
        if state == "hosted" and row.get("missing"):
            found.append(f"{name}: hosted, and yet something is missing")
        if row.get("plugins") and not row.get("tests"):
            found.append(f"{name}: no test is named")
        found += [f"{name}: no file {t}" for t in row.get("tests", []) if not (ROOT / t).is_file()]
        if "model" in row and row["model"] not in store:
            found.append(f"{name}: no model '{row['model']}' in the store")
        if row["weights"] == "wheel" and "model" not in row:
            found.append(f"{name}: weights in a wheel, but no entry in the store")
    return found


def main(arguments: list[str]) -> int:
    """Write or check the page; the exit status."""
    wrong = faults()
    if not wrong and "--check" not in arguments:
        PAGE.write_text(page(), encoding="utf-8")
        print(PAGE)
        return 0
    if not wrong and PAGE.read_text(encoding="utf-8") != page():
        wrong.append(f"{PAGE.name} is not what python scripts/catalogue.py makes")
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
