"""Recipes by name, one file each as plain data, and scales: the sizes of a job.

Importing this folder registers every recipe in it.
"""

from nas.recipes.cifar_small import CIFAR_SMALL
from nas.recipes.cnv import CNV
from nas.recipes.images import IMAGES
from nas.recipes.registry import RECIPES
from nas.recipes.resnet9 import RESNET9
from nas.recipes.resnet9_custom import RESNET9_CUSTOM
from nas.recipes.resnet9_exp import RESNET9_EXP
from nas.recipes.resnet9_piecewise import RESNET9_PIECEWISE
from nas.recipes.resnet9_smoothed import RESNET9_SMOOTHED
from nas.recipes.resnet9_triangular import RESNET9_TRIANGULAR
from nas.recipes.resnet9_triangular2 import RESNET9_TRIANGULAR2
from nas.recipes.sample import SAMPLE
from nas.recipes.short import SHORT
from nas.recipes.smoke import SMOKE
from nas.recipes.tiny_imagenet import TINY_IMAGENET
from nas.recipes.tiny_imagenet_long import TINY_IMAGENET_LONG
from nas.recipes.trigger import TRIGGER

__all__ = [
    "CIFAR_SMALL",
    "CNV",
    "IMAGES",
    "RECIPES",
    "RESNET9",
    "RESNET9_CUSTOM",
    "RESNET9_EXP",
    "RESNET9_PIECEWISE",
    "RESNET9_SMOOTHED",
    "RESNET9_TRIANGULAR",
    "RESNET9_TRIANGULAR2",
    "SAMPLE",
    "SHORT",
    "SMOKE",
    "TINY_IMAGENET",
    "TINY_IMAGENET_LONG",
    "TRIGGER",
]
