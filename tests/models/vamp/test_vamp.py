"""Vamp plugins: real ones of Debian's package, held to what Vamp's own host says of the same sound."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from models.dsp.offline import drive
from models.vamp import places
from models.vamp.plugin import Vamp
from realtime import preset as presets
from realtime.cli.main import main
from realtime.errors import UserError
from realtime.hosting.check import check_plugin
from realtime.hosting.plugin import AudioInput, Context, Feature

RATE = 48_000
LIBRARY = "vamp-example-plugins"

needs_library = pytest.mark.skipif(
    LIBRARY not in places.libraries() and not os.environ.get("CI"),
    reason="needs Vamp plugins: apt-get install vamp-examples",
)


def hosted(key: str, kind: type[Vamp] = Vamp, **texts: str) -> Vamp:
    made = kind()
    defaults = {t.identifier: t.default for t in kind.descriptor.texts}
    made.prepare(Context(texts=defaults | texts | {"key": key}))
    return made


def clicks(seconds: float = 3.0) -> np.ndarray:
    """Bursts of noise each half second over a soft tone and a little noise."""
    rng = np.random.default_rng(7)
    t = np.arange(int(seconds * RATE)) / RATE
    bursts = rng.standard_normal(len(t)) * np.exp(-40 * (t % 0.5)) * (t % 0.5 < 0.2)
    return (0.3 * bursts + 0.02 * np.sin(2 * np.pi * 220 * t) + 1e-3 * rng.standard_normal(len(t))).astype(
        np.float32
    )


def said(key: str, x: np.ndarray, wanted: str, **texts: str) -> list[Feature]:
    return [f for _, f in drive(hosted(key, **texts), x) if f.output == wanted]


def reference(key: str, output: str, x: np.ndarray, folder: Path) -> list[tuple[float, list[float]]]:
    """Times and values as ``vamp-simple-host`` prints them."""
    program = shutil.which("vamp-simple-host")
    assert program is not None, "vamp-simple-host is part of the package vamp-examples"
    soundfile.write(folder / "x.wav", x, RATE, subtype="FLOAT")
    environment = os.environ | {"VAMP_PATH": str(places.place(LIBRARY).parent)}
    done = subprocess.run(
        [program, f"{key}:{output}", str(folder / "x.wav")],
        capture_output=True, text=True, check=True, env=environment, timeout=60,
    )  # fmt: skip
    rows = []
    for line in done.stdout.splitlines():
        time, colon, values = line.partition(":")
        try:
            rows.append((float(time), [float(v) for v in values.split()]))
        except ValueError:
            continue
        assert colon
    return rows


@needs_library
def test_onsets_are_those_of_vamps_own_host(tmp_path: Path) -> None:
    x = clicks()
    wanted = reference(f"{LIBRARY}:percussiononsets", "onsets", x, tmp_path)
    found = said(f"{LIBRARY}:percussiononsets", x, "event")
    assert len(wanted) >= 5
    assert [f.time for f in found] == pytest.approx([t for t, _ in wanted][: len(found)], abs=1e-6)
    assert len(found) >= len(wanted) - 1  # its host pads the file's end with silence, live sound goes on


@needs_library
@pytest.mark.parametrize(
    ("plugin", "output"),
    [
        ("percussiononsets", "detectionfunction"),  # spectra
        ("amplitudefollower", "amplitude"),  # samples
        ("spectralcentroid", "linearcentroid"),
        ("powerspectrum", "powerspectrum"),  # many numbers
    ],
)
def test_numbers_are_those_of_vamps_own_host(plugin: str, output: str, tmp_path: Path) -> None:
    x = clicks(1.0)
    wanted = reference(f"{LIBRARY}:{plugin}", output, x, tmp_path)
    many = len(wanted[0][1]) > 1
    found = said(f"{LIBRARY}:{plugin}", x, "vector" if many else "value", output=output)
    assert len(found) >= 40
    for feature, (time, values) in zip(found, wanted):
        assert feature.time == pytest.approx(time, abs=1e-4)
        assert feature.value == pytest.approx(tuple(values) if many else values[0], rel=2e-3, abs=1e-3)


@needs_library
def test_parameters_reach_the_plugin() -> None:
    x = clicks()
    deaf = said(f"{LIBRARY}:percussiononsets", x, "event", settings="threshold = 20\nsensitivity = 0")
    keen = said(f"{LIBRARY}:percussiononsets", x, "event", settings="threshold = 3\nsensitivity = 90")
    assert len(deaf) < len(keen)


@needs_library
def test_events_without_a_number_are_events_too() -> None:
    tone = np.sin(2 * np.pi * 200 * np.arange(RATE) / RATE + 0.5)
    found = said(f"{LIBRARY}:zerocrossing", tone, "event", output="zerocrossings")
    assert [f.value for f in found] == [None] * len(found)
    assert np.diff([f.time for f in found[1:]]) == pytest.approx(1 / 400, abs=2 / RATE)


@needs_library
def test_windows_that_were_left_out_are_made_up_for() -> None:
    x = clicks()
    every = said(f"{LIBRARY}:percussiononsets", x, "event")
    plugin, found = hosted(f"{LIBRARY}:percussiononsets"), []
    spec = plugin.descriptor.input
    padded = np.concatenate([np.zeros(spec.length, np.float32), x])
    for k in (1, 2, 3, 20, 21, 50, 59, 60):
        end = k * spec.hop
        found += [f for f in plugin.process(padded[end : end + spec.length], end / RATE) if f.output == "event"]
    assert found == every


@needs_library
def test_after_a_long_gap_it_begins_anew_at_the_right_time() -> None:
    plugin = hosted(f"{LIBRARY}:percussiononsets")
    x = clicks()
    drive(plugin, x)
    later = [f.time for _, f in drive(plugin, x, start=20.0) if f.output == "event"]
    first = [f.time for _, f in drive(hosted(f"{LIBRARY}:percussiononsets"), x) if f.output == "event"]
    assert np.allclose(np.array(later) - 20.0, first)


@needs_library
@pytest.mark.parametrize("plugin", ["percussiononsets", "amplitudefollower", "powerspectrum"])
def test_it_keeps_to_the_contract(plugin: str) -> None:
    report = check_plugin(Vamp, {"key": f"{LIBRARY}:{plugin}"}, seconds=3.0)
    assert report.ok, report.failures


class Other(Vamp):
    """As the card shows it: one of several, in stereo."""

    descriptor = replace(
        Vamp.descriptor, identifier="vamp-other", latency=0.02, input=AudioInput(44_100, 2, 2205, 44_100)
    )


@needs_library
def test_another_rate_and_stereo() -> None:
    x = np.sin(2 * np.pi * 1000 * np.arange(44_100) / 44_100).astype(np.float32)
    found = [f for _, f in drive(hosted(f"{LIBRARY}:spectralcentroid", Other, output="linearcentroid"), x)]
    values = [f.value for f in found if f.output == "value"]
    assert np.median(values) == pytest.approx(1000, rel=0.05)


@needs_library
def test_through_the_whole_host(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "x.wav", clicks(), RATE)
    (tmp_path / "p.toml").write_text(
        f"name = 'p'\n[plugins.vamp]\nkey = '{LIBRARY}:percussiononsets'\nsettings = ['sensitivity = 60']\n"
    )
    out = tmp_path / "out.jsonl"
    assert presets.load(str(tmp_path / "p.toml")).plugins["vamp"].parameters["key"]
    assert main(["analyze", str(tmp_path / "x.wav"), "--preset", str(tmp_path / "p.toml"), "-o", str(out)]) == 0
    events = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    times = [e["time"] for e in events if e.get("output") == "event"]
    assert len(times) >= 5
    assert all(min(t % 0.5, 0.5 - t % 0.5) < 0.05 for t in times)


@needs_library
def test_the_listing_names_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins", "vamp"]) == 0
    assert f"{LIBRARY}:percussiononsets" in capsys.readouterr().out
    assert main(["plugins", "vamp", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)[0]["installed"]
    assert any("BSD" in row["about"] for row in listed)


def test_a_broken_library_is_listed_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / f"broken{places.suffix()}").write_bytes(b"not a library")
    monkeypatch.setenv("VAMP_PATH", str(tmp_path))
    ((key, about),) = Vamp.installed()
    assert key == "broken"
    assert "cannot be read" in about


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        ({"key": ""}, "no key"),
        ({"key": "percussiononsets"}, "must be library:plugin"),
        ({"key": "../../evil:x"}, "must be library:plugin"),
        ({"key": "nothing-here:x"}, "no library 'nothing-here"),
    ],
)
def test_a_wrong_key_is_one_clear_line(texts: dict[str, str], told: str) -> None:
    with pytest.raises(UserError, match=told) as e:
        hosted(**texts)
    assert "\n" not in str(e.value)


@needs_library
@pytest.mark.parametrize(
    ("key", "texts", "told"),
    [
        ("vamp-example-plugin:x", {}, "did you mean 'vamp-example-plugins'"),
        (f"{LIBRARY}:percusiononset", {}, "did you mean 'percussiononsets'"),
        (f"{LIBRARY}:percussiononsets", {"output": "beats"}, "it has onsets, detectionfunction"),
        (f"{LIBRARY}:percussiononsets", {"settings": "loudness = 3"}, "it has threshold, sensitivity"),
        (f"{LIBRARY}:percussiononsets", {"settings": "threshold = 300"}, "between 0 and 20 dB"),
        (f"{LIBRARY}:percussiononsets", {"settings": "threshold"}, "must be 'name = number'"),
        (f"{LIBRARY}:percussiononsets", {"program": "loud"}, "no program 'loud'"),
    ],
)
def test_wrong_settings_are_one_clear_line(key: str, texts: dict[str, str], told: str) -> None:
    with pytest.raises(UserError, match=told):
        hosted(key, **texts)


def test_another_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / f"broken{places.suffix()}").write_bytes(b"not a library")
    monkeypatch.setenv("VAMP_PATH", str(tmp_path))
    with pytest.raises(UserError, match="no Vamp library for this machine"):
        hosted("broken:x")
