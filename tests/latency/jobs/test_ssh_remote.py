"""What the device answers to a request, called as the program that ssh starts there calls it."""

from __future__ import annotations

import hashlib
import io
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from latency.jobs import ssh_remote

MODEL = bytes(range(256)) * 4


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def sent(name: str, data: bytes, **changes: Any) -> bytes:
    """Returns a file as it comes over the link: a line of JSON, then its bytes."""
    entry = {"name": name, "size_bytes": len(data), "sha256": digest(data), **changes}
    return json.dumps(entry).encode() + b"\n" + data


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def answer(
    monkeypatch: pytest.MonkeyPatch, verb: str, folder: Path, request: bytes = b""
) -> tuple[dict[str, Any], bytes]:
    """Returns the reply to a request and the bytes that follow it."""
    output = io.BytesIO()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(request), encoding="utf-8"))
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", io.TextIOWrapper(output, encoding="utf-8", write_through=True))
        assert ssh_remote.main(verb, str(folder)) == 0
        written = output.getvalue()
    # A line of its own, even behind a login shell that ended in mid line.
    before, mark, after = written.partition(b"\n" + ssh_remote.MARK)
    assert before == b"" and mark
    line, _, data = after.partition(b"\n")
    return json.loads(line), data


def test_an_absent_folder_misses_every_file(tmp_path: Path) -> None:
    wanted = {"job.json": digest(b"{}"), "models/0000.onnx": digest(MODEL)}
    found = ssh_remote.compare(str(tmp_path / "none"), {"files": wanted, "modules": []})
    assert found == {
        "missing": ["job.json", "models/0000.onnx"],
        "other_job": False,
        "journal_bytes": 0,
        "broken_modules": [],
    }


def test_only_what_is_absent_or_differs_is_missing(tmp_path: Path) -> None:
    (tmp_path / "job.json").write_bytes(b"{}")
    (tmp_path / "torn.onnx").write_bytes(MODEL[:100])
    (tmp_path / "journal.jsonl").write_bytes(b"12345")
    wanted = {"job.json": digest(b"{}"), "torn.onnx": digest(MODEL), "gone.onnx": digest(MODEL)}
    found = ssh_remote.compare(str(tmp_path), {"files": wanted, "modules": []})
    assert found["missing"] == ["torn.onnx", "gone.onnx"]
    assert (found["other_job"], found["journal_bytes"]) == (False, 5)


def test_a_folder_with_another_job_is_told(tmp_path: Path) -> None:
    (tmp_path / "job.json").write_bytes(b'{"rounds": 1}')
    request = {"files": {"job.json": digest(b"{}")}, "modules": []}
    assert ssh_remote.compare(str(tmp_path), request)["other_job"] is True


def test_a_module_that_cannot_be_imported_is_named_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_install.py").write_text("raise OSError('libgomp.so.1 is gone\\nmore')")
    (tmp_path / "silent_install.py").write_text("raise RuntimeError")
    monkeypatch.syspath_prepend(str(tmp_path))
    modules = ["json", "broken_install", "silent_install", "no_such_module_here"]
    request = {"files": {"job.json": ""}, "modules": modules}
    assert ssh_remote.compare(str(tmp_path), request)["broken_modules"] == [
        "broken_install: libgomp.so.1 is gone",
        "silent_install: RuntimeError()",
        "no_such_module_here: No module named 'no_such_module_here'",
    ]


def test_the_digest_of_a_file_longer_than_a_chunk_is_that_of_its_bytes(tmp_path: Path) -> None:
    data = MODEL * (ssh_remote.CHUNK_BYTES // len(MODEL) + 1)
    path = tmp_path / "long"
    path.write_bytes(data)
    assert len(data) > ssh_remote.CHUNK_BYTES and ssh_remote.sha256(path) == digest(data)
    assert ssh_remote.sha256(tmp_path / "none") == ""


def test_received_files_are_as_they_were_sent(tmp_path: Path) -> None:
    long = MODEL * (ssh_remote.CHUNK_BYTES // len(MODEL) + 1)
    (tmp_path / "job.json").write_bytes(b"an older one")
    stream = io.BytesIO(sent("job.json", b"{}") + sent("models/a", long) + sent("empty", b""))
    assert ssh_remote.receive(str(tmp_path), stream) == {"received": 3}
    assert names(tmp_path) == ["empty", "job.json", "models/a"]
    assert (tmp_path / "job.json").read_bytes() == b"{}"
    assert (tmp_path / "models/a").read_bytes() == long
    assert (tmp_path / "empty").read_bytes() == b""


def test_a_new_folder_is_open_to_its_owner_alone(tmp_path: Path) -> None:
    ssh_remote.receive(str(tmp_path / "job"), io.BytesIO(sent("job.json", b"{}")))
    assert (tmp_path / "job").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("torn", "error", "text"),
    [
        (sent("model", MODEL)[:-1], EOFError, "the link ended within model"),
        (sent("model", MODEL, sha256=digest(b"")), ValueError, "model changed on its way"),
        (sent("model", MODEL)[:9], EOFError, "the link ended between two files"),
    ],
)
def test_a_file_that_does_not_arrive_whole_leaves_nothing_new(
    tmp_path: Path, torn: bytes, error: type[Exception], text: str
) -> None:
    (tmp_path / "model").write_bytes(b"an older one")
    with pytest.raises(error, match=text):
        ssh_remote.receive(str(tmp_path), io.BytesIO(sent("first", b"1") + torn))
    # The file before it arrived whole and is not sent again.
    assert names(tmp_path) == ["first", "model"]
    assert (tmp_path / "model").read_bytes() == b"an older one"


def test_a_transfer_that_hung_and_goes_on_does_not_disturb_the_one_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Hanging(io.BytesIO):
        """A link that holds in mid file until another process has received the same file."""

        def read(self, size: int | None = -1, /) -> bytes:
            with monkeypatch.context() as patch:
                patch.setattr(os, "getpid", lambda: 77)
                ssh_remote.receive(str(tmp_path), io.BytesIO(sent("model", MODEL)))
            assert (tmp_path / "model").read_bytes() == MODEL
            return super().read(size)

    assert ssh_remote.receive(str(tmp_path), Hanging(sent("model", MODEL))) == {"received": 1}
    assert names(tmp_path) == ["model"] and (tmp_path / "model").read_bytes() == MODEL


def test_a_request_to_compare_is_answered_with_one_marked_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = {"files": {"job.json": digest(b"{}")}, "modules": ["json"]}
    reply, data = answer(monkeypatch, "compare", tmp_path, json.dumps(request).encode())
    assert reply == ssh_remote.compare(str(tmp_path), request) and data == b""


def test_files_come_in_over_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reply, data = answer(monkeypatch, "receive", tmp_path / "job", sent("a/b", MODEL))
    assert (reply, data) == ({"received": 1}, b"")
    assert (tmp_path / "job/a/b").read_bytes() == MODEL


def test_a_result_follows_its_size_and_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = b'{"rounds": 4}\n\n'
    (tmp_path / "result.json").write_bytes(result)
    reply, data = answer(monkeypatch, "result", tmp_path)
    assert reply == {"size_bytes": len(result), "sha256": digest(result)} and data == result


@pytest.mark.parametrize(
    ("verb", "request_bytes", "error"),
    [
        ("result", b"", "FileNotFoundError: "),
        ("compare", b"{", "JSONDecodeError: "),
        ("receive", sent("model", MODEL)[:-1], "EOFError: the link ended within model"),
    ],
)
def test_an_error_is_an_answer_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str, request_bytes: bytes, error: str
) -> None:
    reply, data = answer(monkeypatch, verb, tmp_path, request_bytes)
    assert list(reply) == ["error"] and reply["error"].startswith(error) and data == b""
