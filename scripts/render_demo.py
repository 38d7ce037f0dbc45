"""
Render the bundled demo: ``python scripts/render_demo.py [--out realtime/audio/demo]``.

A self-made piece, own synthesis only (no samples, no sound fonts): drums, bass, chords, lead, a sung voice, a
breakdown without drums, a tempo step and a tempo ramp. Writes ``demo.ogg``, ``demo.beats`` (time, beat in bar) and
``demo.json`` (sections with tempo, chords, drums, vocals). Needs numpy, scipy and soundfile.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
from demo_score import (
    BARS,
    CHORDS,
    FORM,
    LEAD,
    RATE,
    SONG,
    SPOKEN,
    Array,
    Desk,
    Timed,
    chord_of,
    demo_piece,
    kit,
    write_drums,
)
from scipy import ndimage

from models.training import fx
from models.training.loudness import integrated_loudness
from models.training.score import Piece
from models.training.synth import tone, voice


def stereo_notes(
    patch: Callable[[int], tone.Patch], notes: list[tuple[float, float, float, float]], count: int
) -> Array:
    """Two differently seeded takes, left and right: wide without phase tricks."""
    return np.stack([tone.render(patch(seed), notes, count, RATE) for seed in (1, 2)], axis=1)


def write_music(piece: Piece, desk: Desk) -> None:
    """Bass, pad, plucks, supersaw chords, lead, arpeggio."""
    bass, sub, pad, saw, pluck, lead, arp = (list[Timed]() for _ in range(7))

    def put(out: list[Timed], beat: float, length: float, pitch: float, velocity: float) -> None:
        a = float(piece.time(beat))
        out.append((a, float(piece.time(beat + length)) - a, pitch, velocity))

    for start, end, name, _, _ in FORM:
        for bar in range(start, end):
            b = 4.0 * bar
            root, tones = CHORDS[chord_of(bar)]
            if name in ("intro", "verse", "outro"):
                for at, length, up in (
                    (0, 0.45, 0),
                    (0.75, 0.4, 0),
                    (1.5, 0.45, 12),
                    (2.5, 0.45, 0),
                    (3.25, 0.3, 7),
                    (3.5, 0.4, 12),
                ):
                    put(bass, b + at, length, root + up, 0.85)
            elif name == "drop":
                for q in range(4):
                    for s, v in ((0.25, 0.7), (0.5, 0.95), (0.75, 0.75)):
                        put(bass, b + q + s, 0.22, root + (12 if s == 0.75 and q == 3 else 0), v)
                put(sub, b, 3.9, root, 0.8)
            elif name == "build":
                put(sub, b, 3.9, root, 0.5)
            if name in ("breakdown", "build", "verse", "outro"):
                for p in tones:
                    put(pad, b, 4.0, p, 0.7 if name == "breakdown" else 0.4)
            if name in ("intro", "verse", "outro"):
                for at in (0, 0.75, 1.5, 2.25, 3.0, 3.5):
                    for p in tones:
                        put(pluck, b + at, 0.2, p + 12, 0.55 if at else 0.75)
            if name == "drop":
                for at, length in ((0, 0.65), (0.75, 0.65), (1.5, 0.9), (2.5, 0.4), (3, 0.9)):
                    for p in (*tones, tones[0] - 12):
                        put(saw, b + at, length, p, 0.8)
            if name in ("breakdown", "build"):
                for i in range(16):
                    up = (*tones, *tones[1:3])[i % 6] + (12 if i % 16 < 8 else 24)
                    put(
                        arp,
                        b + i / 4,
                        0.22,
                        up,
                        (0.75 if i % 4 == 0 else 0.5) * (0.6 if name == "breakdown" else 0.9),
                    )
        if name == "drop":
            for four in range(start, end, 4):
                for at, length, p in LEAD:
                    put(lead, 4.0 * four + at, length, p, 0.85 if at % 4 == 0 else 0.75)
    for p in (*CHORDS["A:min"][1], 45):
        put(saw, 4.0 * BARS, 3, p, 0.85)
    put(sub, 4.0 * BARS, 3, 33, 0.9)
    n = desk.count
    beat = 60 / 126
    bass_wave = tone.render(
        tone.Patch(
            "saw",
            cutoff=300,
            sweep_octaves=2.8,
            sweep_decay=0.1,
            resonance=1.2,
            sustain=0.6,
            decay=0.12,
            release=0.03,
            drive=0.25,
            sub=0.8,
            seed=5,
        ),
        bass,
        n,
        RATE,
    )
    desk.add(desk.music, bass_wave, 0, 0.07)
    desk.add(
        desk.music,
        tone.render(tone.Patch("sine", attack=0.01, sustain=1, release=0.08, seed=6), sub, n, RATE),
        0,
        0.045,
    )
    pads = stereo_notes(
        lambda s: tone.Patch(
            "saw",
            attack=0.35,
            release=0.7,
            sustain=0.9,
            cutoff=1500,
            sweep_octaves=-1.0,
            sweep_decay=1.4,
            unison=3,
            detune=9,
            seed=10 + s,
        ),
        pad,
        n,
    )
    desk.add(desk.music, pads, 0, 0.075, send=0.6)
    plucks = stereo_notes(
        lambda s: tone.Patch(
            "pulse",
            attack=0.002,
            decay=0.12,
            sustain=0.05,
            release=0.12,
            cutoff=700,
            sweep_octaves=2.4,
            sweep_decay=0.07,
            duty=0.3,
            unison=2,
            detune=7,
            seed=20 + s,
        ),
        pluck,
        n,
    )
    plucks = np.stack([fx.delay(plucks[:, i], beat * (0.75 if i else 0.5), 0.4, 0.28, RATE) for i in range(2)], 1)
    desk.add(desk.music, plucks, 0, 0.14, send=0.4)
    saws = stereo_notes(
        lambda s: tone.Patch(
            "saw",
            attack=0.003,
            decay=0.5,
            sustain=0.75,
            release=0.09,
            cutoff=9000,
            sweep_octaves=0.6,
            sweep_decay=0.25,
            unison=7,
            detune=18,
            seed=30 + s,
        ),
        saw,
        n,
    )
    desk.add(desk.music, saws, 0, 0.10, send=0.25)
    leads = stereo_notes(
        lambda s: tone.Patch(
            "saw",
            attack=0.004,
            decay=0.4,
            sustain=0.7,
            release=0.12,
            cutoff=5200,
            sweep_octaves=0.8,
            sweep_decay=0.15,
            unison=3,
            detune=11,
            vibrato=9,
            seed=40 + s,
        ),
        lead,
        n,
    )
    leads = np.stack([fx.delay(leads[:, i], beat * (0.75 if i else 0.5), 0.45, 0.3, RATE) for i in range(2)], 1)
    desk.add(desk.music, leads, 0, 0.12, send=0.35)
    arps = stereo_notes(
        lambda s: tone.Patch(
            "square",
            attack=0.002,
            decay=0.14,
            sustain=0.1,
            release=0.2,
            cutoff=1800,
            sweep_octaves=1.4,
            sweep_decay=0.09,
            unison=2,
            detune=6,
            seed=50 + s,
        ),
        arp,
        n,
    )
    arps = np.stack([fx.delay(arps[:, i], beat * (0.75 if i else 0.5), 0.5, 0.35, RATE) for i in range(2)], 1)
    desk.add(desk.music, arps, 0, 0.12, send=0.5)


def write_voice(piece: Piece, desk: Desk) -> list[tuple[float, float]]:
    """The sung verse and breakdown and the spoken line; returns the spans in which the voice sounds."""
    rng = np.random.default_rng(77)
    sung, spoken = [], []
    for at in (16, 96):
        for b, length, pitch, text in SONG:
            a = float(piece.time(at + b))
            sung.append(voice.Syllable(a, float(piece.time(at + b + length)) - a, pitch, 0.85, text))
    for at in (128, 136):
        for b, length, pitch, text in SPOKEN:
            a = float(piece.time(at + b))
            spoken.append(voice.Syllable(a, float(piece.time(at + b + length)) - a, pitch, 0.8, text))
    main = voice.sing(sung, desk.count, RATE, rng, voice.Singer(size=1.12, vibrato=28, breath=0.03))
    double = voice.sing(sung, desk.count, RATE, rng, voice.Singer(size=1.08, vibrato=20, jitter=12, breath=0.05))
    low = [s._replace(pitch=s.pitch - 12) for s in sung if s.start > float(piece.time(96))]
    octave = voice.sing(low, desk.count, RATE, rng, voice.Singer(size=0.98, vibrato=18))
    talk = voice.sing(
        spoken, desk.count, RATE, rng, voice.Singer(size=0.97, vibrato=0, fall=3.0, glide=0.06, breath=0.06)
    )
    main = main + 1.2 * talk
    shine = [
        fx.biquad("high_pass", 110, 0.7, 0, RATE),
        fx.biquad("peak", 3200, 0.8, 6, RATE),
        fx.biquad("high_shelf", 8000, 0.7, 4, RATE),
    ]
    dry = fx.compress(fx.equalise(main, shine), -24, 3, 0.004, 0.12, RATE)
    dry = dry / (np.sqrt(np.mean(dry[np.abs(dry) > 1e-3] ** 2)) + 1e-9)
    echo = fx.delay(dry, 60 / 124 * 0.75, 0.4, 0.25, RATE)
    desk.add(desk.voice, echo.astype(np.float32), 0, 0.14, send=0.45)
    for wave, pan in ((np.roll(double, 600), -0.7), (octave, 0.6)):
        desk.add(desk.voice, wave / (np.std(dry) * 6), 0, 0.05, pan, 0.4)
    spans: list[tuple[float, float]] = []
    for s in sorted([*sung, *spoken]):
        if spans and s.start - spans[-1][1] < 0.3:
            spans[-1] = (spans[-1][0], s.start + s.length)
        else:
            spans.append((s.start, s.start + s.length))
    return spans


def write_transitions(piece: Piece, desk: Desk) -> None:
    """Risers into the drops, a downward sweep into the breakdown."""
    rng = np.random.default_rng(5)
    for first, end in ((12, 16), (32, 36)):
        a, z = float(piece.time(4 * first)), float(piece.time(4 * end - 0.02))
        n = int((z - a) * RATE)
        u = np.linspace(0, 1, n)
        noise = rng.standard_normal((n, 2)).astype(np.float32)
        out = np.stack([fx.sweep(noise[:, i], 300, 9000, False, RATE) for i in range(2)], 1)
        desk.add(desk.music, (out * (u**2.2)[:, None]).astype(np.float32), a, 0.16, send=0.2)
    for bar in (16, 24, 36, 44):
        n = int(3.5 * RATE)
        noise = rng.standard_normal(n).astype(np.float32)
        fall = fx.sweep(noise, 9000, 250, True, RATE) * np.exp(-np.arange(n) / RATE / 1.1)
        desk.add(desk.music, fall.astype(np.float32), float(piece.time(4 * bar)), 0.12, send=0.4)


def master(desk: Desk, kicks: Array) -> Array:
    """Side-chain, reverb, bus equaliser and compressor, soft limiter to about -14 LUFS; returns (n, 2)."""
    gain = fx.pump(desk.count, kicks, 0.62, 0.26, RATE)[:, None]
    rng = np.random.default_rng(9)
    tails = [fx.reverb_tail(rng, RATE, 1.9, 0.45, 0.018) for _ in range(2)]
    wet = np.stack([fx.convolve(desk.send[:, i], tails[i]) for i in range(2)], 1)
    wet = np.stack([fx.equalise(wet[:, i], [fx.biquad("high_pass", 260, 0.7, 0, RATE)]) for i in range(2)], 1)
    out = desk.drums + (desk.music + 0.55 * wet) * gain + desk.voice
    glue = [
        fx.biquad("high_pass", 28, 0.7, 0, RATE),
        fx.biquad("peak", 300, 0.8, -1.5, RATE),
        fx.biquad("high_shelf", 9000, 0.7, 2, RATE),
    ]
    out = np.stack([fx.equalise(out[:, i].astype(np.float32), glue) for i in range(2)], 1)
    for _ in range(4):
        out = out * 10 ** ((-14.0 - integrated_loudness(out, RATE)) / 20)
        out = limit(out, 10 ** (-1.6 / 20))
    fade = np.clip((desk.count / RATE - np.arange(desk.count) / RATE) / 0.8, 0, 1)[:, None]
    return np.asarray(out * fade, dtype=np.float32)


def limit(x: Array, ceiling: float) -> Array:
    """Look-ahead peak limiter (2 ms): the gain is a smoothed running minimum."""
    span = int(0.002 * RATE)
    peak = np.max(np.abs(x), axis=1)
    need = np.minimum(1, ceiling / np.maximum(peak, 1e-9))
    low = ndimage.minimum_filter1d(need, 2 * span + 1)
    gain = np.convolve(low, np.hanning(span + 2)[1:-1] / np.hanning(span + 2)[1:-1].sum(), "same")
    return x * np.minimum(gain, 1)[:, None]


def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("realtime/audio/demo"))
    args = parser.parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    piece = demo_piece()
    desk = Desk(int((float(piece.time(4 * BARS)) + 2.6) * RATE))
    sounds, hits = kit(), write_drums(piece)
    level = {
        "kick": 0.4,
        "snare": 0.34,
        "clap": 0.36,
        "hat": 0.22,
        "open_hat": 0.26,
        "shaker": 0.2,
        "crash": 0.3,
        "tom": 0.34,
    }
    pan = {"hat": 0.15, "open_hat": -0.1, "shaker": 0.3, "tom": -0.2, "crash": 0.1}
    for beat, sound, velocity in hits:
        at = float(piece.time(beat))
        wet = 0.12 if sound in ("clap", "snare", "crash", "tom") else 0.0
        desk.add(desk.drums, sounds[sound], at, level[sound] * velocity, pan.get(sound, 0.0), wet)
    write_music(piece, desk)
    vocals = write_voice(piece, desk)
    write_transitions(piece, desk)
    kicks = np.array([float(piece.time(b)) for b, s, _ in hits if s == "kick"])
    out = master(desk, kicks)
    with soundfile.SoundFile(
        args.out / "demo.ogg", "w", RATE, 2, format="OGG", subtype="VORBIS", compression_level=0.72
    ) as file:
        for at in range(0, len(out), RATE):  # libsndfile's Vorbis encoder overflows its stack on one long write
            file.write(out[at : at + RATE])
    numbers = [(t, n) for t, n, _ in piece.numbering() if n and t < len(out) / RATE][: 4 * BARS + 1]
    (args.out / "demo.beats").write_text("".join(f"{t:.6f}\t{n}\n" for t, n in numbers))
    names = {"clap": "snare", "hat": "hihat", "open_hat": "hihat", "shaker": "perc", "crash": "cymbal"}
    info = {
        "title": "Sidechain demo",
        "licence": "MIT (own synthesis, scripts/render_demo.py)",
        "duration": round(len(out) / RATE, 4),
        "sections": [
            {
                "start": round(float(piece.time(4 * a)), 4),
                "end": round(float(piece.time(4 * z)), 4),
                "name": n,
                "bpm": lo,
                "bpm_end": hi,
            }
            for a, z, n, lo, hi in FORM
        ],
        "chords": [
            [round(float(piece.time(4 * b)), 4), round(float(piece.time(4 * b + 4)), 4), chord_of(b)]
            for b in range(BARS)
        ],
        "key": [[0.0, round(len(out) / RATE, 4), "A:min"]],
        "drums": [[round(float(piece.time(b)), 4), names.get(s, s), round(v, 2)] for b, s, v in hits],
        "vocals": [[round(a, 4), round(z, 4)] for a, z in vocals],
    }
    (args.out / "demo.json").write_text(json.dumps(info, separators=(",", ":")) + "\n")
    size = (args.out / "demo.ogg").stat().st_size
    peak, loudness = np.max(np.abs(out)), integrated_loudness(out, RATE)
    print(f"{len(out) / RATE:.1f} s, peak {peak:.3f}, {loudness:.1f} LUFS, {size / 1e6:.2f} MB")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
