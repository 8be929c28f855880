"""The choice of blocks that run as int8: by milliseconds measured here, and by accuracy.

What a block saves depends on its neighbours, as numbers are converted between int8 and float32.
Blocks are therefore put in an order by what each brings alone, and sets that begin that order are
measured as whole networks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from latency.device.clock import now_text
from latency.device.plan import MeasurePlan
from latency.measurement.compare import FASTER, UNKNOWN, Ratio, compare_models
from latency.measurement.measure import Model
from latency.measurement.processes import ProcessRule
from latency.measurement.timing import Timing
from nas.architecture.spec import Architecture
from nas.architecture.text import layer_to_text
from nas.data import Split
from nas.deployment import int8_blocks
from nas.deployment.formats import REFERENCE
from nas.deployment.int8 import drawn_images, to_int8
from nas.deployment.records import Int8Block, Int8Blocks, Int8Candidate, Int8Settings
from nas.deployment.scores import onnx_scores, shares
from nas.deployment.timing import MOST_LOSS, sha256
from nas.hardware.plans import ONE_PROCESS, MeasuringPlans
from nas.hardware.tables import DEPLOYED
from nas.system.console import bar

# Training images that blocks are judged on, and of them those that errors of layers come from.
MOST_JUDGING, MOST_ERRORS = 2000, 16

Compared = tuple[dict[str, Timing], dict[str, Ratio]]
Compare = Callable[[Mapping[str, bytes], MeasurePlan, ProcessRule], Compared]


@dataclass(frozen=True)
class Judged:
    """A file on the judging images.

    Args:
        top1: Share that it classifies right.
        cross_entropy: Mean in nats.
    """

    top1: float
    cross_entropy: float


@dataclass(frozen=True)
class BlockChoice:
    """What the choice looks at.

    Args:
        fp32: Of model.onnx.
        architecture: The network.
        train: Training images: some calibrate, and others judge.
        settings: How blocks are quantised.
        plans: How everything is measured.
        host_fingerprint: Of this machine.
    """

    fp32: bytes
    architecture: Architecture
    train: Split
    settings: Int8Settings
    plans: MeasuringPlans
    host_fingerprint: str

    def made(self, nodes: tuple[str, ...] | None = None) -> bytes:
        """The network with some nodes in int8.

        Args:
            nodes: Their names; None for all.
        """
        return to_int8(self.fp32, self.settings, self.train, nodes)

    def chosen(self) -> Int8Blocks:
        """Measures, judges and chooses.

        Raises:
            LatencyError: The quantizer or a measuring process failed.
        """
        nodes = int8_blocks.nodes_of_blocks(self.fp32)
        judging = self._judging()
        alone = self._alone(nodes, judging)
        order = int8_blocks.in_order_of_worth(alone.gains_ms, alone.losses)
        paying = sum(gain > 0 for gain in alone.gains_ms.values())
        sizes = int8_blocks.candidate_sizes(paying, len(order))
        candidates = self._candidates(nodes, [order[:size] for size in sizes], judging)
        best, reason = best_of(candidates, alone.fp32.top1)
        return Int8Blocks(
            source_sha256=sha256(self.fp32),
            host_fingerprint=self.host_fingerprint,
            date=now_text(),
            int8=self.settings,
            judging_images=len(judging.labels),
            fp32_ms=alone.fp32_ms,
            fp32_top1=alone.fp32.top1,
            blocks=self._blocks(nodes, alone, best, judging),
            candidates=candidates,
            chosen=best,
            reason=reason,
        )

    def _judging(self) -> Split:
        taken = drawn_images(self.settings, self.train)
        seed = self.settings.seed
        return self.train.part(
            int8_blocks.judging_rows(len(self.train.labels), taken, MOST_JUDGING, seed)
        )

    def _alone(self, nodes: Mapping[str, tuple[str, ...]], judging: Split) -> Alone:
        """Each block alone in int8, beside the network in float32."""
        files = {REFERENCE: self.fp32}
        with bar("Blocks in int8, one at a time") as shown:
            for number, (name, own) in enumerate(nodes.items(), start=1):
                files[name] = self.made(own)
                shown.update(number, len(nodes))
        judged = {name: judged_on(data, judging) for name, data in files.items()}
        timings, _ = self._compared(files, self.plans.choice, ONE_PROCESS, "Blocks alone")
        first = judged[REFERENCE]
        fp32_ms = timings[REFERENCE].latency_ms
        return Alone(
            fp32_ms,
            first,
            {name: fp32_ms - timings[name].latency_ms for name in nodes},
            {name: judged[name].cross_entropy - first.cross_entropy for name in nodes},
        )

    def _candidates(
        self, nodes: Mapping[str, tuple[str, ...]], sets: Sequence[Sequence[str]], judging: Split
    ) -> tuple[Int8Candidate, ...]:
        """Sets of blocks as whole networks, next to that of float32."""
        files = {REFERENCE: self.fp32}
        for number, names in enumerate(sets):
            files[f"set {number}"] = self.made(int8_blocks.joined(nodes, names))
        plans = self.plans
        rule = plans.export_rule
        timings, ratios = self._compared(files, plans.certificate, rule, "Blocks together")
        found = []
        for number, names in enumerate(sets):
            key, inside = f"set {number}", set(names)
            found.append(
                Int8Candidate(
                    blocks=tuple(name for name in nodes if name in inside),
                    measured_ms=timings[key].latency_ms,
                    ratio=ratios[key].ratio,
                    ratio_low=ratios[key].low,
                    ratio_high=ratios[key].high,
                    verdict=ratios[key].verdict,
                    top1=judged_on(files[key], judging).top1,
                )
            )
        return tuple(found)

    def _compared(
        self, files: Mapping[str, bytes], plan: MeasurePlan, rule: ProcessRule, label: str
    ) -> Compared:
        models = [Model(name, data, name) for name, data in files.items()]
        with bar(f"{label}: measuring {len(models)} files in new processes") as shown:
            return compare_models(
                models,
                DEPLOYED,
                plan,
                rule,
                lambda done, most, left: shown.update(
                    done, most, note=f"{left:.0f} s left at most"
                ),
            )

    def _blocks(
        self,
        nodes: Mapping[str, tuple[str, ...]],
        alone: Alone,
        chosen: Sequence[str],
        judging: Split,
    ) -> tuple[Int8Block, ...]:
        """Every block with the errors that int8 makes there."""
        whole = self.made()
        kernels = int8_blocks.kernel_errors(self.fp32, whole)
        images = judging.images[:MOST_ERRORS]
        outputs = int8_blocks.output_errors(self.fp32, whole, nodes, images)
        return tuple(
            Int8Block(
                name=name,
                layer=layer_to_text(self.architecture.layers[int(name)]),
                kernel_decibel=kernels.get(name),
                output_decibel=outputs.get(name),
                gain_ms=alone.gains_ms[name],
                cross_entropy_loss=alone.losses[name],
                is_int8=name in chosen,
            )
            for name in nodes
        )


@dataclass(frozen=True)
class Alone:
    """What single blocks bring and cost.

    Args:
        fp32_ms: Of the network in float32.
        fp32: The same, judged.
        gains_ms: Block -> milliseconds that it saves.
        losses: Block -> nats of cross-entropy that it costs.
    """

    fp32_ms: float
    fp32: Judged
    gains_ms: Mapping[str, float]
    losses: Mapping[str, float]


def judged_on(data: bytes, judging: Split) -> Judged:
    """A file's accuracy on the judging images.

    Args:
        data: Of the file.
        judging: Images.
    """
    scores = onnx_scores(data, judging)
    top1, _ = shares(scores, judging.labels)
    return Judged(top1, int8_blocks.mean_cross_entropy(scores, judging.labels))


def best_of(candidates: Sequence[Int8Candidate], fp32_top1: float) -> tuple[tuple[str, ...], str]:
    """The fastest set that is faster by the whole interval and costs little accuracy.

    Args:
        candidates: Tried.
        fp32_top1: Of the network in float32, on the same images.

    Returns:
        Names of its blocks, none where no set pays; and why, in words.
    """
    faster = [c for c in candidates if c.verdict == FASTER and c.ratio is not None]
    kept = [c for c in faster if fp32_top1 - c.top1 <= MOST_LOSS]
    unknown = sum(c.verdict == UNKNOWN for c in candidates)
    if not faster and unknown:
        others = ", and no other one is" if unknown < len(candidates) else ""
        return (), (
            f"Of {unknown} of {len(candidates)} sets of blocks it cannot be told whether they are "
            f"faster in int8 here than the network in float32{others}."
        )
    if not faster:
        return (), "No set of blocks is faster in int8 than the network in float32 here."
    if not kept:
        return (), (
            f"Every set of blocks that is faster in int8 costs more than {100 * MOST_LOSS:g} "
            "points of top-1 on training images."
        )
    best = min(kept, key=lambda c: np.inf if c.ratio is None else c.ratio)
    return best.blocks, (
        f"{len(best.blocks)} blocks in int8 take {best.ratio:.3f} times as long as float32 here, "
        f"at a top-1 of {best.top1:.2%} instead of {fp32_top1:.2%} on training images."
    )
