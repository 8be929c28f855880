"""One command on another machine through the system's `ssh`, and what its failure means."""

from __future__ import annotations

import contextlib
import re
import shlex
import subprocess
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import IO, Any

from latency.device import strict_json
from latency.device.files import MOST_TEXT_BYTES
from latency.device.text import visible
from latency.errors import FileFormatError, LatencyError
from latency.jobs.ssh_remote import MARK

LAST_LINES = 20
LINE_CHARACTERS = 2000
LINE_BYTES = 1 << 22  # of a reply, which names the files that a device lacks
# The first of two contradicting -o wins: nobody can be asked for a password, the rest is a default.
FIXED_OPTIONS = ("-Tax", "-o", "BatchMode=yes")
DEFAULT_OPTIONS = (
    "ConnectTimeout=15",
    "ServerAliveInterval=10",
    "ServerAliveCountMax=3",
    "ClearAllForwardings=yes",
    "LogLevel=INFO",
)
LINK_EXIT_CODE = 255  # ssh's own; every other code is the remote command's
# What ssh says when a second attempt would end like the first: text, expectation, fix.
REFUSALS = (
    (
        r"IDENTIFICATION HAS CHANGED",
        "the host key that ssh knows for {host}",
        "find out why the key changed; if the device was set up anew, remove the old key with "
        "`ssh-keygen -R` and run `{ssh}` once by hand",
    ),
    (
        r"Host key verification failed",
        "a host key of {host} that ssh knows",
        "run `{ssh}` once by hand, check the host key and accept it",
    ),
    (
        r"Permission denied \(|Too many authentication failures",
        "{host} to let ssh in by a key, without a password",
        "set up a key with ssh-copy-id, or load it with ssh-add, and try `{ssh}` by hand",
    ),
    (
        r"(hostname|username) contains invalid characters",
        "a host as ssh writes it, such as user@host",
        "correct {host!r}",
    ),
    (
        r"usage: ssh|unknown option|Can't open user config|Unable to negotiate"
        r"|Bad (configuration option|owner or permissions|port)",
        "options and a configuration that ssh and {host} accept",
        "try `{ssh}` by hand until it works",
    ),
)
UNKNOWN_NAME = r"Could not resolve hostname (?!.*Temporary failure)"
# What a network says that is not there for the moment. Before a machine has answered for the first
# time, anything else is a mistake that a second attempt would repeat.
PASSING = (
    r"(?i)timed? ?out|refused|unreachable|no route|reset|closed|temporary failure|broken pipe"
    r"|kex_exchange_identification|lost|aborted|network is down"
)


class SshError(LatencyError):
    """A device that cannot be reached, or that cannot run the job."""


class LinkBrokenError(Exception):
    """The connection failed; another attempt may go further."""


@dataclass(frozen=True)
class SshTarget:
    """Where a job runs.

    Args:
        host: As `ssh` takes it: an alias of its configuration, or user@host.
        options: More arguments of `ssh`, such as ("-F", "config", "-p", "2222").
        python: Command or path on the device; relative paths start at the login folder.
        folder: Of the job on the device; by default one of its own below the login folder.
    """

    host: str
    options: tuple[str, ...] = ()
    python: str = "python3"
    folder: str = ""

    def __post_init__(self) -> None:
        for name, text in (("host", self.host), ("python", self.python), ("folder", self.folder)):
            may_be_empty = name == "folder"
            if text.startswith("-") or not text.isprintable() or not (text or may_be_empty):
                raise SshError(
                    f"a {name} that is not empty, has no control characters and no '-' in front",
                    repr(text),
                    "name it as you would for ssh itself, such as user@host"
                    if name == "host"
                    else f"name another {name}",
                )

    def command(self, script: str) -> list[str]:
        """Returns the local command that runs a POSIX shell script on the device."""
        defaults = [word for option in DEFAULT_OPTIONS for word in ("-o", option)]
        # sh, since the login shell may be another one; `--` ends what ssh reads as options.
        remote = f"exec sh -c {shlex.quote(script)}"
        return ["ssh", *FIXED_OPTIONS, *self.options, *defaults, "--", self.host, remote]

    def by_hand(self, *words: str) -> str:
        """Returns the command that a person would type."""
        return shlex.join(["ssh", *self.options, self.host, *words])


@dataclass(frozen=True)
class Answer:
    """What a remote command said: its last lines, its reply, and the bytes after the reply."""

    exit_code: int
    last_words: str
    reply: dict[str, Any]
    data: bytes


class Link:
    """Runs commands on a machine, one connection each."""

    def __init__(self, target: SshTarget) -> None:
        self._target = target
        self._reached = False

    def call(
        self,
        script: str,
        feed: Iterable[bytes] = (),
        on_line: Callable[[str], bool] | None = None,
    ) -> Answer:
        """Runs a POSIX shell script on the machine.

        Args:
            script: Every variable word of it quoted.
            feed: Its standard input.
            on_line: Gets each line before the reply; true keeps it out of the last words. None
                keeps all of them.

        Raises:
            SshError: ssh was refused, or is not installed.
            LinkBrokenError: The connection failed in a way that may pass.
        """
        # Without the `exit`, sh may become the command, and a signal to it looks like a bad link.
        command = self._target.command(f"{{ {script}; }} 2>&1; exit $?")
        # A file, since a shared connection's master process would keep a pipe open for ever.
        with tempfile.TemporaryFile() as errors:
            with _started(command, errors) as process:
                words, reply, data = _converse(process, feed, on_line)
                exit_code = process.wait()
            errors.seek(0)
            ssh_said = errors.read().decode("utf-8", "replace")
        if exit_code == LINK_EXIT_CODE or exit_code < 0:
            self._check_refusal(ssh_said)
            last = ssh_said.strip().splitlines()[-1:] or [f"ssh ended with exit code {exit_code}"]
            raise LinkBrokenError(printable(last[0]))
        self._reached = True
        return Answer(exit_code, words, reply, data)

    def _check_refusal(self, ssh_said: str) -> None:
        """Raises where ssh says something that waiting does not mend."""
        names = {"host": self._target.host, "ssh": self._target.by_hand()}
        said = " ".join(printable(line) for line in ssh_said.strip().splitlines()[-3:])
        for pattern, expected, fix in REFUSALS:
            if re.search(pattern, ssh_said):
                raise SshError(expected.format(**names), said, fix.format(**names))
        # Later on, a name that cannot be resolved is a network that went away.
        if self._reached:
            return
        if re.search(UNKNOWN_NAME, ssh_said):
            raise SshError("the name of a machine", said, "check the spelling of the host's name")
        if said and not re.search(PASSING, ssh_said):
            fix = "try `{ssh}` by hand until it works".format(**names)
            raise SshError("ssh to reach {host}".format(**names), said, fix)


@contextlib.contextmanager
def _started(command: list[str], errors: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """Starts ssh, and ends it when this process is interrupted."""
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors
        )
    except FileNotFoundError as error:
        raise SshError(
            "an `ssh` program", "none on the search path", "install the OpenSSH client"
        ) from error
    try:
        yield process
    except BaseException:
        # Politely first: ssh then ends its proxy command too.
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=2)
        process.kill()
        raise
    finally:
        for stream in (process.stdin, process.stdout):
            if stream:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()
        process.wait()


def _converse(
    process: subprocess.Popen[bytes],
    feed: Iterable[bytes],
    on_line: Callable[[str], bool] | None,
) -> tuple[str, dict[str, Any], bytes]:
    """Feeds a command and returns its last words, its reply and the bytes that follow it."""
    if process.stdin is None or process.stdout is None:
        raise SshError("pipes to ssh", "none", "report this as a bug")
    # A command that ends early says why in its exit code and its words.
    with contextlib.suppress(BrokenPipeError):
        for chunk in feed:
            process.stdin.write(chunk)
    with contextlib.suppress(BrokenPipeError):
        process.stdin.close()
    words: deque[str] = deque(maxlen=LAST_LINES)
    while line := process.stdout.readline(LINE_BYTES):
        _, marked, text = line.partition(MARK)
        if marked:
            data = process.stdout.read(MOST_TEXT_BYTES + 1)
            if len(data) > MOST_TEXT_BYTES:
                expected = f"a result of at most {MOST_TEXT_BYTES} bytes"
                raise SshError(expected, "more", "run the job again as it was exported")
            return "\n".join(words), _parsed(text), data
        shown = printable(line.decode("utf-8", "replace").rstrip())
        if shown and not (on_line and on_line(shown)):
            words.append(shown)
    return "\n".join(words), {}, b""


def _parsed(text: bytes) -> dict[str, Any]:
    """Reads a reply; one that a broken link cut counts as none."""
    try:
        value = strict_json.loads(text.decode("utf-8", "replace"), "a reply")
    except FileFormatError:
        return {}
    return value if isinstance(value, dict) else {}


def printable(text: str) -> str:
    """Returns one line of at most 2000 characters that steers no terminal."""
    return visible(text[:LINE_CHARACTERS].expandtabs().strip(), keep="")
