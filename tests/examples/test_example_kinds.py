"""The examples of the further kinds, hosted as a user's own plugins are: found in a folder, run by the engine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from models.bands.plugin import Bands
from models.onset.plugin import Onset
from realtime.bus import Event
from realtime.engine import Engine
from realtime.errors import UserError
from realtime.hosting.plugin import PluginFactory
from realtime.hosting.registry import discover
from realtime.preset import PluginSettings, Preset
from tests.fixtures.sources import ArraySource
from tests.fixtures.waiting import until
from tests.hosting.slowhost import Hum, SlowHost

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
RATE = 48_000


def example(identifier: str) -> PluginFactory:
    entry = discover({identifier}, EXAMPLES)[identifier]
    assert entry.factory is not None, entry.error
    return entry.factory


def over(x: np.ndarray, *plugins: PluginFactory, **settings: dict[str, object]) -> tuple[Engine, list[Event]]:
    """An engine that has run these plugins over sound at 48 kHz, and all events."""
    found = {p.descriptor.identifier: p for p in plugins}
    chosen = {n: PluginSettings.model_validate(settings.get(n, {})) for n in found}
    engine = Engine(Preset(name="t", plugins=chosen), ArraySource(x, RATE), plugins=found, outputs=False)
    engine.run_offline()
    return engine, engine.events()


def hits(hz: list[float]) -> np.ndarray:
    """A decaying tone of each frequency, twice a second."""
    t = np.arange(RATE // 2) / RATE
    return np.concatenate([np.zeros(RATE)] + [0.5 * np.sin(2 * np.pi * f * t) * np.exp(-t / 0.08) for f in hz])


def test_hits_are_dark_or_bright() -> None:
    engine, events = over(hits([200.0, 4000.0, 300.0]), Onset, example("hit-tone"))
    labels = [e.label for e in events if e.name == "hit-tone.hit"]
    assert labels == ["dark", "bright", "dark"]
    assert not any(s["error"] for s in engine.status()["plugins"])


def test_energy_is_a_mean_of_what_is_fresh() -> None:
    bass = 0.5 * np.sin(2 * np.pi * 80 * np.arange(2 * RATE) / RATE)
    loud, _ = over(bass, example("energy"), Bands, Onset)
    quiet, _ = over(np.zeros(2 * RATE), example("energy"), Bands, Onset)
    assert 0.0 <= quiet.value("energy.energy").value < 0.2 < loud.value("energy.energy").value <= 1.0


def test_gain_halves_the_sound(tmp_path: Path) -> None:
    x = 0.5 * np.sin(2 * np.pi * 200 * np.arange(RATE) / RATE)
    path = tmp_path / "half.flac"
    engine, _ = over(x, example("gain"), gain={"gain": -6.0206, "to": str(path)})
    y, _ = soundfile.read(path)
    assert y[:, 0] == pytest.approx(x / 2, abs=1e-4)
    assert engine.value("gain.peak").value == pytest.approx(0.25, abs=0.01)


def test_loudest_note_of_ten_seconds() -> None:
    x = 0.3 * np.sin(2 * np.pi * 261.63 * np.arange(12 * RATE) / RATE)
    engine, _ = over(x, example("loudest"))
    assert engine.value("loudest.note").label == "C"
    assert engine.value("loudest.share").value > 0.9


def begun(engine: Engine, times: int) -> bool:
    """Ask for an echo; False while the last one has not ended."""
    try:
        engine.call("job.start", {"plugin": "echo", "request": {"times": times}})
    except UserError:
        return False
    return True


def test_echo_gives_the_last_seconds_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Live, in its worker, found there by its path as the preset names it."""
    monkeypatch.setenv("SIDECHAIN_JOBS", str(tmp_path))
    engine = Engine(
        Preset(name="t", plugins={str(EXAMPLES / "echo_job.py"): PluginSettings()}), Hum(2), outputs=False
    )
    engine.start()
    try:
        host = SlowHost(engine)
        engine.call("job.start", {"plugin": "echo", "request": {"times": 2}})
        sound = host.wait_for("echo.echo")
        assert sound.value == 4.0
        y, rate = soundfile.read(str(sound.label))
        assert (rate, y.shape) == (RATE, (4 * RATE, 2))
        until(lambda: begun(engine, 99))  # the job may take a moment longer to end than its result
        host.wait_for("host.job", "'times' must be between 1 and 20")
    finally:
        engine.stop()
        assert engine.join(30.0)
