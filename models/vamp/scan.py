"""What is in one Vamp library, as JSON: run as a program, because a library may crash whoever loads it.

usage: python -m models.vamp.scan FILE
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from models.vamp.capi import text
from models.vamp.instance import Library, parameters, programs
from realtime.errors import UserError


def contents(path: Path) -> list[dict[str, Any]]:
    """One row for each plugin of the library; raises ``UserError``."""
    return [
        {
            "plugin": name,
            "name": text(pointer.contents.name),
            "maker": text(pointer.contents.maker),
            "copyright": text(pointer.contents.copyright),
            "parameters": {k: [p.minimum, p.maximum, p.default] for k, (_, p) in parameters(pointer).items()},
            "programs": programs(pointer),
        }
        for name, pointer in Library(path).plugins.items()
    ]


def main(arguments: list[str]) -> int:
    """The exit status: 0, or 2 with a line on stderr."""
    try:
        print(json.dumps(contents(Path(arguments[0]))))
    except UserError as e:
        print(e, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
