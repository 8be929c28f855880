"""Schedules of a user's own: `FILE.py:FUNCTION`, loaded where a training needs them and not before.

Whoever only reads the record of a training runs no file.
"""

from __future__ import annotations

import hashlib
import math
from pathlib import Path

from latency.errors import LatencyError
from nas.errors import InputError
from nas.registry import check_known
from nas.system.user_files import SUFFIX, check_there, load_file
from nas.training.schedules import SCHEDULES, Course, Schedule, Share

FLAG = "--schedule"
# Steps of an epoch at which a schedule is tried before anything is read or written.
TRIED_STEPS = 100
_loaded: dict[str, Share] = {}


def is_file(name: str) -> bool:
    """Whether the name of a schedule is that of a file.

    Args:
        name: Of a schedule, or `FILE.py:FUNCTION`.
    """
    return name.rpartition(":")[0].endswith(SUFFIX) or name.endswith(SUFFIX)


def check_name(name: str) -> None:
    """Refuses what is neither a known schedule nor a function of a file, without loading it.

    Args:
        name: Of a schedule, or `FILE.py:FUNCTION`.

    Raises:
        InputError: An unknown name with the nearest one, a file without a function, or a relative
            path: no record has one, since it could lead into the folder of somebody else.
    """
    if not is_file(name):
        SCHEDULES.check(name)
        return
    path, _, function = name.rpartition(":")
    if not function.isidentifier() or not path.endswith(SUFFIX):
        raise InputError(
            "the function of a schedule behind its file, FILE.py:FUNCTION",
            repr(name),
            f"write {name.rstrip(':')}:FUNCTION with the name of the function",
        )
    if not Path(path).is_absolute():
        raise InputError(
            "the absolute path of a schedule's file",
            repr(path),
            "see that the file may be trusted, and write its absolute path",
        )


def schedule_of(name: str) -> Schedule:
    """The schedule of a name; of a file, whose function may look at every parameter.

    Args:
        name: Of a schedule, or `FILE.py:FUNCTION`.

    Raises:
        InputError: It is unknown.
    """
    check_name(name)
    if not is_file(name):
        return SCHEDULES[name]
    parameters = {
        key: value for entry in SCHEDULES for key, value in SCHEDULES[entry].parameters.items()
    }
    return Schedule(lambda step, course: _function(name)(step, course), parameters)


def share_at(name: str, step: int, course: Course) -> float:
    """Share of the peak rate at a step.

    Args:
        name: Of the schedule.
        step: From 0.
        course: Of the training.

    Raises:
        InputError: A function of a user's own gave no number from 0 to 1, or broke off.
    """
    if not is_file(name):
        return SCHEDULES[name].share(step, course)
    function = _function(name)  # what is wrong with the file itself is told as such
    try:
        share = float(function(step, course))
    except LatencyError:
        raise  # it says itself what to correct
    except Exception as error:
        raise _wrong(name, step, course, f"{type(error).__name__}: {error}") from error
    if not math.isfinite(share) or not 0.0 <= share <= 1.0:
        raise _wrong(name, step, course, f"{share}")
    return share


def check_shares(name: str, course: Course) -> None:
    """Tries a function of a user's own over a whole training, before anything is read or written.

    Args:
        name: Of the schedule; nothing is tried of those that are known.
        course: Of the training, with any number of steps.

    Raises:
        InputError: It gives no number from 0 to 1, breaks off, or gives 0 at every step.
    """
    if not is_file(name):
        return
    total = max(2, math.ceil(min(course.epochs, 100.0) * TRIED_STEPS))
    tried = Course(**{**vars(course), "total": total})
    shares = [share_at(name, step, tried) for step in range(total)]
    if not any(shares):
        raise _wrong(name, 0, tried, "0, at this step and at all others")


def fingerprint(name: str) -> str | None:
    """Of the file of a schedule, to tell whether it has changed since; None for known schedules.

    Args:
        name: Of the schedule.
    """
    if not is_file(name):
        return None
    return hashlib.sha256(_path(name).read_bytes()).hexdigest()[:16]


def _path(name: str) -> Path:
    path = Path(name.rpartition(":")[0])
    check_there(path, FLAG)
    return path


def _function(name: str) -> Share:
    if name not in _loaded:
        _loaded[name] = _load(name)
    return _loaded[name]


def _load(name: str) -> Share:
    module = load_file(_path(name), FLAG)
    wanted = name.rpartition(":")[2]
    functions = [key for key, value in vars(module).items() if callable(value)]
    check_known(f"the function of {FLAG}", wanted, functions)
    found: Share = getattr(module, wanted)
    return found


def _wrong(name: str, step: int, course: Course, received: str) -> InputError:
    return InputError(
        f"shares of the peak rate, numbers from 0 to 1, from the schedule {name}",
        f"{received} at step {step} of {course.total}",
        "correct the function: it takes the step, from 0, and the course of the training",
    )
