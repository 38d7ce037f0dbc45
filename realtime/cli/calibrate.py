"""Measure how late sound comes in: clicks are played, heard back, and the preset's [input] latency_ms is set.

Hold the microphone to the loudspeaker, or join output and input with a cable; the way through air counts as input
latency (2.9 ms a metre). The figure belongs to this pair of devices; measure again when you change the input.
A shipped preset is not touched: your own copy of it gets the figure.

examples:
  sidechain calibrate                              default output and input; sets preset dj
  sidechain calibrate --output "Scarlett" --input "Scarlett" --preset lighting
  sidechain calibrate --dry-run --json             measure only
"""

from __future__ import annotations

import argparse
import os
import re
import tempfile
import tomllib
from pathlib import Path
from typing import Any

from realtime import preset as presets
from realtime.cli.common import add_json, notice, print_json
from realtime.cli.progress import progress_bar
from realtime.errors import UserError

_MOST = 1000.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("--output", "-o", default="", metavar="DEVICE", help="what plays (default: the system's)")
    parser.add_argument(
        "--input", "-i", default="", metavar="DEVICE", help="what hears (default: as the preset says)"
    )
    parser.add_argument("--preset", "-p", default="dj", metavar="NAME", help="preset to set (default: dj)")
    parser.add_argument("--clicks", type=int, default=8, metavar="N", help="how many, 4 to 100 (default: 8)")
    parser.add_argument("--level", type=float, default=-6.0, metavar="DB", help="of the clicks (default: -6 dB)")
    parser.add_argument("--dry-run", action="store_true", help="measure and print; change no preset")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from realtime.audio.roundtrip import measure

    if not 4 <= args.clicks <= 100:
        raise UserError(f"--clicks {args.clicks}: 4 to 100")
    if not -60.0 <= args.level <= 0.0:
        raise UserError(f"--level {args.level:g}: -60 to 0 dB")
    preset = presets.load(args.preset)
    settings = preset.input
    wanted = args.input or settings.device
    if wanted in ("demo", "-") or Path(wanted).is_file():
        raise UserError(f"input '{wanted}' is no device; give one with --input ('sidechain devices' lists them)")
    with progress_bar("listening", quiet=args.json) as bar:
        trip = measure(
            args.output,
            wanted,
            count=args.clicks,
            level=10 ** (args.level / 20),
            channels=max(settings.channels, default=0),
            sample_rate=settings.sample_rate,
            block=settings.block,
            progress=lambda share: bar(share, 1.0),
        )
    latency = round(1000 * trip.input_measured, 1)
    if abs(latency) > _MOST:
        raise UserError(f"calibration: {latency:.0f} ms cannot be right; try other devices")
    path = None if args.dry_run else write_latency(args.preset, latency)
    report: dict[str, Any] = {
        "output": trip.output,
        "input": trip.input,
        "round_trip_ms": 1000 * trip.total,
        "output_stated_ms": None if trip.output_stated is None else 1000 * trip.output_stated,
        "input_stated_ms": 1000 * trip.input_stated,
        "input_measured_ms": 1000 * trip.input_measured,
        "spread_ms": 1000 * trip.delays.spread,
        "clicks_heard": trip.delays.heard,
        "clicks_played": trip.delays.played,
        "latency_ms": latency,
        "was_ms": settings.latency_ms,
        "preset": None if path is None else str(path),
    }
    if args.json:
        print_json(report)
    else:
        _print(report)
        if not args.dry_run and not settings.device:
            notice(f"the figure is that of '{trip.input}': name it as [input] device, or with --input")
    return 0


def _print(r: dict[str, Any]) -> None:
    print(f"out of '{r['output']}', into '{r['input']}': {r['clicks_heard']} of {r['clicks_played']} clicks agree")
    print(f"round trip  {r['round_trip_ms']:7.1f} ms  measured, within ±{r['spread_ms']:.1f} ms")
    if r["output_stated_ms"] is None:
        print("  output    unknown      PortAudio states nothing that can be true; all of it counts as input")
    else:
        print(
            f"  output    {r['output_stated_ms']:7.1f} ms  as PortAudio states; what it leaves out counts as input"
        )
    print(
        f"  input     {r['input_measured_ms']:7.1f} ms  the rest (PortAudio states {r['input_stated_ms']:.1f} ms)"
    )
    if r["preset"] is None:
        print(f"nothing written; [input] latency_ms would be {r['latency_ms']:.1f} (it is {r['was_ms']:.1f})")
    else:
        print(f"[input] latency_ms = {r['latency_ms']:.1f} (it was {r['was_ms']:.1f}) in {r['preset']}")


def write_latency(name: str, latency_ms: float) -> Path:
    """Set ``[input] latency_ms`` in the user's own preset, atomically; what was there is kept as ``.bak``.

    Parameters
    ----------
    name : str
        Of a preset, the user's or a shipped one (of which the user gets a copy), or a file.

    Returns
    -------
    Path
        The file that was written.
    """
    source = presets.available().get(name) or Path(name)
    target = source if source.parent != presets.shipped_folder() else presets.user_folder() / source.name
    text = with_latency(source.read_text(encoding="utf-8"), latency_ms, str(source))
    temporary = ""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=target.parent, suffix=".tmp")
        with os.fdopen(handle, "w", encoding="utf-8") as f:
            f.write(text)
            f.flush()
            os.fsync(f.fileno())
        if target.exists():
            os.replace(target, target.with_suffix(".toml.bak"))
        os.replace(temporary, target)
    except OSError as e:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise UserError(f"preset {target}: cannot be written ({e.strerror})") from e
    return target


def with_latency(text: str, latency_ms: float, origin: str) -> str:
    """The text of a preset with another ``[input] latency_ms``; comments and all else stay as they are."""
    before = tomllib.loads(text)
    wanted = before | {"input": before.get("input", {}) | {"latency_ms": latency_ms}}
    line = f"latency_ms = {latency_ms!r}"
    head = re.search(r"^[ \t]*\[[ \t]*input[ \t]*\][^\n]*$", text, re.MULTILINE)
    if head is None:
        first = re.search(r"^[ \t]*\[", text, re.MULTILINE)
        at = first.start() if first is not None else len(text)
        lead = "" if at == 0 or text[:at].endswith("\n") else "\n"
        changed = f"{text[:at]}{lead}[input]\n{line}\n\n{text[at:]}"
    else:
        begin = head.end()
        following = re.search(r"^[ \t]*\[", text[begin:], re.MULTILINE)
        end = begin + following.start() if following is not None else len(text)
        section, count = re.subn(r"(?m)^[ \t]*latency_ms[ \t]*=[^#\n]*", line, text[begin:end], count=1)
        changed = text[:begin] + (section if count else f"\n{line}{section}") + text[end:]
    try:
        if tomllib.loads(changed) == wanted:
            return changed
    except tomllib.TOMLDecodeError:
        pass  # written in a way that this does not foresee (an inline table): written anew, without comments
    return (
        presets.dumps(presets.Preset.model_validate(wanted))
        if wanted
        else presets.dumps(presets.parse(text, origin))
    )
