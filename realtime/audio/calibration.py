"""The round trip of sound: chirps are played, heard back, and looked for in what was heard.

The delay of each chirp is the lag of the first strong peak in the envelope of its cross-correlation with the
recording (a matched filter; the chirp's own autocorrelation is a pulse of less than a millisecond). Nothing is
believed that most of the chirps do not agree on.

Reference: G. Turin, "An introduction to matched filters", IRE Transactions on Information Theory, 1960.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from realtime.errors import UserError

Array = npt.NDArray[np.float32]

CHIRP_SECONDS = 0.02
LONGEST = 0.6
"""Longest delay that is looked for, seconds (Bluetooth takes 0.15–0.3)."""
SPACINGS = (0.75, 0.87, 0.79, 0.93)
"""Seconds from one chirp to the next: uneven, so that nothing regular in the room passes for them."""

_LOW, _HIGH = 1000.0, 6000.0
_EARLY = 0.02
"""Seconds before its due time at which a chirp may be found: stated output latencies can be too long."""
_CLEAR = 8.0
"""Least ratio of a peak to the median of the envelope: of noise alone it is about 4."""
_FIRST = 0.5
"""The first arrival counts if it has this much of the largest: a wall may be louder than the way straight on."""
_AGREE = 0.0015
"""Seconds from the median within which a delay agrees with it."""


@dataclass(frozen=True, slots=True)
class Delays:
    """What was heard.

    Attributes
    ----------
    seconds : float
        Median delay of those that agree.
    spread : float
        Largest distance from it among them, seconds.
    heard, played : int
        Chirps that agree, and chirps in all.
    clearness : float
        Median ratio of peak to background.
    """

    seconds: float
    spread: float
    heard: int
    played: int
    clearness: float


def chirp(sample_rate: int, level: float = 0.5) -> Array:
    """A swept sine, 1 to 6 kHz in 20 ms with soft ends: every loudspeaker and microphone has these.

    Parameters
    ----------
    sample_rate : int
        Hz, at least 16000.
    level : float
        Peak, 0–1.

    Returns
    -------
    ndarray of float32, shape (n,)
    """
    n = round(CHIRP_SECONDS * sample_rate)
    t = np.arange(n) / sample_rate
    phase = 2 * np.pi * (_LOW * t + (_HIGH - _LOW) * t * t / (2 * CHIRP_SECONDS))
    return (level * np.sin(phase) * np.hanning(n)).astype(np.float32)


def find(heard: Array, sample_rate: int, due: Sequence[float]) -> Delays:
    """Look for the chirps in a recording.

    Parameters
    ----------
    heard : ndarray of float32, shape (n, channels)
    sample_rate : int
        Hz.
    due : sequence of float
        Frame of the recording (with fraction) at which each chirp began to be played.

    Raises
    ------
    UserError
        Fewer than half were heard, or they do not agree.
    """
    best: list[tuple[float, float]] = []
    for channel in range(heard.shape[1]):
        found = [f for at in due if (f := _one(heard[:, channel], sample_rate, at)) is not None]
        if len(found) > len(best) or (len(found) == len(best) and found and _median(found, 1) > _median(best, 1)):
            best = found
    if 2 * len(best) < len(due) or len(best) < 3:
        raise UserError(
            f"calibration: {len(best)} of {len(due)} clicks were heard; turn the output up, bring the microphone "
            "near it or join output and input with a cable, and see 'sidechain devices --level'"
        )
    delays = np.array([d for d, _ in best])
    middle = float(np.median(delays))
    agreeing = delays[np.abs(delays - middle) <= _AGREE]
    if 5 * len(agreeing) < 3 * len(delays):
        apart = 1000 * float(np.ptp(delays))
        raise UserError(
            f"calibration: the clicks came back at delays up to {apart:.0f} ms apart; make the room quiet, "
            "close what else plays sound, and try again"
        )
    settled = float(np.median(agreeing))
    spread = float(np.max(np.abs(agreeing - settled)))
    return Delays(settled, spread, len(agreeing), len(due), _median(best, 1))


def _median(found: Sequence[tuple[float, float]], place: int) -> float:
    return float(np.median([f[place] for f in found]))


def _one(sound: Array, sample_rate: int, due: float) -> tuple[float, float] | None:
    """Delay (seconds) and clearness of one chirp; None if it cannot be told from the background."""
    begin = int(due) - round(_EARLY * sample_rate)
    end = int(due) + round((LONGEST + CHIRP_SECONDS) * sample_rate)
    if begin < 0 or end > len(sound):
        return None
    envelope = _matched(sound[begin:end].astype(np.float64), sample_rate)
    largest = float(envelope.max())
    background = float(np.median(envelope))
    if largest <= 1e-9 or largest < _CLEAR * background:
        return None
    first = int(np.argmax(envelope >= _FIRST * largest))
    near = round(0.0005 * sample_rate)
    peak = first + int(np.argmax(envelope[first : first + near]))
    at = begin + peak + _vertex(envelope, peak)
    return (at - due) / sample_rate, largest / max(background, 1e-12)


def _matched(sound: npt.NDArray[np.float64], sample_rate: int) -> npt.NDArray[np.float64]:
    """Envelope of the cross-correlation with the chirp at lags 0 … n - chirp."""
    wanted = chirp(sample_rate, 1.0)
    size = 1 << (len(sound) + len(wanted)).bit_length()
    spectrum = np.fft.fft(sound, size) * np.conj(np.fft.fft(wanted, size))
    spectrum[size // 2 :] = 0.0  # the analytic signal: its magnitude is the envelope
    return np.abs(np.fft.ifft(2 * spectrum))[: len(sound) - len(wanted) + 1]


def _vertex(envelope: npt.NDArray[np.float64], peak: int) -> float:
    """Where between the samples the parabola through the peak and its neighbours has its top, -0.5 … 0.5."""
    if not 0 < peak < len(envelope) - 1:
        return 0.0
    left, middle, right = envelope[peak - 1 : peak + 2]
    bend = left - 2 * middle + right
    return float(np.clip(0.5 * (left - right) / bend, -0.5, 0.5)) if bend < 0 else 0.0
