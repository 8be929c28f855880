"""Every command of the README runs, at toy size."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.programs import ROOT, own_environment

README = (ROOT / "README.md").read_text("utf-8")
INSTALLING = {
    "pip install -e . && python nas.py --lambda 0.1",
    "pip install -e '.[test]' && python -m pytest",
}


def commands() -> list[str]:
    blocks = re.findall(r"```bash\n(.*?)```", README, re.DOTALL)
    return [line for block in blocks for line in block.strip().splitlines() if line.strip()]


def test_the_two_first_commands_stand_first() -> None:
    assert commands()[:2] == [
        "pip install -e . && python nas.py --lambda 0.1",
        "pip install -e '.[test]' && python -m pytest",
    ]


def test_pictures_and_pages_exist() -> None:
    for target in re.findall(r"\]\(((?!http)[^)#]+)\)", README):
        assert (ROOT / target).exists(), target


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A working folder with data, and an environment of its own."""
    root = tmp_path_factory.mktemp("readme")
    script = str(ROOT / "scripts" / "make_sample_data.py")
    data = str(root / "PATH" / "tiny-imagenet-200")
    command = [sys.executable, script, "--output", data, "--images_per_class", "12"]
    subprocess.run(command, check=True, capture_output=True)
    return root, own_environment(root)


# In the README's order, in one folder: some go on with what an earlier one left.
@pytest.mark.parametrize("line", [line for line in commands() if line not in INSTALLING])
def test_commands_run_in_their_order(line: str, place: tuple[Path, dict[str, str]]) -> None:
    root, env = place
    words = shlex.split(line)
    assert words[0] == "python", f"only python commands are tested, not {line!r}"
    command = [sys.executable, str(ROOT / words[1]), *words[2:]]
    if "--summary" not in words:
        # Resuming takes the settings of the run that it goes on with.
        command += [] if "--resume" in words else ["--smoke"]
    done = subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, timeout=300)
    # 3 is a missed target, which toy-size measurements may well be.
    allowed = (0, 3) if "--target_ms" in words else (0,)
    assert done.returncode in allowed, f"{line}\n{done.stdout}\n{done.stderr}"
