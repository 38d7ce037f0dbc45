"""The errors that cross a boundary of the host."""

from __future__ import annotations


class UserError(Exception):
    """Wrong use or bad input: one clear line that names the thing and the remedy.

    The command line prints it without a traceback and exits with status 2; the WebSocket and OSC APIs
    return it as an error reply.
    """


class NotFetched(UserError):
    """Something optional that the user has not installed or fetched; the line says which command does."""


class PluginError(Exception):
    """A plugin broke its contract (wrong output, wrong type, not finite); contained and counted by the host."""


class DeviceLost(Exception):
    """The sound device has gone and this process cannot get it back; a new process can."""
