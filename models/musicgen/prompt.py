"""The description that music is made to: what was asked for, with tempo, key and sound of the moment."""

from __future__ import annotations

from collections.abc import Mapping

from models.jobs.moment import TEMPO, number, tags
from realtime.hosting.kinds import Latest

LONGEST = 30.0
_MOST_TEXT = 500


def prompt(request: Mapping[str, str | float], results: Mapping[str, Latest], otherwise: str) -> str:
    """One line for the model.

    Parameters
    ----------
    request : mapping
        ``text`` says what; ``tags`` is taken in place of what is heard now ("" = nothing); ``bpm`` and ``key`` are
        given by the host, or by who asks.
    results : mapping
        What other plugins have said.
    otherwise : str
        Where the request has no text.
    """
    text = " ".join(str(request.get("text", "")).split())[:_MOST_TEXT] or otherwise
    heard = str(request["tags"]).split(",") if "tags" in request else tags(results)
    words = [text, ", ".join(t.strip() for t in heard if t.strip())[:_MOST_TEXT]]
    tempo = number(request, "bpm", *TEMPO)
    if tempo is not None:
        words.append(f"{tempo:.0f} bpm")
    key = " ".join(str(request.get("key", "")).split())[:40]
    if key:
        words.append(f"in {key}")
    return ", ".join(word for word in words if word)


def length(request: Mapping[str, str | float], otherwise: float) -> float:
    """Seconds to make: ``seconds``, or whole bars (``bars`` of ``beats``) at the tempo; at most 30.

    Raises
    ------
    ValueError
        It cannot be said, or is out of range; the text says which.
    """
    if "bars" not in request:
        seconds = number(request, "seconds", 1.0, LONGEST) if "seconds" in request else otherwise
        if seconds is None:
            raise ValueError(f"'seconds' must be between 1 and {LONGEST:g}")
        return seconds
    bars, beats = number(request, "bars", 1, 64), number(request, "beats", 1, 16) if "beats" in request else 4.0
    tempo = number(request, "bpm", *TEMPO)
    if bars is None or beats is None:
        raise ValueError("'bars' must be between 1 and 64, 'beats' between 1 and 16")
    if tempo is None:
        raise ValueError("'bars' needs a tempo: the clock has none yet, and the request no 'bpm'")
    seconds = bars * beats * 60.0 / tempo
    if not 1.0 <= seconds <= LONGEST:
        raise ValueError(
            f"{bars:g} bars are {seconds:.1f} s at {tempo:.0f} bpm; between 1 and {LONGEST:g} s are made"
        )
    return seconds
