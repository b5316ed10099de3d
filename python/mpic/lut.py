"""Measured costs: ``lut.json``, and what networks cost by it.

>>> table = mpic.lut.measure("net.onnx", path="lut.json")
>>> mpic.lut.predict("net.onnx", table, weights=4, activations=8).cycles
"""

import os
from typing import Callable, Optional, Union

from ._mpic import Network, Table, measure_layers
from ._records import Prediction

__all__ = ["Table", "load", "measure", "predict"]

#: A network: an object, a built-in name, or a file (.onnx, .toml, network.json).
Model = Union[Network, str, "os.PathLike[str]"]


def measure(
    *networks: Model,
    path: Union[str, "os.PathLike[str]"] = "lut.json",
    progress: Optional[Callable[[str, int, int], None]] = None,
    force: bool = False,
) -> Table:
    """Run every layer of networks on the simulator, in every precision and over counts of channels.

    What the file holds already is not measured again; a table of other kernels is measured anew for what it held.
    Without networks all that are known by name are measured. Ctrl-C keeps what was measured.

    :param networks: built-in names, files or :class:`mpic.Network` objects.
    :param path: the table to write, or to complete.
    :param progress: called as ``progress(sentence, done, total)``; ``total`` is 0 where the sentence is all.
    :param force: replace the file even if it is no table.
    :raises Error: if there is no such network or the file is not a table of ours.
    """
    return measure_layers(list(networks), os.fspath(path), progress or (lambda *_: None), force)


def load(path: Union[str, "os.PathLike[str]"]) -> Table:
    """Read a table that was measured with these kernels on this simulator.

    :raises Error: if it is unreadable, damaged or stale; the sentence says how to measure it anew.
    """
    return Table.load(path)


def predict(
    network: Model,
    table: Union[Table, str, "os.PathLike[str]"],
    *,
    weights: int = 8,
    activations: int = 8,
) -> Prediction:
    """What the layers of a network cost by a table.

    :param network: an integer network (its own widths count), or a network by name or file with one width everywhere.
    :param weights, activations: bits of that width: 2, 4 or 8.
    :raises Error: if the table lacks a layer; the sentence names it and the command that measures it.
    """
    if not isinstance(table, Table):
        table = Table.load(table)
    return table.predict(network, weights=weights, activations=activations)
