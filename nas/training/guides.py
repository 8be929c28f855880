"""What guides a training beside labels and recipe: its teacher, and what chooses its weights."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from nas.metrics import AskedMetrics
from nas.training.teachers.teacher import Teacher


@dataclass(frozen=True)
class Guides:
    """A teacher, and a metric on held-out training images.

    Args:
        teacher: Of the recipe, where it was read already; None to read it, if the recipe has one.
        selection: One metric, which chooses between the last weights and their average; without
            metrics, top-1 does.
    """

    teacher: Teacher | None = None
    selection: AskedMetrics = field(default_factory=AskedMetrics)


NO_GUIDES: Final = Guides()
