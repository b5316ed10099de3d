"""A program on the simulator, in one call."""

import os
from typing import Any, Mapping, Optional, Sequence, Tuple, Union

from ._mpic import Machine
from ._records import Fault, Report


def run(
    elf: Union[str, "os.PathLike[str]", bytes],
    *,
    core: str = "mpic",
    quirks: bool = True,
    ram: Sequence[str] = (),
    wait_states: str = "",
    semihosting: bool = False,
    interrupts: Sequence[Tuple[int, int]] = (),
    load: Optional[Mapping[str, Any]] = None,
    max_cycles: Optional[int] = None,
    max_instructions: Optional[int] = None,
    check: bool = True,
) -> Report:
    """Run a bare-metal RV32 ELF and say what it cost.

    :param elf: a file, or its bytes.
    :param core: "mpic" takes SIMD formats from a CSR, "ri5cy" from the encoding.
    :param quirks: reproduce the RTL's corner behaviour, or what the instruction set means.
    :param ram: memory in place of the default 2 MiB, as "BASE:SIZE" or "BASE:SIZE:G:R" each (``mpic-sim run --help``).
    :param wait_states: how long memory takes, as "instr=G:R,data=G:R" in cycles.
    :param semihosting: serve ecall with a7 = 93 (exit) and 64 (write).
    :param interrupts: pairs of a cycle and the interrupt (0 to 31) that is raised in it.
    :param load: bytes or arrays to put into the memory of symbols before the run.
    :param max_cycles, max_instructions: where to stop; the report's status is "limit" then.
    :param check: raise :class:`Fault` for a program that cannot go on. False: its report says so.
    :raises Error: if the file cannot be read or is no such ELF.
    :raises ValueError: if a description of memory is none.
    """
    machine = Machine(
        elf,
        core=core,
        quirks=quirks,
        ram=list(ram),
        wait_states=wait_states,
        semihosting=semihosting,
        interrupts=list(interrupts),
    )
    for symbol, data in (load or {}).items():
        machine.write(symbol, data)
    report = machine.run(max_cycles=max_cycles, max_instructions=max_instructions)
    if check and report.fault is not None:
        raise Fault(report)
    return report
