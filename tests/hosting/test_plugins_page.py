"""docs/plugins.md, followed literally: every command is run, every file written, in order."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from pathlib import Path

import pytest
import soundfile

from realtime.audio.demo import FOLDER
from realtime.cli.main import main
from realtime.hosting.bundles.manifest import Manifest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\S+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.timeout(600)
def test_the_page_is_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch", reason="the page exports a network")
    samples, rate = soundfile.read(FOLDER / "demo.ogg", dtype="float32", stop=4 * 48_000)
    soundfile.write(tmp_path / "song.flac", samples, rate)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    done = []
    for language, name, text in BLOCK.findall(PAGE):
        if language == "python" and name:
            assert Path(name).exists(), f"{name} is replaced, so it must be there"
            Path(name).write_text(text, encoding="utf-8")
        elif language == "python":
            exec(compile(text, "docs/plugins.md", "exec"), {})
        elif language == "sh":
            for line in text.splitlines():
                words = shlex.split(line)
                assert words[0] == "sidechain"
                assert main(words[1:]) == 0, f"{line}\n{capsys.readouterr().err}"
                done.append(words[1])
    assert {"plugins", "live", "analyze"} <= set(done)
    lines = [json.loads(line) for line in Path("notes.jsonl").read_text().splitlines()]
    assert {e["label"] for e in lines if e["output"] == "note"} - {None, ""}
    assert any(e["output"] == "activity" for e in map(json.loads, Path("activity.jsonl").read_text().splitlines()))


def test_the_manifest_shown_has_every_key_and_its_default() -> None:
    (text,) = [text for language, _, text in BLOCK.findall(PAGE) if language == "toml"]
    shown = tomllib.loads(text)
    rows = {"states": "model.states", "constants": "model.constants"}
    for name, field in Manifest.model_fields.items():
        section = field.annotation
        table = shown[name]
        if name == "outputs":
            section, table = Manifest.model_fields["outputs"].annotation.__args__[0], table[0]  # type: ignore[union-attr]
        keys = {f.alias or k: f for k, f in section.model_fields.items()}  # type: ignore[union-attr]
        explained = table.keys() | {k for k in keys if f"`{k}`" in PAGE}
        assert keys.keys() <= explained, f"[{name}] lacks {sorted(keys.keys() - explained)}"
        for key, value in table.items():
            assert key in keys, f"{rows.get(key, name)}.{key} is shown, but not known"
            default = keys[key].default
            if isinstance(default, (bool, int, float, str)) and key not in ("window", "fmin", "fmax"):
                assert value == default, f"[{name}] {key} is shown as {value}, default {default}"
    shown["input"] |= {"kind": "log-mel"}
    shown["outputs"][0].pop("threshold")
    shown["model"] |= {"outputs": ["y", "h_next"]}
    Manifest.model_validate(shown)
