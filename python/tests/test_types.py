"""The stubs say what the part in Rust has."""

import pathlib
import subprocess
import sys

import pytest

SETTINGS = pathlib.Path(__file__).parents[1] / "pyproject.toml"


def test_stubs_are_those_of_the_library(tmp_path):
    pytest.importorskip("mypy")
    command = [sys.executable, "-m", "mypy.stubtest", "trefoil._core", "--mypy-config-file", SETTINGS]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert said.returncode == 0, said.stdout + said.stderr
