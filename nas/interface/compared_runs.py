"""Runs that are compared: what there is of them, and whether they can stand beside each other."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from nas.errors import InputError
from nas.interface import recipe_options
from nas.interface.named_networks import NamedNetwork, has_begun, trained_certificate
from nas.runs.data import DataRecord
from nas.runs.folder import RunFolder
from nas.runs.records import Certificate, SeededRecipe
from nas.system.program import go_on_command
from nas.training.recipe import Recipe


@dataclass(frozen=True)
class RunFacts:
    """A run that is compared.

    Args:
        folder: Of the run.
        data: Its images.
        certificate: Of its training; None where it is not trained.
    """

    folder: RunFolder
    data: DataRecord
    certificate: Certificate | None


def facts_of(path: Path) -> RunFacts:
    """What there is of a run, which may be trained or not, but not half.

    Args:
        path: Folder of the run.

    Raises:
        InputError: Its search is not finished, its training was stopped, or its file is another.
    """
    folder = RunFolder.open(path)
    certificate = trained_certificate(folder)
    go_on = go_on_command("retrain", path)
    if certificate is None and has_begun(folder):
        raise InputError(
            "runs that are trained, or not trained at all",
            f"{path}, whose training was stopped",
            f"finish it first: {go_on}",
        )
    if not folder.has(DataRecord):
        raise InputError(f"a finished search in {path}", "no data.json", f"finish it: {go_on}")
    if certificate is not None and certificate.hashes is not None:
        content = (path / "model.onnx").read_bytes()
        if hashlib.sha256(content).hexdigest() != certificate.hashes.file_sha256:
            raise InputError(
                f"{path / 'model.onnx'} as it was certified",
                "another file",
                f"make it again: {go_on}",
            )
    return RunFacts(folder, folder.read(DataRecord), certificate)


def check_same_images(runs: Mapping[str, RunFacts]) -> None:
    """Refuses runs whose accuracies are shares of different images.

    Args:
        runs: By name.

    Raises:
        InputError: There are such runs.
    """
    facts = list(runs.values())
    for other in facts[1:]:
        differences = facts[0].data.differences(other.data)
        if differences:
            raise InputError(
                f"runs of the same images: {facts[0].folder.path} has {facts[0].data.summary}",
                f"{other.folder.path}, with {'; '.join(differences)}",
                "compare runs of one data set; the network of a run is trained on other images if "
                f"its {other.folder.path / 'architecture.json'} is named in place of the run",
            )


def _recipes(runs: Mapping[str, RunFacts]) -> dict[str, SeededRecipe]:
    """Recipes of the runs that are trained, by name."""
    return {
        name: facts.certificate.recipe
        for name, facts in runs.items()
        if facts.certificate is not None and facts.certificate.recipe is not None
    }


def _plain(recipe: SeededRecipe) -> Recipe:
    return Recipe(**{entry.name: getattr(recipe, entry.name) for entry in fields(Recipe)})


def check_recipes(
    runs: Mapping[str, RunFacts], options: Mapping[str, Any], to_train: Sequence[NamedNetwork]
) -> None:
    """Refuses to choose between the recipes of trained runs for a network that is not trained.

    Args:
        runs: By name.
        options: As `RetrainOptions`; a recipe, or any knob of one, decides.
        to_train: Networks that are not trained, one or more.

    Raises:
        InputError: The runs have different recipes, and no option decides.
    """
    recipes = _recipes(runs)
    names = list(recipes)
    differing = [n for n in names if _plain(recipes[n]) != _plain(recipes[names[0]])]
    is_named = any(name in options for name in ("recipe", *recipe_options.KNOBS))
    if differing and not is_named:
        raise InputError(
            f"one recipe for {to_train[0].name}, as the runs have it",
            f"different ones of {names[0]} and {differing[0]}",
            "name the recipe by its flags, at least --epochs, or compare trained runs alone",
        )


def options_of_runs(runs: Mapping[str, RunFacts]) -> dict[str, Any]:
    """Options that the trained runs agree on, and that hold where nothing else is asked for.

    Args:
        runs: By name.
    """
    recipes = list(_recipes(runs).values())
    found: dict[str, Any] = {}
    for name in ("seed", "seeds"):
        values = {getattr(recipe, name) for recipe in recipes}
        if len(values) == 1:
            found[name] = values.pop()
    return found


def common_recipe(runs: Mapping[str, RunFacts]) -> Recipe | None:
    """The recipe of the trained runs; None where there is none, or more than one.

    Args:
        runs: By name.
    """
    recipes = [_plain(recipe) for recipe in _recipes(runs).values()]
    same = bool(recipes) and all(recipe == recipes[0] for recipe in recipes)
    return recipes[0] if same else None
