"""Accuracy of networks inside the supernet, statistics made anew: a ranking, not a result."""

from __future__ import annotations

import math
from dataclasses import dataclass

import keras
import numpy as np

from nas.data import Split
from nas.data.loader import evaluation_batches
from nas.layers.fast import Tensor
from nas.supernet.model import Supernet
from nas.system.devices import even_part
from nas.system.graphs import jit_compile
from nas.training.evaluation import Accuracy, accuracy, batch_norm_layers, own_momentum


class ForwardView(keras.Model):
    """The drawn network as `predict_on_batch` runs it, with or without moving statistics."""

    def __init__(self, network: Supernet, moves_statistics: bool, execution: str) -> None:
        super().__init__()
        self.network, self.execution = network, execution
        self.moves_statistics = moves_statistics
        self.built = True

    def call(self, images: Tensor, training: bool = False) -> Tensor:
        """Class scores; whether statistics move is the view's, whatever Keras asks for."""
        del training
        return self.network(images, training=self.moves_statistics, execution=self.execution)


@dataclass(frozen=True)
class ForwardViews:
    """Both views of one supernet, compiled once for all scorers of it.

    Args:
        moving: Moves statistics.
        still: Reads them.
    """

    moving: ForwardView
    still: ForwardView

    @classmethod
    def of(cls, network: Supernet, execution: str = "masked") -> ForwardViews:
        """Compiled views.

        Args:
            network: The supernet.
            execution: How it runs; see `nas.layers.super_block`.
        """
        views = cls(*(ForwardView(network, moves, execution) for moves in (True, False)))
        for view in (views.moving, views.still):
            view.compile(jit_compile=jit_compile())
        return views


class SharedScorer:
    """Scores networks of a space by the supernet's weights.

    Statistics of shared weights belong to no network: those of each candidate are the plain
    statistics of one large batch under its own draw (Guo et al. 2020, arXiv 1904.00420, section
    3.4, re-estimate them likewise). Nothing is cut out or compiled for a candidate.

    Args:
        views: Of a trained supernet; its draw and statistics change.
        statistics: Images without augmentation, of the weights' part of the training split.
        statistics_count: How many of them.
        judging: Images and labels that the score is made on; not the evaluation split where a
            choice follows from the score.
        indices: Part of them; None for all.
        statistics_indices: Part of `statistics` to take from; None for all.
        seed: Of which images make the statistics.
    """

    def __init__(
        self,
        views: ForwardViews,
        statistics: Split,
        statistics_count: int,
        judging: Split,
        indices: np.ndarray | None = None,
        statistics_indices: np.ndarray | None = None,
        seed: int = 0,
    ) -> None:
        self.network, self.judging, self.indices = views.moving.network, judging, indices
        self._moving, self._still = views.moving, views.still
        pool = (
            np.arange(len(statistics.labels)) if statistics_indices is None else statistics_indices
        )
        count = even_part(min(statistics_count, len(pool)))
        chosen = np.random.default_rng((seed, 12)).permutation(pool)[:count]
        parts = evaluation_batches(statistics, len(chosen), np.sort(chosen))
        self._statistics_images = np.concatenate([images for images, _ in parts])
        self._norms = list(batch_norm_layers(self.network))

    def accuracy(self, indices: tuple[int, ...]) -> Accuracy:
        """Accuracy of one network with the shared weights.

        Args:
            indices: One option a choice.
        """
        self.network.gates.set_draw(self.network.draw_of(indices))
        with own_momentum(self._norms) as set_momentum:
            set_momentum(0.0)  # statistics are replaced rather than averaged
            self._moving.predict_on_batch(self._statistics_images)
        return accuracy(self._still.predict_on_batch, self.judging, indices=self.indices)

    def score(self, indices: tuple[int, ...]) -> float:
        """Minus the cross-entropy: top-1 of so few images hardly repeats (decisions/0014)."""
        entropy = self.accuracy(indices).cross_entropy
        # A network whose logits overflow comes last; NaN would leave the order to chance.
        return -entropy if math.isfinite(entropy) else -math.inf
