"""The library dock: its lines, at every size, and in the window."""

from __future__ import annotations

from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from gui.analysis import Analysis
from gui.library import Alike, Library, neighbours
from gui.look import Look
from gui.model import Model
from tests.gui.test_views import Still

LINES = "0.91  1:23  Some Artist – A Title\n0.40  0:05  Another"


class Library3(Still):
    """A feed with the three plugins on."""

    def status(self) -> dict[str, Any]:
        return {"plugins": [{"identifier": n, "enabled": True} for n in ("similarity", "fingerprint", "genre")]}


def filled(feed: Still, **given: object) -> Model:
    feed.given = {k.replace("__", "."): v for k, v in given.items()}
    model = Model(feed)  # type: ignore[arg-type]
    model.tick()
    return model


def test_lines_are_read() -> None:
    assert neighbours(LINES) == [Alike(0.91, "1:23", "Some Artist – A Title"), Alike(0.40, "0:05", "Another")]
    assert neighbours("") == []
    assert neighbours("nan  0:00  x\nx  0:00  y\n0.5\n0.5  0:01  ") == []


def test_heads_say_what_is_known(qtbot: QtBot) -> None:
    look = Look()
    known = filled(
        Library3(),
        similarity__neighbours=LINES,
        fingerprint__track="A Title",
        fingerprint__position=83.4,
        genre__top="rock 0.41, pop 0.22",
    )
    view = Library(known, look)
    qtbot.addWidget(view)
    assert view.heads() == [("A Title  1:23", True), ("rock 0.41, pop 0.22", True)]
    unknown = Library(filled(Library3()), look)
    qtbot.addWidget(unknown)
    assert [strong for _, strong in unknown.heads()] == [False, False, False]


@pytest.mark.parametrize("feed", [Still, Library3])
@pytest.mark.parametrize("size", [(120, 60), (300, 200), (900, 30)])
def test_it_is_drawn_at_every_size(qtbot: QtBot, feed: type[Still], size: tuple[int, int]) -> None:
    view = Library(filled(feed(), similarity__neighbours=LINES * 20), Look())
    qtbot.addWidget(view)
    view.resize(*size)
    image = view.grab().toImage()
    assert len({image.pixel(x, y) for x in range(image.width()) for y in range(image.height())}) > 1


def test_the_dock_is_there(qtbot: QtBot) -> None:
    window = Analysis(filled(Library3()), Look())
    qtbot.addWidget(window)
    assert any(isinstance(v, Library) for v in window.views)
    assert "Library" in [a.text() for a in window.actions_to_show()]
