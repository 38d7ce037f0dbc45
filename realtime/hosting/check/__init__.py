"""Does a plugin keep to the contract? ``sidechain plugins check`` and plugin authors' own tests ask here."""

from realtime.hosting.check.runner import check_plugin
from realtime.hosting.check.verdict import Report, Verdict

__all__ = ["Report", "Verdict", "check_plugin"]
