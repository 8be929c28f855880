"""A real `sshd` on a free loopback port, with keys and configuration of its own."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

START_SECONDS = 10.0
HOST = "loopback"

# A login shell of level 2 leaves the user's own start-up files alone; the key exchange is the
# quickest one, since a file of tests makes a hundred.
SERVER_CONFIG = """\
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
UsePAM no
StrictModes no
PrintMotd no
LogLevel VERBOSE
KexAlgorithms curve25519-sha256
SetEnv SHLVL=1
"""

CLIENT_CONFIG = """\
Host {host}
  HostName 127.0.0.1
  Port {port}
  User {user}
  IdentityFile {folder}/{identity}
  IdentitiesOnly yes
  IdentityAgent none
  UserKnownHostsFile {folder}/{known_hosts}
  GlobalKnownHostsFile none
  StrictHostKeyChecking yes
"""


@dataclass(frozen=True)
class LoopbackSshd:
    """A running server and the client's configurations for it."""

    folder: Path
    port: int
    pid: int

    @property
    def options(self) -> tuple[str, ...]:
        """Arguments of ssh that reach the server as host 'loopback'."""
        return self._configuration("client_key", "known_hosts")

    @property
    def options_without_host_key(self) -> tuple[str, ...]:
        """The same, but the server's host key is not known."""
        return self._configuration("client_key", "empty_known_hosts")

    @property
    def options_with_other_host_key(self) -> tuple[str, ...]:
        """The same, but the known host key is another one, as after an attack."""
        return self._configuration("client_key", "other_known_hosts")

    @property
    def options_with_other_key(self) -> tuple[str, ...]:
        """The same, with a key that the server does not accept."""
        return self._configuration("other_key", "known_hosts")

    def _configuration(self, identity: str, known_hosts: str) -> tuple[str, ...]:
        path = self.folder / f"ssh_config_{identity}_{known_hosts}"
        path.write_text(
            CLIENT_CONFIG.format(
                host=HOST,
                port=self.port,
                user=pwd.getpwuid(os.getuid()).pw_name,
                folder=self.folder,
                identity=identity,
                known_hosts=known_hosts,
            )
        )
        return ("-F", str(path))

    @property
    def connections(self) -> int:
        """How many connections were opened so far."""
        return (self.folder / "log").read_text().count("Connection from ")

    def break_links(self) -> None:
        """Kills the server's side of every open connection, not what runs in them."""
        for pid in children_of(self.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def children_of(parent: int) -> list[int]:
    """Process numbers of a process's children."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # The name, in parentheses, may hold anything; state and parent follow it.
            if int(path.read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(path.parent.name))
    return found


@contextlib.contextmanager
def loopback_sshd(folder: Path) -> Iterator[LoopbackSshd]:
    """Runs a server until the end of the block; skips the test where there can be none."""
    server = _server_program()
    for name in ("host_key", "client_key", "other_key"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(command, check=True)
    shutil.copy(folder / "client_key.pub", folder / "authorized_keys")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    for key, name in (("host_key", "known_hosts"), ("other_key", "other_known_hosts")):
        public = " ".join((folder / f"{key}.pub").read_text().split()[:2])
        (folder / name).write_text(f"[127.0.0.1]:{port} {public}\n")
    (folder / "empty_known_hosts").touch()
    (folder / "sshd_config").write_text(SERVER_CONFIG.format(port=port, folder=folder))
    command = [server, "-D", "-e", "-f", str(folder / "sshd_config")]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    found = LoopbackSshd(folder, port, process.pid)
    try:
        _wait_until_it_listens(process, found)
        _require_login(found)
        yield found
    finally:
        found.break_links()
        process.terminate()
        process.wait()


def _server_program() -> str:
    """Returns sshd's absolute path, which it insists on."""
    search = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
    server = shutil.which("sshd", path=search)
    missing = [name for name in ("ssh", "ssh-keygen") if not shutil.which(name)]
    if not server or missing:
        pytest.skip(f"needs OpenSSH; absent: {', '.join(missing) or 'sshd'}")
    if not Path("/proc/self/stat").exists():
        pytest.skip("needs /proc to find the processes of a connection")
    if os.getuid() == 0:
        try:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        except OSError as error:
            pytest.skip(f"sshd needs /run/sshd when root starts it: {error}")
    return server


def _wait_until_it_listens(process: subprocess.Popen[bytes], server: LoopbackSshd) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", server.port), timeout=1.0).close()
            return
        time.sleep(0.02)
    pytest.skip(f"sshd does not start: {(server.folder / 'log').read_text()[-300:]}")


def _require_login(server: LoopbackSshd) -> None:
    command = ["ssh", "-o", "BatchMode=yes", *server.options, HOST, "true"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode:
        log = (server.folder / "log").read_text()[-300:]
        pytest.skip(f"sshd lets this user not in: {done.stderr.decode()[-200:]} {log}")
