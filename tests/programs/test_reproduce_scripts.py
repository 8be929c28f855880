"""Scripts that repeat the tables of the source documents name what there is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from nas.cli.program import retrain_flags, search_flags
from nas.cost.counts import architecture_cost
from nas.interface.networks import read_network
from nas.recipes import RECIPES
from nas.search_space.knob_spaces import KNOB_SPACES
from tests.support.programs import ROOT

CNV = ROOT / "scripts" / "reproduce_cnv"
TRIGGER = ROOT / "scripts" / "reproduce_trigger"
POLICIES = ROOT / "scripts" / "reproduce_resnet9_policies"
PARAMS = ROOT / "scripts" / "reproduce_params_and_macs"
SMALL = ROOT / "scripts" / "reproduce_cifar10_50k"
TINY = ROOT / "scripts" / "reproduce_tiny_imagenet_cpu"
TINY_GPU = ROOT / "scripts" / "reproduce_tiny_imagenet_gpu"


def with_stand_in(folder: Path, commands: str) -> dict[str, str]:
    """The environment of a script for which `python` does these commands of a shell."""
    stand_in = folder / "bin" / "python"
    stand_in.parent.mkdir()
    stand_in.write_text(f"#!/bin/sh\n{commands}\n")
    stand_in.chmod(0o755)
    return {**os.environ, "PATH": f"{stand_in.parent}:{os.environ['PATH']}"}


@pytest.mark.parametrize("script", [POLICIES, PARAMS], ids=lambda script: script.name)
def test_flags_are_those_of_the_program_and_data_are_asked_for(script: object) -> None:
    path = ROOT / str(script)
    commands = [line for line in path.read_text().splitlines() if not line.lstrip().startswith("#")]
    flags = set(re.findall(r"--(\w+)", "\n".join(commands)))
    assert flags and flags <= set(retrain_flags())
    done = subprocess.run(["bash", str(path)], capture_output=True, text=True)
    assert done.returncode != 0 and "name the folder of CIFAR-10" in done.stderr


@pytest.mark.parametrize("script", [CNV, TRIGGER], ids=lambda script: script.name)
def test_flags_are_those_of_both_programs(script: object) -> None:
    text = (ROOT / str(script)).read_text()
    # A call goes on in the lines behind a backslash.
    calls = re.findall(r"python (nas|main)\.py((?:[^\n]*\\\n)*[^\n]*)", text)
    flags = {program: set(re.findall(r"--(\w+)", words)) for program, words in calls}
    of_searches = "\n".join(line for line in text.splitlines() if line.startswith("search "))
    searched = set(re.findall(r"--(\w+)", of_searches)) | flags["nas"]
    assert {"space", "objectives", "method", "max_trials"} <= searched <= set(search_flags())
    assert {"arch", "recipe", "seeds"} <= flags["main"] <= set(retrain_flags())
    assert set(re.findall(r"--recipe (\w+)", text)) <= set(RECIPES)
    assert set(re.findall(r"--space (\w+)", text)) <= set(KNOB_SPACES)


@pytest.mark.parametrize("script", [SMALL, TINY, TINY_GPU], ids=lambda script: script.name)
def test_a_search_and_its_retraining_get_flags_that_they_have(script: Path) -> None:
    text = script.read_text()
    searched = "\n".join(re.findall(r"search\+?=\((.*?)\)\n", text, re.DOTALL))
    named = set(re.findall(r"--(\w+)", searched))
    assert {"data_dir", "run_dir", "search_epochs"} <= named <= set(search_flags())
    retrained = re.findall(r"(?:python main\.py |retrain\+?=\()(.*)", text)
    assert "run" in (named := set(re.findall(r"--(\w+)", "\n".join(retrained))))
    assert named <= set(retrain_flags())
    assert text.count('"${flags[@]}"') == 2, "both programs get what stands behind the folders"
    done = subprocess.run(["bash", str(script)], capture_output=True, text=True)
    assert done.returncode != 0 and "name the folder" in done.stderr


@pytest.mark.parametrize(
    ("script", "code", "goes_on"),
    [
        (SMALL, 0, True),
        (SMALL, 4, True),
        (SMALL, 5, True),
        (SMALL, 2, False),
        (SMALL, 130, False),
        (TINY_GPU, 4, True),
        (TINY_GPU, 2, False),
        (TINY, 0, True),
        (TINY, 2, False),
        (TINY, 143, False),
    ],
)
def test_what_a_search_ends_with_ends_the_script_or_does_not(
    script: Path, code: int, goes_on: bool, tmp_path: Path
) -> None:
    calls = tmp_path / "calls"
    env = with_stand_in(
        tmp_path, f'echo "$@" >> "{calls}"\nif [ "$1" = nas.py ]; then exit {code}; fi'
    )
    run = tmp_path / "run"
    words = ["bash", str(script), str(tmp_path), str(run), "--seed", "3"]
    for resumes in (False, True):
        done = subprocess.run(words, env=env, check=False)
        assert done.returncode == (0 if goes_on else code)
        searched, *retrained = calls.read_text().splitlines()
        assert searched.startswith("nas.py ") and searched.endswith(" --seed 3")
        assert ("--resume" in searched) == resumes
        assert [line.split()[0] for line in retrained] == ["main.py"] * goes_on
        calls.unlink()
        run.mkdir(exist_ok=True)
        (run / "config.json").touch()


@pytest.mark.parametrize("script", [SMALL, TINY, TINY_GPU], ids=lambda script: script.name)
def test_lengths_are_named_but_at_toy_size(script: Path, tmp_path: Path) -> None:
    env = with_stand_in(tmp_path, 'echo "$@"')
    for flags in ([], ["--seed", "3"], ["--seed", "3", "--smoke"], ["--smoke", "--seed", "3"]):
        words = ["bash", str(script), str(tmp_path), str(tmp_path / "run"), *flags]
        done = subprocess.run(words, env=env, capture_output=True, text=True, check=True)
        searched, retrained = done.stdout.splitlines()
        assert ("--search_epochs" in searched.split()) == ("--smoke" not in flags)
        lengths = {"--batch_size", "--epochs"} & {*searched.split(), *retrained.split()}
        assert not lengths or "--smoke" not in flags


def test_bits_of_the_originals_are_those_of_the_script() -> None:
    done = subprocess.run(["bash", str(CNV)], capture_output=True, text=True)
    assert done.returncode != 0 and "name the folder of CIFAR-10" in done.stderr
    said = re.findall(r"(cnv\w*)\) bits=(\d+) bops=(\d+)", CNV.read_text())
    assert [name for name, _, _ in said] == ["cnv", "cnv_small"]
    for name, bits, bops in said:
        space = KNOB_SPACES[name]
        cost = architecture_cost(space.network(space.original))
        assert (cost.weight_bits, cost.bops) == (int(bits), int(bops))


def test_every_policy_is_a_recipe_of_its_own() -> None:
    listed = re.search(r"recipes=\(\n(.*?)\)", POLICIES.read_text(), re.DOTALL)
    assert listed is not None
    names = listed[1].split()
    assert len(names) == 6 and len({str(RECIPES[name]) for name in names}) == 6
    assert read_network("resnet9_x0.25").takes_any_classes


def test_the_homeworks_networks_have_its_counts() -> None:
    named = re.search(r"networks=(\S+)", PARAMS.read_text())
    assert named is not None
    networks = [read_network(name).architecture for name in named[1].split(",")]
    assert len(networks) == 4
    default = re.search(r"RECIPE:-(\w+)", PARAMS.read_text())
    assert default is not None and default[1] in RECIPES


# What people call with flags; the others run linters and tests, or are called by mkdocs.
SCRIPTS = [
    path
    for path in sorted((ROOT / "scripts").iterdir())
    if path.is_file() and path.name not in {"check", "coverage", "test", "docs_site.py"}
]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_every_script_explains_itself_and_does_nothing_else(script: Path) -> None:
    program = sys.executable if script.suffix == ".py" else "bash"
    before = {path: path.stat().st_mtime_ns for path in (ROOT / "docs").rglob("*")}
    done = subprocess.run(
        [program, str(script), "--help"], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    text = done.stdout
    assert text.startswith("usage: ") or f"scripts/{script.name} " in text
    assert {path: path.stat().st_mtime_ns for path in (ROOT / "docs").rglob("*")} == before
