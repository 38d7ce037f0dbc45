"""The live visualizer: starts a host of its own, or looks at one that runs, here or on another machine.

examples:
  sidechain gui                                 a host on the default input, or the demo where there is none
  sidechain gui --demo                          a host on the built-in piece
  sidechain gui --input "Scarlett" --preset lighting
  sidechain gui --connect 192.168.1.20:8765 --token SECRET
"""

from __future__ import annotations

import argparse
import importlib
from types import ModuleType

from realtime.errors import UserError

NEEDED = ("PySide6.QtWidgets", "pyqtgraph")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    _visualizer().add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    app = _visualizer()
    app.check(args)
    for name in NEEDED:
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as e:
            raise UserError("the visualizer is not installed: pip install 'sidechain[gui]'") from e
        except ImportError as e:  # a library of the system that Qt needs
            raise UserError(
                f"Qt cannot start here: {e}; 'make gui' installs what it needs on Debian and Ubuntu"
            ) from e
    return int(app.run(args))


def _visualizer() -> ModuleType:
    """The package ``gui``, by name: the host knows nothing of it but this."""
    try:
        return importlib.import_module("gui.app")
    except ModuleNotFoundError as e:
        raise UserError("the visualizer is not part of this installation: pip install 'sidechain[gui]'") from e
