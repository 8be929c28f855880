"""What a supernet's weights train with; importing it starts no framework."""

from __future__ import annotations

from dataclasses import dataclass

from nas.ranges import check_number
from nas.training.recipe import Recipe
from nas.training.schedules import ramp


@dataclass(frozen=True)
class WarmUp:
    """The steps before the gates learn; shares are of all weight steps.

    Args:
        share: Part in which gates rest and no draw listens to them, from 0 to 1.
        largest_share: Part, at the start of the warm-up, that trains the largest network alone;
            from then on more and more of the draws are even over all options. At most `share`.
        evenness: Share of even draws at the end of the warm-up, from 0 to 1.

    Raises:
        InputError: A value is out of its range.
    """

    share: float = 0.6
    largest_share: float = 0.3
    evenness: float = 0.9

    def __post_init__(self) -> None:
        check_number("warm_up.share", self.share, least=0, most=1)
        check_number("warm_up.largest_share", self.largest_share, least=0, most=self.share)
        check_number("warm_up.evenness", self.evenness, least=0, most=1)

    @classmethod
    def usual(cls, gates_learn: bool) -> WarmUp:
        """The usual one; without gates that learn, all steps are warm-up.

        Args:
            gates_learn: Whether they do after the warm-up.
        """
        return cls() if gates_learn else cls(share=1.0, largest_share=0.4)

    def steps(self, total_steps: int) -> int:
        """Steps of the warm-up.

        Args:
            total_steps: All weight steps.
        """
        return int(self.share * total_steps)

    def evenness_at(self, step: int, total_steps: int) -> float:
        """Probability of an even draw at a step of the warm-up.

        Args:
            step: Its number, from 0.
            total_steps: All weight steps.
        """
        largest = int(self.largest_share * total_steps)
        return self.evenness * ramp(step, largest, self.steps(total_steps) - largest)


@dataclass(frozen=True)
class SupernetSettings:
    """What decides the weights of a supernet, whatever is searched with them.

    Args:
        weights: Recipe of the weights, without an average.
        gate: Form of the gates, `categorical` or `threshold`.
        execution: `sampled` or `masked`: whether weight steps compute the drawn network only.
        holdout_share: Share of the training images that the weights never see, 0 to below 1.
        warm_up: Which networks the steps draw.
    """

    weights: Recipe
    gate: str
    execution: str
    holdout_share: float
    warm_up: WarmUp
