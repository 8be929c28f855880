"""One metric with its parameter: `auc`, `tpr_at_fpr=0.01`; text and record are exact inverses."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from nas.errors import InputError
from nas.metrics.registry import METRICS, MetricKind


@dataclass(frozen=True)
class Metric:
    """A metric that can be asked for, and be an objective.

    Two texts that mean the same, such as `tpr_at_rate=10kHz` and `tpr_at_rate=0.01MHz`, give equal
    records.

    Args:
        name: In `METRICS`.
        parameter: The number behind it: a share, or a frequency in Hz; None where it takes none.

    Raises:
        InputError: The name is unknown, or the parameter is missing, too much or out of range.
    """

    name: str
    parameter: Decimal | None = None

    def __post_init__(self) -> None:
        takes = METRICS[self.name].parameter
        if takes is None and self.parameter is not None:
            raise InputError(
                f"{self.name} without a number", f"{self.name}={self.parameter}", "leave it out"
            )
        if takes is not None:
            if self.parameter is None:
                raise InputError(
                    f"{self.name} with a number, as {self.name}={takes.example}",
                    self.name,
                    "write the number behind it",
                )
            takes.parse(self.name, takes.text(self.parameter))  # refuses what is out of range

    @classmethod
    def parse(cls, text: str) -> Metric:
        """From its text, such as `tpr_at_fpr=0.01`.

        Args:
            text: As it was written.

        Raises:
            InputError: The name is unknown, or the parameter is missing, too much or no number.
        """
        name, equals, value = text.partition("=")
        takes = METRICS[name].parameter
        if not equals:
            return cls(name)
        if takes is None:
            raise InputError(f"{name} without a number", repr(text), f"write {name} alone")
        return cls(name, takes.parse(name, value))

    @property
    def text(self) -> str:
        """The text that `parse` gives this record for."""
        takes = self.kind.parameter
        if takes is None or self.parameter is None:
            return self.name
        return f"{self.name}={takes.text(self.parameter)}"

    @property
    def kind(self) -> MetricKind:
        """What its name stands for."""
        return METRICS[self.name]

    @property
    def higher_is_better(self) -> bool:
        """Whether a greater value is a better network."""
        return self.kind.higher_is_better

    @property
    def needs_rate(self) -> bool:
        """Whether the rate of the background has to be known."""
        return self.kind.parameter is not None and self.kind.parameter.is_rate

    def background_share(self, background_rate_hz: float | None) -> Fraction | None:
        """Share of the background that may pass, exactly; None for a metric without a threshold.

        Args:
            background_rate_hz: Of all background, in Hz; None where it is not known.

        Raises:
            InputError: It is needed and not known, or no greater than the rate that is asked for.
        """
        if self.parameter is None:
            return None
        if not self.needs_rate:
            return Fraction(self.parameter)
        if background_rate_hz is None:
            raise InputError(
                f"--background_rate_hz with {self.text}",
                "none",
                "say how many background images come a second, such as --background_rate_hz 40e6",
            )
        # The shortest decimal number of a float is the one that was written.
        share = Fraction(self.parameter) / Fraction(repr(float(background_rate_hz)))
        if share >= 1:
            raise InputError(
                f"a rate below the background's {background_rate_hz:g} Hz",
                self.text,
                "ask for a smaller rate, or correct --background_rate_hz: at its own rate all "
                "background passes",
            )
        return share
