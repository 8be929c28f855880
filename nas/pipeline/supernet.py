"""The supernet of a run: trained here or borrowed from another run, and what is asked of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from latency.device import strict_json
from nas.architecture.spec import Architecture
from nas.data import Dataset, Split
from nas.errors import InputError
from nas.hardware.predictor import SpaceLatency
from nas.pipeline.inputs import scale_of
from nas.runs.folder import RunFolder
from nas.runs.records import SupernetScore
from nas.runs.tensorboard import write_events
from nas.search.config import SearchConfig
from nas.search.evolution import EvolutionConfig
from nas.search.history import SearchRow
from nas.search_space.space import Space
from nas.system import backend
from nas.system.console import bar, out
from nas.system.interrupt import Interrupter

if TYPE_CHECKING:
    from nas.search.gate_probabilities import GateProbabilities
    from nas.search.gradient import GradientSearch
    from nas.supernet.scoring import ForwardViews, SharedScorer


@dataclass
class SupernetStage:
    """Trains a supernet with its gates, once; later calls read what is there.

    Args:
        folder: Of the run.
        space: Of the run.
        latency: Its milliseconds.
        dataset: Images.
        config: The run's configuration.
        interrupter: Asked whether to stop.
    """

    folder: RunFolder
    space: Space
    latency: SpaceLatency
    dataset: Dataset
    config: Mapping[str, Any]
    interrupter: Interrupter
    _searcher: GradientSearch | None = field(default=None, repr=False)
    _is_trained: bool = field(default=False, repr=False)
    _views: ForwardViews | None = field(default=None, repr=False)

    def train(self) -> None:
        """Search of weights and gates; writes search.json, gates.json and history.csv."""
        if self.folder.has("search.json") or self.config.get("supernet"):
            return
        out.print("Starting Keras and building the supernet ...")
        searcher = self.searcher()
        with bar("Searching") as progress:
            result = searcher.run(
                lambda state: progress.update(
                    state.step, searcher.total_steps, note=search_note(state.history[-1])
                )
            )
        self._is_trained = True
        self.folder.write_csv(SearchRow.FILE, result.history)
        write_events(self.folder.path / "tensorboard", result.history, "search/")
        self.folder.write(result.gates)
        p = result.probabilities
        self.folder.write_json(
            "search.json",
            {
                "expected_ms": result.expected_ms,
                "probabilities": {
                    "kernel": p.kernel.tolist(),
                    "expansion": p.expansion.tolist(),
                    "skip": p.skip.tolist(),
                    "kernels": list(p.kernels),
                    "expansions": list(p.expansions),
                },
            },
        )

    def probabilities(self) -> tuple[GateProbabilities, float]:
        """Of the gates, and E[ms] under them."""
        from nas.search.gate_probabilities import GateProbabilities

        found = self.folder.read_json("search.json")
        return GateProbabilities.from_json(found["probabilities"]), float(found["expected_ms"])

    def searcher(self) -> GradientSearch:
        """The search, its supernet untrained until `run` restores or trains it."""
        if self._searcher is None:
            backend.start(**self.config.get("compute", {}))
            from nas.search.gradient import GradientSearch

            settings, seed = self.config["search"], int(self.config["seed"])
            checkpoint = self.folder.checkpoint("search")
            if self.config.get("supernet"):
                settings, seed, checkpoint = self._lender()
            self._searcher = GradientSearch(
                self.space,
                self.latency,
                self.dataset.train,
                strict_json.decode(SearchConfig, settings, f"{self.folder.path}/config.json"),
                checkpoint,
                self.interrupter,
                self.config["lambda"],
                self.config["target_ms"],
                seed,
                scale_of(self.config).search_pace,
            )
        return self._searcher

    def _trained(self) -> GradientSearch:
        searcher = self.searcher()
        if not self._is_trained:
            searcher.run(lambda state: None)  # restores what an earlier process trained
            self._is_trained = True
        return searcher

    def _lender(self) -> tuple[dict[str, Any], int, Path]:
        """Search settings, seed and checkpoint of the run that lends its supernet."""
        lender = RunFolder.open(Path(self.config["supernet"]))
        theirs = lender.read_json("config.json")
        for name in ("space", "image_size", "num_classes"):
            if theirs.get(name) != self.config[name]:
                raise InputError(
                    f"a supernet of the same {name.replace('_', ' ')}, {self.config[name]}",
                    f"{theirs.get(name)} in {lender.path}",
                    "name a run of the same space and data, or train anew without --supernet",
                )
        checkpoint = lender.checkpoint("search")
        if not lender.has("search.json") or not checkpoint.is_file():
            raise InputError(
                f"a finished search with its checkpoint in {lender.path}",
                "none",
                f"finish it: python nas.py --run_dir {lender.path} --resume",
            )
        return theirs["search"], int(theirs["seed"]), checkpoint

    def _forward(self) -> ForwardViews:
        if self._views is None:
            from nas.supernet.scoring import ForwardViews

            searcher = self.searcher()
            self._views = ForwardViews.of(searcher.network, searcher.config.execution)
        return self._views

    def scorer(self, evolution: EvolutionConfig) -> SharedScorer:
        """Ranks networks on training images that the weights never learned from."""
        from nas.supernet.scoring import SharedScorer

        searcher = self._trained()
        seed = int(self.config["seed"])
        # Drawn, since images may lie class by class.
        judging = np.random.default_rng((seed, 14)).permutation(searcher.gates_part)
        return SharedScorer(
            self._forward(),
            self.dataset.train,
            evolution.statistics_images,
            self.dataset.train,
            indices=np.sort(judging[: evolution.images]),
            statistics_indices=searcher.weights_part,
            seed=seed,
        )

    def evaluate(self, architecture: Architecture) -> SupernetScore:
        """Accuracy with shared weights on the evaluation split; kept in supernet.json."""
        if not self.folder.has(SupernetScore):
            from nas.supernet.scoring import SharedScorer

            searcher = self._trained()
            evaluation: Split = self.dataset.evaluation
            found = SharedScorer(
                self._forward(),
                self.dataset.train,
                EvolutionConfig().statistics_images,
                evaluation,
                statistics_indices=searcher.weights_part,
            ).accuracy(self.space.encode(architecture))
            self.folder.write(SupernetScore(found.top1, found.top5))
        return self.folder.read(SupernetScore)


def search_note(row: Mapping[str, Any]) -> str:
    """A row of the history for a progress bar."""
    accuracy = row["accuracy"] or 0.0
    return (
        f"{row['stage']}  E = {row['expected_ms']:.3f} ms  accuracy {accuracy:.1%}  "
        f"{row['examples_per_s']:.0f} images/s"
    )
