"""Whether a recipe says something for a network and the size of its images."""

from __future__ import annotations

from nas.architecture.lowering import lower_architecture
from nas.architecture.operations import DropoutOp, all_ops
from nas.architecture.scales import check_formats
from nas.architecture.spec import Architecture
from nas.builders.stochastic_depth import branch_rates
from nas.errors import InputError
from nas.training.image_sizes import check_takes_sizes
from nas.training.recipe import Recipe


def check_suits(architecture: Architecture, recipe: Recipe) -> None:
    """Refuses a recipe that a network cannot be trained with, before its images are read.

    Args:
        architecture: The network.
        recipe: That is asked for.

    Raises:
        InputError: A network that cannot read the recipe's sizes, images that are too small for
            what is done to them, stochastic depth without a residual, dropout without such a layer,
            or formats of numbers that no layer computes exactly.
    """
    lowered = lower_architecture(architecture)
    for layer in lowered:
        check_formats(all_ops(layer.ops))
    sizes = recipe.image_sizes or ()
    check_takes_sizes(architecture, sizes)
    recipe.augmentation.check_size(architecture.image_size)
    # Images are mixed in the size that the network sees.
    recipe.augmentation.mixing.check_size(min((architecture.image_size, *sizes)))
    if recipe.stochastic_depth and not branch_rates(architecture, recipe.stochastic_depth):
        raise InputError(
            "a network with a residual branch with stochastic_depth",
            f"stochastic_depth {recipe.stochastic_depth:g} and none in "
            f"{architecture.name or 'this network'}",
            "set stochastic_depth to 0, or leave it out",
        )
    ops = (op for layer in lowered for op in all_ops(layer.ops))
    if recipe.dropout and not any(isinstance(op, DropoutOp) for op in ops):
        raise InputError(
            "a network with a layer of dropout with dropout",
            f"dropout {recipe.dropout:g} and none in {architecture.name or 'this network'}",
            f"leave dropout out, or write a layer drop_p{recipe.dropout:g} into the network",
        )
