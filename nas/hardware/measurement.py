"""Whole networks timed together in fresh processes, beside networks that the table knows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from statistics import median

from latency.device.meter import Progress
from latency.device.plan import MeasurePlan
from latency.device.settings import SessionSettings
from latency.measurement.measure import Model
from latency.measurement.processes import ProcessRule, measure_processes
from latency.measurement.timing import LEAST_KEPT, Timing, is_slower
from latency.measurement.verdict import Verdict, judge
from latency.tables.table import LatencyTable
from nas.architecture.spec import Architecture
from nas.architecture.weights import random_weights
from nas.builders.onnx_model import to_onnx_bytes
from nas.builders.onnx_quantized import emulates_formats
from nas.hardware.jobs import network_of

# How far the median of the known networks may be from the table's session. Processes alone differ
# by 1 to 3 %, and the table has seen one.
KNOWN_TOLERANCE = 0.03
# So many undisturbed runs in the table's session make a network known.
KNOWN_RUNS = 10
# The largest, the smallest, and three between them.
KNOWN_NETWORKS = 5
# A plan's seconds are for so many networks; more of them get more.
NETWORKS_A_PLAN = 8
# Of a plan with too few runs: other programs are not at fault, and the same command tells no more.
TOY_VERDICT = Verdict(
    None, "a run of toy size measures too little to tell", "begin a run without --smoke"
)


def network_bytes(architecture: Architecture) -> bytes:
    """The ONNX file of a network with random weights: the graph that ships, other numbers."""
    return to_onnx_bytes(architecture, random_weights(architecture))


def is_undisturbed(timing: Timing) -> bool:
    """Whether a reading is that of the machine's full speed, however wide its interval is.

    Args:
        timing: Of one process or more.
    """
    return timing.kept_count >= LEAST_KEPT and not is_slower(timing.speeds)


@dataclass(frozen=True)
class Doubt:
    """Why a measurement does not fit its table, and what to do about it.

    Args:
        reason: A sentence's worth, with figures.
        fix: The next step, with its command.
    """

    reason: str
    fix: str


@dataclass(frozen=True)
class KnownNetworks:
    """Networks that were timed whole in the table's session.

    They tell whether the table is of the machine as it is now. They can warn and refuse, and
    never change a reading; see docs/decisions/0028.

    Args:
        files: Name -> ONNX file.
        known_ms: Their milliseconds in the table's session.
        build_command: What builds the table again, quoted.
    """

    files: Mapping[str, bytes]
    known_ms: Mapping[str, float]
    build_command: str = ""

    @classmethod
    def of(cls, table: LatencyTable, build_command: str) -> KnownNetworks:
        """Networks of a table, spread evenly over the milliseconds that it measured.

        Args:
            table: With whole networks.
            build_command: What builds it again, quoted.
        """
        measured = {
            key: network.measurement.latency_ms
            for key, network in table.networks.items()
            if network.measurement.kept_count >= KNOWN_RUNS
        }
        keys = sorted(measured, key=lambda key: measured[key])
        count = min(KNOWN_NETWORKS, len(keys))
        places = [round(i * (len(keys) - 1) / max(1, count - 1)) for i in range(count)]
        named = {f"known {number}": keys[place] for number, place in enumerate(places, start=1)}
        return cls(
            {name: network_bytes(network_of(key)) for name, key in named.items()},
            {name: measured[key] for name, key in named.items()},
            build_command,
        )

    def doubt(self, timings: Mapping[str, Timing]) -> Doubt | None:
        """Whether these networks take other milliseconds now than in the table's session.

        Args:
            timings: Of all networks of a measurement, these among them.
        """
        ratios = [
            timings[name].latency_ms / ms
            for name, ms in self.known_ms.items()
            if is_undisturbed(timings[name])
        ]
        anew = f"and search again: {self.build_command}"
        if not self.known_ms:
            return Doubt("no network of the table was timed undisturbed", f"build it again {anew}")
        if not ratios or abs(median(ratios) - 1) <= KNOWN_TOLERANCE:
            return None  # Where no reading is undisturbed, the readings themselves say so.
        reason = (
            f"{len(ratios)} networks of the table's session take {median(ratios):.3f} times what "
            f"they took then ({min(ratios):.3f} to {max(ratios):.3f})"
        )
        if median(ratios) < 1:
            return Doubt(reason, f"build the table of a slower moment again {anew}")
        return Doubt(
            reason, f"wait until other programs have ended, or build the table again {anew}"
        )


@dataclass(frozen=True)
class TimedNetworks(Mapping[str, Timing]):
    """What networks took together, and whether that fits the table.

    Args:
        timings: Name -> its milliseconds, as they were measured.
        doubt: Why they do not fit the table; None where they do, or nothing was compared.
        is_toy: Whether no machine could have told them, as the plan has too few runs.
    """

    timings: Mapping[str, Timing] = field(default_factory=dict)
    doubt: Doubt | None = None
    is_toy: bool = False

    def __getitem__(self, name: str) -> Timing:
        """Returns a network's timing."""
        return self.timings[name]

    def __iter__(self) -> Iterator[str]:
        """Iterates over the networks' names."""
        return iter(self.timings)

    def __len__(self) -> int:
        """Returns the number of networks."""
        return len(self.timings)

    def verdict(self, name: str, asked_ms: float | None, again: str) -> Verdict | None:
        """Whether a network meets its budget; None where nothing was asked or measured.

        Args:
            name: Of the network.
            asked_ms: Target in milliseconds; None where none was asked.
            again: The command that measures again, quoted.
        """
        if asked_ms is None or name not in self.timings:
            return None
        found = judge(self.timings[name], asked_ms, again=again)
        if self.is_toy and self.timings[name].reason:
            return TOY_VERDICT
        # A reading that tells nothing says so first: only then the table can be at fault.
        if self.doubt is None or self.timings[name].reason:
            return found
        return Verdict(None, self.doubt.reason, self.doubt.fix)


def without_emulated(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Networks whose milliseconds say something: not those whose number formats are emulated.

    Args:
        files: Name -> ONNX file.
    """
    return {name: data for name, data in files.items() if not emulates_formats(data)}


def measure_networks(
    networks: Mapping[str, bytes],
    settings: SessionSettings,
    plan: MeasurePlan,
    rule: ProcessRule,
    known: KnownNetworks | None = None,
    named: tuple[str, ...] = (),
    progress: Progress | None = None,
) -> TimedNetworks:
    """Times whole networks, visits interleaved at random, in new processes one after another.

    Args:
        networks: Name -> ONNX file.
        settings: Of the session.
        plan: Rounds and seconds in each process.
        rule: How many processes.
        known: Timed beside them and compared with the table; None to compare nothing.
        named: Networks that have to become precise; all of them by default.
        progress: Called after each process.
    """
    files = {**networks, **(known.files if known else {})}
    models = [Model(name, data, name) for name, data in files.items()]
    if plan.max_seconds is not None:
        more = max(1.0, len(files) / NETWORKS_A_PLAN)
        plan = replace(plan, max_seconds=more * plan.max_seconds)
    timings = measure_processes(
        models, settings, plan, rule, named=named or tuple(networks), progress=progress
    )
    doubt = known.doubt(timings) if known else None
    is_toy = plan.max_rounds * plan.runs_per_visit < LEAST_KEPT
    return TimedNetworks({name: timings[name] for name in networks}, doubt, is_toy)
