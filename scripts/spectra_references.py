"""Makes tests/hosting/spectra_references.npz: spectra by the libraries whose conventions bundles can follow.

Run once with ``pip install librosa kaldi-native-fbank``; neither is needed to run or test the host.
"""

from __future__ import annotations

from pathlib import Path

import kaldi_native_fbank as kaldi
import librosa
import numpy as np

RATE, HOP, WINDOW, BANDS, FRAMES = 16_000, 160, 400, 40, 20
OUT = Path(__file__).resolve().parents[1] / "tests" / "hosting" / "spectra_references.npz"


def sound(samples: int) -> np.ndarray:
    """Two gliding tones and noise; the test makes the same."""
    t = np.arange(samples) / RATE
    glide = 0.3 * np.sin(2 * np.pi * (300 * t + 2000 * t**2)) + 0.1 * np.sin(2 * np.pi * 3100 * t)
    return (glide + 0.01 * np.random.default_rng(5).standard_normal(samples)).astype(np.float32)


def mel(x: np.ndarray, **keys: object) -> np.ndarray:
    """Power in mel bands, shape (frames, bands), by librosa."""
    common = {"y": x, "sr": RATE, "n_fft": WINDOW, "hop_length": HOP, "n_mels": BANDS}
    return np.asarray(librosa.feature.melspectrogram(**common, **keys)).T


def by_kaldi(x: np.ndarray) -> np.ndarray:
    """fbank with kaldi's defaults but for dither, 20 Hz to half the rate."""
    options = kaldi.FbankOptions()
    options.frame_opts.dither = 0.0
    options.frame_opts.samp_freq = RATE
    options.mel_opts.num_bins = BANDS
    options.mel_opts.low_freq = 20.0
    options.energy_floor = 0.0
    bank = kaldi.OnlineFbank(options)
    bank.accept_waveform(RATE, x.tolist())
    bank.input_finished()
    return np.stack([bank.get_frame(i) for i in range(bank.num_frames_ready)])


def main() -> None:
    """Write the file."""
    centred = sound((FRAMES - 1) * HOP)
    whisper = sound(FRAMES * HOP)
    straight = sound((FRAMES - 1) * HOP + WINDOW)
    log = np.log10(np.maximum(mel(whisper, pad_mode="reflect")[:-1], 1e-10))
    found = {
        "librosa": librosa.power_to_db(mel(centred)),
        "torchaudio": librosa.power_to_db(mel(centred, htk=True, norm=None, pad_mode="reflect"), top_db=None),
        "whisper": (np.maximum(log, log.max() - 8.0) + 4.0) / 4.0,
        "kaldi": by_kaldi(straight),
        "magnitude": mel(centred, power=1.0, center=True, fmin=50.0, fmax=7000.0),
    }
    np.savez_compressed(OUT, **{k: v.astype(np.float32) for k, v in found.items()})
    print({k: v.shape for k, v in found.items()})


if __name__ == "__main__":
    main()
