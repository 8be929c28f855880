"""Flags of `main.py` that show networks or compare them: what they are, and what they stand beside.

`--summary`, `--curves` and `--predict` show what is there and train nothing.
"""

from __future__ import annotations

from typing import Any

from absl import flags

# A command line may go on with these words behind its flags: `--predict *.jpg`.
TAKES_WORDS = ("predict",)


def define_show_flags(values: flags.FlagValues) -> None:
    """Defines `--compare`, `--summary`, `--csv`, `--curves`, `--predict` and `--int8`.

    Args:
        values: Where they are defined.
    """
    text: dict[str, Any] = {"flag_values": values}
    flags.DEFINE_multi_string(
        "compare",
        None,
        "Networks to train by one recipe and to measure together: names, run folders, files and "
        "architecture strings, with commas between them; may be given several times.",
        **text,
    )
    flags.DEFINE_bool("summary", False, "Print the layers' params and MACs and stop.", **text)
    flags.DEFINE_string("csv", None, "File that --summary writes its table to.", **text)
    flags.DEFINE_bool(
        "curves", False, "Draw loss, accuracy and learning rate over the epochs and stop.", **text
    )
    flags.DEFINE_multi_string(
        "predict",
        None,
        "Images, or folders of images, that the exported network says the classes of; several "
        "with commas between them or behind each other: --predict *.jpg.",
        **text,
    )
    flags.DEFINE_bool("int8", False, "--predict with the exported file of 8 bits.", **text)
