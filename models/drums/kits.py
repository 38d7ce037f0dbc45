"""Drum kits to strike: recorded one-shots, sound fonts and synthesis, each sound trimmed to its onset."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import signal

from models.training.mix import CLASS_DB, FONT_WEIGHT, KITS, RATE, Stage
from models.training.rng import log_uniform, pick
from models.training.score import DRUM_CLASS
from models.training.synth import drums as synth
from models.training.synth import sampler
from models.training.synth.fluid import GM_DRUM

F32 = npt.NDArray[np.float32]
Kit = dict[str, list[F32]]
"""Voice → takes from soft to loud, peak 1."""
TOUCH = (0.35, 0.65, 0.95)
"""Velocities at which a sound font's drums are sampled."""
_LONGEST = {"kick": 0.5, "snare": 0.6, "hihat": 0.7, "tom": 0.8, "cymbal": 1.6, "perc": 0.4}
_HATS = ("hat", "pedal_hat")


def pool(rng: np.random.Generator, stage: Stage, count: int) -> list[Kit]:
    """`count` kits: two fifths recorded, two fifths from sound fonts, the rest synthetic."""
    kits = []
    for k in range(count):
        share = k / count
        if share < 0.4 and stage.data and sampler.catalogue(stage.data):
            sounds = {v: _layers(rng, w[0]) for v, w in sampler.kit(rng, stage.data, RATE)[0].items()}
        elif share < 0.8 and stage.fluid is not None:
            sounds = _font(rng, stage)
        else:
            sounds = {v: _layers(rng, w[0]) for v, w in synth.kit(rng, RATE).items()}
        kits.append({v: [_cut(v, w) for w in takes] for v, takes in sounds.items()})
    return kits


def strike(rng: np.random.Generator, kits: list[Kit], hits: list[tuple[float, str, float]], count: int) -> F32:
    """Play `hits` (seconds, which may lie before the start; voice; velocity) on a kit drawn from `kits`."""
    first, second = kits[int(rng.integers(len(kits)))], kits[int(rng.integers(len(kits)))]
    other, layered = rng.random() < 0.35, rng.random() < 0.2
    swapped = {v: other and rng.random() < 0.4 for v in DRUM_CLASS}
    spread = float(rng.uniform(1, 5))
    gain = {v: 10 ** ((CLASS_DB[c] + rng.normal(0, spread)) / 20) for v, c in DRUM_CLASS.items()}
    shift = {v: float(np.exp(rng.normal(0, 0.06))) if rng.random() < 0.5 else 1.0 for v in ("kick", "snare")}
    power = float(rng.uniform(0.9, 1.7))
    out = np.zeros(count, np.float32)
    closing = [t for t, v, _ in hits if v in _HATS]
    made: dict[tuple[str, int, bool], F32] = {}
    for t, voice, velocity in hits:
        for layer in (False, True) if layered and voice in ("kick", "snare") else (False,):
            kit = second if swapped[voice] != layer and voice in second else first
            takes = kit.get(voice) or second.get(voice)
            if not takes:
                continue
            take = min(len(takes) - 1, int(velocity * len(takes)))
            key = (voice, take, layer)
            if key not in made:
                factor = shift.get(voice, 1.0)
                made[key] = takes[take] if factor == 1.0 else _pitched(takes[take], factor)
            wave = made[key]
            if voice == "open_hat":
                wave = _choked(wave, next((c - t for c in closing if c > t + 0.02), np.inf))
            at = round(t * RATE)
            wave = wave[max(0, -at) : max(0, count - at)]
            at = max(at, 0)
            out[at : at + len(wave)] += wave * np.float32(velocity**power * gain[voice] * (0.6 if layer else 1))
    return out


def _layers(rng: np.random.Generator, wave: F32) -> list[F32]:
    """A softer and darker take, then the recorded one."""
    b, a = signal.butter(1, min(0.9, log_uniform(rng, 2000, 8000) / (RATE / 2)))
    soft = np.asarray(signal.lfilter(b, a, wave), np.float32)
    return [soft / np.float32(np.abs(soft).max() + 1e-9), wave]


def _font(rng: np.random.Generator, stage: Stage) -> Kit:
    """Every voice of a sound font's kit at three velocities."""
    assert stage.fluid is not None
    font = pick(rng, stage.fonts, [FONT_WEIGHT.get(name, 1.0) for name in stage.fonts])
    step = 1.75
    strokes = [(v, t) for v in DRUM_CLASS for t in TOUCH]
    notes = [(0.01 + k * step, 0.3, float(GM_DRUM[v]), t) for k, (v, t) in enumerate(strokes)]
    sound = stage.fluid.render(font, pick(rng, KITS), notes, int(len(notes) * step * RATE), drums=True)
    kit: Kit = {}
    for k, (voice, _) in enumerate(strokes):
        wave = _trimmed(sound[int(k * step * RATE) : int((k + 1) * step * RATE)])
        if wave is not None:
            kit.setdefault(voice, []).append(wave)
    return kit


def _trimmed(wave: F32) -> F32 | None:
    """From half a millisecond before the first sample above 3 % of the peak, at peak 1; None if silent."""
    peak = float(np.abs(wave).max(initial=0.0))
    if peak < 1e-5:
        return None
    first = max(0, int(np.argmax(np.abs(wave) > 0.03 * peak)) - int(0.0005 * RATE))
    return wave[first:] / np.float32(peak)


def _cut(voice: str, wave: F32) -> F32:
    """Shortened, with a faded end."""
    wave = wave[: int(_LONGEST[DRUM_CLASS[voice]] * RATE)].copy()
    fade = min(len(wave), int(0.05 * RATE))
    wave[len(wave) - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)
    return wave


def _pitched(wave: F32, factor: float) -> F32:
    return np.interp(np.arange(0, len(wave) - 1, factor), np.arange(len(wave)), wave).astype(np.float32)


def _choked(wave: F32, after: float) -> F32:
    """An open hi-hat that is closed after so many seconds."""
    if after >= len(wave) / RATE:
        return wave
    end, fade = int(after * RATE), int(0.02 * RATE)
    wave = wave[: end + fade].copy()
    wave[end:] *= np.linspace(1, 0, len(wave) - end, dtype=np.float32)
    return wave


def open_pool(rng: np.random.Generator, data: Path | None, count: int) -> list[Kit]:
    """As :func:`pool`, with whatever is installed."""
    return pool(rng, Stage.open(data), count)
