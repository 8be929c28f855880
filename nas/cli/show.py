"""`main.py --summary`, `--curves` and `--predict`: what there is of networks, without training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from latency import atomic
from latency.cli.exit_codes import EXIT_BAD_INPUT, EXIT_DONE
from latency.outputs import check_output_file
from nas.architecture.spec import Architecture
from nas.interface.named_networks import name_networks, split_words
from nas.interface.showing import (
    ShownNetwork,
    draw_curves,
    predict_images,
    shown_networks,
)
from nas.runs.folder import RunFolder
from nas.runs.predictions import Predictions
from nas.system.console import err, out
from nas.system.paths import own_path


def show(what: str, options: Mapping[str, Any], architecture: Architecture | None) -> int:
    """Shows what was asked for.

    Args:
        what: `summary`, `curves` or `predict`.
        options: Everything that was given.
        architecture: Of --arch or --network, if one was given.

    Returns:
        The exit code: that of bad input where an image of several could not be predicted.
    """
    if what == "summary":
        return _summary(options, architecture)
    if what == "curves":
        paths = _named(options) or [_run(options).path]
        out.print(f"Curves: {draw_curves(paths)}", markup=False)
        return EXIT_DONE
    return _predict(_run(options), options["predict"], bool(options.get("int8", False)))


def _run(options: Mapping[str, Any]) -> RunFolder:
    run = options.get("run")
    return RunFolder.open(own_path(run)) if run else RunFolder.newest()


def _named(options: Mapping[str, Any]) -> list[Path]:
    """Folders of the runs of `--compare`, of which nothing else has curves."""
    found = name_networks(split_words(options.get("compare", ())))
    return [network.trained_run() for network in found]


def _summary(options: Mapping[str, Any], architecture: Architecture | None) -> int:
    from nas.cost.counts import architecture_cost
    from nas.report.summary import print_summary, summary_csv

    path = own_path(options["csv"]) if "csv" in options else None
    if path is not None:
        check_output_file(path, "--csv")
    words = split_words(options.get("compare", ()))
    if architecture is not None:
        # A text has no name of its own; it gets that of --compare.
        (named,) = name_networks([options.get("arch") or options["network"]])
        networks = [ShownNetwork(architecture.name or named.name, architecture)]
    else:
        words = words or [str(_run(options).path)]
        networks = shown_networks(words, options.get("image_size"))
    for network in networks:
        print_summary(network.architecture, title=network.name)
        for note in network.notes:
            out.print(note, markup=False)
    if path is not None:
        counts = [(n.name, architecture_cost(n.architecture)) for n in networks]
        atomic.write_text(path, summary_csv(counts))
        out.print(f"CSV: {path}", markup=False)
    return EXIT_DONE


def _predict(folder: RunFolder, words: Sequence[str], int8: bool) -> int:
    from nas.report.predictions import failure_lines, prediction_table

    def tell(predictions: Predictions) -> None:
        if predictions.images:
            out.print(prediction_table(predictions))
        for line in failure_lines(predictions):
            err.print(f"error: {line}", markup=False)

    predictions, written = predict_images(folder, words, int8, tell)
    for line in written:
        out.print(line, markup=False)
    return EXIT_BAD_INPUT if predictions.failed else EXIT_DONE
