"""Make docs/catalogue.md of docs/catalogue.toml, the plugins themselves, the model store and measured cost.

usage: python scripts/catalogue.py [--check | --measure [PLUGIN …]]
  --check    only say whether the page is as it should be
  --measure  measure the cost of all plugins of the catalogue on this machine first, and keep it in
             docs/catalogue.figures.json; those whose weights are not here have no figure. With names: only of
             these, the other figures stay
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

from models.hub.blank import blank
from realtime.bench.cost import apart
from realtime.bench.report import machine, machine_line, write_json
from realtime.hosting import registry
from realtime.hosting.plugin import Descriptor
from realtime.store import entries

ROOT = Path(__file__).resolve().parent.parent
RECIPES = ROOT / "docs" / "bundles.md"
DATA, PAGE = ROOT / "docs" / "catalogue.toml", ROOT / "docs" / "catalogue.md"
FIGURES = ROOT / "docs" / "catalogue.figures.json"
SECONDS = 12.0
"""Of sound, for each plugin that is measured."""

STATES = {
    "hosted": "hosted",
    "partly": "in part",
    "bundle": "as a bundle from your own ONNX file",
    "missing": "no",
}
HEAD = """# Catalogue

Every published system that Sidechain is to host, and how far that is. This page is made by
`python scripts/catalogue.py` of `docs/catalogue.toml`, the plugins and the model store; a test holds it to them.

{counts}.

Cost is processor time of one call (95 of 100 take no more), and the share of one core that all calls take,
measured by `python scripts/catalogue.py --measure` on {machine}. What a plugin of the slow lane costs on your
machine is its value `host.slow.NAME.cost`; `sidechain bench cost NAME` measures any. Weights with a name in the
store come by `sidechain models get NAME`, after their licence has been shown.

| system | does | hosted | kind | latency | cost | licence | weights | what is missing |
|---|---|---|---|---|---|---|---|---|
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
        f"{counts['bundle']} run as a bundle only, missing: {counts['missing']}"
    )
    measured = figures()
    head = HEAD.format(counts=told, machine=measured["machine"])
    known = descriptors()
    return head + "".join(_row(r, known, measured["plugins"]) for r in rows)


def figures() -> dict[str, Any]:
    """What was measured: the machine, and the figures by plugin."""
    if not FIGURES.is_file():
        return {"machine": "no machine yet", "plugins": {}}
    found: dict[str, Any] = json.loads(FIGURES.read_text(encoding="utf-8"))
    return found


BLANK = {
    "hub-tags": "ast",
    "hub-clap": "clap",
    "hub-embed": "wav2vec2",
    "hub-drumkit": "wav2vec2",
    "hub-speech": "wav2vec2",
    "hub-speaker": "wavlm-speaker",
}
"""Plugins of the hub that are measured with random weights in a network of published size: it costs the same."""

BLANK_SECONDS = 24.0
"""Of sound for these, whose windows are long."""


def cost_of(plugin: str, settings: dict[str, Any]) -> dict[str, Any]:
    """What one plugin costs, or why that is not known."""
    if plugin not in BLANK:
        return apart(plugin, settings, SECONDS)
    with tempfile.TemporaryDirectory() as folder:
        model = blank(BLANK[plugin], Path(folder) / BLANK[plugin])
        said = apart(plugin, {**settings, "model": str(model)}, BLANK_SECONDS)
    return said if "not" in said else said | {"random": BLANK[plugin]}


def measure(names: list[str]) -> None:
    """Measure the plugins named, or all, and keep each one's figures as soon as they are there."""
    wanted: dict[str, dict[str, Any]] = {}
    for row in systems():
        for plugin in row.get("plugins", []):
            wanted[plugin] = wanted.get(plugin) or row.get("measure", {})
    known = figures()
    found: dict[str, Any] = {p: f for p, f in known["plugins"].items() if p in wanted}
    for plugin in names or wanted:
        print(plugin, end=" ", flush=True)
        said = cost_of(plugin, wanted[plugin])
        print(said.get("not") or f"{said['call_ms']:.3g} ms, {100 * said['share']:.3g} %", flush=True)
        found.pop(plugin, None)
        if "not" not in said:
            found[plugin] = {k: v if isinstance(v, str) else round(v, 5) for k, v in said.items()}
            if names:  # the others keep their machine's name at the head of the page
                found[plugin]["on"] = machine_line().split(",")[0]
        where = known["machine"] if names else f"{machine_line()} (load average {machine()['busy']})"
        write_json(FIGURES, {"machine": where, "plugins": dict(sorted(found.items()))})


def _cost(plugin: Descriptor, measured: dict[str, Any]) -> str:
    found = measured.get(plugin.identifier, {})
    if "call_ms" not in found:
        return "on demand" if plugin.kind == "job" else "not measured"
    call, share = (f"{v:.0f}" if v >= 100 else f"{v:.2g}" for v in (found["call_ms"], 100 * found["share"]))
    told = f"{call} ms, {share} %"
    told += f" on {found['on']}" if "on" in found else ""
    return f"{told} ({found['random']}, random weights)" if "random" in found else told


def _row(row: dict[str, Any], known: dict[str, Descriptor], measured: dict[str, Any]) -> str:
    plugins = [known[p] for p in row.get("plugins", [])]
    names = ", ".join(f"`{d.identifier}`" for d in plugins)
    hosted = STATES[row["state"]] + (f": {names}" if names else "")
    if "recipe" in row:
        hosted += f", [recipe](bundles.md#{row['recipe']})"
    kind = ", ".join(d.kind for d in plugins) or row["kind"]
    latency = ", ".join(f"{d.latency * 1e3:.0f} ms" for d in plugins) or "–"
    cost = ", ".join(_cost(p, measured) for p in plugins) or "–"
    named = ", ".join(f"`{m}`" for m in models(row))
    weights = row["weights"] + (f": {named}" if named else "")
    cells = (
        row["name"],
        row["does"],
        hosted,
        kind,
        latency,
        cost,
        row["licence"],
        weights,
        row.get("missing", ""),
    )
    return "| " + " | ".join(cells) + " |\n"


def models(row: dict[str, Any]) -> list[str]:
    """A row's entries in the model store: one, or a list."""
    given = row.get("model", [])
    return given if isinstance(given, list) else [given]


def descriptors() -> dict[str, Descriptor]:
    """Of all plugins that rows name; raises ``UserError`` for one that is not there."""
    names = {p for row in systems() for p in row.get("plugins", [])}
    found = registry.discover(names)
    return {name: found[name].descriptor or registry.find(name).descriptor for name in names & found.keys()} | {
        name: registry.find(name).descriptor for name in names - found.keys()
    }


def anchors() -> set[str]:
    """Headings of the page of recipes, as links to them are written."""
    heads = re.findall(r"^## (.*)$", RECIPES.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head).strip().lower().replace(" ", "-") for head in heads}


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
        if state == "bundle" and "recipe" not in row:
            found.append(f"{name}: a bundle without a recipe")
        if "recipe" in row and row["recipe"] not in anchors():
            found.append(f"{name}: {RECIPES.name} has no heading '{row['recipe']}'")
        if (row.get("plugins") or "recipe" in row) and not row.get("tests"):
            found.append(f"{name}: no test is named")
        found += [f"{name}: no file {t}" for t in row.get("tests", []) if not (ROOT / t).is_file()]
        found += [f"{name}: no model '{m}' in the store" for m in models(row) if m not in store]
        if row["weights"] == "wheel" and "model" not in row:
            found.append(f"{name}: weights in a wheel, but no entry in the store")
    known = {p for row in systems() for p in row.get("plugins", [])}
    found += [f"{FIGURES.name}: no row has '{p}'" for p in figures()["plugins"] if p not in known]
    return found


def main(arguments: list[str]) -> int:
    """Write or check the page; the exit status."""
    names = [a for a in arguments if not a.startswith("-")]
    unknown = {a for a in arguments if a.startswith("-")} - {"--check", "--measure"}
    unknown |= set(names) - {p for row in systems() for p in row.get("plugins", []) if "--measure" in arguments}
    wrong = [f"unknown argument '{a}'" for a in sorted(unknown)] or faults()
    if not wrong and "--measure" in arguments:
        measure(names)
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
