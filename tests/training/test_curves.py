"""The picture of a training's log."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest

from models.training import curves
from realtime.errors import UserError

SVG = "{http://www.w3.org/2000/svg}"


def test_each_term_gets_a_panel_and_held_out_values_their_dots(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    rows = [f"{k},{k},{1 / k:.4f},beat={1 / k:.4f},bar={2 / k:.4f}" for k in range(1, 1001)]
    rows.insert(500, "500,500,validation,beat=0.5000")
    log.write_text("\n".join(rows) + "\n")
    training, held_out = curves.read(log)
    assert training["bar"][1][0] == pytest.approx(2.0)
    assert held_out["beat"][0].tolist() == [500.0]
    root = ElementTree.fromstring(curves.draw(training, held_out))
    assert len(root.findall(f"{SVG}polyline")) == 2
    assert len(root.findall(f"{SVG}circle")) == 1
    assert [t.text for t in root.findall(f"{SVG}text") if t.get("font-weight")] == ["beat", "bar"]


def test_long_curves_are_thinned_to_their_means() -> None:
    steps, values = curves.thinned((np.arange(16_000.0), np.arange(16_000.0)))
    assert len(steps) == curves.POINTS
    assert values.mean() == pytest.approx(7999.5)


def test_what_is_no_log_is_refused(tmp_path: Path) -> None:
    wrong = tmp_path / "log.csv"
    wrong.write_text("hello\n")
    with pytest.raises(UserError, match=r"log\.csv: not the log of a training"):
        curves.read(wrong)
    wrong.write_text("")
    with pytest.raises(UserError, match="empty"):
        curves.read(wrong)
