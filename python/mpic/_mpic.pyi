"""Types of the compiled half of the package."""

import os
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple, Union

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._records import Prediction, Report, Simulation

_Path = Union[str, "os.PathLike[str]"]
_Place = Union[int, str]

class Error(Exception):
    """What went wrong, as a sentence that says where and what can be done."""

class Machine:
    """A core with its memory and a program, to run or to step.

    >>> machine = mpic.Machine("kernel.elf")
    >>> while machine.step():
    ...     print(machine.locate(), machine.disassemble(), machine.cycles)
    >>> machine.report().cycles
    """

    def __init__(
        self,
        elf: Union[_Path, bytes],
        *,
        core: str = "mpic",
        quirks: bool = True,
        ram: Sequence[str] = ...,
        wait_states: str = "",
        semihosting: bool = False,
        interrupts: Sequence[Tuple[int, int]] = ...,
    ) -> None:
        """The arguments are those of :func:`mpic.run`."""

    def step(self, n: int = 1) -> bool:
        """Run ``n`` instructions; whether the program goes on."""

    def run(self, *, max_cycles: Optional[int] = None, max_instructions: Optional[int] = None) -> Report:
        """Run until the program ends, faults or meets a limit, counted from its start; Ctrl-C stops it in between."""

    def report(self) -> Report:
        """What there is to say so far; its status is "limit" until the program has ended."""

    @property
    def ended(self) -> bool:
        """Whether the program has ended."""

    @property
    def pc(self) -> int:
        """Address of the next instruction."""

    @property
    def registers(self) -> NDArray[np.uint32]:
        """x0 to x31: a copy, uint32, shape (32,)."""

    @property
    def cycles(self) -> int:
        """Cycles so far."""

    @property
    def instructions(self) -> int:
        """Instructions retired so far."""

    @property
    def symbols(self) -> Dict[str, Tuple[int, int]]:
        """Address and size in bytes (0 if unknown) of each symbol of the ELF."""

    def locate(self, address: Optional[int] = None) -> str:
        """Function and source line of an address, or of the next instruction."""

    def disassemble(self, address: Optional[int] = None) -> str:
        """The instruction at an address, or the next one, as text."""

    def read(self, place: _Place, size: Optional[int] = None) -> bytes:
        """``size`` bytes at an address or a symbol; a symbol's own size unless said."""

    def write(self, place: _Place, data: Any) -> None:
        """Copy bytes, or an array's memory, to an address or a symbol."""

class Network:
    """An integer network: the content of a ``network.json``.

    Wherever inputs are taken as ``x``, they are one sample or an array of samples, of these kinds:

    * uint8: pixels, for networks that read images; a pixel p is the code p - 128;
    * float32 or float64: real numbers, quantised to the nearest code and clipped, as in training;
    * signed integers: codes.

    The axes of a sample are height, width, channels or channels, height, width; axes of size 1 may be left out or added.
    Where both orders fit, ``layout`` says which: "nhwc" or "nchw".
    """

    @staticmethod
    def load(path: _Path) -> Network:
        """Read and validate a ``network.json``."""

    @staticmethod
    def from_json(text: str) -> Network:
        """Read and validate the text of a ``network.json``."""

    def to_json(self) -> str:
        """The text of a ``network.json``."""

    def save(self, path: _Path, *, force: bool = False) -> None:
        """Write a ``network.json``; a file of another kind is only replaced with ``force``."""

    @property
    def name(self) -> str: ...
    @property
    def input_shape(self) -> Tuple[int, int, int]:
        """Height, width and channels of a sample."""

    @property
    def output_shape(self) -> Tuple[int, int, int]:
        """Height, width and channels of the output."""

    @property
    def layers(self) -> List[str]:
        """Names of the layers, in order of execution."""

    def quantise(self, x: ArrayLike, *, layout: Optional[str] = None) -> NDArray[np.int8]:
        """The codes that the network reads: int8, shape (N, height, width, channels), without N for one sample."""

    def predict(self, x: ArrayLike, *, layout: Optional[str] = None) -> NDArray[np.float64]:
        """What the network says, in real numbers: shape (N, outputs), or (outputs,) for one sample."""

    def codes(self, x: ArrayLike, *, layout: Optional[str] = None) -> NDArray[np.int32]:
        """What the network says, exactly: int32 codes, shaped as for :meth:`predict`."""

    def deploy(
        self,
        path: Optional[_Path] = None,
        *,
        sample: Optional[ArrayLike] = None,
        layout: Optional[str] = None,
        force: bool = False,
    ) -> Deployment:
        """The network as an ELF, written to ``path`` if there is one.

        :param sample: the input the program starts with; zero unless said.
        :param force: replace ``path`` even if it is no ELF.
        """

    def simulate(
        self, x: ArrayLike, *, layout: Optional[str] = None, quirks: bool = True, check: bool = True
    ) -> Simulation:
        """Deploy the network and run it on the simulator, over all processors of the host.

        :param quirks: reproduce the RTL's corner behaviour.
        :param check: hold every output to the Rust reference.
        :raises Error: if an output differs from the reference, or the program does not end.
        """

    def c_sources(self) -> Dict[str, str]:
        """The network and its kernels in C, by file name, for a board."""

class Deployment:
    """A network as an ELF, and what it occupies."""

    @property
    def elf(self) -> bytes:
        """The ELF."""

    @property
    def memory(self) -> Dict[str, int]:
        """Bytes by purpose: weights, requantisation, tables, code, buffers, stack, total."""

    def save(self, path: _Path, *, force: bool = False) -> None:
        """Write the ELF; a file of another kind is only replaced with ``force``."""

class Table:
    """A table of measured costs, see :mod:`mpic.lut`."""

    @staticmethod
    def load(path: _Path) -> Table:
        """Read a table that was measured with these kernels on this simulator."""

    def save(self, path: _Path, *, force: bool = False) -> None:
        """Write the table."""

    def predict(self, network: Union[Network, _Path], *, weights: int = 8, activations: int = 8) -> Prediction:
        """See :func:`mpic.lut.predict`."""

    def __len__(self) -> int: ...

def measure_layers(
    networks: Sequence[Union[Network, _Path]],
    path: _Path,
    progress: Callable[[str, int, int], None],
    force: bool,
) -> Table:
    """Measures what the table in a file lacks for the layers of networks."""
