"""Which networks a front has: those of the sweep's goals, and further ones between them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from latency import atomic
from latency.device.clock import now_text
from nas.architecture import text as arch_text
from nas.architecture.spec import Architecture
from nas.data import Dataset
from nas.errors import InputError
from nas.methods.method import MethodInputs, Network
from nas.methods.registry import METHODS
from nas.pipeline.costs import kept_costs
from nas.pipeline.inputs import keep_data
from nas.pipeline.method_inputs import method_inputs
from nas.pipeline.supernet import SupernetStage
from nas.pipeline.table import TABLE_FILE
from nas.report.numbers import figure
from nas.runs.config import RunConfig
from nas.runs.folder import RunFolder
from nas.runs.front import AddedNetwork, FrontPlan
from nas.runs.lender import LentSupernet
from nas.search_space.space import Space
from nas.selection.choice import Choice
from nas.selection.feasible import BoundedSpace
from nas.selection.gaps import Window, windows
from nas.selection.goals import Goal, ResolvedTarget
from nas.system import backend
from nas.system.console import out
from nas.system.interrupt import Interrupter

# Of a further network's folder; the architecture is written last.
FILES = (TABLE_FILE, LentSupernet.FILE, ResolvedTarget.FILE, Choice.FILE, "architecture.json")


@dataclass(frozen=True)
class GoalRun:
    """The finished run of one goal of a sweep.

    Args:
        label: Of the goal, and name of the folder.
        folder: Of the run.
        config: What it was asked for, with files at the place where they lie now.
        architecture: The network that it found.
    """

    label: str
    folder: RunFolder
    config: RunConfig
    architecture: Architecture


@dataclass
class FrontNetworks:
    """Chooses further networks of a front; each choice is a stage of its own.

    The next network lies in the widest gap between those that there are. What proposes it is the
    sweep's own method with the supernet of the nearest goal, as in the search.

    Args:
        sweep: Folder of the sweep.
        goals: Its finished runs.
        space: With the data's classes.
        dataset: Images.
        config: Of the sweep, with files at the place where they lie now.
        interrupter: Asked whether to stop.
        command: Command line, for the records.
    """

    sweep: RunFolder
    goals: tuple[GoalRun, ...]
    space: Space
    dataset: Dataset
    config: RunConfig
    interrupter: Interrupter
    command: str = ""
    _inputs: dict[str, MethodInputs] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        self._cost = kept_costs(self.sweep, self.space, self.config).cost
        self._bounded = BoundedSpace(self.space, self._cost, self.config.bounds)
        self._found = {goal.label: self.space.encode(goal.architecture) for goal in self.goals}

    def planned(self, plan: FrontPlan) -> FrontPlan:
        """The plan with as many different networks as it was asked for.

        Args:
            plan: How many there are to be, and those that were chosen already.

        Raises:
            InputError: The space has no more networks.
        """
        count = different(self.goals)
        self.sweep.write(plan)
        while count + len(plan.added) < plan.networks:
            self.interrupter.raise_pending()
            number = count + len(plan.added) + 1
            out.print(f"Choosing network {number} of {plan.networks} ...")
            plan = replace(plan, added=(*plan.added, self._next(plan)))
            self.sweep.write(plan)
            last = plan.added[-1]
            out.print(f"{last.name}: {self._told(last.predicted)}, {last.text}", markup=False)
        if self._inputs:
            self._inputs.clear()
            backend.forget_models()
        return plan

    def _next(self, plan: FrontPlan) -> AddedNetwork:
        """One network more, with its run folder."""
        known = [*self._found.values(), *(self._indices(added) for added in plan.added)]
        costs = [self._cost.of(network) for network in known]
        for window in windows(costs, *self._bounded.range()):
            goal = self._nearest(window.aim)
            inputs = self._inputs_of(goal)
            # Made anew: what an earlier window left in it would not be there after a stop.
            method = METHODS[goal.config.search.method].of(inputs)
            network = method.propose(window.low, window.high, list(dict.fromkeys(known)))
            if network is not None:
                return self._kept(f"added-{len(plan.added) + 1}", network, window, goal, inputs)
        raise InputError(
            f"--networks of at most {different(self.goals) + len(plan.added)}, as many as the "
            f"method finds in space `{self.space.name}` within the sweep's bounds",
            f"{plan.networks}",
            "ask for fewer with --restart, or search with looser bounds",
        )

    def _indices(self, added: AddedNetwork) -> Network:
        return self.space.encode(arch_text.parse(added.text))

    def _told(self, cost: float) -> str:
        """A network's cost in words."""
        unit = self._cost.unit
        return f"{cost:.4g} ms predicted" if unit.is_measured else figure(unit, cost)

    def _nearest(self, aim: float) -> GoalRun:
        """The goal whose network is nearest, by the ratio of costs."""

        def distance(goal: GoalRun) -> float:
            return abs(math.log(self._cost.of(self._found[goal.label]) / aim))

        return min(self.goals, key=distance)

    def _inputs_of(self, goal: GoalRun) -> MethodInputs:
        if goal.label not in self._inputs:
            target = goal.folder.read(ResolvedTarget)
            stage = SupernetStage(
                goal.folder,
                self.space,
                self._cost,
                self.dataset,
                goal.config,
                self.interrupter,
                target.target,
            )
            self._inputs[goal.label] = method_inputs(self._bounded, stage, goal.config)
        return self._inputs[goal.label]

    def _kept(
        self, name: str, network: Network, window: Window, goal: GoalRun, inputs: MethodInputs
    ) -> AddedNetwork:
        """The run folder of a further network, as that of a search that asked for nothing."""
        has_supernet = METHODS[goal.config.search.method].trains_supernet
        architecture = replace(self.space.decode(network), name="searched")
        predicted = self._cost.of(network)
        config = self._config(window, goal)
        path = self.sweep.path / name
        _discard_half(path)
        folder = RunFolder.create(path, config, name)
        keep_data(folder, self.dataset)
        for file in (TABLE_FILE, LentSupernet.FILE):
            if self.sweep.has(file):
                atomic.write_bytes(path / file, (self.sweep.path / file).read_bytes())
        quantity = self._cost.unit.quantity
        folder.write(ResolvedTarget(config.goal, *self._bounded.range(), None))
        folder.write(Choice(network, predicted, window.aim, None, None, None, (), quantity))
        folder.write_json("architecture.json", arch_text.to_json(architecture))
        entropy = -inputs.score(network) if has_supernet else math.inf
        return AddedNetwork(
            name,
            arch_text.to_text(architecture),
            window.aim,
            window.low,
            window.high,
            predicted,
            goal.label if has_supernet else None,
            entropy if math.isfinite(entropy) else None,
            quantity,
        )

    def _config(self, window: Window, goal: GoalRun) -> RunConfig:
        search = goal.config.search
        learns_gates = METHODS[search.method].learns_gates
        own_supernet = str(goal.folder.path.absolute())
        has_supernet = METHODS[search.method].trains_supernet
        return replace(
            goal.config,
            date=now_text(),
            command=self.command,
            goals=(Goal(target=window.aim, quantity=self._cost.unit.quantity),),
            # Gates of its own it has none: it borrows a supernet, as an evolution does.
            search=replace(search, method="evolution") if learns_gates else search,
            supernet=(goal.config.supernet or own_supernet) if has_supernet else None,
            proposals=0,
            race=None,
            random_networks=0,
        )


def different(goals: tuple[GoalRun, ...]) -> int:
    """How many different networks the goals of a sweep found.

    Args:
        goals: Its finished runs.
    """
    return len({arch_text.to_text(goal.architecture) for goal in goals})


def first_of_each(texts: Mapping[str, str]) -> dict[str, str | None]:
    """Name of each network -> the first one with the same architecture; None for the first itself.

    Args:
        texts: Name -> architecture.
    """
    first: dict[str, str] = {}
    found: dict[str, str | None] = {}
    for name, text in texts.items():
        found[name] = first.get(text)
        first.setdefault(text, name)
    return found


def _discard_half(path: Path) -> None:
    """Removes the folder of a further network that was stopped before the plan had it."""
    if path.exists() and not RunFolder(path).discard(*FILES):
        raise InputError(
            f"no {path.name} in the sweep, or one that its plan knows",
            f"{path}, which has other files in it",
            "move it away",
        )
