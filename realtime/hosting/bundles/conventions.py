"""The usual ways to make a spectrum of sound, as data.

What the common libraries compute by default differs in a dozen small ways, and a network trained on one is wrong
on another. Each convention here gives the same numbers as its library (tests compare with stored results of
librosa, kaldi-native-fbank and the Whisper reference); single keys can be changed in ``plugin.toml``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

Window = Literal["hann", "hamming", "blackman", "povey", "rectangular"]
Padding = Literal["zero", "reflect", "none"]
Scale = Literal["htk", "slaney"]
Log = Literal["none", "db", "log10", "ln", "log1p"]
Normal = Literal["none", "window", "band", "peak"]


@dataclass(frozen=True, slots=True)
class Convention:
    """How a spectrum is made.

    Attributes
    ----------
    taper : {"hann", "hamming", "blackman", "povey", "rectangular"}
        Window of the transform; periodic, but for the symmetric ones of `symmetric`.
    centre : bool
        A frame is about the sound around its time, not the sound before it.
    padding : {"zero", "reflect", "none"}
        What stands before and after the block for centred frames of several.
    power : int
        1: magnitude, 2: power.
    mel : {"htk", "slaney"}
        Scale on which the bands are equally wide.
    triangles : {"hz", "mel"}
        Whether the sides of a band are straight in Hz or on the scale.
    area : bool
        Bands have the same area (as Slaney's) instead of the same height.
    log : {"none", "db", "log10", "ln", "log1p"}
        ``db`` is 10 log10 of power, 20 log10 of magnitude.
    floor : float
        Smallest value under the logarithm.
    range_db : float or None
        Nothing is further below the loudest of the block than this.
    remove_dc : bool
        Mean of each frame taken off.
    preemphasis : float
        ``x[n] - preemphasis * x[n - 1]`` within each frame.
    gain : float
        Factor on the samples (32768 for models that count in 16-bit steps).
    symmetric : bool
        The window ends on its last sample.
    drop_last_bin : bool
        Bands leave out the bin at half the sample rate.
    """

    taper: Window = "hann"
    centre: bool = False
    padding: Padding = "none"
    power: int = 2
    mel: Scale = "htk"
    triangles: Literal["hz", "mel"] = "hz"
    area: bool = False
    log: Log = "ln"
    floor: float = 1e-10
    range_db: float | None = None
    remove_dc: bool = False
    preemphasis: float = 0.0
    gain: float = 1.0
    symmetric: bool = False
    drop_last_bin: bool = False

    def changed(self, keys: Mapping[str, Any]) -> Convention:
        """The same with other values for some keys."""
        return replace(self, **keys) if keys else self


CONVENTIONS: Mapping[str, Convention] = {
    "sidechain": Convention(power=1),
    "librosa": Convention(
        centre=True, padding="zero", mel="slaney", area=True, log="db", floor=1e-10, range_db=80.0
    ),
    "torchaudio": Convention(centre=True, padding="reflect", mel="htk", log="db", floor=1e-10),
    "kaldi": Convention(
        taper="povey",
        mel="htk",
        triangles="mel",
        log="ln",
        floor=1.1920928955078125e-07,
        remove_dc=True,
        preemphasis=0.97,
        symmetric=True,
        drop_last_bin=True,
    ),
    "whisper": Convention(
        centre=True, padding="reflect", mel="slaney", area=True, log="log10", floor=1e-10, range_db=80.0
    ),
}
"""``librosa``: ``power_to_db(melspectrogram(…))``. ``torchaudio``: ``AmplitudeToDB(MelSpectrogram(…))``.
``kaldi``: ``fbank``, as in ``torchaudio.compliance.kaldi`` without dither. ``whisper``: ``log_mel_spectrogram``
(set ``mean = -4.0``, ``scale = 4.0``). ``sidechain``: the host's own, see ``realtime/hosting/spectral.py``."""
