"""Jobs on another machine, over a real sshd on loopback; most with a worker that only counts."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import shlex
import shutil
import signal
import sys
from pathlib import Path

import pytest

import latency.device
from latency.device.settings import SessionSettings
from latency.errors import LatencyError
from latency.jobs import ssh_link, ssh_remote
from latency.jobs.ssh import SshError, SshTarget
from latency.measurement.measure import MeasurePlan, Model, workload, write_job
from latency.measurement.result import read_result
from tests.support.latency_graphs import chain
from tests.support.loopback_sshd import LoopbackSshd, children_of
from tests.support.ssh_jobs import PROGRAM, ROUNDS, inodes, journal, run, script, with_python
from tests.support.unhurried import TWO_ROUNDS


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
    torn.write_bytes(torn.read_bytes()[:100_000])
    (device / "models/.0002.onnx.77.part").write_bytes(b"half")
    run(job, target, said)
    changed = {name for name, inode in inodes(device).items() if inode != first[name]}
    assert changed == {"models/0001.onnx"}
    assert torn.read_bytes() == (job / "models/0001.onnx").read_bytes()
    assert [text for text in said if text.startswith("sending")] == [
        "sending 6 of 6 files to loopback",
        "sending 1 of 6 files to loopback",
    ]


@pytest.mark.parametrize("worker_dies", [pytest.param(False, marks=pytest.mark.slow), True])
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


@pytest.mark.parametrize(
    ("record", "prints"),
    [("journal.jsonl", False), pytest.param("elsewhere", True, marks=pytest.mark.slow)],
)
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
    # The first transfer ends within the second of three models of 300 kB, and with it the link.
    python = script(
        tmp_path / "python",
        f'if [ "$3" = receive ] && mkdir {shlex.quote(str(tmp_path))}/once 2>/dev/null; then\n'
        f'  head -c 450000 | {target.python} "$@"; exit 255\n'
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


def test_what_the_worker_refuses_is_said(job: Path, target: SshTarget) -> None:
    (job / "job.json").write_text(json.dumps({"bad": "Expected a job.\nReceived: \x1b[2Jnone."}))
    with pytest.raises(SshError, match="Expected the worker on loopback to measure") as info:
        run(job, target)
    # What would clear a terminal is not passed on.
    assert "error: Expected a job.\n  Received: \\x1b[2Jnone.\nFix: mend" in str(info.value)
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
    plan = TWO_ROUNDS
    work = workload(models, SessionSettings(), plan)
    write_job(folder, work)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(latency.device.__file__).parent, folder / "device", ignore=ignored)
    calls: list[tuple[int, int, float]] = []
    real = with_python(target, sys.executable)
    path = run(folder, real, progress=lambda *call: calls.append(call))
    result = read_result(path, work.job_id)
    assert set(result.visits) == {"one", "two"} and result.rounds == 2
    assert path.read_bytes() == (device / "result.json").read_bytes() and calls


def test_a_folder_without_a_job_is_refused_before_any_connection(tmp_path: Path) -> None:
    with pytest.raises(SshError, match="Received: no job.json.\nFix: "):
        run(tmp_path, SshTarget("host.invalid"))


def test_the_program_that_runs_is_our_own_whatever_lies_in_the_folder(
    tmp_path: Path, target: SshTarget, device: Path
) -> None:
    folder = tmp_path / "real"
    folder.mkdir()
    plan = MeasurePlan(min_rounds=1, max_rounds=1, max_wait_seconds=0.0)
    work = workload([Model("one", chain(1), "g")], SessionSettings(), plan)
    write_job(folder, work)
    (folder / "device").mkdir()
    for name in ("__main__.py", "numpy.py", "more.py"):
        (folder / "device" / name).write_text(f"open({str(tmp_path / 'owned')!r}, 'w')")
    run(folder, with_python(target, sys.executable))
    assert read_result(folder / "result.json", work.job_id).rounds == 1
    assert not (tmp_path / "owned").exists()
    for path in (device / "device").glob("*.py"):
        assert path.read_bytes() == (Path(latency.device.__file__).parent / path.name).read_bytes()


def test_nothing_outside_of_the_folder_is_sent(
    job: Path, target: SshTarget, device: Path, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("precious")
    (job / "models" / "0003.onnx").symlink_to(tmp_path / "secret")
    with pytest.raises(LatencyError, match="a link that leads out of it"):
        run(job, target)
    assert not device.exists()


@pytest.mark.parametrize(
    "reply", ["{}", '{"missing": 1}', "[1]", '{"missing": [[]], "other_job": 0}', "[" * 9999]
)
def test_an_answer_that_is_none_of_ours_is_refused(
    job: Path, target: SshTarget, tmp_path: Path, reply: str
) -> None:
    python = script(tmp_path / "python", f"echo 'stopwatch-reply {reply}'")
    with pytest.raises(SshError, match="Expected "):
        run(job, with_python(target, python))


def test_endless_answers_have_an_end(
    job: Path, target: SshTarget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh_link, "MOST_TEXT_BYTES", 1 << 20)
    python = script(tmp_path / "python", "echo 'stopwatch-reply {}'; exec cat /dev/zero")
    with pytest.raises(SshError, match="a result of at most 1048576 bytes"):
        run(job, with_python(target, python))


def test_a_temporary_file_on_the_device_is_never_written_through_a_link(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("precious")
    (tmp_path / f".job.json.{os.getpid()}.part").symlink_to(secret)
    entry = json.dumps({"name": "job.json", "size_bytes": 3, "sha256": "x"}).encode() + b"\nabc"
    with pytest.raises(FileExistsError):
        ssh_remote.receive(str(tmp_path), io.BytesIO(entry))
    assert secret.read_text() == "precious"


def test_flags_reach_the_program_on_the_device(job: Path, target: SshTarget, device: Path) -> None:
    (job / PROGRAM).write_text(
        "import json, sys\njson.dump(sys.argv[1:], open(sys.argv[1] + '/result.json', 'w'))\n"
    )
    flags = ["--provider_library", "it's $HOME/p.so"]
    run(job, target, flags=flags)
    assert json.loads((job / "result.json").read_text())[1:] == ["--progress", *flags]
