"""Which metrics are asked for, what is signal, and whether given images can tell them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from nas.errors import InputError
from nas.metrics.goals import MetricGoal, parse_asked
from nas.metrics.metric import Metric
from nas.ranges import check_number

# Of fewer expected events the threshold is known to no better than a third: 1 / sqrt(10).
FEW_EVENTS = 10
# So many class names stand in a message.
SHOWN_NAMES = 12


@dataclass(frozen=True)
class AskedMetrics:
    """What a trained network is judged by beside top-1 and top-5.

    Args:
        metrics: Texts such as `auc` and `tpr_at_fpr=0.01`, each once; empty where nobody asked.
        signal_class: Name or index of the class that is looked for; None for the second of two
            classes, in the order of their names.
        background_rate_hz: Background images that come a second, above 0; None where no metric
            asks for a rate.
        goals: What some of the metrics shall reach, of which it is told how many trainings do.

    Raises:
        InputError: A metric is unknown, broken or there twice, a rate is above the background's,
            or something was said that no metric looks at.
    """

    metrics: tuple[str, ...] = ()
    signal_class: str | None = None
    background_rate_hz: float | None = None
    goals: tuple[MetricGoal, ...] = ()

    def __post_init__(self) -> None:
        check_number("--background_rate_hz", self.background_rate_hz, above=0, optional=True)
        parsed = self.parsed
        for metric in parsed:
            metric.background_share(self.background_rate_hz)
        twice = [m.text for i, m in enumerate(parsed) if m in parsed[:i]]
        if twice:
            raise InputError(
                "each metric once", f"{twice[0]}, twice", "leave one of them out of --metrics"
            )
        if self.signal_class is not None and not any(m.kind.needs_signal for m in parsed):
            raise InputError(
                "--signal_class with a metric that looks for one class, such as auc",
                f"--signal_class {self.signal_class} with {', '.join(self.metrics) or 'none'}",
                "leave --signal_class out, or add such a metric to --metrics",
            )
        if self.background_rate_hz is not None and not any(m.needs_rate for m in parsed):
            raise InputError(
                "--background_rate_hz with a metric at a rate, such as tpr_at_rate=10kHz",
                f"--background_rate_hz {self.background_rate_hz:g} with "
                f"{', '.join(self.metrics) or 'none'}",
                "leave --background_rate_hz out, or add such a metric to --metrics",
            )

    @classmethod
    def of(
        cls,
        metrics: str | Sequence[str] | None,
        signal_class: str | int | None = None,
        background_rate_hz: float | None = None,
    ) -> AskedMetrics:
        """From options, every metric in its one way of writing.

        Args:
            metrics: Texts, or one text with commas between them, each with a goal behind it if
                there is one, as `auc>=0.95`; None for none.
            signal_class: Name or index of the class that is looked for.
            background_rate_hz: Background images that come a second, above 0.

        Raises:
            InputError: As of the record.
        """
        asked = [parse_asked(word) for word in cls.words(metrics)]
        texts = tuple(metric.text for metric, _ in asked)
        goals = tuple(goal for _, goal in asked if goal is not None)
        signal = None if signal_class is None else str(signal_class)
        rate: Any = background_rate_hz
        return cls(texts, signal, float(rate) if type(rate) is int else rate, goals)

    @staticmethod
    def words(metrics: str | Sequence[str] | None) -> list[str]:
        """The texts of an option.

        Args:
            metrics: Texts, or one text with commas between them; None for none.
        """
        words = metrics.split(",") if isinstance(metrics, str) else list(metrics or ())
        return [word.strip() for word in words]

    def __bool__(self) -> bool:
        return bool(self.metrics)

    @property
    def parsed(self) -> tuple[Metric, ...]:
        """The metrics, in the order in which they were asked for."""
        return tuple(Metric.parse(text) for text in self.metrics)

    @property
    def needs_signal(self) -> bool:
        """Whether one class has to be the signal."""
        return any(metric.kind.needs_signal for metric in self.parsed)

    def signal_index(self, class_names: Sequence[str]) -> int | None:
        """The class that is looked for; None where no metric looks for one.

        Args:
            class_names: Position is the class index.

        Raises:
            InputError: Nobody said which of more than two classes, or it is none of them.
        """
        return signal_index(self.signal_class, class_names) if self.needs_signal else None

    def check(self, labels: np.ndarray, class_names: Sequence[str]) -> tuple[str, ...]:
        """Refuses what images cannot tell, before any work.

        Args:
            labels: (n,) class indices of the images that will be evaluated.
            class_names: Position is the class index.

        Returns:
            Warnings in sentences: thresholds that rest on few background images.

        Raises:
            InputError: No image is of the signal class, all are, or the class is unknown.
        """
        signal = self.signal_index(class_names)
        if signal is None:
            return ()
        name = class_names[signal]
        signals = int((np.asarray(labels) == signal).sum())
        backgrounds = len(labels) - signals
        for what, count, fix in (
            ("of the signal class", signals, "name another class by --signal_class"),
            ("of another class, as background,", backgrounds, "evaluate on images of both kinds"),
        ):
            if not count:
                raise InputError(
                    f"evaluation images {what} for {self._of_signal}",
                    f"none among {len(labels):,}; the signal class is {name!r}",
                    fix,
                )
        return tuple(self._few_events(backgrounds))

    @property
    def _of_signal(self) -> str:
        return ", ".join(metric.text for metric in self.parsed if metric.kind.needs_signal)

    def _few_events(self, backgrounds: int) -> list[str]:
        found = []
        for metric in self.parsed:
            share = metric.background_share(self.background_rate_hz)
            expected = None if share is None else float(share * backgrounds)
            if expected is not None and expected < FEW_EVENTS:
                found.append(
                    f"{metric.text}: {expected:.3g} of {backgrounds:,} background images may pass. "
                    f"A threshold that rests on fewer than {FEW_EVENTS} events is hardly known: "
                    "ask for a larger share or rate, or evaluate on more background images."
                )
        return found


@dataclass(frozen=True)
class Judging:
    """All metrics of a training.

    Args:
        metrics: What the trained network is judged by, on the evaluation images.
        selection: The one metric that chooses between last and averaged weights, on held-out
            training images; without metrics where top-1 does.
    """

    metrics: AskedMetrics = field(default_factory=AskedMetrics)
    selection: AskedMetrics = field(default_factory=AskedMetrics)

    def __bool__(self) -> bool:
        return bool(self.metrics or self.selection)


NOT_JUDGED: Final = Judging()


def signal_index(word: str | None, class_names: Sequence[str]) -> int:
    """The index of a class by its name or index.

    Args:
        word: A name, an index from 0, or `name=NAME` and `index=INDEX` where a number could be
            both; None for the second of two classes, in the order of their names.
        class_names: Position is the class index.

    Raises:
        InputError: It is none of the classes, could be two of them, or is not said where there
            are more than two.
    """
    names = list(class_names)
    if word is None:
        if len(names) == 2:
            return names.index(sorted(names)[1])
        raise InputError(
            "--signal_class, since one of more than two classes has to be the signal",
            f"none, and {len(names)} classes: {_shown(names)}",
            "name the class that is looked for",
        )
    kind, equals, rest = word.partition("=")
    if word not in names and equals and kind in ("name", "index"):
        return _by_name(rest, names) if kind == "name" else _by_index(rest, names)
    index = _index(word)
    if index is None or index >= len(names):
        return _by_name(word, names)
    if word in names and names.index(word) != index:
        raise InputError(
            "--signal_class that means one class",
            f"{word}: class {names.index(word)} has this name, and class {index} is named "
            f"{names[index]!r}",
            f"write --signal_class name={word} or --signal_class index={word}",
        )
    return index


def _by_name(name: str, names: list[str]) -> int:
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1)
        raise InputError(
            f"--signal_class to be one of the classes {_shown(names)}",
            repr(name),
            f"write {near[0]!r}" if near else "name one of them, or its index from 0",
        )
    return names.index(name)


def _by_index(text: str, names: list[str]) -> int:
    index = _index(text)
    if index is None or index >= len(names):
        raise InputError(
            f"an index of a class, from 0 to {len(names) - 1}", repr(text), "correct --signal_class"
        )
    return index


def _index(text: str) -> int | None:
    """A whole number in plain digits, and few of them; None for any other text."""
    return int(text) if re.fullmatch("[0-9]{1,9}", text) else None


def _shown(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN_NAMES} more" if len(names) > SHOWN_NAMES else ""
    return ", ".join(names[:SHOWN_NAMES]) + more
