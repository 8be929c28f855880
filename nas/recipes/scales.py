"""Scales: every length, size and plan that follows from how large a job is."""

from __future__ import annotations

from dataclasses import dataclass

from nas.hardware.plans import FULL, TOY, MeasuringPlans
from nas.methods.config import USUAL_PACE as SEARCH_PACE
from nas.methods.config import GateConfig, supernet_recipe
from nas.methods.evolution import EvolutionConfig
from nas.ranges import check_count, check_number
from nas.recipes.images import IMAGES as IMAGES_RECIPE
from nas.recipes.sample import SAMPLE as SAMPLE_RECIPE
from nas.recipes.smoke import SMOKE as SMOKE_RECIPE
from nas.registry import check_known
from nas.selection.baselines import EQUAL_MARGIN
from nas.training.rate_curve import RatePlan
from nas.training.recipe import USUAL_PACE, Pace, Recipe


@dataclass(frozen=True)
class Scale:
    """The size of a job; flags may change single lengths of a run.

    Args:
        name: That `Scale.named` knows it by.
        recipe: What a network trains with when it trains alone, with its epochs and batch size.
        search_epochs: Passes over the images in a search, above 0.
        search_batch_size: Images a step of a search, 2 or more.
        search_label_smoothing: Of the loss of the shared weights, from 0 to below 1. Networks are
            compared by the plain cross-entropy, which smoothing keeps from getting small.
        search_made_for_steps: Weight steps that the search was tried with; None where nobody can
            say.
        random_networks: Random networks of equal milliseconds to compare with, 0 or more.
        proposals: Networks that the gates propose to the supernet, 0 or more.
        trains_baselines: Whether `main.py` trains networks to compare with too.
        search_pace: How often a search speaks and saves.
        pace: How often a training does.
        evolution: Sizes of an evolution, and of the images that networks are scored on.
        equal_margin: Share by which networks of equal milliseconds may differ, above 0.
        rate_plan: Which learning rates `--find_learning_rate` tries.
        measuring: How everything is measured.
        is_toy: Whether few images are used: embedded samples are drawn with few, and of others the
            first of each class are taken.

    Raises:
        InputError: A value is out of its range.
    """

    name: str
    recipe: Recipe
    search_epochs: float = 8.0
    search_batch_size: int = 64
    search_label_smoothing: float = 0.1
    search_made_for_steps: int | None = None
    random_networks: int = 3
    proposals: int = 32
    trains_baselines: bool = False
    search_pace: Pace = SEARCH_PACE
    pace: Pace = USUAL_PACE
    evolution: EvolutionConfig = EvolutionConfig()
    equal_margin: float = EQUAL_MARGIN
    rate_plan: RatePlan = RatePlan()
    measuring: MeasuringPlans = FULL
    is_toy: bool = False

    def __post_init__(self) -> None:
        check_number("search_epochs", self.search_epochs, above=0)
        check_count("search_batch_size", self.search_batch_size, least=2)
        check_number("search_label_smoothing", self.search_label_smoothing, least=0, below=1)
        check_count("random_networks", self.random_networks, least=0)
        check_count("proposals", self.proposals, least=0)
        check_number("equal_margin", self.equal_margin, above=0)

    @property
    def epochs(self) -> float:
        """Passes over the images of a network that trains alone."""
        return self.recipe.epochs

    def recipe_for(self, is_sample: bool) -> Recipe:
        """The recipe of this scale for the images at hand.

        Args:
            is_sample: Whether they are an embedded sample; letters know left from right.
        """
        found = self.recipe.with_flip(self.recipe.augmentation.flip and not is_sample)
        return found.resolved()

    def sized(self, recipe: Recipe) -> Recipe:
        """A named recipe at this scale: at toy size with few epochs and small batches.

        Args:
            recipe: As it is registered.
        """
        if not self.is_toy:
            return recipe
        return recipe.shortened(self.recipe.epochs, self.recipe.batch_size)

    @property
    def search_recipe(self) -> Recipe:
        """What the weights of a search's supernet train with; its rate is for this batch size."""
        return supernet_recipe(
            self.search_epochs,
            self.search_batch_size,
            rate_batch_size=self.search_batch_size,
            label_smoothing=self.search_label_smoothing,
            made_for_steps=self.search_made_for_steps,
        )

    @property
    def gates(self) -> GateConfig:
        """How gates learn; their rate is for this batch size."""
        return GateConfig(rate_batch_size=self.search_batch_size)

    @classmethod
    def named(cls, name: str) -> Scale:
        """One of the scales that there are.

        Args:
            name: `sample`, `images` or `smoke`.

        Raises:
            InputError: There is none of this name.
        """
        check_known("scale", name, SCALES)
        return SCALES[name]

    @classmethod
    def fitting(cls, is_sample: bool, smoke: bool) -> Scale:
        """The scale of a job.

        Args:
            is_sample: Whether its images are an embedded sample.
            smoke: Whether `--smoke` asks for toy size.
        """
        if smoke:
            return SMOKE
        return SAMPLE if is_sample else IMAGES


# Sized for two cores: about 5 minutes of search and 6 of retraining.
SAMPLE = Scale(
    "sample",
    SAMPLE_RECIPE,
    search_epochs=12.0,
    search_batch_size=32,
    search_label_smoothing=0.0,
    search_made_for_steps=3000,
    random_networks=2,
    trains_baselines=True,
)
# The sample's steps, as for the recipe.
IMAGES = Scale("images", IMAGES_RECIPE, search_made_for_steps=3000)
EVERY_STEP = Pace(log_every=1, checkpoint_seconds=0.0)  # so that tests can stop at any of them
SMOKE = Scale(
    "smoke",
    SMOKE_RECIPE,
    search_epochs=1.0,
    search_batch_size=16,
    random_networks=1,
    proposals=3,
    trains_baselines=True,
    search_pace=EVERY_STEP,
    pace=EVERY_STEP,
    evolution=EvolutionConfig(
        population=4, generations=1, parents=2, images=32, statistics_images=16
    ),
    equal_margin=1e6,  # three rounds on a busy machine differ by more than any honest margin
    rate_plan=RatePlan(steps=12),
    measuring=TOY,
    is_toy=True,
)
SCALES = {scale.name: scale for scale in (SAMPLE, IMAGES, SMOKE)}
