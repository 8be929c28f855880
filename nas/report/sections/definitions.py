"""What the words of the page mean."""

from __future__ import annotations

from html import escape

from nas.report import cards
from nas.report.facts import RunFacts

DEFINITIONS = (
    (
        "measured ms",
        "milliseconds at the device's own full speed: a low quantile of the runs of the whole ONNX "
        "file that a short probe right before and after found undisturbed, the median over new "
        "processes; its 95 % interval includes how much the processes differ",
    ),
    (
        "as seen here today",
        "all runs as they came while nobody waited for full speed: what a user would have seen on "
        "this machine beside its other programs",
    ),
    ("predicted ms", "a × (sum of the table's rows) + b, both fitted on whole networks"),
    (
        "met",
        "the whole interval of the measured ms is within 2 % of what was asked: 0.98 T to 1.02 T; "
        "not met where all of it is outside, and otherwise it cannot be told",
    ),
    ("params", "trainable parameters, batch-norm statistics not counted"),
    ("MACs", "multiply-adds of one image; one multiply-add is one MAC"),
    ("size", "bits of the folded weights / 8; kB and MB are 1000 and 1,000,000 bytes"),
    (
        "memory",
        "peak activation memory: the greatest sum of tensors that are alive at once while the "
        "nodes of the exported graph run in order, for one image; weights not counted",
    ),
    ("weight bits", "bits of all kernels, each number in its format; 32 where it has none"),
    ("BOPs", "bit operations: multiply-adds, each times the bits of both factors"),
    (
        "uniform scaling",
        "all kernels 3 × 3, all expansions 6, one width multiplier, and one format of weights and "
        "of what is read where blocks decide them",
    ),
    (
        "sd (seeds)",
        "standard deviation between trainings of one network with different seeds, in percentage "
        "points, and how many they were; a seed decides weights, dropout and data order",
    ),
    ("random", "drawn from the space, within 2 % of this network's measured ms"),
    (
        "supernet, not retrained",
        "accuracy with weights taken from the supernet, batch norm re-estimated; not what the "
        "network reaches after its own training",
    ),
)


def definitions(_: RunFacts) -> str:
    """The same on every page."""
    items = "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in DEFINITIONS)
    return cards.card("What the words mean", "", f'<dl class="pairs">{items}</dl>')
