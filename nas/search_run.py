"""`nas.py`: table, search, choice, comparison, certificate, report; every stage resumes."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latency.session import SessionSettings
from latency.table import LatencyTable
from nas import arch_text, backend, settings
from nas.choice import choose_network
from nas.comparison import equal_random_networks, equal_uniform_network
from nas.console import bar, out
from nas.data import Dataset
from nas.environment import environment
from nas.errors import InputError
from nas.interrupt import Interrupter
from nas.measuring import measure_networks, network_bytes, network_record
from nas.report import write_report
from nas.report_terminal import terminal_table
from nas.runs import RunFolder
from nas.runtime import SpaceLatency
from nas.search.config import SearchConfig
from nas.space import Space
from nas.spec import Architecture
from nas.tables import table_for
from nas.tensorboard import write_events

if TYPE_CHECKING:
    from nas.derive import GateProbabilities
    from nas.search.gradient import GradientSearch


@dataclass
class SearchRun:
    """One run of `nas.py`; its methods are the stages, each skipped if its file is there.

    Args:
        folder: Run folder with config.json.
        space: With the data's classes.
        dataset: Images.
        search_config: Of the gradient search, as plain data of `SearchConfig`.
        table_path: `--table`.
        device: `--device`: the table is another device's, nothing is measured here.
        random_networks: How many to compare with.
        smoke: Toy size.
        interrupter: Asked whether to stop.
    """

    folder: RunFolder
    space: Space
    dataset: Dataset
    search_config: dict[str, Any]
    table_path: Path | None
    device: str | None
    random_networks: int
    smoke: bool
    interrupter: Interrupter

    def run(self) -> dict[str, Any]:
        """All stages; returns the certificate."""
        table = self._table()
        latency = SpaceLatency.from_table(self.space, table)
        self._check_target(latency)
        search = self._search(latency)
        probabilities = search["probabilities"]
        architecture, choice = self._choose(latency, probabilities, search["expected_ms"])
        supernet = self._evaluate_supernet(latency, architecture)
        warnings = self._warnings(table, latency, probabilities, architecture)
        comparison = self._compare(latency, architecture, choice["predicted_ms"])
        certificate = self._certify(latency, architecture, choice, comparison, supernet)
        report = write_report(self.folder.path)
        self._print(certificate, warnings, report)
        return certificate

    # Stages.

    def _table(self) -> LatencyTable:
        path = self.folder.path / "table.json"
        table = table_for(
            self.space,
            given=path if path.is_file() else self.table_path,
            other_host=self.device is not None,
            run_dir=self.folder.path,
            seed=self.search_config["seed"],
            smoke=self.smoke,
        )
        if not path.is_file():
            table.save(path)
            audit = table.audit
            if audit is not None:
                out.print(
                    f"Table: {len(table.rows)} rows; on {audit.n} held-out networks "
                    f"{audit.within_5_percent:.0%} within 5 %, mean error "
                    f"{audit.mape_percent:.1f} % (noise floor {audit.noise['mape_percent']:.1f} %)."
                )
        return table

    def _check_target(self, latency: SpaceLatency) -> None:
        low, high = latency.range_ms()
        out.print(
            f"Space {self.space.name}: {self.space.size:.3g} networks from {low:.3f} to "
            f"{high:.3f} ms (predicted, 1 thread)."
        )
        target = self.search_config["target_ms"]
        if target is not None and not 0.98 * low <= target <= 1.02 * high:
            raise InputError(
                f"--target_ms from {low:.3f} to {high:.3f}, the range of space "
                f"`{self.space.name}` on this device",
                f"{target:g}",
                "ask for milliseconds inside the range, or choose another --space",
            )

    def _searcher(self, latency: SpaceLatency) -> GradientSearch:
        backend.start()
        from nas.search.gradient import GradientSearch

        return GradientSearch(
            self.space,
            latency,
            self.dataset.train,
            SearchConfig(**self.search_config),
            self.folder.checkpoint("search"),
            self.interrupter,
        )

    def _search(self, latency: SpaceLatency) -> dict[str, Any]:
        from nas.derive import GateProbabilities

        if not self.folder.has("search.json"):
            out.print("Starting TensorFlow and building the supernet ...")
            searcher = self._searcher(latency)
            with bar("Searching") as progress:
                result = searcher.run(
                    lambda state: progress.update(
                        state.step, searcher.total_steps, note=_search_note(state.history[-1])
                    )
                )
            self.folder.write_csv("history.csv", result.history)
            write_events(self.folder.path / "tensorboard", result.history, "search/")
            self.folder.write_json("gates.json", result.gates)
            self.folder.write_json(
                "search.json",
                {
                    "expected_ms": result.expected_ms,
                    "probabilities": {
                        "kernel": result.probabilities.kernel.tolist(),
                        "expansion": result.probabilities.expansion.tolist(),
                        "skip": result.probabilities.skip.tolist(),
                        "kernels": list(result.probabilities.kernels),
                        "expansions": list(result.probabilities.expansions),
                    },
                },
            )
        found = self.folder.read_json("search.json")
        return {
            "expected_ms": found["expected_ms"],
            "probabilities": GateProbabilities.from_json(found["probabilities"]),
        }

    def _choose(
        self, latency: SpaceLatency, probabilities: GateProbabilities, expected_ms: float
    ) -> tuple[Architecture, dict[str, Any]]:
        if not self.folder.has("choice.json"):
            target = self.search_config["target_ms"]
            asked = target is not None and self.device is None
            choice = choose_network(
                self.space,
                latency,
                probabilities,
                expected_ms if target is None else target,
                self._measure_one if asked else None,
            )
            self.folder.write_json(
                "choice.json",
                {
                    "indices": list(choice.indices),
                    "predicted_ms": choice.predicted_ms,
                    "target_ms": choice.target_ms,
                    "attempts": choice.attempts,
                },
            )
        data = self.folder.read_json("choice.json")
        architecture = replace(self.space.decode(data["indices"]), name="searched")
        if not self.folder.has("architecture.json"):
            self.folder.write_json("architecture.json", arch_text.to_json(architecture))
        return architecture, data

    def _measure_one(self, architecture: Architecture) -> float:
        return self._measure({"network": architecture})["network"]

    def _measure(self, networks: Mapping[str, Architecture]) -> dict[str, float]:
        found = measure_networks(
            {name: network_bytes(network) for name, network in networks.items()},
            SessionSettings(),
            settings.choice_plan(self.smoke),
        )
        return {name: measurement.latency_ms for name, measurement in found.items()}

    def _evaluate_supernet(
        self, latency: SpaceLatency, architecture: Architecture
    ) -> dict[str, Any]:
        if not self.folder.has("supernet.json"):
            from nas.search.inherited import inherited_accuracy

            searcher = self._searcher(latency)
            searcher.run(lambda state: None)
            found = inherited_accuracy(searcher, architecture, self.dataset)
            self.folder.write_json(
                "supernet.json",
                {"top1": found.top1, "top5": found.top5, "note": "shared weights, not retrained"},
            )
        return self.folder.read_json("supernet.json")

    def _warnings(
        self,
        table: LatencyTable,
        latency: SpaceLatency,
        probabilities: GateProbabilities,
        architecture: Architecture,
    ) -> list[str]:
        from nas.diagnostics import search_warnings
        from nas.loop import read_history

        noise = sorted(row.noise for row in table.rows.values())
        found = search_warnings(
            self.space,
            latency,
            probabilities,
            architecture,
            read_history(self.folder.path / "history.csv"),
            self.search_config["penalty"],
            noise[len(noise) // 2] if noise else None,
        )
        self.folder.write_json("warnings.json", {"warnings": found})
        return found

    def _compare(
        self, latency: SpaceLatency, architecture: Architecture, predicted_ms: float
    ) -> dict[str, Any]:
        if self.device is not None:
            return {"networks": []}
        if not self.folder.has("comparison.json"):
            out.print("Looking for random and uniformly scaled networks of equal milliseconds ...")
            randoms = equal_random_networks(
                self.space,
                latency,
                architecture,
                predicted_ms,
                self.random_networks,
                self.search_config["seed"],
                self._measure,
                settings.equal_margin(self.smoke),
            )
            uniform, ratio = equal_uniform_network(self.space, architecture, self._measure)
            networks = [
                ("largest", "largest", self.space.largest()),
                ("uniform", "uniform", uniform),
            ]
            networks += [("random", f"random {i + 1}", r) for i, r in enumerate(randoms)]
            self.folder.write_json(
                "comparison.json",
                {
                    "uniform_over_searched_ms": ratio,
                    "random_asked": self.random_networks,
                    "networks": [
                        {"role": role, "name": name, "text": arch_text.to_text(network)}
                        for role, name, network in networks
                    ],
                },
            )
        return self.folder.read_json("comparison.json")

    def _certify(
        self,
        latency: SpaceLatency,
        architecture: Architecture,
        choice: dict[str, Any],
        comparison: dict[str, Any],
        supernet: dict[str, Any],
    ) -> dict[str, Any]:
        if self.folder.has("certificate.json"):
            return self.folder.read_json("certificate.json")
        networks = {"searched": architecture}
        networks |= {n["name"]: arch_text.parse(n["text"]) for n in comparison["networks"]}
        measured = {}
        if self.device is None:
            out.print("Certificate: one fresh measurement in a new process ...")
            measured = measure_networks(
                {name: network_bytes(network) for name, network in networks.items()},
                SessionSettings(),
                settings.certificate_plan(self.smoke),
            )
        asked = self.search_config["target_ms"]
        records = {
            name: network_record(
                network,
                measured.get(name),
                latency.predict_ms(self.space.encode(network))
                if self.space.contains(network)
                else None,
                asked if name == "searched" else None,
            )
            for name, network in networks.items()
        }
        others = [{**records[n["name"]], **n} for n in comparison["networks"]]
        certificate = {
            **records["searched"],
            "name": "searched",
            "role": "searched",
            "text": arch_text.to_text(architecture),
            "train_top1": None,
            "supernet_top1": supernet["top1"],
            "supernet_top5": supernet["top5"],
            "largest": next((n for n in others if n["role"] == "largest"), None),
            "uniform": next((n for n in others if n["role"] == "uniform"), None),
            "random": [n for n in others if n["role"] == "random"],
            "device": self.device,
            "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "environment": environment(),
        }
        self.folder.write_json("certificate.json", certificate)
        return certificate

    def _print(self, certificate: dict[str, Any], warnings: list[str], report: Path) -> None:
        out.print(terminal_table(certificate, None))
        for warning in warnings:
            out.print(f"Warning: {warning}")
        out.print(f"Architecture: {certificate['text']}", markup=False)
        out.print(f"Run folder: {self.folder.path}    Report: {report}", markup=False)
        out.print(f"Next: python main.py --run {self.folder.path}", markup=False)


def _search_note(row: Mapping[str, Any]) -> str:
    accuracy = row["accuracy"] or 0.0
    return (
        f"{row['stage']}  E = {row['expected_ms']:.3f} ms  accuracy {accuracy:.1%}  "
        f"{row['examples_per_s']:.0f} images/s"
    )
