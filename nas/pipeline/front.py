"""A front: networks trained one by one, timed together in one session, certified each."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from nas.hardware.measurement import (
    KnownNetworks,
    TimedNetworks,
    measure_networks,
    without_emulated,
)
from nas.hardware.tables import DEPLOYED
from nas.pipeline.front_networks import GoalRun
from nas.pipeline.front_record import front_record
from nas.pipeline.inherit import Weights, inherited_weights
from nas.pipeline.retrain import RetrainRun
from nas.pipeline.retrain_certificate import judged_values
from nas.pipeline.retrain_job import FOUND
from nas.pipeline.retrain_jobs import train_ahead
from nas.pipeline.stage_workers import StageWorkers
from nas.report.front import print_front
from nas.report.front_page import write_front_page
from nas.report.pareto import write_pareto
from nas.report.seeds import MoreSeeds
from nas.runs.folder import RunFolder
from nas.runs.front import Front, LostNetwork
from nas.runs.outcome import Outcome
from nas.runs.records import Baselines, Certificate, TrainedRecord
from nas.selection.seed_spread import SeedSpread
from nas.system import backend
from nas.system.console import bar, out

# Of each network all trainings, first seed first; the found network is the first.
Trainings = Sequence[Sequence[TrainedRecord]]


@dataclass(frozen=True)
class Member:
    """One network of a front.

    Args:
        name: Sub-folder of its run.
        goal: What the sweep was asked for; None for a further network.
        lender: The goal whose supernet its first weights are cut out of; None for random ones.
        run: Its training, with those beside it.
    """

    name: str
    goal: str | None
    lender: GoalRun | None
    run: RetrainRun


@dataclass
class FrontRun:
    """Trains, times and certifies all networks of a front; each training is a stage of its own.

    Args:
        sweep: Folder of the sweep.
        members: Its networks; all are trained by one recipe with the same seeds.
        known: Timed beside them, so that a busy machine is noticed.
        said_again: Words that a command with more seeds needs beside the sweep's name.
        workers: That train; None where this program does.
    """

    sweep: RunFolder
    members: Sequence[Member]
    known: KnownNetworks | None = None
    said_again: Sequence[str] = ()
    workers: StageWorkers | None = None
    _cut: dict[str, Mapping[str, Weights]] = field(default_factory=dict, init=False, repr=False)

    def run(self) -> Outcome:
        """Everything; what all goals together came to."""
        trained = self._train()
        if not trained:
            self.members[0].run.refuse_lost()
        if not self._is_finished(trained):
            self._certify(trained)
        front = self.sweep.read(Front)
        write_pareto(self.sweep.path, list(trained))
        page = write_front_page(self.sweep.path, front)
        print_front(front, MoreSeeds(self.sweep.path, self.said_again))
        out.print(f"Front: {page}    Files: {self.sweep.path}", markup=False)
        return front.outcome

    # Training.

    def _train(self) -> dict[str, Trainings]:
        """Every training that is not done yet; all networks with one seed before the next one.

        Returns:
            Of each network its trainings, without those that lost the weights of their first one.
        """
        seeds = self.members[0].run.seeds
        total = seeds * len(self.members)
        found: dict[str, Trainings] = {}
        self._train_ahead()
        is_first = True
        for count in range(1, seeds + 1):
            for place, member in enumerate(self.members, start=1):
                run = replace(member.run, seeds=count)
                if run.is_trained:
                    found[member.name] = run.train(says_recipe=False)
                    continue
                number = (count - 1) * len(self.members) + place
                out.print(f"\n{member.name} ({number} of {total})", style="bold", markup=False)
                run = replace(run, initial_weights=self._start(member))
                found[member.name] = run.train(says_recipe=is_first)
                is_first = False
                backend.forget_models()  # the next network is built as in a new process
        return {name: trainings for name, trainings in found.items() if trainings}

    def _train_ahead(self) -> None:
        """Has all trainings that are still to come done by workers, where there are any."""
        untrained = [member for member in self.members if not member.run.is_trained]
        if self.workers is None or not untrained:
            return
        untrained[0].run.say_recipe()
        train_ahead(
            [replace(one.run, initial_weights=self._start(one)) for one in untrained], self.workers
        )

    def _start(self, member: Member) -> Mapping[str, Weights]:
        """What the networks of a member start from; a supernet is built once for all that need it.

        Args:
            member: One that is not trained yet.
        """
        lender = member.lender
        if lender is None:
            return {}
        if lender.label not in self._cut:
            networks = {
                _key(other, name): network
                for other in self.members
                if other.lender is lender and not other.run.is_trained
                for name, network in other.run.networks.items()
            }
            self._cut[lender.label] = inherited_weights(
                lender.folder, lender.config, member.run.dataset, networks, member.run.interrupter
            )
        cut = self._cut[lender.label]
        names = {name: _key(member, name) for name in member.run.networks}
        return {name: cut[key] for name, key in names.items() if key in cut}

    # Measuring and certifying.

    def _is_finished(self, trained: Mapping[str, Trainings]) -> bool:
        """Whether the front is of these very trainings, and tells what is asked and can be told."""
        if not self.sweep.has(Front):
            return False
        front = self.sweep.read(Front)
        known = {network.name: network for network in front.networks}
        if known.keys() != trained.keys() or front.lost != self._lost:
            return False
        for member in self._members_of(trained):
            folder, network = member.run.folder, known[member.name]
            if not folder.has(Certificate) or network.outcome is Outcome.CANNOT_TELL:
                return False
            certificate = folder.read(Certificate)
            is_same = (certificate.date, certificate.recipe, network.trainings) == (
                network.certificate_date,
                member.run.seeded_recipe,
                _spread(member, trained[member.name]),
            )
            if not is_same or not _has_files(member, certificate):
                return False
            if not _says_what_is_asked(member, certificate, trained[member.name]):
                return False
        return True

    def _certify(self, trained: Mapping[str, Trainings]) -> None:
        """Times all networks in one session, and writes certificates and front.json.

        A front without front.json is timed again as a whole, so that all of its milliseconds are
        of one session.
        """
        timed = self._measured(trained)
        certificates = {}
        for member in self._members_of(trained):
            keys = {name: _key(member, name) for name in member.run.networks}
            own = {name: timed[key] for name, key in keys.items() if key in timed}
            records = trained[member.name]
            part = replace(timed, timings=own)
            certificate, _ = member.run.certify(records, part, self.sweep)
            certificates[member.name] = certificate
        goals = {member.name: member.goal for member in self.members}
        recipe = self.members[0].run.seeded_recipe
        doubt = timed.doubt.reason if timed.doubt else None
        self.sweep.write(front_record(certificates, goals, recipe, doubt, self._lost))

    def _members_of(self, trained: Mapping[str, Trainings]) -> list[Member]:
        return [member for member in self.members if member.name in trained]

    @property
    def _lost(self) -> tuple[LostNetwork, ...]:
        losses = ((member.name, member.run.loss) for member in self.members)
        return tuple(LostNetwork(name, loss.reason) for name, loss in losses if loss is not None)

    def _measured(self, trained: Mapping[str, Trainings]) -> TimedNetworks:
        """All networks, visits interleaved, in the same new processes; none with `--device`."""
        run = self.members[0].run
        if run.device is not None:
            return TimedNetworks()
        members = self._members_of(trained)
        files = {
            _key(member, name): data
            for member in members
            for name, data in member.run.files(trained[member.name]).items()
        }
        files = without_emulated(files)
        if not files:
            return TimedNetworks()
        found = [_key(member, FOUND) for member in members]
        plans = run.scale.measuring
        with bar(f"Timing {len(files)} networks together in new processes") as shown:
            return measure_networks(
                files,
                DEPLOYED,
                plans.certificate,
                plans.certificate_rule,
                self.known,
                named=tuple(key for key in found if key in files),
                progress=lambda done, most, left: shown.update(
                    done, most, note=f"{left:.0f} s left at most"
                ),
            )


def _key(member: Member, name: str) -> str:
    """Name of a network among those of all members."""
    return f"{member.name}/{name}"


def _has_files(member: Member, certificate: Certificate) -> bool:
    """Whether a certificate is of the model.onnx that is there, and of every file asked for."""
    path = member.run.folder.path / "model.onnx"
    if certificate.hashes is None or certificate.exports is None or not path.is_file():
        return False
    if hashlib.sha256(path.read_bytes()).hexdigest() != certificate.hashes.file_sha256:
        return False
    if len(member.run.exports.formats) > 1 and not certificate.exports.is_told:
        return False
    made = {file.name: file for file in certificate.exports.files}
    asked = member.run.exports
    images = asked.calibration_images
    return all(
        name in made and (images is None or (i := made[name].int8) is None or i.images == images)
        for name in asked.formats
    )


def _says_what_is_asked(member: Member, certificate: Certificate, trained: Trainings) -> bool:
    """Whether the records have all networks, by the metrics and the goal that are asked for."""
    folder = member.run.folder
    beside = folder.read(Baselines).networks if folder.has(Baselines) else ()
    known = {**{network.name: network for network in beside}, FOUND: certificate}
    return all(
        (there := known.get(records[0].name)) is not None
        and all(getattr(there, k) == v for k, v in judged_values(member.run, records).items())
        for records in trained
    )


def _spread(member: Member, trained: Trainings) -> SeedSpread:
    """Top-1 of a member's own network over seeds."""
    of_seed = TrainedRecord.by_seed(trained[0], member.run.seed)
    return SeedSpread.of({seed: record.top1 for seed, record in of_seed.items()})
