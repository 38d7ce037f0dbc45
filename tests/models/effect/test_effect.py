"""Effects on live sound: what they do to it, bounds, and wrong chains in one clear line."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from models.effect.chain import EFFECTS, build
from models.effect.plugin import HOP, Effect
from realtime.cli.main import main
from realtime.errors import UserError
from realtime.hosting.check import check_plugin
from realtime.hosting.plugin import Context

RATE = 48_000


@pytest.fixture
def _package() -> None:
    pytest.importorskip("pedalboard", reason="needs the extra 'effects'")


pytestmark = pytest.mark.usefixtures("_package")


def prepared(*chain: str, gain_db: float = 0.0) -> Effect:
    made = Effect()
    made.prepare(Context({"gain_db": gain_db}, texts={"chain": "\n".join(chain)}))
    return made


def through(plugin: Effect, x: np.ndarray) -> np.ndarray:
    frames = x.astype(np.float32).reshape(2, -1, HOP).transpose(1, 0, 2)
    return np.concatenate([plugin.render(f, (k + 1) * HOP / RATE) for k, f in enumerate(frames)], axis=1)


def tone(hz: float, level: float = 0.5, seconds: float = 1.0) -> np.ndarray:
    x = level * np.sin(2 * np.pi * hz * np.arange(int(seconds * RATE)) / RATE)
    return np.stack([x, x])


def rms(x: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(x[:, RATE // 2 :]))))


def test_a_filter_takes_the_bass() -> None:
    chain = "HighpassFilter cutoff_frequency_hz=2000"
    assert rms(through(prepared(chain), tone(100))) < 0.1 * rms(tone(100))
    assert rms(through(prepared(chain), tone(10_000))) > 0.9 * rms(tone(10_000))


def test_a_compressor_takes_the_loud_and_leaves_the_soft() -> None:
    chain = "Compressor threshold_db=-20 ratio=10"
    assert rms(through(prepared(chain), tone(440, 0.9))) < 0.35 * rms(tone(440, 0.9))
    assert rms(through(prepared(chain), tone(440, 0.02))) == pytest.approx(rms(tone(440, 0.02)), rel=0.05)


def test_a_reverb_goes_on_and_reset_ends_it() -> None:
    plugin, silence = prepared("Reverb room_size=0.9 wet_level=0.8"), np.zeros((2, 4800))
    through(plugin, tone(440))
    assert np.abs(through(plugin, silence)).max() > 1e-3
    plugin.reset()
    assert np.abs(through(plugin, silence)).max() == 0.0


def test_gain_is_live() -> None:
    plugin = prepared("Gain gain_db=0")
    plugin.parameter("gain_db", -20.0)
    assert rms(through(plugin, tone(440))) == pytest.approx(0.1 * rms(tone(440)), rel=1e-3)


class Late:
    """An effect that holds 700 samples back, as the package does with plugins that look ahead."""

    def __init__(self) -> None:
        self._kept = np.zeros((2, 0), np.float32)

    def process(self, x: np.ndarray, rate: int, reset: bool) -> np.ndarray:
        self._kept = np.concatenate([self._kept, x], axis=1)
        n = max(0, self._kept.shape[1] - 700)
        made, self._kept = self._kept[:, :n], self._kept[:, n:]
        return made


def test_what_is_held_back_delays_the_sound_and_loses_nothing() -> None:
    plugin, x = prepared("Gain"), tone(440, seconds=0.2)
    plugin._board = Late()
    made = through(plugin, x)
    assert made.shape == x.shape
    late = int(np.argmax(made[0] != 0)) - 1
    assert 700 <= late <= 960
    assert np.allclose(made[:, late:], x[:, : x.shape[1] - late])


@pytest.mark.parametrize("name", EFFECTS)
def test_every_effect_of_the_list_runs(name: str) -> None:
    made = through(prepared(name), tone(440, seconds=0.2))
    assert np.isfinite(made).all()


def test_it_keeps_to_the_contract() -> None:
    report = check_plugin(Effect, {"chain": "Compressor ratio=4\nReverb"}, seconds=2.0)
    assert report.ok, report.failures


def test_into_a_file_through_the_whole_host(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "x.wav", tone(100).T, RATE)
    (tmp_path / "p.toml").write_text(
        "name = 'p'\n[plugins.effect]\nchain = ['HighpassFilter cutoff_frequency_hz=4000']\n"
        f"to = '{tmp_path / 'wet.flac'}'\n"
    )
    assert main(["analyze", str(tmp_path / "x.wav"), "--preset", str(tmp_path / "p.toml"), "--quiet"]) == 0
    wet, rate = soundfile.read(tmp_path / "wet.flac")
    assert rate == RATE
    assert 0 < np.abs(wet[RATE // 2 :]).max() < 0.02


@pytest.mark.parametrize(
    ("chain", "told"),
    [
        ("", "no chain"),
        ("Compresor", "did you mean 'Compressor'"),
        ("Compressor loudness=3", "has no 'loudness'; it has .*ratio"),
        ("Compressor ratio", "must be NAME=VALUE"),
        ("Compressor ratio=much", "ratio=much"),
        ("Convolution impulse_response_filename=/etc/passwd", "no effect 'Convolution'"),
        ("VST3", "must name a file"),
        ("VST3 path=/nowhere/x.vst3", "cannot be loaded as VST3"),
        ("Gain 'x", "No closing quotation"),
        ("Gain\n" * 17, "at most 16"),
    ],
)
def test_a_wrong_chain_is_one_clear_line(chain: str, told: str) -> None:
    with pytest.raises(UserError, match=told) as e:
        prepared(chain)
    assert "\n" not in str(e.value)


def test_without_the_package_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pedalboard", None)
    with pytest.raises(UserError, match=r"pip install 'sidechain\[effects\]'"):
        build("Gain")
