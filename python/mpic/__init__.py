"""Programs and integer networks on the cycle-exact simulator of the MPIC core, from NumPy.

>>> import mpic
>>> report = mpic.run("kernel.elf")                       # cycles, stalls, regions, energy with its range
>>> network = mpic.Network.load("network.json")
>>> network.predict(images)                               # what the integer network says, on this machine
>>> network.simulate(images[:10]).cycles                  # the same on the core, held to the reference bit for bit
>>> table = mpic.lut.measure("net.onnx", path="lut.json")  # what its layers cost in every precision
>>> run = mpic.search(model="net.onnx", data="data", cost="lut.json", out="runs/own").run()
>>> mpic.pareto(run)                                      # a pandas frame

``docs/python.md`` of the project is the guide.
"""

from . import lut
from ._mpic import Deployment, Error, Machine, Network
from ._records import Energy, Fault, Prediction, Region, Report, Simulation
from ._run import run
from ._search import Progress, Run, Search, arrays, pareto, search

__all__ = [
    "Deployment",
    "Energy",
    "Error",
    "Fault",
    "Machine",
    "Network",
    "Prediction",
    "Progress",
    "Region",
    "Report",
    "Run",
    "Search",
    "Simulation",
    "arrays",
    "lut",
    "pareto",
    "plot",
    "run",
    "search",
]


def __getattr__(name):
    # Pictures need matplotlib, which import mpic does not.
    if name == "plot":
        import importlib

        return importlib.import_module("mpic.plot")
    raise AttributeError(f"module 'mpic' has no attribute '{name}'")
