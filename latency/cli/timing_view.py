"""What timings, certificates, ratios and the clock look like on a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from latency.cli.text_view import (
    UNKNOWN,
    host_text,
    print_rows,
    settings_text,
    share,
    speed_text,
)
from latency.device.host import DeviceState, current_host
from latency.device.plan import MeasurePlan
from latency.device.settings import SessionSettings
from latency.device.speed import BestSpeed, HostSpeed
from latency.device.startup import Startup
from latency.measurement.certificate import Certificate
from latency.measurement.compare import Ratio
from latency.measurement.host_clock import ClockWatch
from latency.measurement.timing import Timing
from latency.terminal import Terminal

MEBIBYTE = 2**20
VERDICTS = {True: "met", False: "not met", None: "cannot tell"}


def print_timings(
    timings: Mapping[str, Timing],
    started: Mapping[str, Startup],
    plan: MeasurePlan,
    settings: SessionSettings,
) -> None:
    """Prints milliseconds at full speed, as seen today beside them, and what they rest on.

    Args:
        timings: Key -> timing.
        started: Key -> first moments.
        plan: Of each process.
        settings: Of the sessions.
    """
    console = Terminal()
    console.print(f"{host_text(current_host())}\n{settings_text(settings)}")
    first = next(iter(timings.values()))
    console.print(_speeds_text(first.speeds, first.share_full_speed))
    _print_milliseconds(console, timings, plan)
    heads = ("noise", "runs", "stable", "session ms", "first ms", "MiB")
    rows = [
        (
            key,
            share(timing.noise, 1),
            f"{timing.kept_count}/{timing.count}",
            "yes" if timing.stable else "no",
            *_start_texts(started[key]),
        )
        for key, timing in timings.items()
    ]
    print_rows(console, "model", heads, rows)


def _start_texts(start: Startup) -> tuple[str, str, str]:
    peak = UNKNOWN if start.peak_bytes is None else f"{start.peak_bytes / MEBIBYTE:.1f}"
    return f"{start.session_ms:.1f}", f"{start.first_run_ms:.2f}", peak


def _speeds_text(speeds: Sequence[HostSpeed], full: float | None) -> str:
    """The last process in words, and the share of the time in all of them."""
    text = speed_text(speeds[-1])
    if full is None:
        return text
    return f"{text}; {share(full)} over {len(speeds)} processes"


def _print_milliseconds(
    console: Terminal, timings: Mapping[str, Timing], plan: MeasurePlan
) -> None:
    """The milliseconds that count, then those that were seen."""
    statistic = f"p{100 * plan.quantile:g} ms"
    heads = (statistic, "95 % interval", "seen p50", "seen p90", "seen p99")
    rows = [
        (
            key,
            f"{timing.latency_ms:.4f}",
            interval(timing.low_ms, timing.high_ms),
            f"{timing.p50_ms:.4f}",
            f"{timing.p90_ms:.4f}",
            f"{timing.p99_ms:.4f}",
        )
        for key, timing in timings.items()
    ]
    print_rows(console, "model", heads, rows)


def interval(low: float | None, high: float | None) -> str:
    """Two ends, or that they are unknown."""
    return UNKNOWN if low is None or high is None else f"{low:.4f} to {high:.4f}"


def print_certificates(certificates: Sequence[Certificate]) -> None:
    """Prints a verdict for each model with its reason and the next step.

    Args:
        certificates: Measured together.
    """
    console = Terminal()
    first = certificates[0]
    console.print(f"{host_text(first.host)}\n{settings_text(first.settings)}")
    console.print(_speeds_text(first.speeds, first.share_full_speed))
    for found in certificates:
        console.print(
            f"{found.file}: {VERDICTS[found.met]}: {found.latency_ms:.4f} ms at full speed, asked "
            f"{found.target_ms:.4f} ms +- {100 * found.margin:g} %"
        )
        console.print(f"  {found.reason}")
        console.print(
            f"  as seen today: p50 {found.p50_ms:.4f}, p90 {found.p90_ms:.4f}, p99 "
            f"{found.p99_ms:.4f} ms; {found.kept_count} of {found.count} runs undisturbed, in "
            f"{len(found.process_ms)} processes"
        )
        if found.fix:
            console.print(f"  next: {found.fix}", soft_wrap=True)


def print_ratios(timings: Mapping[str, Timing], ratios: Mapping[str, Ratio]) -> None:
    """Prints how each model relates to the first one.

    Args:
        timings: The first model first.
        ratios: Of the others.
    """
    console = Terminal()
    reference = next(iter(timings))
    console.print(f"{host_text(current_host())}")
    first = timings[reference]
    console.print(_speeds_text(first.speeds, first.share_full_speed))
    console.print(f"ratios over {reference}, which takes {first.latency_ms:.4f} ms:")
    heads = ("ms", "ratio", "95 % interval", "could be seen", "processes")
    rows = [
        (
            key,
            f"{timings[key].latency_ms:.4f}",
            UNKNOWN if ratio.ratio is None else f"{ratio.ratio:.4f}",
            interval(ratio.low, ratio.high),
            share(ratio.smallest, 1),
            str(len(ratio.process_ratios)),
        )
        for key, ratio in ratios.items()
    ]
    print_rows(console, "model", heads, rows)
    for key, ratio in ratios.items():
        console.print(f"{key}: {ratio.verdict}{_difference_text(ratio)}")


def _difference_text(ratio: Ratio) -> str:
    if ratio.ratio is None or ratio.smallest is None:
        return f" ({ratio.reason})"
    if ratio.verdict == "no difference seen":
        return f" (one of {100 * ratio.smallest:.1f} % or more would have been)"
    return f" than {ratio.reference} by {100 * abs(ratio.ratio - 1):.1f} %"


def print_clock(found: ClockWatch) -> None:
    """Prints what the probe said of the host.

    Args:
        found: What was watched.
    """
    console = Terminal()
    speed = found.speed
    console.print(f"{host_text(current_host())}\nprobe: {speed.probe}")
    full, session = speed.full_speed_us, speed.session_us
    console.print(f"full speed: {full:.2f} us; the shortest probes today: {session:.2f} us")
    busy = "unknown" if found.other_cores is None else f"{found.other_cores:.1f} cores"
    console.print(
        f"at full speed in {share(speed.share_full_speed)} of {found.seconds:.1f} s; other "
        f"programs used {busy}"
    )
    if found.before is None:
        kept = "this is kept as its best from now on" if speed.best else "none can be kept now"
        console.print(f"its best was not known before; {kept}")
    elif found.times_slower is not None and speed.best is not None:
        console.print(
            f"its best: {found.before.probe_us:.2f} us since {found.before.at}; today "
            f"{found.times_slower:.3f} times as long"
        )
        console.print(f"then: {_state_text(found.before)}; now: {_state_text(found.state)}")
    console.print(f"{speed.state}{': ' if speed.reason else ''}{speed.reason}", style="bold")


def _state_text(state: BestSpeed | DeviceState) -> str:
    mhz, celsius = state.frequency_mhz, state.temperature_celsius
    frequency = "frequency unknown" if mhz is None else f"{mhz:.0f} MHz"
    temperature = "temperature unknown" if celsius is None else f"{celsius:.0f} degrees"
    return f"{frequency}, {temperature}"
