"""The kinds of plugin beyond frame and window: event, combine, insert, job.

======== ==================================== ============================ ==========================
kind     called                               is given                     runs in
======== ==================================== ============================ ==========================
frame    every hop, in order                  the newest hop or window     the fast lane
window   when it is free, newest window wins  the newest window            a worker process (slow)
event    after a named event of another       the sound around the event   a worker process (slow)
combine  every hop                            other plugins' results       the fast lane
insert   every hop, in order                  sound, and returns sound     the fast lane
job      on demand (``job.start``)            a request, the last sound    a worker process (slow)
======== ==================================== ============================ ==========================

A frame or window plugin derives from :class:`~realtime.hosting.plugin.Plugin` and overrides ``process``; the
others derive from a class here and override its one method in place of ``process``. Everything else of the
contract (``prepare``, ``parameter``, ``reset``, ``close``, declared outputs, containment) holds for all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol

from realtime.hosting.plugin import Array, Feature, Plugin


class Happening(NamedTuple):
    """The event that an :class:`EventPlugin` is called for: its name ``plugin.output``, and what it said."""

    name: str
    time: float
    value: float | tuple[float, ...] | None
    label: str | None


class Latest(NamedTuple):
    """A result that a :class:`CombinePlugin` reads: the newest value, or the newest event, of one output.

    Attributes
    ----------
    time : float
        Stream seconds at which it holds.
    value : float, tuple of float or None
    label : str or None
    age : float
        Seconds since `time`, at the moment of the call; for a time to live.
    """

    time: float
    value: float | tuple[float, ...] | None
    label: str | None
    age: float


class EventPlugin(Plugin):
    """Called with a snippet of sound after an event named in ``descriptor.sources``.

    ``descriptor.input.length`` samples are given, ending ``descriptor.after`` seconds after the event.
    """

    def on_event(self, happening: Happening, block: Array, time: float) -> Iterable[Feature] | None:
        """Say something about one event.

        Parameters
        ----------
        happening : Happening
        block : ndarray of float32
            As of ``Plugin.process``.
        time : float
            Stream seconds of the END of the block.
        """
        raise NotImplementedError


class CombinePlugin(Plugin):
    """Reads other plugins' results; hears nothing. ``descriptor.input.hop`` is how often it is called."""

    def combine(self, results: Mapping[str, Latest], time: float) -> Iterable[Feature] | None:
        """Make one result out of several.

        Parameters
        ----------
        results : mapping of str to Latest
            By ``plugin.output``, those of ``descriptor.sources`` that exist so far.
        time : float
            Stream seconds now.
        """
        raise NotImplementedError


class InsertPlugin(Plugin):
    """Sound in, sound out: to a device or a file, as ``[plugins.NAME] to`` says.

    ``descriptor.latency`` is what it delays the sound by, beyond the hop. The input has no `window` beyond `hop`.
    """

    def render(self, block: Array, time: float) -> Array | tuple[Array, Iterable[Feature]]:
        """Turn one hop into one of the same shape; with results about it, if there are any.

        Parameters
        ----------
        block : ndarray of float32, shape (hop,) or (2, hop)
            Read-only, valid only during the call.
        time : float
            Stream seconds of the END of the block.
        """
        raise NotImplementedError


class JobControl(Protocol):
    """How a running job speaks with the host."""

    @property
    def results(self) -> Mapping[str, Latest]:
        """What other plugins had said when the job was asked for, by ``plugin.output``: those of
        ``descriptor.sources``. Vectors of more than 128 values are left out."""
        ...

    @property
    def cancelled(self) -> bool:
        """Whether somebody wants it to end; ask often. A job that does not end is killed after 2 s."""
        ...

    def progress(self, share: float, text: str = "") -> None:
        """Say how far it is, 0–1, and what it does; also the sign of life."""
        ...


class JobPlugin(Plugin):
    """Runs when asked to (``job.start``), for as long as it takes, in a process of its own.

    Its outputs are announced on the bus. An output of kind ``audio`` takes an array of float32, shape (n,) or
    (2, n), at the sample rate in ``Output.rate``; it is kept as a file, whose path is the event's label, and is
    played from the next downbeat on the device that ``[plugins.NAME] to`` names.
    """

    def run(
        self, request: Mapping[str, str | float], block: Array, time: float, job: JobControl
    ) -> Iterable[Feature] | None:
        """Do the job.

        Parameters
        ----------
        request : mapping of str to (str or float)
            What the caller gave, for instance ``{"text": "a slow waltz"}``, with ``bpm`` and ``key`` of the
            moment where the host knows them.
        block : ndarray of float32
            The last ``descriptor.input.length`` samples, zeros before the stream began.
        time : float
            Stream seconds of the END of the block.
        job : JobControl

        Raises
        ------
        UserError
            The request is wrong: said in one line.
        """
        raise NotImplementedError
