"""A supernet that one run lends to another: which run may, and to whom."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from nas.data import Dataset
from nas.errors import InputError
from nas.methods.history import SearchEnd
from nas.runs.config import RunConfig, read_search_config
from nas.runs.data import DataRecord
from nas.runs.folder import RunFolder
from nas.runs.front import FrontPlan
from nas.runs.lender import LentSupernet
from nas.runs.records import SupernetScore
from nas.selection.goals import ResolvedTarget
from nas.system.program import go_on_command


@dataclass(frozen=True)
class Lent:
    """A supernet that is trained, or will be.

    Args:
        config: Of the run that trains it.
        penalty: Of that run's goal.
        target: What it lands on, in the quantity of its goal; None with a penalty.
        checkpoint: Where its state is kept.
    """

    config: RunConfig
    penalty: float | None
    target: float | None
    checkpoint: Path


def check_lender(folder: RunFolder, config: RunConfig, dataset: Dataset) -> None:
    """Refuses a supernet that cannot be used, as long as the run still needs it.

    Args:
        folder: Of the run that borrows.
        config: Of that run.
        dataset: Of that run.

    Raises:
        InputError: See `lender`, or it is not the one that the run began with.
    """
    # The last that a run asks its supernet for.
    if config.supernet is None or folder.has(SupernetScore):
        return
    found = LentSupernet.of(lender(config, dataset).checkpoint)
    if not folder.has(LentSupernet):
        folder.write(found)
    if folder.read(LentSupernet) != found:
        raise InputError(
            f"the supernet that {folder.path} began with",
            f"other weights in {config.supernet}",
            "name the same run, wherever it lies now, or begin another run",
        )


def lending_run(path: Path) -> RunFolder:
    """The run that lends its supernet; cheap, so that it can be asked for before anything else.

    Args:
        path: Of its folder.

    Raises:
        InputError: It is no run, or its search is not finished.
    """
    if not path.exists():
        raise InputError(
            f"a run folder with config.json at {path}, to lend its supernet",
            "no such folder",
            "name it by --supernet; a run that goes on takes the same one wherever it lies now",
        )
    folder = RunFolder.open(path)
    if read_search_config(path).is_sweep:
        raise InputError(
            f"a run of one goal, to lend its supernet, unlike the sweep {path}",
            "several supernets",
            "name one of the folders below it",
        )
    checkpoint = folder.checkpoint("search")
    if not folder.has(SearchEnd) or not checkpoint.is_file():
        raise InputError(
            f"a finished search with its checkpoint in {folder.path}",
            "none",
            f"finish it: {go_on_command('search', folder.path)}",
        )
    return folder


def with_lender(folder: RunFolder, config: RunConfig) -> RunConfig:
    """The configuration of a run, with its lender at the place where that lies now.

    A further network of a front borrows from a goal of its own sweep, which moves with it.

    Args:
        folder: Of the run that borrows.
        config: Of that run.
    """
    sweep = RunFolder(folder.path.absolute().parent)
    if config.supernet is None or not sweep.has(FrontPlan):
        return config
    lenders = {added.name: added.supernet_of for added in sweep.read(FrontPlan).added}
    goal = lenders.get(folder.path.absolute().name)
    # A sweep may itself borrow: then its goals have no supernet to lend.
    if goal is None or not RunFolder(sweep.path / goal).has(SearchEnd):
        return config
    return replace(config, supernet=str(sweep.path / goal))


def lender(config: RunConfig, dataset: Dataset) -> Lent:
    """The supernet of the run that `--supernet` names.

    Args:
        config: Of the run that borrows.
        dataset: Of that run.

    Raises:
        InputError: That run is none, is of another space or other images, or is not finished.
    """
    folder = lending_run(Path(config.supernet or ""))
    theirs = read_search_config(folder.path)
    fix = (
        "name a run of the same space, images, --image_size and --seed, which divides images that "
        "are not divided, or train anew without --supernet"
    )
    if config.space != theirs.space:
        raise InputError(
            f"a supernet of the same space, {config.space}", f"{theirs.space} in {folder.path}", fix
        )
    if config.bits != theirs.bits:
        words = [one.text if one else "none" for one in (config.bits, theirs.bits)]
        raise InputError(f"a supernet of the same --bits, {words[0]}", f"{words[1]}", fix)
    # Its weights may have learned from what other images call evaluation images.
    folder.read(DataRecord).check_same(dataset, f"the supernet of {folder.path} learned from", fix)
    target = folder.read(ResolvedTarget).target
    return Lent(theirs, theirs.goal.penalty, target, folder.checkpoint("search"))
