"""The measuring half by itself: installed without TensorFlow, used like any package."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.support.latency_graphs import chain

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("tensorflow", "keras", "torch", "jax", "matplotlib", "absl-py")


def project(path: Path) -> dict[str, object]:
    return dict(tomllib.loads(path.read_text("utf-8"))["project"])


def test_the_two_projects_agree() -> None:
    whole, measuring = project(ROOT / "pyproject.toml"), project(ROOT / "latency/pyproject.toml")
    assert measuring["version"] == whole["version"]
    assert measuring["requires-python"] == whole["requires-python"]
    assert set(measuring["dependencies"]) < set(whole["dependencies"])  # type: ignore[call-overload]
    assert not [n for n in measuring["dependencies"] if n.startswith(HEAVY)]  # type: ignore[attr-defined]


def test_every_folder_is_a_package_of_the_distribution() -> None:
    tools = tomllib.loads((ROOT / "latency/pyproject.toml").read_text("utf-8"))["tool"]
    folders = {path.parent for path in (ROOT / "latency").rglob("__init__.py")}
    names = {".".join(path.relative_to(ROOT).parts) for path in folders}
    assert set(tools["setuptools"]["packages"]) == names


@pytest.mark.slow
def test_it_installs_and_measures_without_tensorflow(tmp_path: Path) -> None:
    """Needs a package index."""
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = str(tmp_path / "venv" / "bin" / "python")
    pip = [python, "-m", "pip"]
    constraints = ["-c", str(ROOT / "constraints.txt")]
    subprocess.run([*pip, "install", "--quiet", *constraints, str(ROOT / "latency")], check=True)
    done = subprocess.run([*pip, "list", "--format", "json"], capture_output=True, check=True)
    names = {entry["name"] for entry in json.loads(done.stdout)}
    assert "stopwatch-latency" in names and not names & set(HEAVY)
    (tmp_path / "net.onnx").write_bytes(chain(2))
    command = [python, "-m", "latency", "measure", "net.onnx", "--json", "--max_rounds", "3"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    # Three rounds in each of three processes are measured, and are too few to be stable.
    assert done.returncode == 4, done.stderr
    assert json.loads(done.stdout)["measurements"]["net.onnx"]["count"] >= 27
