"""A job that only counts, and its runs on a loopback machine."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from latency.jobs.ssh import SshTarget, run_over_ssh

PROGRAM = "device/__main__.py"
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
