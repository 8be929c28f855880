"""Scripts that repeat the tables of the source documents name what there is."""

from __future__ import annotations

import re
import subprocess

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
