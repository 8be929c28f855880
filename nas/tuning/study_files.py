"""Files of Optuna studies: opened where they fit, repaired where a line was torn, else refused."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import sqlite3
import warnings
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from nas.errors import InputError

JOURNAL_SUFFIX = ".journal"
# A dashboard that reads the file holds it for less.
BUSY_SECONDS = 60
MAJOR_MARK = "optuna_version"
_ANOTHER = "bring the run's own file back, or begin another run with another --run_dir"
# What every line of a journal says.
_OF_LINES = {"op_code", "worker_id"}


def check_optuna() -> str:
    """The version of Optuna that is here.

    Raises:
        InputError: It is missing, or of a major version that this program does not know.
    """
    install = (
        "install the extra: pip install 'stopwatch-nas[tune]', or in a checkout "
        "pip install -e '.[tune]'"
    )
    try:
        version = importlib.metadata.version("optuna")
    except importlib.metadata.PackageNotFoundError:
        raise InputError("Optuna 5, which keeps the trials", "no Optuna", install) from None
    if version.split(".")[0] != "5":
        raise InputError("Optuna 5, which keeps the trials", f"Optuna {version}", install)
    return version


@contextmanager
def opened(
    path: Path, name: str, objectives: Mapping[str, Any], marks: Mapping[str, Any]
) -> Iterator[tuple[Any, int]]:
    """A study for the length of the block, made where its file is missing.

    Args:
        path: Of the file.
        name: Of the study.
        objectives: Text of each -> its direction as Optuna has it.
        marks: Attributes of the study, which have to be the same where it is there already.

    Yields:
        The storage, and the number of the study in it.

    Raises:
        InputError: The file is of something else, or cannot be read or written.
    """
    version = check_optuna()
    import optuna

    # What it has to say of new studies is no news for users.
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if not path.exists():
        # Made beside its place: a program that is killed now leaves no half of it there.
        half = path.with_name(f"{path.stem}.new{path.suffix}")
        half.unlink(missing_ok=True)
        with _storage(half, is_new=True) as storage, storage_errors(path):
            study_id = storage.create_new_study(list(objectives.values()), name)
            for key, value in {**marks, MAJOR_MARK: version}.items():
                storage.set_study_user_attr(study_id, key, value)
            made = optuna.load_study(study_name=name, storage=storage)
            with warnings.catch_warnings():
                # Names are for dashboards, and an experiment of Optuna's.
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                made.set_metric_names(list(objectives))
        with open(half, "rb") as stream:
            os.fsync(stream.fileno())
        os.replace(half, path)
    if path.suffix != JOURNAL_SUFFIX:
        _check_sqlite(path, version)
    with _storage(path, is_new=False) as storage, storage_errors(path):
        yield storage, _fitting_study(path, storage, name, marks, version)


def _fitting_study(
    path: Path, storage: Any, name: str, marks: Mapping[str, Any], version: str
) -> int:
    """The number of the study that is there; refuses another one."""
    names = [study.study_name for study in storage.get_all_studies()]
    if name not in names:
        raise InputError(
            f"the study {name} of this run in {path}",
            f"study {', '.join(names) or 'none'}",
            _ANOTHER,
        )
    study_id: int = storage.get_study_id_from_name(name)
    found = storage.get_study_user_attrs(study_id)
    for key, value in marks.items():
        if found.get(key) != value:
            raise InputError(
                f"{key} {json.dumps(value)} in {path}, as this search has it",
                json.dumps(found.get(key)),
                _ANOTHER,
            )
    _check_major(path, str(found.get(MAJOR_MARK)), version)
    return study_id


def _check_major(path: Path, found: str, version: str) -> None:
    if found.split(".")[0] != version.split(".")[0]:
        raise InputError(
            f"a file of trials of Optuna {version.split('.')[0]}",
            f"{path}, which Optuna {found} wrote",
            "install the Optuna that wrote it, or begin another run",
        )


def _check_sqlite(path: Path, version: str) -> None:
    """Refuses, before Optuna changes anything in it, a file that it should not open."""
    with storage_errors(path), closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as file:
        tables = {row[0] for row in file.execute("SELECT name FROM sqlite_master")}
        if not {"version_info", "studies", "trials"} <= tables:
            raise InputError(f"trials of Optuna in {path}", "another database", _ANOTHER)
        for (found,) in file.execute("SELECT library_version FROM version_info"):
            _check_major(path, str(found), version)
        # Taken back at once: rights, a read-only disk and another writer all show.
        file.execute("UPDATE version_info SET library_version = library_version")
        file.rollback()


class _Hasty(sqlite3.Connection):
    """Does not wait for the disk: of a file that is brought there as a whole once it is made."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.execute("PRAGMA synchronous = OFF")


@contextmanager
def _storage(path: Path, is_new: bool) -> Iterator[Any]:
    """A storage of Optuna for the length of the block."""
    if path.suffix == JOURNAL_SUFFIX:
        yield _journal(path)
        return
    from optuna.storages import RDBStorage
    from optuna.storages._cached_storage import _CachedStorage

    connecting: dict[str, Any] = {"timeout": BUSY_SECONDS}
    if is_new:
        connecting["factory"] = _Hasty
    with storage_errors(path):
        made = RDBStorage(
            f"sqlite:///{path}",
            engine_kwargs={"connect_args": connecting},
            # Its version has been looked at; looking at its tables takes ten times as long.
            skip_compatibility_check=not is_new,
            skip_table_creation=not is_new,
        )
    try:
        yield _CachedStorage(made)
    finally:
        made.remove_session()
        made.engine.dispose()


def _journal(path: Path) -> Any:
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    with storage_errors(path):
        repair_journal(path)
        _check_journal(path)
        # One program writes it, which holds a lock of its own: this one is of a killed program,
        # and would be waited for.
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{path}.lock")
        return JournalStorage(JournalFileBackend(str(path)))


def _check_journal(path: Path) -> None:
    """Refuses a journal with a line that is none of Optuna's, which would be a defect to it.

    Args:
        path: Of the journal; nothing is done where there is none.

    Raises:
        InputError: As said.
    """
    if not path.exists():
        return
    with open(path, "rb") as stream:
        for number, line in enumerate(stream, 1):
            try:
                found = json.loads(line)
            except ValueError:
                found = None
            if not isinstance(found, dict) or not found.keys() >= _OF_LINES:
                text = line[:40].decode("utf-8", "replace").strip()
                raise InputError(
                    f"trials of Optuna in {path}",
                    f"line {number}, which is no line of a journal: {text!r}",
                    _ANOTHER,
                )


def repair_journal(path: Path) -> bool:
    """Cuts off the last line of a journal if it is torn, since the next one would be glued to it.

    A line that lacks nothing but its end gets it.

    Args:
        path: Of the journal; nothing is done where there is none.

    Returns:
        Whether the file was changed.
    """
    if not path.exists():
        return False
    with open(path, "r+b") as stream:
        text = stream.read()
        whole = text.rfind(b"\n") + 1
        if whole == len(text):
            return False
        try:
            json.loads(text[whole:])
        except ValueError:
            stream.truncate(whole)
        else:
            stream.seek(0, os.SEEK_END)
            stream.write(b"\n")
        stream.flush()
        os.fsync(stream.fileno())
    return True


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turns what a storage raises about its file into an error that says what to do.

    Args:
        path: Of the file.

    Raises:
        InputError: The file cannot be read or written, or is none of Optuna's.
    """
    try:
        yield
    except sqlite3.Error as error:
        raise _refused(path, str(error)) from error
    except OSError as error:
        raise _refused(path, error.strerror or str(error)) from error
    except InputError:
        raise
    except Exception as error:
        # Optuna is imported by now if anything of it was raised.
        from optuna.exceptions import StorageInternalError
        from sqlalchemy.exc import SQLAlchemyError

        if not isinstance(error, StorageInternalError | SQLAlchemyError | RuntimeError):
            raise
        cause = error.__cause__ or error
        raise _refused(path, str(getattr(cause, "orig", None) or cause)) from error


def _refused(path: Path, received: str) -> InputError:
    lowered = received.lower()
    if "full" in lowered or "no space" in lowered:
        return InputError(
            f"room on the disk for {path}",
            received,
            "free some space and go on with --resume; what was written before is kept",
        )
    if "readonly" in lowered or "read-only" in lowered or "permission" in lowered:
        return InputError(
            f"to write {path}", received, "change its permissions, or give another --run_dir"
        )
    if "unable to open" in lowered:
        return InputError(
            f"to read and write {path} and beside it",
            received,
            "change the permissions of the file and its folder, or give another --run_dir",
        )
    if "locked" in lowered:
        return InputError(
            f"{path} for this program alone",
            received,
            "stop the other program that writes it, such as a dashboard that changes trials",
        )
    return InputError(f"trials of Optuna in {path}", received, _ANOTHER)
