"""Plugins for tests of the slow lane: good ones, and such as kill, hang, leak and lie. Imported by workers."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from realtime.errors import UserError
from realtime.hosting.kinds import (
    CombinePlugin,
    EventPlugin,
    Happening,
    InsertPlugin,
    JobControl,
    JobPlugin,
    Latest,
)
from realtime.hosting.plugin import (
    AudioInput,
    Context,
    Descriptor,
    Feature,
    InputSpec,
    Output,
    Parameter,
    Plugin,
    Text,
)


def declare(identifier: str, spec: InputSpec | None = None, **more: object) -> Descriptor:
    """A descriptor of the slow lane with the outputs that the plugins here use."""
    outputs = (Output("rms", "value"), Output("end", "value"), Output("label", "label"), Output("found", "event"),
               Output("vector", "vector", size=8))  # fmt: skip
    settings: dict[str, object] = {"lane": "slow", "outputs": outputs} | more
    return Descriptor(
        identifier,
        identifier,
        "",
        "tests",
        "MIT",
        "1",
        spec or AudioInput(16_000, 1, 1600, 8000),
        **settings,  # type: ignore[arg-type]
    )


class Rms(Plugin):
    """Level of the newest half second; `gain` acts live, `word` becomes the label."""

    descriptor = declare(
        "rms",
        parameters=(Parameter("gain", "Gain", "", 0.0, 10.0, 1.0),),
        texts=(Text("word", "Word", "a", live=True),),
    )

    def prepare(self, context: Context) -> None:
        self.gain, self.word = context.parameters["gain"], context.texts["word"]

    def parameter(self, identifier: str, value: float) -> None:
        self.gain = value

    def text(self, identifier: str, value: str) -> None:
        self.word = value

    def process(self, block: np.ndarray, time: float) -> Iterable[Feature]:
        yield Feature("rms", time, self.gain * float(np.sqrt(np.mean(block**2))))
        yield Feature("label", time, None, self.word)
        yield Feature("found", time, float(block.shape[-1]), str(os.getpid()))


class Marks(Plugin):
    """Says the mean of each window: of a rising sound, it says which window it was."""

    descriptor = declare("marks", AudioInput(48_000, 1, 4800, 9600))

    def process(self, block: np.ndarray, time: float) -> Iterable[Feature]:
        return [Feature("found", time, float(block.mean(dtype=np.float64)))]


class Naughty(Plugin):
    """Does what its name says."""

    descriptor = declare("naughty", patience=1.0, memory_mb=300)

    def prepare(self, context: Context) -> None:
        self.way = self.descriptor.identifier.replace("-", " ")
        self.kept: list[np.ndarray] = []
        if self.way == "refuse":
            raise UserError("the package 'nowhere' is missing: pip install nowhere")
        if self.way == "die early":
            os.kill(os.getpid(), signal.SIGKILL)

    def process(self, block: np.ndarray, time_: float) -> Iterable[Feature] | None:
        if self.way == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        elif self.way == "exit":
            os._exit(3)
        elif self.way == "hang":
            while True:
                pass
        elif self.way == "sleep":
            time.sleep(1e6)
        elif self.way == "leak":
            self.kept.append(np.ones(5_000_000))
        elif self.way == "raise":
            raise ValueError("no such thing")
        elif self.way == "nan":
            return [Feature("rms", time_, float("nan"))]
        elif self.way == "undeclared":
            return [Feature("other", time_, 1.0)]
        elif self.way == "huge":
            return [Feature("vector", time_, np.zeros(60_000))]
        elif self.way == "bytes":
            self.scribble(b"\x00\xff{]garbage\n" * 3)
        elif self.way == "endless":
            self.scribble(b"x" * (2 << 20))
        elif self.way == "unfinished":
            self.scribble(b'["results",[["rms"')
            time.sleep(1e6)
        elif self.way == "print":
            print("\x00 a plugin prints", flush=True)
        return [Feature("rms", time_, 1.0)]

    def scribble(self, data: bytes) -> None:
        """Write to whatever is a socket."""
        import socket
        import stat

        for descriptor in range(3, 64):
            with contextlib.suppress(OSError):
                if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                    socket.socket(fileno=os.dup(descriptor)).sendall(data)


def naughty(way: str) -> type[Naughty]:
    """A plugin of its own for each way, so that one host can have them all."""
    name = f"Naughty{way.title().replace(' ', '')}"
    patience = 1.0 if way in ("hang", "sleep", "unfinished") else 20.0
    descriptor = replace(Naughty.descriptor, identifier=way.replace(" ", "-"), patience=patience)
    made = type(name, (Naughty,), {"descriptor": descriptor})
    made.__module__ = __name__
    globals()[name] = made  # workers find it by this name
    return made


WAYS = ("die", "exit", "hang", "sleep", "leak", "bytes", "endless", "unfinished", "raise", "nan", "undeclared",
        "huge", "print", "refuse", "die early")  # fmt: skip
NAUGHTY = {way: naughty(way) for way in WAYS}


class Slow(Plugin):
    """Takes `seconds` for each window."""

    descriptor = declare("slow", parameters=(Parameter("seconds", "Seconds", "s", 0.0, 10.0, 0.3),))

    def prepare(self, context: Context) -> None:
        self.seconds = context.parameters["seconds"]

    def process(self, block: np.ndarray, time_: float) -> Iterable[Feature]:
        end = time.perf_counter() + self.seconds
        while time.perf_counter() < end:
            pass
        return [Feature("end", time_, time_)]


class Clap(Plugin):
    """Fast lane: an event at each full second of sound."""

    descriptor = Descriptor("clap", "Clap", "", "tests", "MIT", "1", AudioInput(48_000, 1, 480),
                            (Output("clap", "event"), Output("level", "value")))  # fmt: skip

    def prepare(self, context: Context) -> None:
        self.hops = 0

    def process(self, block: np.ndarray, time: float) -> Iterable[Feature]:
        self.hops += 1
        yield Feature("level", time, float(self.hops))
        if self.hops % 100 == 0:
            yield Feature("clap", round(time, 3), float(self.hops // 100))


class Snippet(EventPlugin):
    """Says how loud the sound around a clap was."""

    descriptor = declare("snippet", AudioInput(16_000, 1, 80, 1600), kind="event", sources=("clap.*",), after=0.05)

    def on_event(self, happening: Happening, block: np.ndarray, time: float) -> Iterable[Feature]:
        yield Feature("rms", time, float(np.abs(block).mean()))
        yield Feature(
            "found", happening.time, float(block.mean()), f"{happening.name} {happening.value:g} {len(block)}"
        )


class Ensemble(CombinePlugin):
    """Sums what it reads, unless it is too old."""

    descriptor = declare(
        "ensemble", AudioInput(48_000, 1, 4800), kind="combine", sources=("clap.level", "clap.clap")
    )

    def combine(self, results: Mapping[str, Latest], time: float) -> Iterable[Feature]:
        fresh = {n: r for n, r in results.items() if r.age < 0.5}
        yield Feature("rms", time, float(sum(r.value for r in fresh.values() if isinstance(r.value, float))))
        yield Feature("label", time, None, ",".join(sorted(fresh)))


class Gain(InsertPlugin):
    """Half as loud."""

    descriptor = declare("gain", AudioInput(48_000, 2, 480), kind="insert",
                         outputs=(Output("sound", "audio", rate=48_000.0), Output("rms", "value")))  # fmt: skip

    def render(self, block: np.ndarray, time: float) -> tuple[np.ndarray, Iterable[Feature]]:
        return 0.5 * block, [Feature("rms", time, float(np.abs(block).max()))]


class Work(JobPlugin):
    """A job that counts to `steps`, or does what `text` says."""

    descriptor = declare("work", AudioInput(16_000, 1, 80, 16_000), kind="job",
                         outputs=(Output("answer", "event"), Output("sound", "audio", rate=32_000.0)))  # fmt: skip

    def run(
        self, request: Mapping[str, str | float], block: np.ndarray, time_: float, job: JobControl
    ) -> Iterable[Feature] | None:
        text = request.get("text", "")
        if text == "heard":
            told = [f"{n} {r.label or r.value} {r.age >= 0.0}" for n, r in job.results.items()]
            return [Feature("answer", time_, None, ", ".join(told))]
        if text == "wrong":
            raise UserError("work: 'text' must not be 'wrong'")
        if text == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if text == "deaf":
            time.sleep(1e6)
        for step in range(int(request.get("steps", 5))):
            if job.cancelled:
                return None
            job.progress((step + 1) / 5, f"step {step + 1}")
            time.sleep(0.01)
        tone = np.sin(2 * np.pi * 440 * np.arange(16_000) / 32_000).astype(np.float32)
        return [Feature("answer", time_, float(np.abs(block).max()), str(text)), Feature("sound", time_, tone)]
