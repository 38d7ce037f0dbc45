"""Draw the log of a training: one panel a term, its running mean and what held-out pieces gave.

python -m models.training.curves OUT/log.csv models/NAME/training.svg
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from pathlib import Path

import numpy as np
import numpy.typing as npt

from realtime.errors import UserError, reported

F64 = npt.NDArray[np.float64]
Curve = tuple[F64, F64]
"""Steps and values."""
WIDTH, HEIGHT, GAP, TOP = 250, 150, 46, 26
COLUMNS = 3
POINTS = 160
"""Most points of a line."""


def read(path: Path) -> tuple[dict[str, Curve], dict[str, Curve]]:
    """Terms of the loss while training, and on held-out data, by name.

    Raises
    ------
    UserError
        If the file is not a training's log.
    """
    training: dict[str, list[tuple[float, float]]] = defaultdict(list)
    held_out: dict[str, list[tuple[float, float]]] = defaultdict(list)
    try:
        with path.open(newline="") as file:
            for step, _, total, *terms in csv.reader(file):
                into = held_out if total == "validation" else training
                for term in terms:
                    name, value = term.split("=")
                    into[name].append((float(step), float(value)))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: not the log of a training ({error})") from error
    if not training:
        raise UserError(f"{path}: empty; train first")
    return _columns(training), _columns(held_out)


def _columns(found: dict[str, list[tuple[float, float]]]) -> dict[str, Curve]:
    return {name: (np.array(rows)[:, 0], np.array(rows)[:, 1]) for name, rows in found.items()}


def thinned(curve: Curve) -> Curve:
    """Means over equal stretches of a curve, at most ``POINTS`` of them."""
    parts = [np.array_split(c, min(POINTS, len(c))) for c in curve]
    return np.array([p.mean() for p in parts[0]]), np.array([p.mean() for p in parts[1]])


def draw(training: dict[str, Curve], held_out: dict[str, Curve]) -> str:
    """The picture, as SVG."""
    names = list(dict.fromkeys([*training, *held_out]))
    rows = -(-len(names) // COLUMNS)
    width, height = COLUMNS * (WIDTH + GAP) + GAP, rows * (HEIGHT + TOP + GAP) + 10
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" '
        'font-size="11">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for k, name in enumerate(names):
        x, y = GAP + k % COLUMNS * (WIDTH + GAP), TOP + k // COLUMNS * (HEIGHT + TOP + GAP)
        parts.append(_panel(name, training.get(name), held_out.get(name), x, y))
    return "\n".join([*parts, "</svg>\n"])


def _panel(name: str, training: Curve | None, held_out: Curve | None, x: int, y: int) -> str:
    curves = [c for c in (thinned(training) if training else None, held_out) if c]
    steps = np.concatenate([c[0] for c in curves])
    values = np.concatenate([c[1] for c in curves])
    low, high = float(values.min()), float(np.percentile(values, 98))
    high = high if high > low else low + 1e-6
    last = float(steps.max())

    def place(curve: Curve) -> list[tuple[float, float]]:
        across = x + curve[0] / last * WIDTH
        up = y + HEIGHT - np.clip((curve[1] - low) / (high - low), 0, 1.05) * HEIGHT
        return list(zip(across.round(1).tolist(), up.round(1).tolist()))

    parts = [
        f'<text x="{x}" y="{y - 7}" font-weight="bold">{name}</text>',
        f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#bbb"/>',
        f'<text x="{x - 4}" y="{y + 9}" text-anchor="end" fill="#666">{high:.3g}</text>',
        f'<text x="{x - 4}" y="{y + HEIGHT}" text-anchor="end" fill="#666">{low:.3g}</text>',
        f'<text x="{x + WIDTH}" y="{y + HEIGHT + 14}" text-anchor="end" fill="#666">step {last:.0f}</text>',
    ]
    if training:
        line = " ".join(f"{a},{b}" for a, b in place(thinned(training)))
        parts.append(f'<polyline points="{line}" fill="none" stroke="#1f77b4" stroke-width="1.4"/>')
    if held_out:
        parts += [f'<circle cx="{a}" cy="{b}" r="3" fill="#d62728"/>' for a, b in place(held_out)]
    return "\n".join(parts)


def main() -> None:
    """Draw from the command line."""
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("log", type=Path)
    ap.add_argument("picture", type=Path)
    a = ap.parse_args()
    a.picture.write_text(draw(*read(a.log)))


if __name__ == "__main__":
    reported(main)
