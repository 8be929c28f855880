"""The latency table of a run."""

from __future__ import annotations

from pathlib import Path

from latency.command_line import join
from latency.tables.table import LatencyTable
from nas.errors import InputError
from nas.hardware.tables import JOURNAL_FILE, table_for, table_job
from nas.pipeline.device_table import DeviceMeasuring
from nas.report.verdict import speed_text
from nas.runs.config import RunConfig
from nas.runs.folder import RunFolder
from nas.runs.trials import TrialsConfig
from nas.search_space.space import Space
from nas.system.console import out
from nas.system.program import command_words

TABLE_FILE = "table.json"


def run_table(
    folder: RunFolder,
    space: Space,
    config: RunConfig | TrialsConfig,
    measuring: DeviceMeasuring | None = None,
) -> LatencyTable:
    """The table of a run folder; found or measured, and kept there, if it has none yet.

    Args:
        folder: Of the run.
        space: Whose rows it must hold.
        config: Of the run.
        measuring: Who measures on devices of a cluster; None for nobody.

    Raises:
        LatencyError: The table is of something else, or cannot be read or measured.
    """
    path = folder.path / TABLE_FILE
    asked = Path(config.table) if config.table else None
    is_new = not path.is_file()
    if is_new and config.device is not None and asked is None:
        if measuring is None:
            raise InputError(
                f"a cluster on which the device {config.device} hangs, to measure the table of the "
                "run",
                "--resume without one",
                f"add --executor ray --latency_device {config.device}, and --ray_address",
            )
        job = table_job(space, config.seed, config.sizes.measuring)
        measuring.table(job, config.device, path)
    table = table_for(
        space,
        given=path if path.is_file() else asked,
        other_host=config.device is not None,
        run_dir=folder.path,
        seed=config.seed,
        plans=config.sizes.measuring,
    )
    if not path.is_file():
        table.save(path)
    if is_new:
        audit = table.audit
        if audit is not None:
            out.print(
                f"Table: {len(table.rows)} rows; on {audit.n} held-out networks "
                f"{audit.within_5_percent:.0%} within 5 %, mean error "
                f"{audit.mape_percent:.1f} % (noise floor {audit.noise['mape_percent']:.1f} %); "
                f"{speed_text(table.speed.share_full_speed)}."
            )
    (folder.path / JOURNAL_FILE).unlink(missing_ok=True)
    return table


def build_command(config: RunConfig, image_size: int, num_classes: int) -> str:
    """The command that measures a run's table again, into this host's cache; quoted for a shell.

    Args:
        config: Of the run.
        image_size: Height and width in pixels.
        num_classes: Of the images.
    """
    words = [*command_words("table"), "--space", config.space]
    words += [f"--image_size={image_size}", f"--num_classes={num_classes}"]
    for path in config.blocks:
        words += ["--blocks", path]
    return join(words)
