"""Jobs on another machine, over a real sshd on loopback; most with a worker that only counts."""

from __future__ import annotations

import dataclasses
import json
import os
import shlex
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import latency.device
from latency.device.settings import SessionSettings
from latency.jobs.ssh import PROGRAM, SshError, SshTarget, run_over_ssh
from latency.measurement.measure import MeasurePlan, Model, workload, write_job
from latency.measurement.result import read_result
from tests.support.latency_graphs import chain
from tests.support.loopback_sshd import HOST, LoopbackSshd, children_of, loopback_sshd

ROUNDS = 4
# Behaves as the device's program does towards ssh: lock, journal, progress, a result in one piece,
# and it survives a reader that has gone. With a file 'hold' it waits in round 2 for its removal.
FAKE_WORKER = """\
import fcntl, glob, hashlib, json, os, sys, time
os.chdir(sys.argv[1])
def line(text):
    try:
        print(text, flush=True)
    except OSError:
        sys.stdout = open(os.devnull, "w")
lock = open("worker.lock", "w")
fcntl.flock(lock, fcntl.LOCK_EX)
job = json.load(open("job.json"))
if job.get("bad"):
    print("error: " + job["bad"], file=sys.stderr)
    sys.exit(2)
if not os.path.exists("result.json"):
    rounds = open("journal.jsonl").readlines() if os.path.exists("journal.jsonl") else []
    for number in range(len(rounds), job["rounds"]):
        with open("journal.jsonl", "a") as journal:
            journal.write(json.dumps({"round": number, "pid": os.getpid()}) + "\\n")
        line("progress %d %d 1.5" % (number + 1, job["rounds"]))
        give_up = time.monotonic() + 20
        while number == 1 and os.path.exists("hold"):
            if time.monotonic() > give_up:
                sys.exit("nobody removed the file named hold")
            time.sleep(0.01)
    digests = {n: hashlib.sha256(open(n, "rb").read()).hexdigest() for n in glob.glob("models/*")}
    telemetry = os.environ.get("ORT_DISABLE_TELEMETRY")
    with open("result.part", "w") as stream:
        json.dump({"telemetry": telemetry, "models": digests}, stream)
    os.replace("result.part", "result.json")
line("result result.json")
"""


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoopbackSshd]:
    with loopback_sshd(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@pytest.fixture
def device(tmp_path: Path) -> Path:
    """The job's folder on the other side, with a blank and quotes in its name."""
    return tmp_path / 'it\'s "$HOME" there' / "job"


@pytest.fixture(scope="module")
def quick_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Python that imports two empty modules for numpy and onnxruntime, which take a second."""
    folder = tmp_path_factory.mktemp("python")
    for name in ("numpy", "onnxruntime"):
        (folder / f"{name}.py").touch()
    command = f'PYTHONPATH={shlex.quote(str(folder))} exec {sys.executable} -S "$@"'
    return script(folder / "python", command)


@pytest.fixture
def target(sshd: LoopbackSshd, device: Path, quick_python: str) -> SshTarget:
    return SshTarget(HOST, sshd.options, quick_python, str(device))


@pytest.fixture
def job(tmp_path: Path) -> Path:
    """A folder with three models and a worker that only counts."""
    folder = tmp_path / "job"
    (folder / "models").mkdir(parents=True)
    (folder / "device").mkdir()
    (folder / PROGRAM).write_text(FAKE_WORKER)
    (folder / "manifest.json").write_text("{}")
    for number in range(3):
        (folder / f"models/{number:04d}.onnx").write_bytes(bytes([number + 1]) * 3_000_000)
    (folder / "job.json").write_text(json.dumps({"rounds": ROUNDS}))
    return folder


def run(job: Path, target: SshTarget, said: list[str] | None = None, **options: object) -> Path:
    """Runs with hardly any waiting and keeps what is said."""
    say = (said if said is not None else []).append
    arguments = {"say": say, "attempts": 3, "wait_seconds": 0.01, **options}
    return run_over_ssh(job, target, **arguments)  # type: ignore[arg-type]


def journal(device: Path) -> tuple[list[int], int]:
    """Rounds in the order they were measured, and how many processes measured them."""
    records = [json.loads(line) for line in (device / "journal.jsonl").read_text().splitlines()]
    return [record["round"] for record in records], len({record["pid"] for record in records})


def inodes(device: Path) -> dict[str, int]:
    """A file that was sent again has a new one."""
    sent = (PROGRAM, "manifest.json", "job.json", *(f"models/{n:04d}.onnx" for n in range(3)))
    return {name: (device / name).stat().st_ino for name in sent}


def script(path: Path, text: str) -> str:
    """Writes an executable shell script that stands for the device's Python."""
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def with_python(target: SshTarget, path: str) -> SshTarget:
    return dataclasses.replace(target, python=path)


def test_a_job_is_carried_over_and_its_result_back(
    job: Path, target: SshTarget, device: Path
) -> None:
    (job / "result.json").write_text("an older one")
    calls: list[tuple[int, int, float]] = []
    path = run(job, target, progress=lambda *call: calls.append(call))
    assert path == job / "result.json"
    assert path.read_bytes() == (device / "result.json").read_bytes()
    result = json.loads(path.read_text())
    assert result["telemetry"] == "1" and len(result["models"]) == 3
    assert calls == [(number, ROUNDS, 1.5) for number in range(1, ROUNDS + 1)]
    for name in inodes(device):
        assert (device / name).read_bytes() == (job / name).read_bytes()


def test_only_what_is_missing_or_damaged_is_sent_again(
    job: Path, target: SshTarget, device: Path
) -> None:
    said: list[str] = []
    run(job, target, said)
    first = inodes(device)
    run(job, target, said)
    assert inodes(device) == first and journal(device) == (list(range(ROUNDS)), 1)

    # As a full disk or a power cut may leave them: half a model, and half a temporary file.
    torn = device / "models/0001.onnx"
    torn.write_bytes(torn.read_bytes()[:1_000_000])
    (device / "models/.0002.onnx.77.part").write_bytes(b"half")
    run(job, target, said)
    changed = {name for name, inode in inodes(device).items() if inode != first[name]}
    assert changed == {"models/0001.onnx"}
    assert torn.read_bytes() == (job / "models/0001.onnx").read_bytes()
    assert [text for text in said if text.startswith("sending")] == [
        "sending 6 of 6 files to loopback",
        "sending 1 of 6 files to loopback",
    ]


@pytest.mark.parametrize("worker_dies", [False, True])
def test_a_link_that_breaks_in_mid_run_costs_no_round(
    job: Path, target: SshTarget, device: Path, sshd: LoopbackSshd, worker_dies: bool
) -> None:
    device.mkdir(parents=True)
    (device / "hold").touch()

    def progress(done: int, total: int, seconds_left: float) -> None:
        if done == 2 and (device / "hold").exists():
            sshd.break_links()
            if worker_dies:  # a reboot
                last = (device / "journal.jsonl").read_text().splitlines()[-1]
                os.kill(json.loads(last)["pid"], signal.SIGKILL)
            (device / "hold").unlink()

    said: list[str] = []
    path = run(job, target, said, progress=progress)
    assert path.read_bytes() == (device / "result.json").read_bytes()
    assert journal(device) == (list(range(ROUNDS)), 1 + worker_dies)
    broken = [text for text in said if "broke" in text]
    assert len(broken) == 1 and "1 of 3" in broken[0] and broken[0].startswith("the link to")


def test_ssh_itself_may_be_killed(job: Path, target: SshTarget, device: Path) -> None:
    device.mkdir(parents=True)
    (device / "hold").touch()

    def progress(done: int, total: int, seconds_left: float) -> None:
        if done == 2 and (device / "hold").exists():
            for pid in ssh_children():
                os.kill(pid, signal.SIGKILL)
            (device / "hold").unlink()

    said: list[str] = []
    run(job, target, said, progress=progress)
    assert journal(device) == (list(range(ROUNDS)), 1)
    assert any("broke (ssh ended with exit code -9)" in text for text in said)


def ssh_children() -> list[int]:
    """Process numbers of the ssh programs that this process started."""
    children = children_of(os.getpid())
    return [p for p in children if Path(f"/proc/{p}/comm").read_text().strip() == "ssh"]


@pytest.mark.parametrize(("record", "prints"), [("journal.jsonl", False), ("elsewhere", True)])
def test_progress_starts_the_count_of_broken_links_anew(
    job: Path, target: SshTarget, device: Path, record: str, prints: bool
) -> None:
    # Each worker dies with its link after one round, which shows in a line or in the journal.
    (job / PROGRAM).write_text(
        "import sys\n"
        f"journal = open(sys.argv[1] + '/{record}', 'a+')\n"
        "journal.seek(0)\n"
        "rounds = len(journal.readlines())\n"
        "if rounds == 3:\n"
        "    open(sys.argv[1] + '/result.json', 'w').write('{}')\n"
        "    sys.exit(0)\n"
        "print('a round', file=journal, flush=True)\n"
        f"print('progress %d 3 1.0' % (rounds + 1) if {prints} else 'no progress', flush=True)\n"
        "sys.exit(255)\n"
    )
    said: list[str] = []
    run(job, target, said, attempts=2)
    assert len([text for text in said if "broke" in text]) == 3
    assert (device / record).read_text() == "a round\n" * 3


def test_a_transfer_that_breaks_half_way_leaves_no_torn_file(
    job: Path, target: SshTarget, device: Path, tmp_path: Path
) -> None:
    # The first transfer ends within the second of three models of 3 MB, and with it the link.
    python = script(
        tmp_path / "python",
        f'if [ "$3" = receive ] && mkdir {shlex.quote(str(tmp_path))}/once 2>/dev/null; then\n'
        f'  head -c 4500000 | {target.python} "$@"; exit 255\n'
        f'fi\nexec {target.python} "$@"',
    )
    after_break: list[dict[str, bytes]] = []
    kept: dict[str, int] = {}

    def say(text: str) -> None:
        if "broke" in text:
            files = sorted((device / "models").iterdir())
            after_break.append({path.name: path.read_bytes() for path in files})
            kept["first"] = (device / "models/0000.onnx").stat().st_ino
            assert not (device / "job.json").exists()

    run(job, with_python(target, python), say=say)
    whole = (job / "models/0000.onnx").read_bytes()
    assert after_break == [{"0000.onnx": whole}]
    assert inodes(device)["models/0000.onnx"] == kept["first"]
    for name in inodes(device):
        assert (device / name).read_bytes() == (job / name).read_bytes()


def test_a_result_that_is_cut_short_replaces_nothing(
    job: Path, target: SshTarget, device: Path, tmp_path: Path
) -> None:
    (job / "result.json").write_text("an older one")
    python = script(
        tmp_path / "python",
        f'[ "$3" = result ] || exec {target.python} "$@"\n{target.python} "$@" | head -c 150',
    )
    with pytest.raises(SshError, match="of the result came") as info:
        run(job, with_python(target, python), attempts=2)
    assert "2 broken ones in a row" in str(info.value)
    assert (job / "result.json").read_text() == "an older one"
    assert (device / "result.json").stat().st_size > 150


@pytest.mark.parametrize(
    ("options", "received", "fix"),
    [
        ("options_without_host_key", "Host key verification failed", "check the host key"),
        ("options_with_other_host_key", "Host key verification failed", "why the key changed"),
        ("options_with_other_key", "Permission denied (publickey)", "ssh-copy-id"),
    ],
)
def test_a_refusal_is_final(
    job: Path,
    target: SshTarget,
    device: Path,
    sshd: LoopbackSshd,
    options: str,
    received: str,
    fix: str,
) -> None:
    before, said = sshd.connections, []
    refused = dataclasses.replace(target, options=getattr(sshd, options))
    with pytest.raises(SshError) as info:
        run(job, refused, said)
    text = str(info.value)
    assert text.startswith("Expected ") and received in text.split("Received: ")[1]
    assert fix in text.split("Fix: ")[1] and f"ssh -F {refused.options[1]} loopback`" in text
    assert sshd.connections == before + 1 and said == [] and not device.exists()
    assert (sshd.folder / "empty_known_hosts").read_text() == ""


def test_a_machine_out_of_reach_is_tried_a_few_times(job: Path, target: SshTarget) -> None:
    said: list[str] = []
    # Port 1 of loopback: nothing listens there.
    away = dataclasses.replace(target, options=("-p", "1", *target.options))
    with pytest.raises(SshError, match="Expected a link to loopback that holds") as info:
        run(job, away, said)
    assert "3 broken ones in a row" in str(info.value) and "refused" in str(info.value)
    assert len(said) == 2


@pytest.mark.parametrize(
    ("ssh_says", "expected", "tries"),
    [
        ("Could not resolve hostname b: Name or service not known", "the name of a machine", 1),
        ("Could not resolve hostname b: Temporary failure in name resolution", "a link to b", 3),
        ("command-line: line 0: Bad configuration option: x", "options and a configuration", 1),
        ("kex_exchange_identification: Connection closed by remote host", "a link to b", 3),
    ],
)
def test_only_what_may_pass_is_tried_again(
    job: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    ssh_says: str,
    expected: str,
    tries: int,
) -> None:
    # No real network or resolver can be made to fail in each of these ways.
    calls = tmp_path / "calls"
    script(tmp_path / "ssh", f'echo "$*" >> {calls}\necho "ssh: {ssh_says}" >&2\nexit 255')
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(SshError, match=f"Expected {expected}.*\nReceived: .*{ssh_says[-12:]}"):
        run(job, SshTarget("b"))
    assert calls.read_text().count("-- b exec sh -c") == tries


def test_a_machine_without_ssh_is_told_so(
    job: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SshError, match="Expected an `ssh` program.\nReceived: none"):
        run(job, SshTarget("b"))


@pytest.mark.parametrize(
    ("python", "expected", "received"),
    [
        ("/no/such/python3", "Expected /no/such/python3 on loopback to compare", "not found"),
        ("no_modules", "Expected numpy and onnxruntime for ", "No module named 'numpy'"),
        ("too_old", "Expected Python 3.9 or newer as ", "Received: Python 3.8.\nFix: name a newer"),
    ],
)
def test_a_python_that_cannot_run_the_worker_is_refused(
    job: Path, target: SshTarget, device: Path, tmp_path: Path, python: str, expected: str,
    received: str,
) -> None:  # fmt: skip
    old = "import sys; sys.version_info = (3, 8, 18); del sys.argv[0]; exec(sys.argv[0])"
    # Without `site`, the installed modules are not found.
    scripts = {
        "no_modules": f'exec {sys.executable} -S "$@"',
        "too_old": f'shift\nexec {sys.executable} -c "{old}" "$@"',
    }
    path = script(tmp_path / python, scripts[python]) if python in scripts else python
    with pytest.raises(SshError) as info:
        run(job, with_python(target, path))
    assert str(info.value).startswith(expected) and received in str(info.value)
    assert not device.exists()
    if python == "no_modules":
        assert f"loopback {path} -m pip install onnxruntime numpy`" in str(info.value)


def test_what_the_worker_refuses_is_said(job: Path, target: SshTarget) -> None:
    (job / "job.json").write_text(json.dumps({"bad": "Expected a job.\nReceived: \x1b[2Jnone."}))
    with pytest.raises(SshError, match="Expected the worker on loopback to measure") as info:
        run(job, target)
    # What would clear a terminal is not passed on.
    assert "error: Expected a job.\nReceived:  [2Jnone.\nFix: mend" in str(info.value)
    assert not (job / "result.json").exists()


def test_an_interrupt_ends_ssh_and_leaves_the_worker_going(
    job: Path, target: SshTarget, device: Path
) -> None:
    device.mkdir(parents=True)
    (device / "hold").touch()

    def interrupt(done: int, total: int, seconds_left: float) -> None:
        if done == 2:
            raise KeyboardInterrupt

    said: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        run(job, target, said, progress=interrupt)
    assert ssh_children() == [] and said[-1].startswith("interrupted here; what runs on loopback")
    assert journal(device) == ([0, 1], 1) and not (job / "result.json").exists()
    (device / "hold").unlink()
    run(job, target)
    assert journal(device) == (list(range(ROUNDS)), 1)


def test_another_job_never_gets_into_a_folder(job: Path, target: SshTarget, device: Path) -> None:
    device.mkdir(parents=True)
    (device / "job.json").write_text(json.dumps({"rounds": ROUNDS}))
    (job / "job.json").write_text(json.dumps({"rounds": ROUNDS + 1}))
    with pytest.raises(SshError, match="Expected an empty folder or this job's") as info:
        run(job, target)
    assert "Received: one with another job.json.\nFix: name another folder" in str(info.value)
    assert [path.name for path in device.iterdir()] == ["job.json"]
    assert json.loads((device / "job.json").read_text()) == {"rounds": ROUNDS}


def test_without_a_name_each_job_has_its_own_folder(
    job: Path, target: SshTarget, tmp_path: Path
) -> None:
    login = tmp_path / "login"
    login.mkdir()
    # Stands for a login folder of its own, and for a login shell that talks.
    text = f'cd {shlex.quote(str(login))}\nprintf "welcome"\nexec {target.python} "$@"'
    nameless = dataclasses.replace(target, python=script(tmp_path / "python", text), folder="")
    run(job, nameless)
    run(job, nameless)
    (job / "models/0000.onnx").write_bytes(b"another model")
    run(job, nameless)
    folders = sorted((login / ".cache/stopwatch-latency").iterdir())
    assert len(folders) == 2
    assert all(len(path.name) == 16 and int(path.name, 16) >= 0 for path in folders)
    assert all(journal(path) == (list(range(ROUNDS)), 1) for path in folders)


def test_the_real_worker_measures_two_graphs(
    tmp_path: Path, target: SshTarget, device: Path
) -> None:
    folder = tmp_path / "real"
    folder.mkdir()
    models = [Model("one", chain(1), "g"), Model("two", chain(2), "g")]
    plan = MeasurePlan(min_rounds=2, max_rounds=2)
    work = workload(models, SessionSettings(), plan)
    write_job(folder, work)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(latency.device.__file__).parent, folder / "device", ignore=ignored)
    calls: list[tuple[int, int, float]] = []
    real = with_python(target, sys.executable)
    path = run(folder, real, progress=lambda *call: calls.append(call))
    result = read_result(path, work.job_id)
    assert set(result.samples_ms) == {"one", "two"} and result.rounds == 2
    assert path.read_bytes() == (device / "result.json").read_bytes() and calls


@pytest.mark.parametrize(
    "make",
    [
        lambda: SshTarget(""),
        lambda: SshTarget("-oProxyCommand=touch x"),
        lambda: SshTarget("host\nname"),
        lambda: SshTarget("host", python="-c"),
        lambda: SshTarget("host", python=""),
        lambda: SshTarget("host", folder="-rf"),
    ],
)
def test_a_target_that_ssh_would_misread_is_refused(make: Callable[[], SshTarget]) -> None:
    with pytest.raises(SshError, match="Expected a .*\nReceived: .*\nFix: name "):
        make()


def test_a_folder_without_a_job_is_refused_before_any_connection(tmp_path: Path) -> None:
    with pytest.raises(SshError, match="Received: no device/__main__.py and no job.json.\nFix: "):
        run(tmp_path, SshTarget("host.invalid"))
