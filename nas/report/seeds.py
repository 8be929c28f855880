"""What is known of the spread between seeds, in words for terminal and page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from latency.command_line import join
from nas.cost.units import MILLISECONDS, Unit
from nas.report import numbers
from nas.report.comparison import ShownNetwork
from nas.runs.records import Certificate
from nas.selection.seed_spread import SearchVerdict, SeedDifference, SeedSpread, known_spread
from nas.selection.success_rate import SuccessRate
from nas.selection.successive_halving import RaceResult
from nas.system.program import go_on_command

# Trainings that are proposed where there was one: two cannot tell a spread from an accident.
FEW_SEEDS = 3
NOT_KNOWN = (
    "the spread between seeds is not known, "
    "so that no difference between such accuracies is evidence"
)


def missing_text(name: str, reason: str) -> str:
    """Why a network is missing among others that were trained by the same command.

    Args:
        name: Of the network.
        reason: What its first training lost, and when.
    """
    return (
        f"{name} is missing: the weights of its first training were lost, {reason}. All networks "
        "train anew by --run, --restart and a lower --learning_rate."
    )


def spread_text(trainings: Sequence[SeedSpread]) -> str:
    """What trainings of one recipe tell of the spread between seeds; empty without any.

    Args:
        trainings: Of each network that is compared.
    """
    if not trainings:
        return ""
    counts = [spread.count for spread in trainings]
    each = " each" if len(trainings) > 1 else ""
    if max(counts) == 1:
        return f"One training{each} (n = 1): {NOT_KNOWN}."
    same = min(counts) == max(counts)
    few, most = min(counts), max(counts)
    head = (
        f"{most} trainings{each} ({_seeds_text(trainings)})"
        if same
        else f"{few} to {most} trainings"
    )
    head += ", and top-1 is their mean"
    known = known_spread(trainings)
    if known is None:
        return f"{head}: they are all equal, so that the spread between seeds is not known."
    networks = f"{known.networks} networks" if known.networks > 1 else "one network"
    text = (
        f"{head}. The spread between seeds is a standard deviation of "
        f"{numbers.points(known.standard_deviation)} points of one training (of {networks}, "
        f"{_freedom(known.degrees_of_freedom)})"
    )
    if few > 1:
        return f"{text}."
    least = numbers.points(known.least_difference())
    return f"{text}. Differences of single trainings below about {least} points are no evidence."


def success_text(label: str, success: SuccessRate) -> str:
    """How often a network reached a goal, and after how many epochs where that is known.

    Args:
        label: Of the network, for people.
        success: Of its trainings.
    """
    trainings = "training" if success.trainings == 1 else "trainings"
    text = (
        f"{label}: top-1 of {numbers.share(success.goal_top1, 2)} or more in {success.reached} of "
        f"{success.trainings} {trainings}, a success rate of {numbers.share(success.rate, 0)} "
        f"(95 % interval {100 * success.low:.0f} to {numbers.share(success.high, 0)}, Wilson)"
    )
    if not success.epochs:
        return f"{text}."
    epochs = ", ".join("never" if e is None else f"{e:.3g}" for e in success.epochs)
    return f"{text}; on held-out images first after epochs: {epochs}."


def _seeds_text(trainings: Sequence[SeedSpread]) -> str:
    seeds = sorted({seed for spread in trainings for seed in spread.seeds})
    return f"seeds {numbers.value_text(seeds)}"


def _freedom(degrees: float) -> str:
    return f"{degrees:.3g} degree{'' if degrees == 1 else 's'} of freedom"


def difference_text(found: SeedDifference) -> str:
    """A difference with its interval, and by which test.

    Args:
        found: The difference.
    """
    side = "above" if found.top1 >= 0 else "below"
    text = f"{numbers.points(abs(found.top1))} points {side}"
    if found.low is None or found.high is None:
        return f"{text} with every one of {found.seeds} seeds, which shows no spread between seeds"
    return (
        f"{text}, 95 % interval {numbers.points(found.low)} to {numbers.points(found.high)} "
        f"({found.test} over {found.seeds} seeds, {_freedom(found.degrees_of_freedom)})"
    )


def search_text(verdict: SearchVerdict, unit: Unit = MILLISECONDS) -> str:
    """Whether a search paid, with the figures that say so.

    Args:
        verdict: On the search.
        unit: What the goal was asked in.
    """
    words = {
        True: "This search paid",
        False: "This search did not pay",
        None: "Whether this search paid cannot be told",
    }
    count = verdict.random_networks
    company = f"the mean of {count} random networks" if count > 1 else "one random network"
    text = (
        f"{words[verdict.paid]}: over seeds, the found network's top-1 against {company} of equal "
        f"{unit.plural} is {difference_text(verdict.difference)}."
    )
    if verdict.paid is False:
        text += " Search longer (--search_epochs), or train another network by --arch."
    return text


@dataclass(frozen=True)
class MoreSeeds:
    """What a command is made of that trains the networks of a run with more seeds.

    Args:
        folder: Of the run or the sweep.
        words: Flags that the run does not remember, such as images that have moved.
    """

    folder: Path
    words: Sequence[str] = ()

    def command(self, seeds: int, *flags: str) -> str:
        """The command, quoted for a shell.

        Args:
            seeds: Trainings of each network.
            *flags: Further ones.
        """
        words = [*self.words, *flags, "--seeds", f"{seeds}"]
        return f"{go_on_command('retrain', self.folder)} {join(words)}"

    def command_after(self, certificate: Certificate) -> str:
        """The command that would tell more than is known.

        Args:
            certificate: Of the run.
        """
        own = certificate.known_trainings
        count = own.count if own is not None else 1
        is_judged = certificate.search_verdict is not None
        wanted = FEW_SEEDS if count == 1 else 2 * count if is_judged else count
        wanted += certificate.lost_trainings  # which count among the seeds of the run
        return self.command(wanted, *_baseline_flags(certificate))


def _baseline_flags(certificate: Certificate) -> list[str]:
    """What trains the company of a network as it was trained before."""
    largest, others = certificate.largest, [*certificate.random]
    if certificate.uniform is not None:
        others.append(certificate.uniform)
    if not others and largest is None:
        return []
    # The largest network takes longest: it is not trained where it was left out.
    left_out = largest is not None and largest.top1 is None
    has_trained = any(network.top1 is not None for network in others)
    return ["--baselines", "--nolargest"] if left_out and has_trained else ["--baselines"]


def seed_lines(
    rows: Sequence[ShownNetwork], certificate: Certificate, more: MoreSeeds | None = None
) -> list[str]:
    """What stands below a table of accuracies: spread, exported file, verdict, and what to do next.

    A search that did not pay is among the warnings of the certificate, and not repeated.

    Args:
        rows: Of the table.
        certificate: Of the run.
        more: What a command with more seeds is made of; None where none shall be proposed.
    """
    trainings = [row.known_trainings for row in rows if row.known_trainings is not None]
    own = certificate.known_trainings
    lines = [spread_text(trainings)] if trainings else []
    lines += [success_text(row.label, row.success) for row in rows if row.success is not None]
    if own is not None and own.count > 1:
        lines.append(
            f"model.onnx is the training with seed {own.seeds[0]} ({numbers.share(own.top1[0])}), "
            "the first one whatever the others reached."
        )
        if certificate.recipe is not None and certificate.recipe.inherits:
            lines.append(
                "All trainings begin with the supernet's weights: what another training of the "
                "supernet would give is no part of this spread."
            )
        lines += _verdict_lines(certificate)
    if own is not None and more is not None and _is_open(certificate, own):
        lines.append(f"To know more: {more.command_after(certificate)}")
    return lines


def _verdict_lines(certificate: Certificate) -> list[str]:
    """Whether the search paid, or why that is not judged; nothing where nothing was searched."""
    verdict = certificate.search_verdict
    if verdict is not None:
        return [] if verdict.paid is False else [search_text(verdict, certificate.unit)]
    if certificate.method is None:
        return []
    unit = certificate.unit
    equal = "equal time" if unit.is_measured else f"equal {unit.text}"
    lack = "were trained with several of these seeds" if certificate.random else "stand beside it"
    return [f"What the search was worth is not judged: no random networks of {equal} {lack}."]


def _is_open(certificate: Certificate, own: SeedSpread) -> bool:
    """Whether more trainings would tell more."""
    if own.count == 1:
        return True
    verdict = certificate.search_verdict
    return bool(certificate.random) and (verdict is None or verdict.paid is None)


def race_text(result: RaceResult) -> str:
    """How a race was decided, and that single trainings decided it.

    Args:
        result: Of a race with at least one round.
    """
    last = result.rungs[-1]
    winner, second = last.order[:2]
    lead = last.results[winner].top1 - last.results[second].top1
    return (
        f"{winner} led {second} by {numbers.points(lead)} points in the last round. Every "
        f"candidate trains once a round, all with the same seed: {NOT_KNOWN}. The race keeps the "
        "leader all the same."
    )
