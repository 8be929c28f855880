"""Runs a job folder on another machine through the system's `ssh` program."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from latency import atomic
from latency.device import strict_json
from latency.device.files import path_inside
from latency.device.meter import Progress
from latency.errors import FileFormatError
from latency.jobs import ssh_remote
from latency.jobs.folder import device_program
from latency.jobs.ssh_link import Answer, Link, LinkBrokenError, SshError, SshTarget, printable
from latency.shell import Interrupted
from latency.terminal import warn

__all__ = ["SshError", "SshTarget", "run_over_ssh"]

T = TypeVar("T")

MODULES = ("numpy", "onnxruntime")
PIP_INSTALL = ("-m", "pip", "install", "onnxruntime", "numpy")
# Of models, and of a user's own inputs.
ENDINGS = (".onnx", ".npz")
DEFAULT_FOLDER = ".cache/stopwatch-latency"
TOO_OLD_EXIT_CODE = 93
# Runs before anything that an old Python could not even parse.
VERSION_CHECK = (
    "import sys; v = sys.version_info; "
    f"v < (3, 9) and (print('Python %d.%d' % v[:2]) or sys.exit({TOO_OLD_EXIT_CODE}))"
)
# As `python -m device FOLDER` within the folder: a relative path of the Python stays what it was,
# and what else lies in the login folder is no module.
RUN = (
    "import runpy, sys; sys.path[0] = sys.argv[1]; "
    "runpy.run_module('device', run_name='__main__', alter_sys=True)"
)
PROGRESS_LINE = re.compile(r"progress (\d{1,12}) (\d{1,12}) (\d{1,12}(?:\.\d+)?)")


@dataclass(frozen=True)
class _Compared:
    """What `ssh_remote.compare` answers."""

    missing: tuple[str, ...]
    other_job: bool
    journal_bytes: int
    broken_modules: tuple[str, ...]


@dataclass(frozen=True)
class _HandedOut:
    """What `ssh_remote.hand_out` answers before the bytes of the result."""

    size_bytes: int
    sha256: str


def run_over_ssh(
    job_folder: Path,
    target: SshTarget,
    *,
    progress: Progress | None = None,
    say: Callable[[str], None] = warn,
    attempts: int = 10,
    wait_seconds: float = 5.0,
    flags: Sequence[str] = (),
) -> Path:
    """Runs a job folder on another machine and returns the path of its `result.json`, here.

    The program that runs there is this package's own, whatever lies in the folder as `device/`.

    The worker there survives a broken link and continues its journal after a reboot, so that
    running the same job again, here or after an interrupt, never measures a round twice.

    Args:
        job_folder: With `job.json` and `models/`.
        target: The machine.
        progress: Gets visits done, visits in total, seconds left.
        say: Gets a line about each step and each broken link.
        attempts: Broken links in a row, without any progress between them, that end the run.
        wait_seconds: Between two attempts.
        flags: Of the device's program: which code it may load there.

    Raises:
        SshError: The machine refuses, cannot run the job, or stays out of reach; a result that
            was here before is untouched.
    """
    run = _RemoteRun(job_folder, target, progress, say, flags)
    failures = 0
    while True:
        try:
            return run.attempt()
        except LinkBrokenError as broken:
            failures = 1 if run.advanced else failures + 1
            run.advanced = False
            if failures >= attempts:
                raise SshError(
                    f"a link to {target.host} that holds",
                    f"{failures} broken ones in a row, the last one: {broken}",
                    f"see that `{target.by_hand()}` works, then run the same again: "
                    "what was sent and measured is kept",
                ) from broken
            say(
                f"the link to {target.host} broke ({broken}); "
                f"trying again in {wait_seconds:g} s, {failures} of {attempts}"
            )
            time.sleep(wait_seconds)
        except (Interrupted, KeyboardInterrupt):
            say(f"interrupted here; what runs on {target.host} goes on, run the same to join it")
            raise


class _RemoteRun:
    """The steps of a run, and what earlier attempts have found out."""

    def __init__(
        self,
        job_folder: Path,
        target: SshTarget,
        progress: Progress | None,
        say: Callable[[str], None],
        flags: Sequence[str],
    ) -> None:
        self.advanced = False
        self._job_folder, self._target = job_folder, target
        self._progress, self._say = progress, say
        self._flags = flags
        self._files = _files_of(job_folder)
        self._digests = {name: ssh_remote.sha256(path) for name, path in self._files.items()}
        self._python = _from_login(target.python)
        default = f"{DEFAULT_FOLDER}/{_job_id(self._digests)}"
        self._folder = _from_login(target.folder) or default
        self._link = Link(target)
        self._has_modules = False
        self._state: tuple[int, int] | None = None

    def attempt(self) -> Path:
        """Goes through all steps; those that an earlier attempt has finished find nothing to do."""
        missing = self._compare()
        if missing:
            total = len(self._digests)
            self._say(f"sending {len(missing)} of {total} files to {self._target.host}")
            self._ask("receive", self._stream(missing))
        self._say(f"measuring on {self._target.host}, in {self._folder}")
        self._work()
        return self._fetch()

    def _compare(self) -> list[str]:
        """Looks at the device and returns the names of the files that it lacks."""
        modules = () if self._has_modules else MODULES
        request = {"files": self._digests, "modules": modules}
        answer = self._ask("compare", [json.dumps(request).encode()])
        reply = self._decoded(_Compared, answer.reply)
        if reply.broken_modules:
            raise SshError(
                f"numpy and onnxruntime for {self._target.python} on {self._target.host}",
                "; ".join(map(printable, reply.broken_modules)),
                f"`{self._target.by_hand(self._target.python, *PIP_INSTALL)}`, or name the "
                "Python of a virtual environment that has them",
            )
        self._has_modules = True
        if reply.other_job and self._target.folder:
            raise SshError(
                f"an empty folder or this job's in {self._folder} on {self._target.host}",
                "one with another job.json",
                "name another folder, or none to get one for each job",
            )
        state = (-len(reply.missing), reply.journal_bytes)
        # A worker that was cut off from here goes on: its journal grows while links break.
        self.advanced |= self._state is not None and state > self._state
        self._state = state
        return [name for name in self._digests if name in reply.missing]

    def _stream(self, names: Iterable[str]) -> Iterator[bytes]:
        for name in names:
            path = self._files[name]
            size_bytes = path.stat().st_size
            entry = {"name": name, "size_bytes": size_bytes, "sha256": self._digests[name]}
            yield json.dumps(entry).encode() + b"\n"
            with path.open("rb") as stream:
                while chunk := stream.read(ssh_remote.CHUNK_BYTES):
                    yield chunk

    def _work(self) -> None:
        words = [self._python, "-c", RUN, self._folder, "--progress", *self._flags]
        script = f"ORT_DISABLE_TELEMETRY=1 {shlex.join(words)}"
        answer = self._link.call(script, on_line=self._on_line)
        if answer.exit_code:
            raise SshError(
                f"the worker on {self._target.host} to measure the job",
                answer.last_words or f"exit code {answer.exit_code}",
                "mend what it says and run the same again: finished rounds are kept",
            )

    def _on_line(self, text: str) -> bool:
        """Takes a line of the worker, and tells whether it was more than words."""
        if text.startswith("warning: "):
            self._say(f"{self._target.host}: {text}")
        if match := PROGRESS_LINE.fullmatch(text):
            self.advanced = True
            if self._progress:
                self._progress(int(match[1]), int(match[2]), float(match[3]))
        return bool(match) or text.startswith(("warning: ", "result "))

    def _fetch(self) -> Path:
        answer = self._ask("result")
        data, reply = answer.data, self._decoded(_HandedOut, answer.reply)
        if len(data) != reply.size_bytes or hashlib.sha256(data).hexdigest() != reply.sha256:
            raise LinkBrokenError(
                f"{len(data)} of {reply.size_bytes} bytes of the result came, or not as sent"
            )
        path = self._job_folder / "result.json"
        atomic.write_bytes(path, data)
        return path

    def _decoded(self, cls: type[T], reply: Mapping[str, Any]) -> T:
        try:
            return strict_json.decode(cls, reply, f"the answer of {self._target.host}")
        except FileFormatError as error:
            fix = "see what else answers there in the place of its Python"
            raise SshError(error.expected, error.received, fix) from None

    def _ask(self, verb: str, feed: Iterable[bytes] = ()) -> Answer:
        """Runs a verb of ssh_remote.py on the device."""
        python = shlex.quote(self._python)
        code = Path(ssh_remote.__file__).read_text(encoding="utf-8")
        words = shlex.join([code, verb, self._folder])
        # Each attempt begins with a comparison, and with it the check of the version.
        check = f"{python} -c {shlex.quote(VERSION_CHECK)} && " if verb == "compare" else ""
        answer = self._link.call(f"{check}{python} -c {words}", feed)
        if answer.exit_code == TOO_OLD_EXIT_CODE:
            raise SshError(
                f"Python 3.9 or newer as {self._target.python} on {self._target.host}",
                answer.last_words,
                "name a newer Python that is installed there",
            )
        if answer.exit_code or "error" in answer.reply or not answer.reply:
            said = printable(str(answer.reply.get("error", answer.last_words)))
            raise SshError(
                f"{self._target.python} on {self._target.host} to {verb} in {self._folder}",
                said or f"exit code {answer.exit_code}",
                f"see what `{self._target.by_hand(self._target.python, '--version')}` says, "
                "and whether the folder's disk has room",
            )
        return answer


def _files_of(job_folder: Path) -> dict[str, Path]:
    """Returns name -> file of what is sent; job.json last, so that it stands for the whole.

    Raises:
        FileFormatError: A link leads out of the folder: what lies there is nobody's to send.
    """
    if not (job_folder / "job.json").is_file():
        raise SshError(
            f"a job folder with job.json at {job_folder}",
            "no job.json",
            "name a folder made by --export_job; exporting the same job again keeps its rounds",
        )
    folder = job_folder / "models"
    models = sorted(f"models/{path.name}" for end in ENDINGS for path in folder.glob(f"*{end}"))
    names = ["manifest.json"] if (job_folder / "manifest.json").is_file() else []
    names += [*models, "job.json"]
    found = {name: Path(path_inside(job_folder, name)) for name in names}
    return {**device_program(), **found}


def _job_id(digests: dict[str, str]) -> str:
    """Returns 16 hex digits that change with any name or content."""
    return hashlib.sha256(json.dumps(digests, sort_keys=True).encode()).hexdigest()[:16]


def _from_login(path: str) -> str:
    """Makes `~/x` relative to the login folder, since quoting keeps the device from doing it."""
    return "./" + path[2:] if path.startswith("~/") else path
