"""What is drawn is what was heard; at every size, in every theme, without a complaint of Qt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PySide6.QtGui import QColor
from pytestqt.qtbot import QtBot

from gui import settings, theme
from gui.harmony import Harmony
from gui.lanes import Drums
from gui.look import PALETTES, Look
from gui.meters import Tags
from gui.model import FLOOR, Model
from gui.rehearsal import packed
from gui.settings import Settings
from gui.spectrogram import Spectrogram, place
from gui.structure import Structure
from gui.theme import rgb
from gui.waveform import Waveform
from gui.window import Window
from realtime.bus import Event
from tests.fixtures.engine import Band, FakeEngine
from tests.gui.conftest import WAIT, Host


class Still:
    """A feed that stands at one place, filled by hand."""

    connected, message, lives, snapshots = True, "", 1, 0

    def __init__(self) -> None:
        self.time = 0.0
        self.given: dict[str, Any] = {}
        self.happened: list[Event] = []
        self.sent: list[tuple[str, str]] = []

    def now(self) -> float:
        return self.time

    def values(self) -> dict[str, Any]:
        return self.given

    def packets(self) -> list[tuple[str, str]]:
        sent, self.sent = self.sent, []
        return sent

    def status(self) -> dict[str, Any]:
        names = ("scope", "onset", "beat", "voice", "pitch", "level")
        return {"plugins": [{"identifier": n, "enabled": True} for n in names], "transport": {"source": "beat"}}

    def events(self) -> list[Event]:
        happened, self.happened = self.happened, []
        self.snapshots += 1
        return happened

    def call(self, *_: Any) -> None: ...

    def poll(self) -> list[str]:
        return []

    def close(self) -> None: ...


@pytest.fixture
def still() -> Still:
    return Still()


def test_the_waveform_draws_each_column_where_it_belongs(still: Still, qtbot: QtBot) -> None:
    model = Model(still)
    view = Waveform(model, Look())
    qtbot.addWidget(view)
    view.resize(846, 200)
    loud = np.zeros((6, 4, 2))
    loud[5] = (-1.0, 1.0)  # the hop that ends at 2.00 s
    still.time, still.sent = 2.1, [("scope.waveform", packed(100, 127 * loud))]
    model.tick()
    view.refresh()
    rate, picture = view.per_second(), view._picture
    trace = (picture.pixels == view._trace) | (picture.pixels == view._loud) | (picture.pixels == view._soft)

    def filled(at: float) -> int:
        return int(trace[:, int(at * rate) % picture.width].sum())

    assert filled(1.99) > 190
    assert filled(1.95) <= 2
    image = view.grab().toImage()
    assert not image.isNull()


def test_the_spectrogram_is_bright_at_the_right_height(still: Still, qtbot: QtBot) -> None:
    model = Model(still)
    view = Spectrogram(model, Look())
    qtbot.addWidget(view)
    view.resize(846, 300)
    spectra = np.full((6, 96), FLOOR)
    band = round(place(1000.0) * 95)
    spectra[:, band - 1 : band + 2] = 0.0
    still.time, still.sent = 2.1, [("scope.spectrum", packed(100, spectra))]
    model.tick()
    view.refresh()
    column = view._picture.column(int(1.99 * view.per_second()))
    table = view.look.table()
    rows = np.flatnonzero(column == table[255])
    assert len(rows)
    assert abs((1 - rows.mean() / 299) - place(1000.0)) < 0.02
    assert column[0] == column[-1] == table[0]


def test_marks_lie_on_their_column_whether_they_come_before_or_after_it(still: Still, qtbot: QtBot) -> None:
    """A beat that is foretold, one that is told late, an onset: the same picture as when all was known before."""
    events = [
        Event(0, 2.00, 1.9, "beat", "beat", 1.0, None),
        Event(1, 2.25, 2.2, "beat", "beat", 2.0, None),
        Event(2, 2.04, 2.1, "onset", "onset", 0.9, None),
        Event(3, 2.28, 2.3, "onset", "onset", 0.4, None),
    ]
    told = {2.0: events[:1], 2.2: events[1:2], 2.3: events[2:], 2.5: []}
    pictures = []
    for first in (False, True):
        still = Still()
        view = Drums(Model(still), Look())
        qtbot.addWidget(view)
        view.resize(846, 100)
        for k, at in enumerate(told):
            still.time, still.happened = at, (events if k == 0 else []) if first else told[at]
            view.model.tick()
            view.refresh()
        pictures.append((view._picture.pixels.copy(), view.per_second()))
        assert view.grab().toImage().width() == 846
    (stepwise, rate), (at_once, _) = pictures
    assert np.array_equal(stepwise, at_once)
    theme_ = view.theme
    assert (stepwise[:, int(2.04 * rate)] == rgb(theme_.onset)).sum() > 80
    assert 30 < (stepwise[:, int(2.28 * rate)] == rgb(theme_.onset)).sum() < 45
    line = stepwise[0, int(2.0 * rate)]
    assert line not in (rgb(theme_.panel), rgb(theme_.downbeat))
    assert stepwise[0, int(2.0 * rate) - 1] == line
    assert len({int(stepwise[0, int(2.0 * rate)]), int(stepwise[0, int(2.25 * rate)]), rgb(theme_.panel)}) == 3


def test_the_model_keeps_what_happened_and_forgets_an_old_stream(still: Still) -> None:
    model = Model(still)
    still.time = 5.0
    still.given = {
        "transport.state": "locked",
        "transport.bpm": 120.0,
        "pitch.hz": 440.0,
        "voice.probability": 0.9,
    }
    still.happened = [
        Event(0, 4.5, 4.4, "beat", "beat", 1.0, None),
        Event(1, 4.6, 4.6, "onset", "onset", 0.7, None),
        Event(2, 4.7, 4.7, "host", "message", None, "hello"),
        Event(3, 5.5, 5.0, "beat", "beat", 2.0, None),
        Event(4, 4.8, 4.8, "structure", "section", None, "verse"),
        Event(5, 4.9, 4.9, "voice", "active", 1.0, None),
    ]
    model.tick()
    assert model.flash == (1, 4.5)
    assert model.onsets.rows().tolist() == [[4.6, 0.7]]
    assert model.log[-1] == (4.7, "hello")
    assert model.sections[-1].label == "verse"
    assert model.active
    assert model.pitch.rows()[-1, 1] == pytest.approx(69.0)
    still.time = 5.6
    model.tick()
    assert model.flash == (2, 5.5)
    serial = model.serial
    still.time = 0.1
    model.tick()
    assert model.serial == serial + 1
    assert len(model.beats) == 0


def test_parts_chords_and_key_are_kept_as_they_change(still: Still) -> None:
    model = Model(still)
    for at, part, chord in ((1.0, "", "N"), (2.0, "build", "Am"), (3.0, "build", "F"), (4.0, "drop", "F")):
        still.time = at
        still.given = {
            "structure.section": part, "structure.energy": 0.1 * at, "structure.buildup": 0.5,
            "key.chord": chord, "key.key": "A minor", "key.camelot": "8A", "tags.music": 0.9,
            "tags.sound": "music",
        }  # fmt: skip
        model.tick()
    assert [tuple(p) for p in model.parts] == [(2.0, "build"), (4.0, "drop")]
    assert [tuple(c) for c in model.chords] == [(2.0, "Am"), (3.0, "F")]
    assert model.energy.rows()[-1].tolist() == [4.0, pytest.approx(0.4), 0.5]
    assert (model.key, model.word("key.camelot")) == ("A minor", "8A")
    assert list(model.tags) == ["music"]
    still.happened = [
        Event(0, 4.0, 4.0, "structure", "change", 0.6, "change"),
        Event(1, 4.1, 4.2, "structure", "drop", 0.9, "drop"),
        Event(2, 4.2, 4.3, "structure", "change", 0.5, "change"),
        Event(3, 4.3, 4.3, "key", "chord_change", 0.8, "G"),
        Event(4, 4.4, 4.4, "key", "key_change", 0.8, "C major"),
    ]
    still.given = {}
    still.time = 4.5
    model.tick()
    assert [s.label for s in model.sections] == ["drop"]
    assert model.key == "C major"


class Concert(Still):
    """Everything is on, and has results."""

    on: tuple[str, ...] = ("scope", "onset", "drums", "tags", "structure", "key")

    def status(self) -> dict[str, Any]:
        return {
            "plugins": [{"identifier": n, "enabled": True} for n in self.on],
            "transport": {"source": "beat"},
        }


def test_parts_and_energy_and_chords_have_their_lanes(qtbot: QtBot) -> None:
    still = Concert()
    model, look = Model(still), Look()
    view = Structure(model, look)
    qtbot.addWidget(view)
    view.resize(846, 120)
    drop, build = rgb(look.theme.bad), rgb(look.theme.warn)
    for at, part in ((1.0, "build"), (3.0, "drop"), (5.0, "drop")):
        still.time, still.given = at, {"structure.section": part, "structure.energy": 1.0, "key.chord": "Am"}
        model.tick()
        view.refresh()
    lanes = view._rows(120)
    assert list(lanes) == ["part", "energy", "chord"]
    assert lanes["chord"][1] == 120
    image, area = view.grab().toImage(), view.area()

    def near(x: float, wanted: int) -> bool:
        seen, other = image.pixelColor(int(x), lanes["part"][0] + 3), QColor(wanted)
        pairs = zip((seen.red(), seen.green(), seen.blue()), (other.red(), other.green(), other.blue()))
        return sum(abs(a - b) for a, b in pairs) < 120  # the lane is a little transparent

    assert near(view.across(2.9, area) - 4, build)
    assert near(view.across(4.5, area), drop)
    energy = image.pixelColor(int(view.across(4.5, area)), sum(lanes["energy"]) // 2)
    assert energy.green() > energy.red() + 20
    still.on, still.time = ("key",), 5.1
    model.tick()
    view.refresh()
    assert list(view._rows(120)) == ["chord"]


@pytest.mark.parametrize("make", [Harmony, Tags, Structure, Drums, Waveform])
def test_views_draw_when_full_empty_off_and_tiny(make: Any, qtbot: QtBot) -> None:
    """Empty values, odd values and no room: no exception, no complaint of Qt; results show."""
    still = Concert()
    view = make(Model(still), Look())
    qtbot.addWidget(view)
    view.resize(600, 160)
    still.time = 1.0
    view.model.tick()
    view.refresh()
    empty = view.grab().toImage()
    for at in (1.2, 1.5, 2.0):
        still.time = at
        still.given = {
            "key.key": "Bb minor", "key.camelot": "3A", "key.chord": "F#", "key.confidence": 0.9,
            "key.chord_confidence": 0.4, "key.chroma": [k / 11 for k in range(12)], "key.tuning": -12.0,
            "structure.section": "drop", "structure.energy": at / 2, "structure.buildup": 0.2,
        } | {f"tags.{name}": 0.1 * k for k, name in enumerate("abcdefghij")}  # fmt: skip
        still.happened = [
            Event(0, at, at, "drums", "hit", 0.9, "kick"),
            Event(1, at, at, "drums", "hit", 0.9, "cymbal"),
            Event(2, at, at, "structure", "drop", 0.9, "drop"),
        ]
        view.model.tick()
        for _ in range(20):
            view.refresh()
    assert view.grab().toImage() != empty
    for values in ({"key.chroma": [None] * 12, "structure.energy": None, "tags.a": None}, {"key.chroma": [1.0]}):
        still.given, still.time = values, still.time + 0.3
        view.model.tick()
        view.refresh()
        view.grab()
    view.setMinimumSize(1, 1)
    for size in ((1, 1), (40, 20), (200, 30)):
        view.resize(*size)
        view.refresh()
        view.grab()


@pytest.mark.parametrize("size", [(360, 480), (1280, 720), (1900, 1100)])
def test_every_page_draws_at_every_size_and_in_both_themes(
    fake: tuple[FakeEngine, Any], look_at: Callable[..., Window], qtbot: QtBot, size: tuple[int, int]
) -> None:
    with Band(fake[0]):
        window = look_at(fake[1].port)
        window.resize(*size)
        for k in range(window.pages.count()):
            window.pages.setCurrentIndex(k)
            window._choose(theme=theme.CONTRAST if k % 2 else theme.DARK)
            qtbot.wait(60)
        for _ in range(9):
            window.rescale(1)
        qtbot.wait(60)
        assert window.look.choices.scale == max(theme.SCALES)
        window._choose(scale=1.0)
        qtbot.wait(60)
        if size[0] < 400:
            assert window.width() <= 500


def test_palettes_ranges_and_spans_redraw_from_history(window: Window, host: Host, qtbot: QtBot) -> None:
    window.pages.setCurrentWidget(window.analysis)
    view = next(v for v in window.analysis.views if isinstance(v, Spectrogram))
    qtbot.waitUntil(lambda: len(np.unique(view._picture.pixels)) > 3, timeout=WAIT)
    for palette in PALETTES:
        window._choose(palette=palette, low=-90.0, high=-20.0, span=4.0)
        # all but the lines of the beats, and what has not come yet, is of the palette
        qtbot.waitUntil(lambda: np.isin(view._picture.pixels, view.look.table()).mean() > 0.9, timeout=WAIT)
        qtbot.waitUntil(lambda: len(np.unique(view._picture.pixels)) > 3, timeout=WAIT)


def test_docks_are_closed_moved_and_remembered(window: Window, qtbot: QtBot) -> None:
    window.pages.setCurrentWidget(window.analysis)
    for action in window.analysis.actions_to_show():
        action.trigger()
    qtbot.waitUntil(lambda: window.analysis._empty.isVisible(), timeout=WAIT)
    kept = window.analysis.remember()
    window._arrange()
    assert not window.analysis._empty.isVisible()
    assert window.analysis.restore(kept)
    qtbot.waitUntil(lambda: window.analysis._empty.isVisible(), timeout=WAIT)
    assert not window.analysis.restore("rubbish")


def test_settings_survive_and_rubbish_does_not(tmp_path: Any) -> None:
    path = tmp_path / "deep" / "gui.json"
    kept = Settings(theme="high contrast", span=12.0, recent=["a:1"])
    assert settings.save(kept, path)
    assert settings.load(path) == kept
    for text in ("", "[]", '{"theme": 7, "span": 900, "low": 5, "high": 0, "scale": 3, "recent": [1]}', "\0"):
        path.write_text(text)
        assert settings.load(path) == Settings()
    assert [p.name for p in path.parent.iterdir()] == ["gui.json"]
    assert not settings.save(kept, tmp_path / "deep" / "gui.json" / "below")


def test_the_window_remembers_how_it_was_left(window: Window, qtbot: QtBot) -> None:
    window.pages.setCurrentIndex(3)
    window._choose(theme=theme.CONTRAST)
    window.remember()
    again = settings.load()
    assert (again.theme, again.page) == ("high contrast", 3)
    assert replace(again.choices(), theme=theme.DARK) == replace(window.look.choices, theme=theme.DARK)
