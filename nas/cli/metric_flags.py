"""Flags of metrics: what trained networks are judged by, and which class is the signal."""

from __future__ import annotations

from typing import Any

from absl import flags

from nas.metrics import METRICS


def define(values: flags.FlagValues) -> None:
    """Those of `main.py`.

    Args:
        values: Where they are defined.
    """
    text: dict[str, Any] = {"flag_values": values}
    flags.DEFINE_string(
        "metrics",
        None,
        "What trained networks are judged by beside top-1 and top-5, such as "
        f"auc,tpr_at_fpr=0.01: {', '.join(METRICS.names)}. tpr_at_rate takes a number and Hz, "
        "kHz or MHz. With a goal behind it, as 'auc>=0.95', the --seeds trainings that reach it "
        "are counted.",
        **text,
    )
    flags.DEFINE_string(
        "select_by",
        None,
        "One of these metrics, which chooses between the last weights and their average on "
        "held-out training images, with --evaluate_every; default: top1.",
        **text,
    )
    define_signal(values)


def define_signal(values: flags.FlagValues) -> None:
    """What stands beside metrics and says how they are counted.

    Args:
        values: Where they are defined.
    """
    text: dict[str, Any] = {"flag_values": values}
    flags.DEFINE_string(
        "signal_class",
        None,
        "Name or index of the class that auc, tpr_at_fpr and tpr_at_rate look for; default: the "
        "second of two classes.",
        **text,
    )
    flags.DEFINE_float(
        "background_rate_hz",
        None,
        "Background images that come a second, such as 40e6, for tpr_at_rate; default: that of the "
        "--sample, if it has one.",
        **text,
    )
