"""What a training learns from a teacher; importing it starts no framework."""

from __future__ import annotations

from dataclasses import dataclass, field

from nas.ranges import check_number
from nas.registry import check_known
from nas.training.teachers.scaling import SCALINGS


@dataclass(frozen=True)
class Distillation:
    """How a network learns from a teacher beside the labels; without a teacher, from labels alone.

    The teacher scores the very pixels that the network is shown, crop by crop.

    Source: Hinton, Vinyals and Dean 2015, arXiv 1503.02531; Beyer et al. 2022, arXiv 2106.05237
    (consistent teaching). Weight and temperature are those of Tian, Krishnan and Isola 2020,
    arXiv 1910.10699.

    Args:
        teacher: A trained network: its .onnx or .keras file, or the folder of a run that has
            trained one; None for none. Two files with the same content are the same teacher.
        teacher_weight: Share of the loss that compares with the teacher, above 0 and up to 1; the
            rest compares with the labels.
        teacher_temperature: What all scores are divided by before they are compared, above 0;
            higher ones teach more of the classes that are wrong.
        teacher_input: How the teacher wants its pixels: `pixels` (0 to 255), `unit` (0 to 1),
            `symmetric` (-1 to 1) or `imagenet` (normalised by the colours of ImageNet); None where
            its file says it.
        teacher_sha256: Hash of the teacher's file in hexadecimal digits; empty without a teacher.

    Raises:
        InputError: A value is out of its range, or a name is unknown.
    """

    # Where the file lies is no part of what is learned: it may have moved.
    teacher: str | None = field(default=None, compare=False)
    teacher_weight: float = 0.9
    teacher_temperature: float = 4.0
    teacher_input: str | None = field(default=None, metadata={"names": tuple(SCALINGS)})
    teacher_sha256: str = field(default="", metadata={"is_fact": True})

    def __post_init__(self) -> None:
        check_number("teacher_weight", self.teacher_weight, above=0, most=1)
        check_number("teacher_temperature", self.teacher_temperature, above=0)
        if self.teacher_input is not None:
            check_known("teacher_input", self.teacher_input, SCALINGS)
