"""How much each parameter had to do with a configuration being among the best, by PED-ANOVA."""

from __future__ import annotations

from collections.abc import Sequence

from nas.errors import InputError
from nas.tuning.objectives import Objective
from nas.tuning.parameters import Configuration, Parameter
from nas.tuning.samplers import without_news
from nas.tuning.study_files import check_optuna

# The best share of trials, whose values are compared with those of all. Optuna's default, a tenth,
# would leave 3 of 30; its documentation asks for 5 or more.
BEST_SHARE = 0.2
# With fewer trials knobs are ranked by chance; see decision 0050.
LEAST_TRIALS = 30
TRIALS_A_PARAMETER = 3


def needed_trials(parameters: Sequence[Parameter]) -> int:
    """Trials below which importances are not told.

    Args:
        parameters: Of a configuration.
    """
    return max(LEAST_TRIALS, TRIALS_A_PARAMETER * len(parameters))


def importances(
    parameters: Sequence[Parameter],
    objective: Objective,
    configurations: Sequence[Configuration],
    values: Sequence[float],
) -> dict[str, float]:
    """Parameter -> its share of what sets the best fifth apart, the most important first.

    Densities of each parameter among the best configurations and among all are compared by their
    Pearson divergence, one parameter at a time; what two do together is not seen.

    Source: Watanabe et al. 2023, arXiv 2304.10255, as Optuna implements it.

    Args:
        parameters: Of every configuration.
        objective: What the values are of.
        configurations: As many as `needed_trials` says or more.
        values: Of each configuration, finite and after equally long trainings.

    Returns:
        Shares that sum to 1; all are 0 where nothing sets the best apart.

    Raises:
        InputError: There are too few configurations, or Optuna is missing.
    """
    needed = needed_trials(parameters)
    if len(configurations) < needed:
        raise InputError(
            f"{needed} trials or more for the importance of {len(parameters)} knobs",
            f"{len(configurations)} trials",
            f"set max_trials to {needed} or more",
        )
    check_optuna()
    import optuna

    from nas.tuning.storage import direction, distribution

    distributions = {p.name: distribution(p) for p in parameters}
    with without_news():
        study = optuna.create_study(direction=direction(objective))
        for configuration, value in zip(configurations, values, strict=True):
            study.add_trial(
                optuna.trial.create_trial(
                    params=dict(configuration), distributions=distributions, value=value
                )
            )
        found: dict[str, float] = optuna.importance.get_param_importances(
            study,
            evaluator=optuna.importance.PedAnovaImportanceEvaluator(target_quantile=BEST_SHARE),
        )
    return found
