"""All stored rung values, where schedulers look them up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from nas.errors import InputError
from nas.tuning.objectives import Objective, check_different
from nas.tuning.order import Order
from nas.tuning.scores import RungValue, Running


class RungTable:
    """Stored values by bracket and rung, with the order of trials in each.

    It is made of what is stored, in any order, and holds nothing else: a table that was added to
    and one that was made anew of the same values answer alike. It is kept between decisions only
    because it takes longer to make than to add to.

    Args:
        objectives: In the order of the values.
        values: Stored ones.

    Raises:
        InputError: There are no objectives or one twice, or a value does not fit the others.
    """

    def __init__(self, objectives: Sequence[Objective], values: Iterable[RungValue] = ()) -> None:
        check_different(objectives)
        self.objectives = tuple(objectives)
        self._rungs: dict[tuple[int, int], dict[int, RungValue]] = {}
        self._orders: dict[tuple[int, int], Order] = {}
        self._brackets: dict[int, int] = {}
        for value in values:
            self.add(value)

    def add(self, value: RungValue) -> None:
        """One more stored value; the same one again changes nothing.

        Args:
            value: Of a trial at the end of a rung.

        Raises:
            InputError: The trial has another value there, is in another bracket, or has another
                number of values than there are objectives.
        """
        key = value.bracket, value.rung
        known = self._brackets.get(value.trial, value.bracket)
        if known != value.bracket:
            raise InputError(
                f"trial {value.trial} in bracket {known}, where it began",
                f"bracket {value.bracket}",
                "store the bracket that came with the job",
            )
        before = self._rungs.get(key, {}).get(value.trial)
        if before is not None:
            # By their texts, in which NaN is the same as NaN.
            if repr(before) != repr(value):
                raise InputError(
                    f"one value of trial {value.trial} at rung {value.rung}",
                    f"{before.values} and {value.values}",
                    "take one of them out of the storage",
                )
            return
        order = self._orders.setdefault(key, Order(self.objectives))
        order.add(value)
        self._rungs.setdefault(key, {})[value.trial] = value
        self._brackets[value.trial] = value.bracket

    def count(self, rung: int, bracket: int = 0) -> int:
        """How many trials have come to the end of a rung.

        Args:
            rung: Its number.
            bracket: Of the trials.
        """
        return len(self._rungs.get((bracket, rung), ()))

    def values(self, rung: int, bracket: int = 0) -> Mapping[int, RungValue]:
        """Trial -> its value at the end of a rung.

        Args:
            rung: Its number.
            bracket: Of the trials.
        """
        return self._rungs.get((bracket, rung), {})

    def order(self, rung: int, bracket: int = 0) -> Order:
        """The trials that have come to the end of a rung, from the best to the last.

        Args:
            rung: Its number.
            bracket: Of the trials.
        """
        return self._orders.get((bracket, rung), Order(self.objectives))

    @property
    def brackets(self) -> Mapping[int, int]:
        """Trial -> its bracket, of all trials with a value."""
        return self._brackets

    def pending(self, running: Iterable[Running]) -> tuple[Running, ...]:
        """Jobs whose value is not stored yet.

        A program that was killed between the storing of a value and the end of a lease leaves a
        job that is done.

        Args:
            running: Jobs that were handed out.
        """
        return tuple(job for job in running if job.trial not in self.values(job.rung, job.bracket))
