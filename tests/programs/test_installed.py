"""The project installed from its wheel, far from the repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from tests.support.programs import ROOT

SECONDS = 500


def built_wheel(folder: Path) -> Path:
    """A wheel of a copy of the repository, so that nothing is left in the repository."""
    copy = folder / "source"
    copy.mkdir()
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    for name in ("nas", "latency"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation"]
    command += ["--quiet", "--wheel-dir", str(folder), str(copy)]
    subprocess.run(command, check=True, timeout=SECONDS)
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The console script in a new environment with the libraries of this one."""
    folder = tmp_path_factory.mktemp("installed")
    environment = folder / "environment"
    venv.create(environment, with_pip=False)
    site = sysconfig.get_paths(vars={"base": str(environment), "platbase": str(environment)})
    wheel = built_wheel(folder)
    command = [sys.executable, "-m", "pip", "--python", str(environment / "bin" / "python")]
    command += ["install", "--no-deps", "--no-index", "--quiet", str(wheel)]
    # With the repository on the path, pip would find the project there and install nothing.
    subprocess.run(command, check=True, timeout=SECONDS, env=variables())
    # The wheel's own packages come first on the path, then the libraries of this interpreter.
    libraries = sysconfig.get_paths()["purelib"]
    Path(site["purelib"], "libraries.pth").write_text(f"{libraries}\n")
    return environment / "bin" / "stopwatch"


def variables() -> dict[str, str]:
    """This process's variables without those that lead to this repository."""
    ours = {"PYTHONPATH", "STOPWATCH_RUNS"}
    return {name: value for name, value in os.environ.items() if name not in ours}


def called(program: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Runs it in a folder, with none of this repository's paths."""
    return subprocess.run(
        [str(program), *words],
        cwd=folder,
        env=variables(),
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )


@pytest.mark.slow
@pytest.mark.timeout(3 * SECONDS)
def test_the_installed_program_searches_in_an_empty_folder(program: Path, tmp_path: Path) -> None:
    for verb in ("search", "retrain", "latency", "report"):
        done = called(program, tmp_path, verb, "--help")
        assert done.returncode == 0, done.stderr
    toy = ("--smoke", "--space", "toy", "--image_size", "32", "--random_networks", "0")
    done = called(program, tmp_path, "search", "--lambda", "0.1", *toy)
    assert done.returncode == 0, done.stderr
    # Runs are kept where the program was called.
    (run,) = (tmp_path / "runs").iterdir()
    assert f"Next: stopwatch retrain --run runs/{run.name}" in done.stdout
    assert (run / "certificate.json").is_file()
    (run / "report.html").unlink()
    done = called(program, tmp_path, "report", str(run))
    assert done.returncode == 0, done.stderr
    assert (run / "report.html").is_file()
    done = called(program, tmp_path, "retrain", "--summary")
    assert done.returncode == 0 and "MACs" in done.stdout, done.stderr


@pytest.mark.slow
def test_the_installed_packages_are_those_of_the_wheel(program: Path, tmp_path: Path) -> None:
    python = program.with_name("python")
    code = "import nas, latency; print(nas.__file__); print(latency.__file__)"
    done = subprocess.run(
        [str(python), "-I", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert all(str(program.parent.parent) in line for line in done.stdout.splitlines())
