"""Ctrl-C while the command still starts: quiet, and with the status of Ctrl-C."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import realtime

START = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # tests may run where it is ignored
class Pressed:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Pressed())
from realtime.cli.entry import main
sys.argv[1:] = ["presets"]
sys.exit(main())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no signals to send there")
@pytest.mark.parametrize("module", ["realtime.cli.main", "platformdirs", "realtime.cli.presets"])
def test_ctrl_c_during_the_imports_ends_quietly(module: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", START.format(module=module)], capture_output=True, text=True, timeout=60
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "")


def test_small_matrices_are_left_on_one_thread_unless_the_user_says_otherwise() -> None:
    code = (
        "import os, sys; from realtime.cli.entry import main; sys.argv[1:] = ['--version']; main();"
        "print(os.environ['OPENBLAS_NUM_THREADS'], os.environ['OMP_NUM_THREADS'])"
    )
    environment = {"PATH": "", "OMP_NUM_THREADS": "3"}
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env=environment, check=True
    )
    assert told.stdout.splitlines()[-1] == "1 3"


@pytest.mark.skipif(sys.platform == "win32", reason="no signals to send there")
def test_told_to_end_while_a_string_is_executed_a_host_ends_well(tmp_path: Path) -> None:
    (tmp_path / "told.py").write_text(
        """
import os, signal, sys
from realtime.cli.live import terminated_like_ctrl_c
with terminated_like_ctrl_c() as terminated:
    try:
        exec("os.kill(os.getpid(), signal.SIGTERM)\\nwhile True: pass")
    except KeyboardInterrupt:
        pass
assert terminated.is_set()
"""
    )
    paths = os.pathsep.join([str(tmp_path), str(Path(realtime.__file__).parents[1])])
    ended = subprocess.run([sys.executable, "-m", "told"], timeout=60, env=os.environ | {"PYTHONPATH": paths})
    assert ended.returncode == 0
