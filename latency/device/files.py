"""Files in folders that somebody else may have made: read within limits, never written over links.

A job's folder travels between machines. Whoever made it may have put links into it, or names of
files that lie elsewhere.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
import tempfile
from collections.abc import Iterator
from typing import BinaryIO

from .errors import FileFormatError, LatencyError

# Of a JSON file or journal. The largest of ours, a result of 200 graphs on a busy machine with all
# of its samples, has about 20 MB.
MOST_TEXT_BYTES = 1 << 27
# Of a model: protocol buffers end at 2^31 - 1 bytes. The slack is for tags and lengths.
MOST_MODEL_BYTES = 2**31 - 1 - 2**20

# Windows has neither, nor links that a user could make without being asked.
_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
_NONBLOCK = getattr(os, "O_NONBLOCK", 0)
_BINARY = getattr(os, "O_BINARY", 0)


class UnwrittenError(LatencyError):
    """A result that could not be written, and was printed instead."""


def read_bytes(path: str | os.PathLike[str], most_bytes: int = MOST_TEXT_BYTES) -> bytes:
    """Reads a whole file; a link to it is followed.

    Args:
        path: Of the file.
        most_bytes: What it may have at most.

    Raises:
        FileFormatError: It is no plain file, cannot be read, or is larger.
    """
    try:
        # Without O_NONBLOCK, opening a pipe waits for its writer for ever.
        descriptor = os.open(path, os.O_RDONLY | _NONBLOCK | _BINARY)
        with open(descriptor, "rb") as stream:
            return _read(stream, path, most_bytes)
    except LatencyError:
        raise
    except (OSError, ValueError) as error:  # a path with a zero byte is a ValueError
        raise FileFormatError(
            f"a readable file {_shown(path)}", str(error), "check the path, or make the file again"
        ) from None


def _read(stream: BinaryIO, path: str | os.PathLike[str], most_bytes: int) -> bytes:
    if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        raise FileFormatError(
            f"a plain file {_shown(path)}", "a folder, device or pipe", "name the file itself"
        )
    data = stream.read(most_bytes + 1)
    if len(data) > most_bytes:
        raise FileFormatError(
            f"at most {most_bytes} bytes in {_shown(path)}", "more", "make the file again"
        )
    return data


def read_inside(folder: str | os.PathLike[str], name: str, most_bytes: int) -> bytes:
    """Reads a plain file of a folder by the name that another file gives it.

    Args:
        folder: Where it has to lie, or below.
        name: Relative to the folder.
        most_bytes: What it may have at most.

    Raises:
        FileFormatError: The name or a link leads out of the folder, or there is no such plain
            file, or it is larger.
    """
    return read_bytes(path_inside(folder, name), most_bytes)


def path_inside(folder: str | os.PathLike[str], name: str) -> str:
    """Returns the real path of a plain file of a folder.

    Args:
        folder: Where it has to lie, or below.
        name: Relative to the folder.

    Raises:
        FileFormatError: The name or a link leads out of the folder, or there is no such file.
    """
    fix = "copy the file into the folder, and name it relative to that, such as 'models/a.onnx'"
    parts = name.replace("\\", "/").split("/")
    if "\0" in name or os.path.isabs(name) or ".." in parts or ":" in parts[0]:
        received = f"{name!r}, which leads out of it"
        raise FileFormatError("names of files in the folder", received, fix)
    root = os.path.realpath(folder)
    path = os.path.realpath(os.path.join(root, name))
    if os.path.commonpath([root, path]) != root:
        received = f"{name!r}, a link that leads out of it"
        raise FileFormatError("names of files in the folder", received, fix)
    if not os.path.isfile(path):
        received = f"{name!r}, which is no file in the folder"
        raise FileFormatError("names of files in the folder", received, fix)
    return path


def open_own(path: str | os.PathLike[str]) -> BinaryIO:
    """Opens a file for reading and writing, made where it is absent; a link is refused.

    Nothing is cut off; the position is the beginning.

    Args:
        path: Of a file that only our programs write.

    Raises:
        FileFormatError: A link, a hard link, or no plain file lies there.
        OSError: The file cannot be made or opened.
    """
    flags = os.O_RDWR | os.O_CREAT | _NOFOLLOW | _NONBLOCK | _BINARY
    try:
        stream = open(os.open(path, flags, 0o666), "r+b")  # noqa: SIM115
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.EMLINK, errno.ENXIO):
            raise
        raise _no_own_file(path) from None
    try:
        state = os.fstat(stream.fileno())
        # What a second name leads to belongs to somebody else.
        if not stat.S_ISREG(state.st_mode) or state.st_nlink > 1:
            raise _no_own_file(path)
    except BaseException:
        stream.close()
        raise
    return stream


def _no_own_file(path: str | os.PathLike[str]) -> FileFormatError:
    return FileFormatError(
        f"a plain file with one name, or none, at {_shown(path)}",
        "a link, a pipe or a device, which is not written to",
        "remove it, then run the same again",
    )


@contextlib.contextmanager
def locked(path: str | os.PathLike[str]) -> Iterator[None]:
    """Waits until no other process holds the lock; the system frees a dead one's.

    Args:
        path: Of the lock's file, made where it is absent.

    Raises:
        FileFormatError: A link, or no plain file, lies there.
        OSError: The file cannot be made or opened.
    """
    try:
        import fcntl
    except ImportError:  # Windows: nothing starts a second worker there
        yield
        return
    with open_own(path) as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def own_folder(path: str | os.PathLike[str]) -> None:
    """Makes a folder that files are written into; a link to another one is refused.

    Args:
        path: Of the folder; the one above it must exist.

    Raises:
        FileFormatError: A link or a file lies there.
        OSError: The folder cannot be made.
    """
    with contextlib.suppress(FileExistsError):
        os.mkdir(path)
    if os.path.islink(path) or not os.path.isdir(path):
        raise FileFormatError(
            f"a folder of its own, or nothing, at {_shown(path)}",
            "a link or a file",
            "remove it, then run the same again",
        )


def write_whole(path: str | os.PathLike[str], data: bytes) -> None:
    """Writes a file so that a reader sees the old content or the new one, never a part.

    A link that lies there is replaced; what it leads to stays as it is.

    Args:
        path: Destination; its folder must exist.
        data: Whole content.

    Raises:
        OSError: The disk is full or the folder cannot be written; the old file is untouched.
    """
    target = os.fspath(path)
    folder, name = os.path.split(target)
    descriptor, temporary = tempfile.mkstemp(prefix=f".{name}.", dir=folder or ".")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        # mkstemp makes private files; results are meant to be shared like any other file.
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def keep_text(path: str | os.PathLike[str], text: str) -> None:
    """Writes a result atomically, or prints it where it cannot be written.

    Args:
        path: Destination; its folder should exist.
        text: Whole content, JSON for example.

    Raises:
        UnwrittenError: The disk is full, or the folder is gone; the text stands on stdout.
    """
    try:
        # Bytes of file names that are no UTF-8 are written out.
        write_whole(path, text.encode("utf-8", "backslashreplace"))
    except OSError as error:
        print(text, end="" if text.endswith("\n") else "\n")
        sys.stdout.flush()
        raise UnwrittenError(
            f"to write {_shown(path)}",
            f"{error.strerror or error}; its content is printed instead",
            "keep what was printed, then free some space or name another path",
        ) from error


def _shown(path: str | os.PathLike[str]) -> str:
    return os.fsdecode(path)
