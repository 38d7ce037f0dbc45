"""Logistic regression of a few columns, by Newton's method."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

F64 = npt.NDArray[np.float64]


def probability(x: F64, weights: F64) -> F64:
    """Of each row of `x`, shape ``(n, columns)``."""
    out: F64 = 1.0 / (1.0 + np.exp(-(x @ weights)))
    return out


def fit(x: F64, y: F64, ridge: F64 | float = 1e-3, steps: int = 50) -> F64:
    """Weights, shape ``(columns,)``, with which :func:`probability` is most like `y`.

    Parameters
    ----------
    x : ndarray, shape (n, columns)
        A column of ones among them for a constant.
    y : ndarray, shape (n,)
        0 or 1.
    ridge : ndarray, shape (columns,), or float
        How strongly each weight is held to 0: half of it times the weight's square is added to the loss.
    """
    ridge = np.broadcast_to(ridge, x.shape[1])
    b = np.zeros(x.shape[1])
    for _ in range(steps):
        p = probability(x, b)
        hessian = (x * (p * (1.0 - p))[:, None]).T @ x + np.diag(ridge)
        b += np.linalg.solve(hessian, x.T @ (y - p) - ridge * b)
    return b
