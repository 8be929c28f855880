"""Muon for networks of convolutions: matrices are made orthogonal, all else learns by AdamW.

Keras' own Muon takes weights of two axes alone, so that of these networks it would train nothing
but the classifier, which is the one matrix that it should not.
"""

from __future__ import annotations

from typing import Any

import keras


class ConvMuon(keras.optimizers.Muon):
    """Muon whose matrices are kernels, with all axes before the last one as rows.

    AdamW trains what is no matrix: biases, normalisations, depthwise kernels, which join no two
    channels, and the classifier, which is the last weight of two axes.

    Source: Jordan et al. 2024, Muon (https://kellerjordan.github.io/posts/muon), which flattens
    kernels likewise; Liu et al. 2025, arXiv 2502.16982, for the size of a step.
    """

    def build(self, var_list: list[Any]) -> None:
        """Makes the variables of the optimizer.

        Args:
            var_list: That it will train, in the order of the network.
        """
        matrices = [variable for variable in var_list if len(variable.shape) == 2]
        self._classifier = matrices[-1] if matrices else None
        super().build(var_list)

    def _should_use_adamw(self, variable: Any) -> bool:
        is_flat = len(variable.shape) < 2 or min(variable.shape[-1], _rows(variable)) < 2
        is_depthwise = len(variable.shape) == 4 and variable.shape[-1] == 1
        return is_flat or is_depthwise or variable is self._classifier

    def _muon_update_step(self, gradient: Any, variable: Any, lr: Any, m: Any) -> None:
        ops = keras.ops
        self.assign_add(m, ops.add(gradient, m * (self.momentum - 1)))
        step = ops.add(gradient, self.momentum * m) if self.nesterov else m
        matrix = ops.reshape(step, (_rows(variable), variable.shape[-1]))
        update = self.zeropower_via_newtonschulz5(matrix, self.ns_steps)
        sized = self.lr_adjust(ops.cast(lr, variable.dtype) * update)
        self.assign_sub(variable, ops.reshape(sized, variable.shape))


def _rows(variable: Any) -> int:
    """All axes before the last one, as one."""
    rows = 1
    for length in variable.shape[:-1]:
        rows *= int(length)
    return rows
