"""Run the host: sound in, plugins, results out, until Ctrl-C or the end of the sound.

INPUT is a device name (see 'sidechain devices'; a part that fits only one is enough), a sound file, 'demo' for
the built-in piece, '-' for WAV on standard input, or '-,rate=48000,channels=2,dtype=s16' for raw sound there.
Without --input it is what the preset says, else the default device, else the demo.

examples:
  sidechain live
  sidechain live --input demo --preset dj --osc 192.168.1.20:7000 --osc 127.0.0.1:9000
  sidechain live --input "Scarlett" --channels 3,4 --record set.jsonl --record-audio
  ffmpeg -i http://radio/stream -f wav - | sidechain live --input -
"""

from __future__ import annotations

import argparse
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import platformdirs

from realtime.cli.build import add_plugin_arguments, check_preset, preset_for, redirect_osc, redirect_osc_in
from realtime.cli.common import Address, address, names, notice
from realtime.client import EngineClient
from realtime.errors import UserError
from realtime.outputs.registry import check_all
from realtime.preset import Preset

if TYPE_CHECKING:
    from realtime.outputs.recorder import Recordings
    from realtime.supervisor import Supervisor


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("--input", "-i", default="", metavar="INPUT", help="device name, file, 'demo' or '-'")
    parser.add_argument("--channels", metavar="N,…", help="channels of the input to use, from 1 (default: all)")
    parser.add_argument("--preset", "-p", default="dj", help="name or file (default: dj); see 'sidechain presets'")
    add_plugin_arguments(parser)
    parser.add_argument(
        "--osc",
        action="append",
        default=[],
        metavar="HOST:PORT",
        help="send OSC here instead of where the preset says (repeatable)",
    )
    parser.add_argument(
        "--osc-in",
        metavar="HOST:PORT",
        help="take OSC commands here instead of where the preset says; 'off' for nowhere",
    )
    parser.add_argument(
        "--websocket",
        default="127.0.0.1:8765",
        metavar="HOST:PORT",
        help="where to serve the web page and the WebSocket; 'off' for none (default: %(default)s)",
    )
    parser.add_argument(
        "--token", default="", help="secret that WebSocket clients must give; needed beyond this machine"
    )
    parser.add_argument("--record", metavar="FILE.jsonl", help="write all events to a file")
    parser.add_argument(
        "--record-audio", action="store_true", help="write the sound too, beside the events: FILE.flac"
    )
    parser.add_argument("--seconds", type=float, default=math.inf, metavar="N", help="end after so many seconds")
    parser.add_argument("--no-ui", action="store_true", help="no live view; only what starts and what fails")


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    if not args.seconds > 0:
        raise UserError(f"--seconds {args.seconds:g}: must be more than 0")
    where = None if args.websocket == "off" else address(args.websocket, lowest_port=0)
    preset = live_preset(args)
    source = choose_input(args.input, preset)
    with terminated_like_ctrl_c() as terminated:
        try:
            _run(args, preset, source, where)
        except KeyboardInterrupt:
            if not terminated.is_set():
                raise
    return 0


def live_preset(args: argparse.Namespace) -> Preset:
    """The preset with what the command line changes in it, checked."""
    preset = preset_for(args.preset, args.only, args.set)
    preset.outputs = redirect_osc_in(redirect_osc(preset.outputs, args.osc), args.osc_in)
    if args.channels:
        chosen = names(args.channels)
        if not all(c.isdigit() and int(c) > 0 for c in chosen):
            raise UserError(f"--channels {args.channels}: numbers from 1, e.g. 1,2")
        preset.input.channels = [int(c) for c in chosen]
    check_preset(preset, preset.name or args.preset)
    return preset


def choose_input(wanted: str, preset: Preset) -> str:
    """What to listen to: as asked, as the preset says, the default device, or the demo where there is none."""
    if wanted or preset.input.device:
        return wanted or preset.input.device
    from realtime.audio.devices import list_devices, measure_level

    try:
        if not list_devices():
            notice("no sound input here; playing the demo ('sidechain devices' lists inputs)")
            return "demo"
        measure_level("", seconds=0.05)
    except UserError as e:
        notice(f"{e}; playing the demo")
        return "demo"
    return ""


def _run(args: argparse.Namespace, preset: Preset, source: str, where: Address | None) -> None:
    from realtime.front import Front
    from realtime.outputs.recorder import Recorder, Recordings
    from realtime.supervisor import Supervisor
    from realtime.web.server import WebSocketServer

    folder = recordings_folder()
    supervisor = Supervisor(preset, source, record=sound_file(args), recordings=str(folder))
    recordings = Recordings(supervisor, folder, say=notice)
    with ExitStack() as stack:
        # What can be refused without sound is refused before the engine starts; all of it ends after the engine,
        # so that nothing of the last moments is lost.
        recorder = Recorder(supervisor, Path(args.record), say=notice) if args.record else None
        server = None
        if where is not None:
            server = WebSocketServer(
                supervisor,
                where.host,
                where.port,
                token=args.token,
                methods=recordings.methods() | Front(supervisor).methods(),
            )
        stack.callback(_finish, recordings)
        for part in (recorder, server):
            if part is not None:
                part.start()
                stack.callback(part.stop)
        stack.callback(supervisor.stop)
        try:
            supervisor.start()
        except UserError:
            if recorder is not None:
                recorder.discard()
            raise
        announce(_first_status(supervisor), preset, server.url if server is not None else "")
        _watch(supervisor, args.seconds, args.no_ui)


def sound_file(args: argparse.Namespace) -> str:
    """Where the sound is recorded, beside the events; "" = not at all."""
    from realtime.audio.tape import check_path

    if not args.record_audio:
        return ""
    if not args.record:
        raise UserError(
            "--record-audio goes with --record FILE.jsonl; the sound is written beside it, as FILE.flac"
        )
    path = Path(args.record).with_suffix(".flac")
    check_path(path)
    return str(path)


def _first_status(client: EngineClient) -> dict[str, Any]:
    """The host's status as soon as it has told it; after half a second, whatever there is."""
    end = time.monotonic() + 0.5
    while "input" not in (status := client.status()) and time.monotonic() < end:
        time.sleep(0.01)
    return status


def _finish(recordings: Recordings) -> None:
    with suppress(UserError):  # nothing is being recorded
        recordings.stop()


def _watch(supervisor: Supervisor, seconds: float, quiet: bool) -> None:
    """Until the sound or the time is over, or the user has had enough."""
    from realtime.cli.console import ConsoleView, console_for_stdout

    deadline = time.monotonic() + seconds

    def running() -> bool:
        return supervisor.running and time.monotonic() < deadline

    if quiet:
        _wait(running, supervisor)
    else:
        ConsoleView(supervisor, console_for_stdout()).run(running)


def recordings_folder() -> Path:
    """Where recordings go that a client of the WebSocket asks for."""
    return Path(platformdirs.user_data_dir("sidechain")) / "recordings"


def announce(status: dict[str, Any], preset: Preset, url: str) -> None:
    """One line about each thing that has started."""
    if source := status.get("input"):
        notice(
            f"listening to {source['name']} ({source['sample_rate']} Hz, {source['channels']} channels), "
            f"preset '{preset.name}'"
        )
    for settings in check_all(preset.outputs):
        told = settings.model_dump()
        place = ":".join(str(told[k]) for k in ("host", "port") if told.get(k))
        words = "takes commands at" if settings.kind.endswith("-in") else "sends to"
        notice(f"{settings.name} ({settings.kind}) {words} {place or 'its default'}")
    if url:
        notice(f"web page and WebSocket at {url}")


def _wait(running: Callable[[], bool], client: EngineClient) -> None:
    """Until the end; what the host has to say is said."""
    events = client.subscribe()
    while running():
        for event in events.poll():
            if event.plugin == "host" and event.label:
                notice(event.label)
        time.sleep(0.05)


class Terminated(KeyboardInterrupt):
    """Told to end by SIGTERM.

    Of another class than Ctrl-C: where that passes through the ``exec`` of a string, as when a dataclass is being
    made, Python (``-m``) has the process killed by SIGINT at its end, though it was caught.
    """


@contextmanager
def terminated_like_ctrl_c() -> Iterator[threading.Event]:
    """SIGTERM ends like Ctrl-C does, in order; the event tells which of them it was.

    SIGINT is taken even where a script that starts the host in the background has it ignored.
    """
    terminated = threading.Event()

    def handle(number: int, frame: FrameType | None) -> None:
        terminated.set()
        raise Terminated

    before = signal.signal(signal.SIGTERM, handle)
    interrupted = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield terminated
    finally:
        signal.signal(signal.SIGTERM, before)
        signal.signal(signal.SIGINT, interrupted)
