"""Area under the ROC curve, for every bench and training that asks whether something sounds."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def auc(label: npt.NDArray[np.bool_], value: npt.NDArray[np.floating]) -> float:
    """Chance that a frame with the label has the higher value (ties count half); NaN where all labels are alike.

    Parameters
    ----------
    label : ndarray of bool, shape (n,)
    value : ndarray, shape (n,)

    References
    ----------
    J. A. Hanley, B. J. McNeil: The meaning and use of the area under a receiver operating characteristic (ROC)
    curve. Radiology 143, 1982.
    """
    _, inverse, count = np.unique(value, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - (count - 1) / 2)[inverse]
    positive, negative = int(label.sum()), int((~label).sum())
    if not positive or not negative:
        return float("nan")
    return float((rank[label].sum() - positive * (positive + 1) / 2) / (positive * negative))
