"""Whole pieces of sound: brought to another rate, faded, made into bytes."""

from __future__ import annotations

import io
import wave

import numpy as np
import numpy.typing as npt

from realtime.audio.resample import StreamResampler

F32 = npt.NDArray[np.float32]


def at_rate(sound: F32, rate: int, wanted: int) -> F32:
    """A piece of sound at another rate, in time with what it was.

    Parameters
    ----------
    sound : ndarray of float32, shape (n,) or (2, n)
    rate, wanted : int
        Hz.

    Returns
    -------
    ndarray of float32, same number of dimensions
        ``round(n * wanted / rate)`` samples.
    """
    if rate == wanted:
        return sound
    frames = np.ascontiguousarray(np.atleast_2d(sound).T)
    change = StreamResampler(rate, wanted, frames.shape[1])
    late, length = round(change.delay * wanted), round(len(frames) * wanted / rate)
    tail = np.zeros((change.taps + rate // 100, frames.shape[1]), np.float32)
    made = np.concatenate([change.process(frames), change.process(tail)])[late : late + length]
    return np.ascontiguousarray(made.T if sound.ndim == 2 else made[:, 0])


def wav_bytes(sound: F32, rate: int) -> bytes:
    """Mono sound as a WAV file of 16 bits."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes((np.clip(sound, -1.0, 1.0) * 32767.0).astype("<i2").tobytes())
    return file.getvalue()
