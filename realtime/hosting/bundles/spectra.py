"""Spectra in the conventions of other libraries, frame by frame or a whole block at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from realtime.hosting.bundles.conventions import Convention
from realtime.hosting.bundles.manifest import InputSection
from realtime.hosting.spectral import LogMelSpec, Spectrum, StftSpec, log_mel

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]


class FrameMaker:
    """Turns a block of samples into frames of shape ``(frames, width)``. Owned by one thread.

    Parameters
    ----------
    section : InputSection
        Kind ``stft``, ``mel`` or ``log-mel``.
    """

    def __init__(self, section: InputSection) -> None:
        self._s = section
        self._rules = section.rules
        self._host = _HostFrames(section) if section.convention == "sidechain" else None
        self._bank = mel_bank(section) if section.kind in ("mel", "log-mel") and self._host is None else None
        self._taper = taper(self._rules, section.length)
        self._before = (section.transform - section.length) // 2 if section.convention != "kaldi" else 0
        self._work = np.zeros((section.frames, section.transform), np.float32)

    def frames(self, block: F32) -> F32:
        """All frames of a block of ``section.block`` samples."""
        s = self._s
        # what is more than the frames need is left out at the old end; of a centred block, at the new one
        sound = self._padded(block) if s.padded else block[len(block) - s.needed :]
        starts = np.arange(s.frames) * s.hop
        if self._host is not None:
            return np.stack([self._host.frame(sound[a : a + s.length]) for a in starts])
        cut = np.lib.stride_tricks.sliding_window_view(sound, s.length)[starts]
        return self._log(self._bands(self._transform(cut)))

    def newest(self, block: F32, count: int) -> F32:
        """The last `count` frames only; not for centred blocks of several frames."""
        s = self._s
        ends = [len(block) - k * s.hop for k in reversed(range(count))]
        if self._host is not None:
            return np.stack([self._host.frame(block[e - s.length : e]) for e in ends])
        return self._log(self._bands(self._transform(np.stack([block[e - s.length : e] for e in ends]))))

    def _padded(self, block: F32) -> F32:
        side = self._s.transform // 2
        before = (self._s.transform - self._s.length) // 2  # the window lies in the middle of the transform
        if self._rules.padding == "reflect":
            return np.pad(block, side, mode="reflect")[before:]
        return np.pad(block, side)[before:]

    def _transform(self, cut: F32) -> F32:
        r, s = self._rules, self._s
        sound = cut * np.float32(r.gain) if r.gain != 1.0 else cut
        if r.remove_dc:
            sound = sound - sound.mean(axis=1, keepdims=True)
        if r.preemphasis:
            shifted = np.concatenate([sound[:, :1], sound[:, :-1]], axis=1)
            sound = sound - np.float32(r.preemphasis) * shifted
        work = self._work[: len(cut)]
        np.multiply(sound, self._taper, out=work[:, self._before : self._before + s.length])
        magnitudes = np.abs(np.fft.rfft(work, axis=1)).astype(np.float32, copy=False)
        return magnitudes * magnitudes if r.power == 2 else magnitudes

    def _bands(self, spectra: F32) -> F32:
        return spectra if self._bank is None else spectra @ self._bank

    def _log(self, x: F32) -> F32:
        r, s = self._rules, self._s
        if s.kind != "log-mel" and not (s.kind == "stft" and s.log is not None):
            return x
        if r.log == "none":
            return x
        if r.log == "log1p":
            return np.log1p(x)
        y = np.log(np.maximum(x, np.float32(r.floor)))
        decibel = (20 if r.power == 1 else 10) / np.log(10)
        unit = {"db": decibel, "log10": 1 / np.log(10)}.get(r.log, 1.0)
        if unit != 1.0:
            y *= np.float32(unit)
        if r.range_db is not None and s.frames > 1:
            np.maximum(y, y.max() - np.float32(r.range_db * unit / decibel), out=y)
        return y


class _HostFrames:
    """The host's own spectra (``realtime/hosting/spectral.py``), for several frames a call."""

    def __init__(self, section: InputSection) -> None:
        s = section
        self._spectrum = Spectrum(StftSpec(s.sample_rate, s.hop, s.length))
        self._mel = (
            LogMelSpec(s.sample_rate, s.hop, s.length, s.bands, s.lowest, s.highest, s.gamma)
            if s.kind == "log-mel"
            else None
        )

    def frame(self, window: F32) -> F32:
        """One frame of one window."""
        magnitudes = self._spectrum.frame(window)
        return magnitudes if self._mel is None else log_mel(magnitudes, self._mel)


def taper(r: Convention, length: int) -> F32:
    """The window of the transform."""
    n = np.arange(length) / max(1, length - 1 if r.symmetric else length)
    wave = np.cos(2 * np.pi * n)
    if r.taper == "hann":
        shape = 0.5 - 0.5 * wave
    elif r.taper == "hamming":
        shape = 0.54 - 0.46 * wave
    elif r.taper == "blackman":
        shape = 0.42 - 0.5 * wave + 0.08 * np.cos(4 * np.pi * n)
    elif r.taper == "povey":
        shape = (0.5 - 0.5 * wave) ** 0.85
    else:
        shape = np.ones(length)
    return shape.astype(np.float32)


def to_mel(hz: F64 | float, scale: str) -> F64:
    """Hz to mel, of O'Shaughnessy (``htk``) or of Slaney's Auditory Toolbox."""
    f = np.asarray(hz, np.float64)
    if scale == "htk":
        return 2595.0 * np.log10(1.0 + f / 700.0)
    linear = f * 3 / 200
    return np.where(f < 1000.0, linear, 15.0 + 27.0 * np.log(np.maximum(f, 1e-9) / 1000.0) / np.log(6.4))


def to_hz(mel: F64, scale: str) -> F64:
    """The inverse of :func:`to_mel`."""
    if scale == "htk":
        return 700.0 * (10.0 ** (mel / 2595.0) - 1.0)
    return np.where(mel < 15.0, mel * 200 / 3, 1000.0 * 6.4 ** ((mel - 15.0) / 27.0))


def mel_bank(section: InputSection) -> F32:
    """Triangular filters, shape ``(bins, bands)``."""
    r = section.rules
    points = np.linspace(to_mel(section.lowest, r.mel), to_mel(section.highest, r.mel), section.bands + 2)
    bins = np.arange(section.transform // 2 + 1) * (section.sample_rate / section.transform)
    edges = to_hz(points, r.mel)
    places, sides = (
        (to_mel(np.asarray(bins, np.float64), r.mel), points) if r.triangles == "mel" else (bins, edges)
    )
    rise = (places[:, None] - sides[:-2]) / (sides[1:-1] - sides[:-2])
    fall = (sides[2:] - places[:, None]) / (sides[2:] - sides[1:-1])
    bank = np.maximum(0.0, np.minimum(rise, fall))
    if r.area:
        bank *= 2.0 / (edges[2:] - edges[:-2])
    if r.drop_last_bin:
        bank[-1] = 0.0
    return bank.astype(np.float32)
