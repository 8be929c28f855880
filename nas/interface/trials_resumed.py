"""What a search by trials that goes on may be asked for anew, and what must be as it began."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from operator import attrgetter
from typing import Any

from nas.errors import InputError
from nas.interface.executor_options import executor_config, usual_workers
from nas.interface.trials_config import (
    BOUNDS,
    OF_RECORD,
    budget_texts,
    metric_texts,
    objective_texts,
)
from nas.metrics.goals import parse_asked
from nas.runs.trials import TrialsConfig
from nas.search_space.bits import BitWidths
from nas.search_space.files import reference
from nas.system.paths import kept_path

# What metrics look at.
LOOKED_AT = ("signal_class", "background_rate_hz")
# Option -> what the record of a run says it is.
RECORDED: dict[str, Callable[[TrialsConfig], Any]] = {
    **{n: attrgetter(n) for n in ("method", "max_trials", "max_epochs", "reduction", "rungs")},
    **{n: attrgetter(n) for n in (*OF_RECORD, "device", "seed")},
    **{name: attrgetter(f"bounds.{name}") for name in BOUNDS},
    "objectives": lambda c: ",".join(c.objectives),
    "budgets": lambda c: ",".join(c.budgets),
    "smoke": lambda c: c.is_smoke,
    "image_size": lambda c: c.data.image_size,
    "sample": lambda c: c.data.drawn,
    "skip_bad_images": lambda c: c.data.skip_bad_images,
    "resize": lambda c: c.data.resize,
    "mixed_precision": lambda c: c.compute.mixed_precision,
    "rung_weights": lambda c: "average" if c.recipe.growing_average else "last",
    "flip": lambda c: c.recipe.augmentation.flip,
    "table": lambda c: c.table,
    "latency_device": lambda c: c.device if c.table is None else None,
    "tune": lambda c: c.tune,
    "space": lambda c: c.space,
    "bits": lambda c: c.bits and c.bits.text,
    "end_bits": lambda c: c.bits and c.bits.ends,
    "network": lambda c: c.network,
    "blocks": lambda c: list(c.blocks),
}
READ_AS: dict[str, Callable[[Any], Any]] = {
    "space": reference,
    "blocks": lambda paths: [reference(path) for path in paths],
    "table": kept_path,
    "bits": lambda text: BitWidths.parse(text).text,
    "max_epochs": float,
    "objectives": lambda text: ",".join(objective_texts(text)),
    "budgets": lambda text: ",".join(budget_texts(text)),
}


def changed_at_the_end(config: TrialsConfig, options: Mapping[str, Any]) -> TrialsConfig:
    """What a run that goes on may be asked for anew, as nothing of the search depends on it.

    Where workers run and how many there are decides when trials end, and nothing of a trial.

    Args:
        config: What the run is asked for by now.
        options: As the flags of nas.py, checked by `check_as_recorded`; what is left out stays as
            it is, and metrics join those of before.

    Raises:
        InputError: A value is out of its range.
    """
    executor = executor_config(options, config.executor)
    is_same_kind = executor.kind == config.executor.kind
    usual = config.workers if is_same_kind else usual_workers(executor)
    return replace(
        config,
        workers=options.get("workers") or usual,
        executor=executor,
        seeds=options.get("seeds", config.seeds),
        metrics=_joined(config.metrics, metric_texts(options.get("metrics"))),
        **{name: options[name] for name in LOOKED_AT if name in options},
    )


def _joined(before: tuple[str, ...], asked: tuple[str, ...]) -> tuple[str, ...]:
    """Metrics of before and those asked for now, of which one may have another goal."""
    named = {parse_asked(word)[0].text for word in asked}
    return (*(word for word in before if parse_asked(word)[0].text not in named), *asked)


def _new_at_the_end(config: TrialsConfig, options: Mapping[str, Any]) -> tuple[str, ...]:
    """What new metrics look at, and no metric of the search did."""
    if "metrics" not in options:
        return ()
    # Of two classes one is the signal, also where nobody named it.
    is_open = (not config.judged.needs_signal, config.background_rate_hz is None)
    return tuple(n for n, new in zip(LOOKED_AT, is_open, strict=True) if n in options and new)


def check_as_recorded(config: TrialsConfig, options: Mapping[str, Any]) -> None:
    """Refuses to go on with anything else than what the run began with.

    What may differ stands in `changed_at_the_end`.

    Args:
        config: Of the run, as it began.
        options: As the flags of nas.py, the network as its text; what is left out stays as it is.

    Raises:
        InputError: An option differs from the record.
    """
    for name, value in options.items():
        if name not in RECORDED or name in _new_at_the_end(config, options):
            continue
        recorded, asked = RECORDED[name](config), READ_AS.get(name, lambda same: same)(value)
        if recorded != asked:
            raise InputError(
                f"--{name} as the run began: {_said(recorded)}",
                _said(asked),
                "leave the flag out with --resume, or begin another run",
            )
    if (seeds := options.get("seeds", config.seeds)) < config.seeds:
        raise InputError(
            f"--seeds {config.seeds} or more, as the run began",
            f"--seeds {seeds}",
            "leave the flag out with --resume",
        )


def _said(value: Any) -> str:
    return "none" if value in (None, "", []) else repr(value)
