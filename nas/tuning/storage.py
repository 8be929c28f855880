"""Legs in a study of Optuna: a SQLite file, or a journal, that one program writes.

Optuna keeps the file, and its dashboard shows it. A leg is a trial of the study: running ones show
no values there, and finished ones can never be changed, so that a trial which may be promoted later
could be neither. What a leg needs from its first moment is written in one transaction.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from nas.executors.locks import take_lock
from nas.executors.messages import Cause
from nas.tuning.legs import Lease, Leg, Plan, SearchState
from nas.tuning.objectives import Objective
from nas.tuning.parameters import OneOfList, Parameter
from nas.tuning.study_files import check_optuna, opened, storage_errors

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

# Of attributes and of what they mean; another number is refused.
SCHEMA_VERSION = 1
NO_MARGINS: Mapping[str, float] = {}


@dataclass(frozen=True)
class Study:
    """What a file of trials is of.

    Args:
        run_id: Of the run; it names the study.
        space_hash: Of the parameters and of what they are parameters of.
        objectives: In the order of a trial's values.
        parameters: Of a configuration.
    """

    MARKS: ClassVar[tuple[str, ...]] = ("schema_version", "space_hash", "objectives")

    run_id: str
    space_hash: str
    objectives: tuple[Objective, ...]
    parameters: tuple[Parameter, ...]

    @property
    def marks(self) -> dict[str, Any]:
        """Attributes of the study that have to be the same when it is opened again."""
        texts = [objective.text for objective in self.objectives]
        values = (SCHEMA_VERSION, self.space_hash, texts)
        return dict(zip(self.MARKS, values, strict=True))


class TrialStore:
    """The legs of one search, in its file.

    Args:
        path: Of the file: a journal if its name ends with `.journal`, else a SQLite file.
        study: What it is of.
        storage: Of Optuna, open.
        study_id: Of the study in it.
    """

    def __init__(self, path: Path, study: Study, storage: Any, study_id: int) -> None:
        self._path, self._study = path, study
        self._storage, self._study_id = storage, study_id
        self._ids: dict[int, int] = {}

    @classmethod
    @contextmanager
    def open(cls, path: Path, study: Study) -> Iterator[TrialStore]:
        """Opens a file of trials, made where it is missing; no other program may write it then.

        Args:
            path: Of the file.
            study: What it has to be of.

        Raises:
            InputError: It is of another search, version or major version of Optuna, cannot be
                read or written, another program writes it, or Optuna is missing.
        """
        with ExitStack() as stack:
            stack.enter_context(take_lock(path.with_name(f"{path.name}.writer"), 0.0))
            check_optuna()
            wanted = {objective.text: direction(objective) for objective in study.objectives}
            found = opened(path, study.run_id, wanted, study.marks)
            storage, study_id = stack.enter_context(found)
            yield cls(path, study, storage, study_id)

    def legs(self) -> list[Leg]:
        """All legs in the order of their numbers, as the file has them."""
        with storage_errors(self._path):
            found = self._storage.get_all_trials(self._study_id, deepcopy=False)
        self._ids = {trial.number: trial._trial_id for trial in found}
        return [self._leg(trial) for trial in found]

    def state(self) -> SearchState:
        """The state of the search, as the file has it."""
        return SearchState(self._study.objectives, self.legs())

    def begin(self, plan: Plan) -> Leg:
        """Adds a leg that runs; it is there whole or not at all.

        Args:
            plan: What it trains.
        """
        from optuna.trial import TrialState, create_trial

        trial = create_trial(
            state=TrialState.RUNNING,
            params=dict(plan.configuration),
            distributions={p.name: distribution(p) for p in self._study.parameters},
            user_attrs={
                "trial": plan.trial,
                "rung": plan.rung,
                "epochs": plan.epochs,
                "bracket": plan.bracket,
                "known": dict(plan.known),
                "margins": dict(plan.margins),
                "refused": plan.refused,
                "refusals": dict(plan.refusals),
                "attempts": [],
            },
            constraints=dict(plan.margins),
        )
        with storage_errors(self._path):
            trial_id = self._storage.create_new_trial(self._study_id, template_trial=trial)
            number = self._storage.get_trial_number_from_id(trial_id)
        self._ids[number] = trial_id
        return Leg(number, plan)

    def lease(self, leg: Leg, lease: Lease | None) -> Leg:
        """Notes who trains a leg.

        Args:
            leg: Of the file.
            lease: None where nobody does any more.
        """
        self._keep(leg, lease=None if lease is None else asdict(lease))
        return replace(leg, lease=lease)

    def failed_once(self, leg: Leg, cause: Cause, message: str) -> Leg:
        """Notes a training that failed; the leg still runs, and nobody trains it.

        Args:
            leg: Of the file.
            cause: Why.
            message: For people.
        """
        found = replace(leg, attempts=(*leg.attempts, cause), message=message, lease=None)
        self._keep(leg, attempts=list(found.attempts), message=message, lease=None)
        return found

    def finish(self, leg: Leg, margins: Mapping[str, float] = NO_MARGINS) -> Leg:
        """Notes that a leg is done.

        Args:
            leg: With all that its training came to, and finite values.
            margins: Budget -> how far what it came to is on the wrong side; 0 or less: it is kept.
        """
        from optuna.trial import TrialState

        # The state comes last: a leg without it is trained again, which is found to be done.
        self._keep(
            leg,
            reached=dict(leg.reached),
            violation=leg.violation,
            curve=list(leg.curve),
            facts=dict(leg.facts),
            lease=None,
        )
        self._constrain(leg, margins)
        self._end(leg, TrialState.COMPLETE, leg.values)
        return replace(leg, state="done", lease=None)

    def _constrain(self, leg: Leg, margins: Mapping[str, float]) -> None:
        """Tells Optuna of budgets that are known after the training only."""
        if not margins:
            return
        import optuna

        with storage_errors(self._path):
            study = optuna.load_study(study_name=self._study.run_id, storage=self._storage)
            trial = optuna.trial.Trial(study, self._ids[leg.number])
            for name, value in margins.items():
                # Once set it stays, which a leg that was killed right here has done.
                if name not in trial.constraints:
                    trial.set_constraint(name, value)

    def give_up(self, leg: Leg) -> Leg:
        """Notes that a leg failed for good; `attempts` and `message` say how.

        Args:
            leg: Of the file.
        """
        from optuna.trial import TrialState

        self._end(leg, TrialState.FAIL, None)
        return replace(leg, state="failed", values=self._no_values(), lease=None)

    def _no_values(self) -> tuple[float, ...]:
        return (math.nan,) * len(self._study.objectives)

    def _keep(self, leg: Leg, **attributes: Any) -> None:
        with storage_errors(self._path):
            for name, value in attributes.items():
                self._storage.set_trial_user_attr(self._ids[leg.number], name, value)

    def _end(self, leg: Leg, state: Any, values: Sequence[float] | None) -> None:
        with storage_errors(self._path):
            self._storage.set_trial_state_values(self._ids[leg.number], state, values)

    def _leg(self, trial: FrozenTrial) -> Leg:
        """A trial of the study as a leg."""
        states = {"RUNNING": "running", "COMPLETE": "done", "FAIL": "failed"}
        own = trial.user_attrs
        plan = Plan(
            own["trial"],
            own["rung"],
            own["epochs"],
            own["bracket"],
            dict(trial.params),
            own["known"],
            own["margins"],
            own["refused"],
            own.get("refusals", {}),
        )
        state, lease = states[trial.state.name], own.get("lease")
        return Leg(
            trial.number,
            plan,
            state,  # type: ignore[arg-type]
            self._no_values() if state == "failed" else tuple(trial.values or ()),
            own.get("reached", {}),
            own.get("violation", 0.0),
            tuple(own.get("curve", ())),
            own.get("facts", {}),
            tuple(own["attempts"]),
            Lease(**lease) if lease and state == "running" else None,
            own.get("message", ""),
        )


def direction(objective: Objective) -> Any:
    """How Optuna writes the direction of an objective.

    Args:
        objective: Of the search.
    """
    from optuna.study import StudyDirection

    is_more = objective.direction == "maximise"
    return StudyDirection.MAXIMIZE if is_more else StudyDirection.MINIMIZE


def distribution(parameter: Parameter) -> Any:
    """How Optuna writes a parameter.

    Args:
        parameter: Of a configuration.
    """
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(parameter, OneOfList):
        return CategoricalDistribution(parameter.options)
    if parameter.is_whole:
        low, high = int(parameter.low), int(parameter.high)
        return IntDistribution(low, high, log=parameter.is_log)
    return FloatDistribution(parameter.low, parameter.high, log=parameter.is_log)
