"""Averages of weights whose length is a share of the steps so far, so that they fit anywhere.

A moving average of one length fits one length of training. Where a training may be left or looked
at anywhere, the average has to grow with it: after t steps it is

    average_t = (1 - r_t) average_(t-1) + r_t weights_t,    r_t = (eta + 1) / (t + eta),

which is a mean of all weights so far, those of step i by about i^eta. Its weights are t / (eta + 2)
steps old in the mean, as those of the last 2 / (eta + 2) of the steps are: with eta = 3 the last
two fifths. With s = 1 / (eta + 1), 1 / r_t = s t + (1 - s): the length is the share s of the steps.

It needs one more set of weights and no other memory, however long a training is, and goes on from
a checkpoint without knowing where it will be looked at.

Source: Shamir and Zhang 2013, ICML, arXiv 1212.1824, section 4 (polynomial-decay averaging).
"""

from __future__ import annotations

from typing import Any

from keras import ops


class GrowingAverage:
    """A Keras optimizer whose moving average has a length of some share of the steps so far."""

    growing_share: float

    @property
    def ema_momentum(self) -> Any:
        """What stays of the average at this step, 1 - r_t; 0 at the first one."""
        before = ops.cast(self.iterations, "float32")  # type: ignore[attr-defined]
        return before / (before + 1.0 / self.growing_share)

    @ema_momentum.setter
    def ema_momentum(self, _value: float) -> None:
        """Takes the one number that Keras has for all steps, and that none of them has."""


def with_growing_average(optimizer: Any, share: float) -> Any:
    """The same optimizer, not built yet, with an average of this kind.

    Args:
        optimizer: Of Keras, with `use_ema`.
        share: Length of the average as a share of the steps so far, above 0 and up to 1.
    """
    kind = type(optimizer)
    made = type(f"Growing{kind.__name__}", (GrowingAverage, kind), {"growing_share": share})
    return made.from_config(optimizer.get_config())  # type: ignore[attr-defined]
