"""Generation by transformers that tells how far it is and stops when nobody wants it any more."""

from __future__ import annotations

from typing import Any

from realtime.hosting.kinds import JobControl


class Stopped(Exception):
    """Nobody wants the result any more."""


def stopping(torch: Any, job: JobControl, steps: int, text: str, begin: float = 0.0, end: float = 1.0) -> Any:
    """What ``generate(stopping_criteria=…)`` is to be given.

    Parameters
    ----------
    torch : module
    job : JobControl
        Told of each step of at most `steps`; asked before each whether to go on.
    text : str
        What is being done.
    begin, end : float
        Share of the whole job before and after.

    Raises
    ------
    Stopped
        By what is given, out of ``generate``.
    """
    done = 0

    def after_step(ids: Any, scores: Any, **more: Any) -> Any:
        nonlocal done
        done += 1
        job.progress(begin + (end - begin) * min(1.0, done / max(1, steps)), text)
        if job.cancelled:  # what is half done, some models cannot even end properly
            raise Stopped
        return torch.zeros(ids.shape[0], dtype=torch.bool, device=ids.device)

    return [after_step]
