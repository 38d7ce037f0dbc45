"""The bundled piece, and the truth about it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from realtime.audio.file import FileSource
from realtime.errors import UserError

FOLDER = Path(__file__).resolve().parent / "demo"


@dataclass(frozen=True, slots=True)
class DemoTruth:
    """What a listener should find in the demo.

    Attributes
    ----------
    beats : tuple of float
        Seconds of every beat.
    positions : tuple of int
        Beat in the bar of each (1 is the downbeat).
    """

    beats: tuple[float, ...]
    positions: tuple[int, ...]

    def bpm_at(self, time: float) -> float:
        """Tempo (beats a minute) between the two beats around `time` (s); the nearest pair outside them."""
        after = next((i for i, beat in enumerate(self.beats) if beat > time), len(self.beats) - 1)
        after = max(after, 1)
        return 60.0 / (self.beats[after] - self.beats[after - 1])


class DemoSource(FileSource):
    """The bundled piece as a sound input; parameters as of :class:`FileSource`."""

    def __init__(self, paced: bool = True, start_at: float = 0.0) -> None:
        super().__init__(FOLDER / "demo.ogg", paced, start_at)
        self.name = "demo"


def demo_truth() -> DemoTruth:
    """Beats of the demo, from ``demo.beats``: a line for each beat, seconds and place in the bar."""
    path = FOLDER / "demo.beats"
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as e:
        raise UserError(f"{path}: cannot be read ({e.strerror}); install the package again") from e
    rows = [line.split() for line in lines if line.strip() and not line.startswith("#")]
    return DemoTruth(tuple(float(r[0]) for r in rows), tuple(int(float(r[1])) for r in rows))
