"""What runs, simulations and predictions say. The compiled half fills these in."""

import json
from dataclasses import dataclass, field, fields
from typing import Any, Dict, List, Optional, Tuple

import numpy as np
from numpy.typing import NDArray

from ._mpic import Error


@dataclass(frozen=True)
class Energy:
    """Energy of a run: a model priced from event counts, with a range. It is not a measurement."""

    #: Picojoules by the class model.
    nominal_pj: float
    #: Lower end of the model's range, picojoules.
    low_pj: float
    #: Upper end of the model's range, picojoules.
    high_pj: float
    #: 21.53 pJ for every cycle, the published average, for comparison.
    constant_model_pj: float
    #: All that the JSON report says of energy, the parts by component among it.
    details: Dict[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Region:
    """What lies between a marker with an odd number and the next marker with that number plus one.

    The figures are ``None`` for a region that was never closed.
    """

    begin_id: int
    end_id: int
    cycles: Optional[int]
    instructions: Optional[int]
    #: Nominal energy, picojoules.
    energy_pj: Optional[float]
    #: Multiply-accumulates.
    macs: Optional[int]
    #: What the program calls it, where it says so.
    name: Optional[str] = None
    #: Cycles lost, by reason, where the simulator tells them apart by region.
    stalls: Optional[Dict[str, int]] = None

    @classmethod
    def _of(cls, region: Dict[str, Any]) -> "Region":
        return cls(**{f.name: region.get(f.name) for f in fields(cls)})


@dataclass(frozen=True)
class Report:
    """All that a run says: ``cycles == instructions + sum(stalls.values())``."""

    #: "exited", "limit" or "fault".
    status: str
    #: What the program returned; ``None`` if it did not end by itself.
    exit_code: Optional[int]
    cycles: int
    instructions: int
    #: Cycles lost, by reason.
    stalls: Dict[str, int]
    #: Lane products of dot products and scalar multiply-accumulates.
    macs: int
    energy: Energy
    #: Regions in the order of their begin.
    regions: List[Region]
    #: Words written to the result port: uint32, shape (words,).
    results: NDArray[np.uint32]
    #: What the program printed.
    console: bytes
    #: Doubtful things the program did, a sentence each.
    warnings: List[str]
    #: Why it could not go on: kind, message, pc, symbol and so on; ``None`` unless ``status`` is "fault".
    fault: Optional[Dict[str, Any]]
    #: The whole report as ``mpic-sim run --json`` writes it (without results).
    json: Dict[str, Any] = field(repr=False)
    _text: str = field(repr=False)

    @classmethod
    def _of(cls, text: str, shown: str, results: "NDArray[np.uint32]", console: bytes) -> "Report":
        data = json.loads(text)
        data.pop("results")
        energy = data["energy"]
        names = ("nominal_pj", "low_pj", "high_pj", "constant_model_pj")
        return cls(
            status=data["status"],
            exit_code=data["exit_code"],
            cycles=data["cycles"],
            instructions=data["instructions"],
            stalls=data["stalls"],
            macs=data["macs"],
            energy=Energy(**{name: energy[name] for name in names}, details=energy),
            regions=[Region._of(region) for region in data["regions"]],
            results=results,
            console=console,
            warnings=data["warnings"],
            fault=data["fault"],
            json=data,
            _text=shown,
        )

    def __str__(self) -> str:
        """The report for people, as ``mpic-sim run`` prints it."""
        return self._text


class Fault(Error):
    """A program that could not go on; ``report`` says what it did until then."""

    report: Report

    def __init__(self, report: Report) -> None:
        super().__init__(report.fault["message"] if report.fault else "the program could not go on")
        self.report = report


@dataclass(frozen=True)
class Simulation:
    """A deployed network on the simulator, for N inputs."""

    #: Output codes: int32, shape (N, outputs).
    outputs: NDArray[np.int32]
    #: Cycles of the whole program, start-up included: uint64, shape (N,).
    cycles: NDArray[np.uint64]
    #: Instructions: uint64, shape (N,).
    instructions: NDArray[np.uint64]
    #: Multiply-accumulates executed, dead lanes included: uint64, shape (N,).
    macs: NDArray[np.uint64]
    #: Energy in picojoules, shape (N, 4): nominal, low, high, constant model.
    energy_pj: NDArray[np.float64]
    #: Names of the layers, in order of execution.
    layers: List[str]
    #: Cycles of each layer, shape (N, layers).
    layer_cycles: NDArray[np.float64]
    #: Nominal energy of each layer in picojoules, shape (N, layers).
    layer_energy_pj: NDArray[np.float64]
    #: True: every output is that of the Rust reference. False: that was not asked for.
    bit_exact: bool
    #: Doubtful things the simulator saw; kernels cause none.
    warnings: List[str]


@dataclass(frozen=True)
class Prediction:
    """What the layers of a network cost by a measured table."""

    #: Names of the layers, in order of execution.
    layers: List[str]
    #: Cycles by layer, shape (layers,).
    layer_cycles: NDArray[np.float64]
    #: Instructions by layer, shape (layers,).
    layer_instructions: NDArray[np.float64]
    #: Nominal energy by layer in picojoules, shape (layers,).
    layer_energy_pj: NDArray[np.float64]

    @property
    def cycles(self) -> float:
        """Cycles of all layers; start-up, a few hundred cycles, is not in it."""
        return float(self.layer_cycles.sum())

    @property
    def energy_pj(self) -> float:
        """Nominal energy of all layers, picojoules."""
        return float(self.layer_energy_pj.sum())

    def by_layer(self) -> List[Tuple[str, float]]:
        """Name and cycles of each layer, the dearest first."""
        return sorted(zip(self.layers, self.layer_cycles.tolist()), key=lambda layer: -layer[1])
