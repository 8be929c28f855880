"""Spaces whose knobs hold for the whole network, one file each.

Importing this folder registers every space in it.
"""

from nas.search_space.knob_spaces.cnv import CNV, CNV_SMALL
from nas.search_space.knob_spaces.registry import KNOB_SPACES
from nas.search_space.knob_spaces.trigger import TRIGGER

__all__ = ["CNV", "CNV_SMALL", "KNOB_SPACES", "TRIGGER"]
