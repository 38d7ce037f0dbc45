"""What every plugin here must keep to: declared outputs and ranges, causality, instances apart, hostile sound."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import pytest

from models.bands.plugin import Bands
from models.drums.plugin import Drums
from models.dsp.offline import drive, prepared
from models.key.plugin import Key
from models.level.plugin import Level
from models.onset.plugin import Onset
from models.pitch.plugin import Pitch
from models.structure.plugin import Structure
from models.tags.plugin import Tags
from models.tempo.plugin import Tempo
from models.voice.plugin import Voice
from realtime.hosting.plugin import Plugin
from realtime.musical import BeatObservation

PLUGINS: list[type[Plugin]] = [Level, Bands, Onset, Tempo, Pitch, Voice, Drums, Key, Structure, Tags]
each = pytest.mark.parametrize("kind", PLUGINS, ids=lambda k: k.descriptor.identifier)


@lru_cache
def music(rate: int, seconds: float = 4.0) -> np.ndarray:
    """Beats, a melody and noise."""
    rng, n = np.random.default_rng(0), int(seconds * rate)
    t = np.arange(n) / rate
    melody = 220 * 2 ** (np.floor(t * 2) % 5 / 6)
    tone = 0.2 * np.sin(2 * np.pi * np.cumsum(melody) / rate)
    drum = 0.5 * rng.standard_normal(n) * np.exp(-(t % 0.5) / 0.03)
    return (tone + drum + 0.003 * rng.standard_normal(n)).astype(np.float32)


@each
def test_outputs_are_declared_and_in_range(kind: type[Plugin]) -> None:
    spec = kind.descriptor.input
    found = drive(prepared(kind), music(spec.sample_rate))
    assert {f.output for _, f in found} <= {o.identifier for o in kind.descriptor.outputs}
    assert {o.identifier for o in kind.descriptor.outputs if o.kind == "value"} <= {f.output for _, f in found}
    for _, feature in found:
        output = kind.descriptor.output(feature.output)
        assert output is not None
        if isinstance(feature.value, BeatObservation):
            assert 0 <= feature.value.phase < 1
            assert 0 <= feature.value.confidence <= 1
            assert output.minimum * 0.97 <= feature.value.tempo <= output.maximum * 1.03
        elif output.kind == "label":
            assert isinstance(feature.label, str)
        elif output.kind == "vector":
            assert isinstance(feature.value, tuple)
            assert len(feature.value) == output.size
            assert all(output.minimum <= v <= output.maximum for v in feature.value)
        else:
            assert isinstance(feature.value, float)
            assert math.isfinite(feature.value)
            assert output.minimum <= feature.value <= output.maximum


@each
def test_the_future_changes_nothing(kind: type[Plugin]) -> None:
    rate = kind.descriptor.input.sample_rate
    x = music(rate)
    half = len(x) // 2 // kind.descriptor.input.hop * kind.descriptor.input.hop
    other = x.copy()
    other[half:] = np.random.default_rng(9).standard_normal(len(x) - half)
    whole, changed = drive(prepared(kind), x), drive(prepared(kind), other)
    until = half / rate + 1e-9
    assert [f for f in whole if f[0] <= until] == [f for f in changed if f[0] <= until]


@each
def test_instances_do_not_share_state(kind: type[Plugin]) -> None:
    x = music(kind.descriptor.input.sample_rate)
    alone = drive(prepared(kind), x)
    first, second = prepared(kind), prepared(kind)
    drive(second, x[::-1])
    assert drive(first, x) == alone


@each
def test_a_gap_is_survived(kind: type[Plugin]) -> None:
    x = music(kind.descriptor.input.sample_rate)
    plugin = prepared(kind)
    drive(plugin, x)
    plugin.skipped(4800)
    assert drive(plugin, x, start=4.1)


@each
def test_hostile_sound(kind: type[Plugin]) -> None:
    rate = kind.descriptor.input.sample_rate
    rng = np.random.default_rng(3)
    x = np.concatenate(
        [np.zeros(rate), np.full(rate, 1e-42), np.ones(rate), 16 * rng.choice([-1.0, 1.0], rate), np.zeros(rate)]
    )
    for _, feature in drive(prepared(kind), x):
        if isinstance(feature.value, float | tuple) and not isinstance(feature.value, BeatObservation):
            assert np.isfinite(feature.value).all()
