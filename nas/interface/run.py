"""A run as an object: what it was asked for, what it found, and where its report is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nas.architecture.spec import Architecture
from nas.errors import InputError
from nas.interface.showing import draw_curves, predict_images
from nas.interface.training_parts import architecture_of
from nas.methods.history import SearchRow
from nas.report.compared import write_compared_page
from nas.report.front_page import FRONT_PAGE
from nas.report.page import REPORT_NAME, write_report
from nas.report.pareto import PICTURE_NAME
from nas.report.trial_page.page import write_trials_page
from nas.runs.compared import ComparedNetworks
from nas.runs.config import AnyConfig, ComparisonConfig, RunConfig, read_config
from nas.runs.folder import RunFolder
from nas.runs.front import Front as FrontRecord
from nas.runs.history import read_history
from nas.runs.predictions import Predictions
from nas.runs.records import Certificate
from nas.runs.trials import TrialsConfig
from nas.runs.trials_record import TrialsRecord
from nas.system.paths import kept_path
from nas.training.history import TrainingRow


@dataclass(frozen=True)
class Run:
    """A folder that a search or a retraining wrote; every value is read when it is asked for.

    Args:
        path: The folder.

    Raises:
        InputError: It is no run folder, or one of another version.
    """

    path: Path

    def __post_init__(self) -> None:
        # A program may change its folder while it holds the run.
        object.__setattr__(self, "path", Path(kept_path(self.path)))
        RunFolder.open(self.path)

    @property
    def config(self) -> AnyConfig:
        """What the run was asked for."""
        return read_config(self.path)

    @property
    def runs(self) -> tuple[Run, ...]:
        """The runs of a sweep's goals or a comparison's networks, in order; else the run alone."""
        config = self.config
        if isinstance(config, ComparisonConfig):
            return tuple(Run(network.folder_in(self.path)) for network in config.networks)
        if isinstance(config, RunConfig) and config.is_sweep:
            return tuple(Run(self.path / goal.label) for goal in config.goals)
        return (self,)

    @property
    def architecture(self) -> Architecture:
        """The network that was found or given.

        Raises:
            InputError: The search is not finished, or the run is a sweep.
        """
        return architecture_of(RunFolder(self.path))

    @property
    def certificate(self) -> Certificate:
        """What was measured and counted; accuracies are there after a retraining.

        Its `met` is true, false, or None where nothing was asked or it cannot be told; `outcome`
        tells these apart, and `met_reason` and `met_fix` say why and what to do.

        Raises:
            LatencyError: Nothing is certified yet, or the run is a sweep.
        """
        return RunFolder(self.path).read(Certificate)

    @property
    def history(self) -> tuple[SearchRow, ...]:
        """Rows of the search, in order; empty where nothing was searched."""
        return read_history(SearchRow, self.path / SearchRow.FILE)

    @property
    def training_history(self) -> tuple[TrainingRow, ...]:
        """Rows of the training, in order; empty where nothing was trained."""
        return read_history(TrainingRow, self.path / TrainingRow.FILE)

    @property
    def comparison(self) -> ComparedNetworks:
        """The networks of a comparison in figures.

        Raises:
            LatencyError: The run is none, or is not finished.
        """
        return RunFolder(self.path).read(ComparedNetworks)

    @property
    def trials(self) -> TrialsRecord:
        """All trials of a search by trials, and its front, also of one that is not finished.

        Raises:
            LatencyError: The run is none, or has come to no trial yet.
        """
        return RunFolder(self.path).read(TrialsRecord)

    def curves(self) -> Path:
        """Draws loss, accuracy and learning rate over the epochs.

        Returns:
            The picture, `curves.png` in the run's folder.

        Raises:
            InputError: The run is not trained.
        """
        return draw_curves([self.path])

    def predict(self, images: str | Path | Sequence[str | Path], int8: bool = False) -> Predictions:
        """What the exported network says of images; starts no framework.

        An image that cannot be read stops no other: `Predictions.failed` has it.

        Args:
            images: Paths of image files, and of folders, whose images are all taken.
            int8: With the exported file of 8 bits.

        Returns:
            The five most probable classes of each; also written to `predictions/` in the run's
            folder, with pictures.

        Raises:
            InputError: The run is not trained, or not exported in this form.
        """
        several = [images] if isinstance(images, str | Path) else images
        words = [str(path) for path in several]
        return predict_images(RunFolder(self.path), words, int8)[0]

    @property
    def report(self) -> Path:
        """The page about the run, or the picture of a sweep's front; written if it is missing."""
        if isinstance(self.config, ComparisonConfig):
            return write_compared_page(self.path)
        if len(self.runs) > 1:
            return self.path / PICTURE_NAME
        page = self.path / REPORT_NAME
        write = write_trials_page if isinstance(self.config, TrialsConfig) else write_report
        return page if page.is_file() else write(self.path)


@dataclass(frozen=True)
class Front(Run):
    """A sweep whose networks are trained, timed together and certified: models to pick from.

    Args:
        path: The sweep's folder.

    Raises:
        InputError: It is no run folder, or its front is not trained yet.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        if not RunFolder(self.path).has(FrontRecord):
            raise InputError(
                f"a sweep whose networks are trained, with {FrontRecord.FILE}",
                f"{self.path}, which has none",
                "train them: nas.retrain(SWEEP)",
            )

    @property
    def record(self) -> FrontRecord:
        """All networks in figures, fastest first, and where each stands among the others."""
        return RunFolder(self.path).read(FrontRecord)

    @property
    def networks(self) -> tuple[Run, ...]:
        """The run of each network, fastest first, with its certificate and model.onnx."""
        return tuple(Run(self.path / network.name) for network in self.record.networks)

    @property
    def report(self) -> Path:
        """The page to pick a network from."""
        return self.path / FRONT_PAGE


def run_or_front(path: Path) -> Run:
    """The run of a folder, which is a front where its networks are trained.

    Args:
        path: Of the folder.
    """
    return Front(path) if RunFolder(path).has(FrontRecord) else Run(path)
