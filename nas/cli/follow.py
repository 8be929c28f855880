"""`nas.py` or `main.py` as one of the processes beside process 0, which has all other flags."""

from __future__ import annotations

from absl import flags

from latency.cli.exit_codes import EXIT_DONE
from nas.cli import flags as strict_flags
from nas.errors import InputError
from nas.interface.asked import compute_of
from nas.system.interrupt import Interrupter

# What a process that follows is told by its user; everything else it is told by process 0.
OWN_FLAGS = ("process_id", "processes", "coordinator", "data_parallel")


def follows(values: flags.FlagValues) -> bool:
    """Whether this process is not the one that a run is of.

    Args:
        values: The flags.
    """
    return values["process_id"].value is not None


def follow(values: flags.FlagValues, interrupter: Interrupter) -> int:
    """Trains beside process 0 until that needs no help any more.

    Args:
        values: The flags.
        interrupter: Asked whether to stop.

    Returns:
        The exit code.

    Raises:
        InputError: Other flags, or process 0 does not take this one.
        Interrupted: A signal came to one of the processes.
    """
    options = strict_flags.given(values)
    others = [f"--{name}" for name in options if name not in OWN_FLAGS]
    if others:
        raise InputError(
            f"--process_id with {', '.join(f'--{name}' for name in OWN_FLAGS[1:])}",
            ", ".join(others),
            "leave these out: process 0 says what is trained, by what and on which images",
        )
    processes, process_id = options.get("processes", 1), options["process_id"]
    if process_id >= processes or "coordinator" not in options:
        raise InputError(
            "--process_id below --processes, with --coordinator HOST:PORT",
            f"--process_id {process_id}, --processes {processes} and --coordinator "
            f"{options.get('coordinator')}",
            "give all processes the same --coordinator and --processes; process 0 has no "
            "--process_id",
        )
    from nas.pipeline.following import Following

    compute = compute_of({**options, "data_parallel": True})
    Following(compute, process_id, interrupter).run()
    return EXIT_DONE
