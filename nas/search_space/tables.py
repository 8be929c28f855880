"""The decisions of all choices of a space as tables: a row a choice, a column an option.

Gates hold one such table of logits a decision. A choice that does not decide something has one
column allowed there. Probabilities of a choice's options are products over its decisions: skip has
p(skip), any other option (1 - p(skip)) times the product of its values' probabilities.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nas.search_space.choice import OneOf
from nas.search_space.decisions import (
    SKIP,
    Decision,
    is_skip,
    option_texts,
    ordered,
    value_of,
)

# A probability that underflowed must not make a score infinite.
TINY = 1e-12


@dataclass(frozen=True)
class DecisionTables:
    """Where each option of a space stands in the tables of its decisions.

    Args:
        decisions: Of the space; skip is the last one where it exists.
        allowed: Decision -> (choices, options), whether an option exists at a choice.
        columns: Of each choice: decision -> (options of the choice,) columns. A skipped block has
            those of the choice's first block: it computes something, multiplied by 0.
    """

    decisions: tuple[Decision, ...]
    allowed: Mapping[str, np.ndarray]
    columns: tuple[Mapping[str, np.ndarray], ...]

    @classmethod
    def of(cls, choices: Sequence[OneOf]) -> DecisionTables:
        """The tables of choices.

        Args:
            choices: Of a space, in order.
        """
        found: dict[str, list[Decision]] = {}
        for choice in choices:
            for decision in choice.decisions:
                found.setdefault(decision.name, []).append(decision)
        decisions = tuple(
            Decision(name, ordered(value for d in found[name] for value in d.options))
            for name in sorted(found, key=lambda name: name == SKIP)
        )
        columns = tuple({d.name: _columns(choice, d) for d in decisions} for choice in choices)
        allowed = {
            d.name: np.array([np.isin(np.arange(len(d.options)), row[d.name]) for row in columns])
            for d in decisions
        }
        return cls(decisions, allowed, columns)

    @property
    def block_names(self) -> tuple[str, ...]:
        """Names of the decisions between blocks."""
        return tuple(d.name for d in self.decisions if d.name != SKIP)

    def without(self, excluded: Sequence[Sequence[int]]) -> DecisionTables:
        """The tables where values that only excluded options have are not allowed.

        A value stays where another option at the choice has it: gates may then still draw an
        excluded option, which whoever chooses leaves out.

        Args:
            excluded: Of each choice, indices of options; empty for none.
        """
        if not any(excluded):
            return self
        allowed = {name: table.copy() for name, table in self.allowed.items()}
        for number, (indices, columns) in enumerate(zip(excluded, self.columns, strict=True)):
            taken = np.isin(np.arange(self._size(number)), indices, invert=True)
            is_block = columns.get(SKIP, np.zeros(len(taken), int)) == 0
            for name, places in columns.items():
                # What a skipped block would be is decided by nobody.
                counted = taken if name == SKIP else taken & is_block
                if counted.any():
                    kept = np.isin(np.arange(allowed[name].shape[1]), places[counted])
                    allowed[name][number] &= kept
        return replace(self, allowed=allowed)

    def options_json(self) -> dict[str, list[Any]]:
        """Decision -> its options, as plain data for people and files."""
        return {d.name: list(option_texts(d)) for d in self.decisions}

    def own_columns(self, decision: Decision) -> list[int]:
        """Columns of a choice's own options of a decision, in its own order.

        Args:
            decision: One of a choice's.
        """
        options = next(d.options for d in self.decisions if d.name == decision.name)
        return [options.index(value) for value in decision.options]

    def hard(self, indices: Sequence[int]) -> dict[str, np.ndarray]:
        """One network as one-hot tables: decision -> (choices, options) float32.

        Args:
            indices: One option a choice.
        """
        tables = {
            name: np.zeros(allowed.shape, np.float32) for name, allowed in self.allowed.items()
        }
        for number, (index, columns) in enumerate(zip(indices, self.columns, strict=True)):
            for name, row in columns.items():
                tables[name][number, row[index]] = 1
        return tables

    def joint(self, probabilities: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """Probability of every option of every choice; each row sums to 1.

        Args:
            probabilities: Decision -> (choices, options).
        """

        def probability(exists: float, factors: Sequence[float] | None) -> float:
            product = functools.reduce(operator.mul, factors or (), 1.0)
            return float(exists) * float(product)

        return self._rows(probabilities, probability)

    def scores(self, probabilities: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """Score of every option: log p(skip), or log(1 - p(skip)) + log of its relative p's.

        Relative to the most likely value of each decision, so that a skip is not favoured for
        being one option against many.

        Args:
            probabilities: Decision -> (choices, options).
        """
        relative = {
            name: table if name == SKIP else table / table.max(axis=1, keepdims=True)
            for name, table in probabilities.items()
        }

        def score(exists: float, factors: Sequence[float] | None) -> float:
            return float(sum((np.log(p + TINY) for p in factors or ()), np.log(exists + TINY)))

        return self._rows(relative, score)

    def _rows(
        self,
        tables: Mapping[str, np.ndarray],
        value: Callable[[float, Sequence[float] | None], float],
    ) -> list[np.ndarray]:
        """A value of each option from its entry of the skip table and those of its decisions.

        Args:
            tables: Decision -> (choices, options).
            value: Of an option; its second argument is None for skip.
        """
        rows = []
        for number, columns in enumerate(self.columns):
            skip = columns.get(SKIP, np.zeros(self._size(number), int))
            row = []
            for index, column in enumerate(skip):
                exists = tables[SKIP][number, column] if SKIP in tables else 1.0
                factors = [tables[n][number, columns[n][index]] for n in self.block_names]
                row.append(value(exists, None if column else factors))
            rows.append(np.array(row))
        return rows

    def _size(self, number: int) -> int:
        return len(next(iter(self.columns[number].values()), (0,)))

    def grid(self, option_values: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Values of each choice's options, laid out by the tables' columns.

        Args:
            option_values: Of each option of each choice.

        Returns:
            (choices, options of the first decision, of the second, ...) without skip, 0 where a
            combination does not exist; and (choices,) the values of skip, 0 where there is none.
        """
        shape = [self.allowed[name].shape[1] for name in self.block_names]
        blocks = np.zeros((len(self.columns), *shape))
        skips = np.zeros(len(self.columns))
        for number, (values, columns) in enumerate(zip(option_values, self.columns, strict=True)):
            for index, value in enumerate(values):
                if SKIP in columns and columns[SKIP][index]:
                    skips[number] = value
                    continue
                place = tuple(int(columns[name][index]) for name in self.block_names)
                blocks[(number, *place)] = value
        return blocks, skips


def _columns(choice: OneOf, decision: Decision) -> np.ndarray:
    """Column of each option of a choice in the table of a decision."""
    if decision.name == SKIP:
        return np.array([int(is_skip(option)) for option in choice.options])
    first = choice.blocks[0] if choice.blocks else choice.options[0]
    if decision.name not in {own.name for own in choice.decisions}:
        # One column for all options, of what they are if the decision has it.
        value = value_of(first, decision.name)
        place = decision.options.index(value) if value in decision.options else 0
        return np.full(len(choice.options), place)
    blocks = [first if is_skip(option) else option for option in choice.options]
    return np.array([decision.options.index(value_of(b, decision.name)) for b in blocks])
