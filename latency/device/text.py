"""Text of files, hosts and libraries, made safe to show on a terminal."""

from __future__ import annotations


def visible(text: str, keep: str = "\n") -> str:
    r"""Returns text in which characters that steer a terminal are written out, such as `\x1b`.

    Characters that turn the direction of writing or that cannot be seen are written out, too.

    Args:
        text: Of anybody.
        keep: Characters that stay; line ends by default. Pass '' for what has to be one line.
    """
    if text.isprintable():
        return text
    # A page has half a million characters, but few different ones.
    found = {c for c in set(text) if not c.isprintable() and c not in keep}
    return text.translate({ord(c): _written_out(c) for c in found})


def _written_out(character: str) -> str:
    if "\udc80" <= character <= "\udcff":  # stands for a byte of a file name that is no UTF-8
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")
