"""What ``sidechain doctor`` looks at: one function a check, each says what it found and how to mend it."""

from __future__ import annotations

import importlib.util
import os
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from realtime import preset as presets
from realtime.errors import NotFetched, UserError

State = Literal["ok", "warning", "problem"]

OSC_IN_PORT = 9001
WEBSOCKET_PORT = 8765


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's report."""

    name: str
    state: State
    text: str
    remedy: str = ""


def _python() -> list[Finding]:
    told = sys.version.split()[0]
    if sys.version_info < (3, 11):  # noqa: UP036  -- run from a checkout, pip has not checked it
        return [Finding("python", "problem", told, "install Python 3.11 or newer")]
    return [Finding("python", "ok", f"{told} on {sys.platform}")]


def _portaudio() -> list[Finding]:
    remedy = "Debian/Ubuntu: sudo apt-get install libportaudio2; until then files, 'demo' and '-' work as inputs"
    try:
        import sounddevice
    except OSError as e:
        return [Finding("portaudio", "warning", str(e), remedy)]
    found = [Finding("portaudio", "ok", sounddevice.get_portaudio_version()[1])]
    if importlib.util.find_spec("rtmixer") is None:
        text = "missing: capture runs through a Python callback and may lose sound when the program is busy"
        found.append(Finding("rtmixer", "warning", text, "pip install rtmixer"))
    else:
        found.append(Finding("rtmixer", "ok", "capture runs in C"))
    return found


def _devices() -> list[Finding]:
    from realtime.audio.devices import list_devices

    try:
        devices = list_devices()
    except UserError as e:
        return [Finding("devices", "warning", str(e))]
    if not devices:
        text = "no sound input"
        return [Finding("devices", "warning", text, "connect one, or use --input FILE, --input demo or --input -")]
    default = next((d.name for d in devices if d.default), "none is the default")
    found = [Finding("devices", "ok", f"{len(devices)} inputs; default: {default}")]
    loopbacks = [d.name for d in devices if d.loopback]
    if loopbacks:
        found.append(Finding("loopback", "ok", f"what the computer plays: {', '.join(loopbacks)}"))
    else:
        text = "none found: what the computer itself plays cannot be heard"
        found.append(Finding("loopback", "warning", text, "see 'What the computer plays' in docs/connect.md"))
    return found


def _sound_servers() -> list[Finding]:
    if not sys.platform.startswith("linux"):
        return []
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR", f"/run/user/{os.getuid()}"))
    places = {"PipeWire": runtime / "pipewire-0", "PulseAudio": runtime / "pulse" / "native"}
    running = [name for name, path in places.items() if path.exists()]
    if any(Path("/dev/shm").glob(f"jack_default_{os.getuid()}_0*")):
        running.append("JACK")
    if not running:
        return [Finding("sound server", "warning", "none runs here", "fine for files and plain ALSA devices")]
    return [Finding("sound server", "ok", ", ".join(running))]


@contextmanager
def _libraries_muted() -> Iterator[None]:
    """What C libraries write on stderr by themselves goes nowhere; the report says it better."""
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _midi() -> list[Finding]:
    import rtmidi

    found: list[Finding] = []
    for api in rtmidi.get_compiled_api():
        name = rtmidi.get_api_display_name(api)
        if api == rtmidi.API_RTMIDI_DUMMY:
            continue
        try:
            with _libraries_muted():
                port = rtmidi.MidiOut(api)
                count = port.get_port_count()
                port.delete()
        except Exception as e:  # rtmidi raises its own, per system
            text = f"{name}: not usable ({' '.join(str(e).split())})"
            found.append(
                Finding("midi", "warning", text, "ALSA: sudo modprobe snd-seq; JACK: start a JACK server")
            )
        else:
            found.append(Finding("midi", "ok", f"{name}: {count} ports"))
    return found or [Finding("midi", "warning", "no MIDI system", "reinstall python-rtmidi for this platform")]


def _ports() -> list[Finding]:
    checks = (
        ("OSC in", socket.SOCK_DGRAM, OSC_IN_PORT, "set [control] osc_port in the preset (0 = none)"),
        ("WebSocket", socket.SOCK_STREAM, WEBSOCKET_PORT, "choose another one: --websocket 127.0.0.1:8766"),
    )
    found = []
    for name, kind, port, remedy in checks:
        with socket.socket(socket.AF_INET, kind) as s:
            if kind == socket.SOCK_STREAM and os.name == "posix":
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                text = f"{name} port {port} is taken (by another host?)"
                found.append(Finding("ports", "warning", text, remedy))
            else:
                found.append(Finding("ports", "ok", f"{name} port {port} is free"))
    return found


def _presets() -> list[Finding]:
    from realtime.cli.presets import check

    bad = []
    names = presets.available()
    for name in names:
        try:
            check(name)
        except UserError as e:
            bad.append(Finding("presets", "problem", str(e), f"mend or delete {names[name]}"))
    return bad or [Finding("presets", "ok", f"{len(names)}: {' '.join(names)}")]


def _plugins() -> list[Finding]:
    from realtime.hosting import registry
    from realtime.hosting.plugin import Context

    bad, good, slow = [], [], []
    for entry in registry.discover().values():
        if entry.factory is None:
            remedy = f"it comes from {entry.origin}: mend or remove it there"
            bad.append(Finding("plugins", "problem", f"{entry.identifier}: {entry.error}", remedy))
            continue
        if entry.factory.descriptor.lane == "slow":  # they load libraries for seconds, in processes of their own
            slow.append(entry.identifier)
            continue
        try:
            plugin = entry.factory()
            declared = entry.factory.descriptor
            texts = {t.identifier: t.default for t in declared.texts}
            plugin.prepare(Context(registry.resolve(declared, {}), texts=texts))
            plugin.close()
        except NotFetched as e:
            bad.append(Finding("plugins", "ok", f"{entry.identifier} is off: {e}"))
        except Exception as e:  # anybody's code
            reason = str(e) if isinstance(e, UserError) else f"{type(e).__name__}: {e}"
            text = f"{entry.identifier} cannot be prepared: {reason}"
            bad.append(Finding("plugins", "problem", text, f"it comes from {entry.origin}"))
        else:
            good.append(entry.identifier)
    told = f"{len(good)} load: {' '.join(good)}; your own go to {registry.plugin_folder()}"
    found = [*bad, Finding("plugins", "ok" if good else "problem", told)]
    if slow:
        text = f"{len(slow)} more load when they are first used; 'sidechain plugins' tells what each needs"
        found.append(Finding("slow plugins", "ok", f"{text}: {' '.join(slow)}"))
    return found


def _onnxruntime() -> list[Finding]:
    try:
        import onnxruntime
    except ImportError as e:
        return [Finding("onnxruntime", "problem", str(e), "pip install onnxruntime")]
    return [Finding("onnxruntime", "ok", onnxruntime.__version__)]


def _priority() -> list[Finding]:
    if not sys.platform.startswith("linux"):
        return []
    import resource

    limit = resource.getrlimit(resource.RLIMIT_RTPRIO)[0]
    if limit > 0 or os.geteuid() == 0 or limit == resource.RLIM_INFINITY:
        return [Finding("priority", "ok", "real-time priority may be asked for")]
    remedy = "put yourself into the group 'audio' and '@audio - rtprio 95' into /etc/security/limits.d/audio.conf"
    return [Finding("priority", "warning", "no real-time priority: fine on a calm machine", remedy)]


def _cores() -> list[Finding]:
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if count < 2:
        return [Finding("cores", "warning", "one core: the engine shares it with everything else")]
    return [Finding("cores", "ok", str(count))]


def _folders() -> list[Finding]:
    folder = presets.user_folder()
    there = next(p for p in (folder, *folder.parents) if p.exists())
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as e:
        remedy = f"make {folder} writable, or set SIDECHAIN_CONFIG to a folder that is"
        return [Finding("config folder", "problem", f"{folder}: {e.strerror}", remedy)]
    return [Finding("config folder", "ok", str(folder))]


CHECKS: tuple[Callable[[], list[Finding]], ...] = (
    _python,
    _cores,
    _portaudio,
    _sound_servers,
    _devices,
    _midi,
    _ports,
    _onnxruntime,
    _plugins,
    _presets,
    _folders,
    _priority,
)
