"""Every command of the README and of the documentation is one that our programs take.

Three of the README's run in the fast suite; `scripts/test --all` runs all of them as processes of
their own, in the README's order.
"""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from nas.architecture import text as arch_text
from nas.architecture.weights import random_weights
from nas.builders.keras_model import portable_model
from tests.support.documented import Command, commands_of, pages, refusal
from tests.support.programs import ROOT, Done, call
from tests.support.toy import TOY
from tests.support.unhurried import TWO_ROUNDS_FLAGS

README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = [command for command in commands_of(ROOT / "README.md") if command.is_whole]
# Neither a device to reach, nor its results, nor a cluster of machines is here.
ELSEWHERE = ("--ssh", "import-result", "pytest", "ray")


def test_the_two_first_commands_stand_first() -> None:
    lines = re.findall(r"```bash\n(.*?)```", README, re.DOTALL)
    assert [line for block in lines for line in block.strip().splitlines()][:2] == [
        "pip install -e . && python nas.py --lambda 0.1",
        "pip install -e '.[test]' && python -m pytest",
    ]


def test_pictures_and_pages_exist() -> None:
    for target in re.findall(r"\]\(((?!http)[^)#]+)\)", README):
        assert (ROOT / target).exists(), target


@pytest.mark.parametrize("page", pages(), ids=lambda path: str(path.relative_to(ROOT)))
def test_programs_take_every_command_that_is_written_down(page: Path) -> None:
    refused = {str(command): refusal(command) for command in commands_of(page)}
    assert {text: why for text, why in refused.items() if why} == {}


WRONG = [
    "python nas.py --lamda 0.1",
    "python main.py --optimizer guess",
    "python -m latency mesure model.onnx",
    "python -m latency measure --presision fp32",
    "python scripts/build_latency_table.py --spac tiny",
    "python scripts/no_such_script.py",
    "python -m no_such_module",
    "pip install -e '.[tests]'",
    "scripts/test --every",
    "stopwatch serch --lambda 0.1",
    "stopwatch search --lamda 0.1",
    "pytest-of-old tests",
]
# In running text values may be left out.
WRONG_WHOLE = [
    "python nas.py --lambda much",
    "python nas.py --lambda 0.1 --target_ms 1",
    "python nas.py --lambda 0.1 --race_epochs 1",
    "python -m latency measure model.onnx --precision int4",
    "python -m latency measure",
    "python scripts/results_table.py",
]


@pytest.mark.parametrize(
    "line, is_whole",
    [(line, whole) for line in WRONG for whole in (False, True)]
    + [(line, True) for line in WRONG_WHOLE],
)
def test_wrong_commands_would_be_found(line: str, is_whole: bool) -> None:
    assert refusal(Command("README.md", tuple(shlex.split(line)), is_whole)) is not None


def test_commands_are_found_wherever_they_stand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.support.documented.ROOT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text(
        "Run `python main.py --summary` or:\n\n```bash\nA=b python nas.py \\\n  --lambda 0.1 && "
        "python main.py  # both\n```\n\n```\nsome text\n$ pip install .\n```\n"
    )
    assert [(command.words, command.is_whole) for command in commands_of(page)] == [
        (("python", "nas.py", "--lambda", "0.1"), True),
        (("python", "main.py"), True),
        (("pip", "install", "."), True),
        (("python", "main.py", "--summary"), False),
    ]


def ran(command: Command, root: Path, *more: str) -> Done:
    """Runs a command in a process of its own, as its page has it, at toy size."""
    words = [word for word in command.words if word not in ("python", "-m")]
    name, arguments = words[0], words[1:]
    return call(name, *arguments, *more, runs=root / "runs", cwd=root)


def first_with(*words: str) -> Command:
    """The README's first block command that begins so."""
    return next(c for c in BLOCKS if c.words[: len(words)] == words)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which a user follows the README."""
    folder = tmp_path_factory.mktemp("readme")
    # The README's commands are written for the root of the repository.
    (folder / "examples").symlink_to(ROOT / "examples")
    return folder


@pytest.fixture(scope="module")
def searched(root: Path) -> Path:
    """The run folder that the first command leaves, retrained by the first `main.py`."""
    done = ran(first_with("python", "nas.py", "--lambda", "0.1"), root, *TOY)
    assert done.exit_code == 0, done.err
    assert "embedded sample" in done.out.splitlines()[0]
    assert "cuInit" not in done.err
    (run,) = (root / "runs").iterdir()
    # Baselines are those of `toy_retrained`.
    done = ran(first_with("python", "main.py"), root, "--nobaselines")
    assert done.exit_code == 0, done.err
    return run


def test_the_first_commands_search_and_retrain(toy_retrained: Path) -> None:
    """The run that the whole suite shares is made by them, in this process and at toy size."""
    search = first_with("python", "nas.py", "--lambda", "0.1")
    command = json.loads((toy_retrained / "config.json").read_text("utf-8"))["command"]
    assert command.split()[: len(search.words)] == list(search.words)
    assert first_with("python", "main.py").words == ("python", "main.py")
    for name in ("table.json", "certificate.json", "report.html", "model.keras", "model.onnx"):
        assert (toy_retrained / name).is_file(), name


@pytest.mark.slow
def test_the_first_commands_run_in_processes_of_their_own(searched: Path) -> None:
    for name in ("table.json", "certificate.json", "report.html", "model.keras", "model.onnx"):
        assert (searched / name).is_file(), name


def test_latency_measures_what_was_exported(toy_retrained: Path, root: Path) -> None:
    done = call(
        "latency", "measure", str(toy_retrained / "model.onnx"), *TWO_ROUNDS_FLAGS, cwd=root
    )
    # So few rounds tell no interval, whatever the machine does.
    assert done.exit_code == 4, done.err
    assert "p10 ms" in done.out


@pytest.fixture(scope="module")
def images(root: Path) -> None:
    """The images and the Keras file that the README's commands name."""
    tiny = ("--output", str(root / "PATH" / "tiny-imagenet-200"))
    photos = ("--output", str(root / "photos"), "--layout", "folder", "--image_size", "64")
    for words in (tiny, photos):
        done = call("scripts/make_sample_data.py", *words, "--images_per_class", "12")
        assert done.exit_code == 0, done.err
    network = arch_text.parse("in_s64 cn_r1_k3_s2_c8 gap fc_c12")
    portable_model(network, random_weights(network)).save(root / "own.keras")


# In the README's order, in one folder: some go on with what an earlier one left.
@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        c
        for c in BLOCKS
        if c.words[0] in ("python", "stopwatch") and not set(c.words) & set(ELSEWHERE)
    ],
    ids=str,
)
def test_commands_run_in_their_order(command: Command, root: Path, images: None) -> None:
    # Resuming takes the settings of the run that it goes on with.
    takes_none = {"--summary", "--resume", "-m", "report", "latency"} & set(command.words)
    done = ran(command, root, *(() if takes_none else ("--smoke",)))
    # 4: whether a target is met cannot be told by toy-size measurements.
    allowed = (0, 4) if "--target_ms" in command.words else (0,)
    assert done.exit_code in allowed, f"{command}\n{done.out}\n{done.err}"
