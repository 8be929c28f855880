"""Accuracy of a network with the supernet's weights: a hint, not a result."""

from __future__ import annotations

from nas.data import Dataset
from nas.evaluate import Accuracy, accuracy, reestimate_statistics
from nas.inherit import inherit_weights
from nas.keras_model import build_model, set_weights_by_name
from nas.search.gradient import GradientSearch
from nas.spec import Architecture

STATISTICS_BATCHES = 20


def inherited_accuracy(
    searcher: GradientSearch, architecture: Architecture, dataset: Dataset
) -> Accuracy:
    """Cuts a network out of the supernet, re-estimates its statistics and evaluates it.

    Args:
        searcher: With a trained supernet.
        architecture: A network of its space.
        dataset: Whose evaluation split is used.
    """
    model = build_model(architecture)
    model.compile(jit_compile=False)
    set_weights_by_name(model, architecture, inherit_weights(searcher.network, architecture))
    loader = searcher.weights_loader
    steps = range(min(STATISTICS_BATCHES, searcher.total_steps))
    reestimate_statistics(model, (loader.batch(step)[0] for step in steps))
    return accuracy(model.predict_on_batch, dataset.evaluation)
