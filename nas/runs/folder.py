"""The run folder: configuration, results of every stage, resume."""

from __future__ import annotations

import csv
import datetime
import errno
import hashlib
import io
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, ClassVar, Protocol, TextIO, TypeVar

try:
    import fcntl
except ImportError:  # Windows has none: two programs on one run are then the user's care
    fcntl = None  # type: ignore[assignment]

from latency import atomic
from latency.device import files, strict_json
from latency.errors import FileFormatError, LatencyError
from latency.outputs import OutputError, check_output_folder
from nas.errors import InputError
from nas.runs.config import CONFIG_FILE, AnyConfig, read_config
from nas.system.console import out
from nas.system.paths import own_path
from nas.system.program import command_line, go_on_command

SCHEMA_VERSION = 1


class FileRecord(Protocol):
    """A frozen dataclass that is a file of a run folder.

    Attributes:
        FILE: Path below the folder, such as `certificate.json`; a record of which a run has several
            has a place for what tells them apart, such as `retrained/{name}.json`.
        SCHEMA_VERSION: Of that file.
    """

    FILE: ClassVar[str]
    SCHEMA_VERSION: ClassVar[int]


R = TypeVar("R", bound=FileRecord)


def runs_folder() -> Path:
    """Where runs are kept: $STOPWATCH_RUNS or ./runs."""
    return own_path(os.environ.get("STOPWATCH_RUNS") or "runs")


def disk_error(path: Path, error: OSError) -> InputError:
    """A full or read-only disk as an error that says what to do."""
    if error.errno == errno.ENOSPC:
        fix = "free some space and go on with --resume"
    else:
        fix = "give a folder that can be written with --run_dir"
    return InputError(f"to write {path}", str(error.strerror or error), fix)


class RunFolder:
    """One run's files; every write is atomic.

    Args:
        path: The folder, which must exist with its config.json.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, path: Path | None, config: AnyConfig, label: str) -> RunFolder:
        """Makes a new run folder and writes its config.json, which nothing changes later.

        Args:
            path: The folder; None for a new name below `runs_folder()`.
            config: What the run is asked for.
            label: Part of a made-up name.

        Raises:
            InputError: The folder has something in it, or cannot be written.
        """
        if path is None:
            stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
            path = runs_folder() / f"{stamp}-{label}"
            number = 1
            while path.exists():
                number += 1
                path = runs_folder() / f"{stamp}-{label}-{number}"
        cls.check_new(path)
        try:
            (path / "checkpoints").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise disk_error(path, error) from error
        folder = cls(path)
        folder.write(config)
        return folder

    @staticmethod
    def check_new(path: Path | None) -> None:
        """Refuses a folder that has something in it, or that cannot be written.

        Args:
            path: Where a run is to begin; None for a new folder below `runs_folder()`.

        Raises:
            InputError: Something is there already, or nothing can be written there.
        """
        name = "--run_dir" if path else "the folder of runs ($STOPWATCH_RUNS)"
        try:
            check_output_folder(path or runs_folder(), name)
        except OutputError as error:
            fix = "give a folder that can be written with --run_dir"
            raise InputError(error.expected, error.received, fix) from None
        if path and path.is_dir() and any(path.iterdir()):
            raise InputError(
                "a new or empty folder as --run_dir",
                f"{path}, which has {_what_is_in(path)} in it",
                f"{_going_on(path)}choose another --run_dir",
            )

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """An existing run folder.

        Raises:
            InputError: It is missing, has no config.json, or is of another schema.
            FileFormatError: Its config.json is broken.
        """
        path = own_path(path)
        read_config(path)
        (path / "checkpoints").mkdir(exist_ok=True)
        return cls(path)

    def discard(self, *asked: str) -> bool:
        """Removes a run that never began; one in which a stage has left anything is kept.

        Args:
            *asked: Files beside config.json and data.json that hold nothing but what was asked.

        Returns:
            Whether it was removed.
        """
        unbegun = {CONFIG_FILE, "data.json", "lender.json", ".lock", *asked}
        there = (path for path in self.path.rglob("*") if not path.is_dir() or path.is_symlink())
        if any(path.relative_to(self.path).as_posix() not in unbegun for path in there):
            return False
        shutil.rmtree(self.path)
        return True

    @classmethod
    def newest(cls) -> RunFolder:
        """The run folder that was made last and has an architecture.

        Raises:
            InputError: There is none.
        """
        found = sorted(
            runs_folder().glob("*/architecture.json"), key=lambda p: p.stat().st_mtime_ns
        )
        if not found:
            raise InputError(
                f"a finished search below {runs_folder()}",
                "none",
                f"run `{command_line('search')} --lambda 0.1` first, or give --run or --arch",
            )
        return cls.open(found[-1].parent)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keeps other programs from working on this run; SIGKILL frees it, too.

        Raises:
            InputError: One works on it now.
        """
        if fcntl is None:
            yield
            return
        with self._lock_file() as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                stream.seek(0)
                owner = stream.read(20).strip() or "unknown"
                raise InputError(
                    "a run that no other program works on",
                    f"{self.path}, on which process {owner} works",
                    "wait for it, or stop it first",
                ) from None
            except OSError as error:
                # Some network file systems have no locks; a run there must still be possible.
                if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
                    raise disk_error(self.path / ".lock", error) from error
            stream.seek(0)
            stream.truncate(0)
            stream.write(f"{os.getpid()}\n")
            stream.flush()
            yield

    @contextmanager
    def _lock_file(self) -> Iterator[TextIO]:
        with ExitStack() as stack:
            try:
                # Run folders are passed on, too: what a link leads to is never written.
                binary = stack.enter_context(files.open_own(self.path / ".lock"))
            except OSError as error:
                raise disk_error(self.path / ".lock", error) from error
            yield stack.enter_context(io.TextIOWrapper(binary, encoding="utf-8", errors="replace"))

    @property
    def run_id(self) -> str:
        """12 hex digits of this run: of its config.json, which nothing changes later.

        A copy of a run is the same run, wherever it is and whatever its folder is called.
        """
        return hashlib.sha256((self.path / CONFIG_FILE).read_bytes()).hexdigest()[:12]

    def checkpoint(self, name: str) -> Path:
        """Path of a checkpoint."""
        return self.path / "checkpoints" / f"{name}.npz"

    def path_of(self, kind: type[FileRecord], **places: str) -> Path:
        """Where a record is kept.

        Args:
            kind: Class of the record.
            **places: What stands in the places of its `FILE`.
        """
        return self.path / kind.FILE.format(**places)

    def read(self, kind: type[R], **places: str) -> R:
        """A record of the folder.

        Args:
            kind: Class of the record.
            **places: What stands in the places of its `FILE`.

        Raises:
            FileFormatError: The file is missing, broken, or of another schema version.
        """
        return strict_json.read(kind, self.path_of(kind, **places))

    def write(self, record: FileRecord, **places: str) -> None:
        """Writes a record atomically.

        Args:
            record: Of a class with `FILE`.
            **places: What stands in the places of its `FILE`.

        Raises:
            InputError: The disk is full or read-only; the content is printed instead.
        """
        path = self.path_of(type(record), **places)
        _keep(path, strict_json.dumps(record))

    def has(self, what: str | type[FileRecord], **places: str) -> bool:
        """Whether a file is there.

        Args:
            what: Its path below the folder, or the class of its record.
            **places: What stands in the places of the record's `FILE`.
        """
        path = self.path / what if isinstance(what, str) else self.path_of(what, **places)
        return path.is_file()

    def read_json(self, name: str) -> dict[str, Any]:
        """A JSON object of the folder.

        Raises:
            InputError: The file is missing or broken.
        """
        path = self.path / name
        try:
            return strict_json.read_object(path)
        except FileFormatError as error:
            fix = "remove the file and use --resume"
            raise InputError(f"a JSON object in {path}", error.received, fix) from None

    def write_json(self, name: str, value: Mapping[str, Any]) -> None:
        """Writes a JSON object atomically.

        Raises:
            InputError: The disk is full or read-only; the content is printed instead.
        """
        plain = {"schema_version": SCHEMA_VERSION, **value}
        _keep(self.path / name, json.dumps(plain, indent=1, allow_nan=False) + "\n")

    def write_csv(self, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Writes rows with all of their keys as columns; None, or no key, is an empty cell.

        Rows of a stage that an earlier version began have fewer keys than later ones.

        Raises:
            InputError: The disk is full or read-only; the content is printed instead.
        """
        if not rows:
            return
        buffer = io.StringIO()
        names = list(dict.fromkeys(name for row in rows for name in row))
        writer = csv.DictWriter(buffer, fieldnames=names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        _keep(self.path / name, buffer.getvalue())


def _what_is_in(path: Path) -> str:
    names = sorted(entry.name for entry in path.iterdir())
    return "a run" if CONFIG_FILE in names else repr(names[0])


def _going_on(path: Path) -> str:
    """Proposes to go on with the run of a folder; nothing where there is none."""
    try:
        kind = read_config(path).kind
    except LatencyError:
        return ""
    verb = "retrain" if kind == "retrain" else "search"
    return f"go on with it by `{go_on_command(verb, path)}`, or "


def _keep(path: Path, text: str) -> None:
    """Writes a file atomically; what cannot be written is printed, since minutes stand in it."""
    try:
        path.parent.mkdir(exist_ok=True)
        atomic.write_text(path, text)
    except OSError as error:
        out.print(f"{path.name}, which cannot be written:\n{text}")
        raise disk_error(path, error) from error
