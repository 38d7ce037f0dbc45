"""What each plugin costs, of whatever kind: processor time of a call, and the share of one core that it takes.

Each runs over the demo in a host and a process of its own, with one thread for arithmetic, as in a file: every
window, whether live sound would leave time for it or not. Plugins that it reads run beside it and are not counted;
nor are spectra that the host makes once for all plugins. Without names: all that are installed. A plugin whose
weights are not here, or that runs on demand, has no figure, and the table says why.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from realtime.bench.report import parser, progress, publish
from realtime.bench.sounds import LoopSource, read_sound
from realtime.engine import Engine
from realtime.errors import UserError
from realtime.hosting import registry
from realtime.hosting.slot import Cost
from realtime.hosting.slow.worker import limit_torch
from realtime.preset import PluginSettings, Preset

SECONDS = 24.0
PATIENCE = 900.0
_WARM = 2.0
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def measure(plugin: str, settings: Mapping[str, Any], seconds: float = SECONDS) -> dict[str, Any]:
    """Figures of one plugin, with those that it reads beside it, in this process.

    Parameters
    ----------
    plugin : str
        Identifier or path.
    settings : mapping
        As of ``[plugins.NAME]``.
    seconds : float
        Of sound; the first two are not counted.

    Returns
    -------
    dict
        ``call_ms`` (95 of 100 calls take no more: many plugins only gather sound in most of theirs), ``share``
        of one core in real time, ``every_ms`` (between calls; absent where only events call it); or ``not``: why
        there are no figures.
    """
    descriptor = registry.find(plugin).descriptor
    if descriptor.kind == "job":
        return {"not": "runs on demand"}
    given = PluginSettings.model_validate(settings)
    heard = {s.partition(".")[0] for s in given.sources or descriptor.sources}
    beside = {name: PluginSettings() for name in registry.discover(heard)} if heard else {}
    if heard and not beside:
        return {"not": f"nothing that it reads is installed ({', '.join(sorted(heard))})"}
    samples, rate = read_sound("demo")
    preset = Preset(name="cost", plugins=beside | {plugin: given})
    begun: list[float] = []

    def begin(at: float) -> None:
        """Count from here on: what is loaded and warmed up at first is not what it costs."""
        if not begun and at >= _WARM:
            begun.append(at)
            limit_torch()
            for slot in engine.slots:
                slot.clock, slot.cost = time.process_time, Cost()

    try:
        engine = Engine(preset, LoopSource(samples, rate, seconds), outputs=False)
        engine.run_offline(begin)
    except UserError as e:
        return {"not": str(e)}
    slot = next(s for s in engine.slots if s.identifier == descriptor.identifier)
    if slot.errors or not slot.cost.calls:
        return {"not": f"fails: {slot.error}" if slot.errors else "nothing called it"}
    figures = {
        "call_ms": 1e3 * slot.cost.percentile(95.0),
        "share": slot.cost.total / (seconds - begun[0]),
    }
    return figures if descriptor.kind == "event" else figures | {"every_ms": 1e3 * slot.hop_seconds}


def apart(plugin: str, settings: Mapping[str, Any], seconds: float = SECONDS) -> dict[str, Any]:
    """The same in a process of its own."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "realtime.bench.cost", plugin, json.dumps(dict(settings)), str(seconds)],
            capture_output=True, text=True, timeout=PATIENCE, check=False,
            env=os.environ | dict.fromkeys(_ONE_THREAD, "1"),
        )  # fmt: skip
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found
    except subprocess.TimeoutExpired:
        return {"not": f"takes more than {PATIENCE:.0f} s for {seconds:.0f} s of sound"}
    except (ValueError, IndexError):
        return {"not": f"ended with status {done.returncode}"}


def alone(arguments: Sequence[str]) -> int:
    """Print the figures of one plugin as a line of JSON: what `apart` starts."""
    plugin, settings, seconds = arguments
    try:
        figures = measure(plugin, json.loads(settings), float(seconds))
    except UserError as e:
        figures = {"not": str(e)}
    print(json.dumps(figures))
    return 0


def main(arguments: Sequence[str]) -> int:
    """``sidechain bench cost``."""
    p = parser("cost", __doc__)
    p.add_argument("plugin", nargs="*", help="identifiers or paths (default: all that are installed)")
    p.add_argument("--seconds", type=float, default=SECONDS, help="of sound for each (default: %(default)g)")
    args = p.parse_args(arguments)
    if args.seconds < 2 * _WARM:
        raise UserError(f"--seconds must be {2 * _WARM:g} or more")
    for name in args.plugin:
        registry.find(name)
    rows = []
    for name in args.plugin or sorted(registry.discover()):
        progress(name)
        found = apart(name, {}, args.seconds)
        rows.append({"plugin": name} | {k: found.get(k, "") for k in ("call_ms", "every_ms", "share", "not")})
    progress("")
    publish("cost", args, {"plugins": rows})
    return 0


if __name__ == "__main__":
    raise SystemExit(alone(sys.argv[1:]))
