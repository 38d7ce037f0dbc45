"""How big the core is: installs this checkout into a fresh environment and adds it up.

    python scripts/install_size.py [--limit MB]

Exit status 1 if it is bigger than the limit, or if something that the core must do without came along.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MUST_NOT = ("torch", "scipy", "PySide6", "transformers")
INSTALLERS = ("pip", "setuptools", "pkg_resources", "wheel", "_distutils_hack")


def megabytes(path: Path) -> float:
    """Size of a file or folder on disk, in MB (10⁶ bytes)."""
    files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file() and not p.is_symlink()]
    return sum(p.stat().st_size for p in files) / 1e6


def main() -> int:
    """Install, add up, show the biggest parts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=float, default=250.0, metavar="MB")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        environment = Path(folder) / "venv"
        venv.create(environment, with_pip=True)
        python = environment / ("Scripts" if sys.platform == "win32" else "bin") / "python"
        subprocess.run([python, "-m", "pip", "install", "-q", str(ROOT)], check=True, cwd=folder)
        asked = "import sysconfig; print(sysconfig.get_path('purelib'))"
        packages = Path(subprocess.check_output([python, "-c", asked], text=True).strip())
        sizes = {p.name: megabytes(p) for p in packages.iterdir() if not p.name.startswith(INSTALLERS)}
    for name, size in sorted(sizes.items(), key=lambda item: -item[1])[:8]:
        print(f"{size:7.1f} MB  {name}")
    total = sum(sizes.values())
    unwanted = [name for name in MUST_NOT if name in sizes]
    print(f"{total:7.1f} MB  in all (limit {args.limit:g} MB); without {', '.join(MUST_NOT)}: {not unwanted}")
    return 1 if unwanted or total > args.limit else 0


if __name__ == "__main__":
    sys.exit(main())
