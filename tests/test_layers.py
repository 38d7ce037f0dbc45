"""The shape of the code: which package may import which, how big a file may be, what the core may need."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("realtime", "models", "gui")
MAY_IMPORT = {"realtime": {"realtime"}, "models": {"models", "realtime"}, "gui": {"gui", "realtime"}}
LONGEST_FILE = 450

# Import name → distribution, where they differ.
DISTRIBUTIONS = {
    "faster_whisper": "faster-whisper",
    "pythonosc": "python-osc",
    "rtmidi": "python-rtmidi",
    "jack": "jack-client",
    "PySide6": "pyside6-essentials",
    "huggingface_hub": "huggingface-hub",
    "link": "linkpython-extern",
    "pytestqt": "pytest-qt",
    "faiss": "faiss-cpu",
    "kaldi_native_fbank": "kaldi-native-fbank",
}


def sources(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "relative imports hide where a name comes from"
            yield node.module or ""


def run_time(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements that run when a module is imported: not inside functions, not under TYPE_CHECKING."""
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        yield node
        for inner in ("body", "orelse", "finalbody"):
            yield from run_time(getattr(node, inner, []))
        for handler in getattr(node, "handlers", []):
            yield from run_time(handler.body)


def module_level_imports(tree: ast.Module) -> set[str]:
    found: set[str] = set()
    for node in run_time(tree.body):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_go_one_way(package: str) -> None:
    forbidden = set(PACKAGES) - MAY_IMPORT[package]
    for path in sources(package):
        found = {name.partition(".")[0] for name in imports(parsed(path))} & forbidden
        assert not found, f"{path.relative_to(ROOT)} imports {found}"


@pytest.mark.parametrize("package", PACKAGES)
def test_modules_do_not_import_in_circles(package: str) -> None:
    names = {
        ".".join(p.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): p for p in sources(package)
    }
    graph = {n: (module_level_imports(parsed(p)) & names.keys()) - {n} for n, p in names.items()}
    done: set[str] = set()

    def visit(name: str, path: list[str]) -> None:
        assert name not in path, f"import circle: {' → '.join([*path, name])}"
        if name not in done:
            for other in sorted(graph[name]):
                visit(other, [*path, name])
            done.add(name)

    for name in graph:
        visit(name, [])


def test_files_are_short() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for package in (*PACKAGES, "tests", "examples")
        for path in sources(package)
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > LONGEST_FILE
    }
    assert not long


@pytest.mark.parametrize("package", PACKAGES)
def test_modules_hold_no_mutable_state(package: str) -> None:
    """Module-level tables are constants by name; anything else that can change belongs to an instance."""
    for path in sources(package):
        for node in parsed(path).body:
            if isinstance(node, (ast.Assign, ast.AnnAssign)) and isinstance(
                node.value, (ast.List, ast.Dict, ast.Set)
            ):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                for name in (ast.unparse(t) for t in targets):
                    constant = name.strip("_").isupper() or name.startswith("__")
                    assert constant, f"{path.relative_to(ROOT)}:{node.lineno}: '{name}'"
        stated = [n.lineno for n in ast.walk(parsed(path)) if isinstance(n, ast.Global)]
        assert not stated, f"{path.relative_to(ROOT)}: 'global' in lines {stated}"


def test_what_is_imported_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    def named(requirements: list[str]) -> set[str]:
        return {r.split(";")[0].split(">")[0].split("=")[0].split("<")[0].strip().lower() for r in requirements}

    core = named(project["dependencies"])
    extras = set().union(*(named(r) for r in project["optional-dependencies"].values()))
    ours = {*PACKAGES, "tests", "scripts", "examples", "", *(p.stem for p in (ROOT / "scripts").glob("*.py"))}
    for package in (*PACKAGES, "tests", "scripts", "examples"):
        for path in sources(package):
            for name in imports(parsed(path)):
                top = name.partition(".")[0]
                if top in sys.stdlib_module_names or top in ours or top == "msvcrt":
                    continue
                distribution = DISTRIBUTIONS.get(top, top).lower()
                assert distribution in core | extras, f"{path.relative_to(ROOT)}: '{top}' is not in pyproject.toml"


def test_host_runs_without_training_libraries() -> None:
    """Loading every command, the engine and every plugin pulls in neither torch nor scipy nor the GUI."""
    code = """
import importlib, sys
from realtime.cli.main import COMMANDS
for command in COMMANDS:
    importlib.import_module(command.module)
import realtime.engine, realtime.supervisor
from realtime.hosting.registry import discover
errors = [f"{e.identifier}: {e.error}" for e in discover().values() if e.error]
assert not errors, errors
heavy = {"torch", "scipy", "librosa", "PySide6", "matplotlib", "pytest"} & set(sys.modules)
assert not heavy, heavy
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
