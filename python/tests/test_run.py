"""Programs on the simulator."""

import json

import mpic
import numpy as np
import pytest

from conftest import GOLDEN

PROGRAMS = {p["name"]: p for p in json.loads((GOLDEN / "golden.json").read_text())["programs"]}
EXIT = "p_fib"


def elf(name):
    return GOLDEN / "elf" / f"{name}.elf"


@pytest.mark.parametrize("name", ["p_fib", "p_sort", "k_mm_a8w4", "rand_16_loopc"])
def test_cycles_are_those_of_the_rtl(name):
    report = mpic.run(elf(name))
    measured = PROGRAMS[name]
    assert (report.status, report.exit_code) == ("exited", measured["exit_code"])
    assert (report.cycles, report.instructions) == (measured["total_cycles"], measured["total_instructions"])
    assert report.results.tolist() == measured["results"]
    regions = [(r.begin_id, r.end_id, r.cycles, r.instructions) for r in report.regions]
    assert regions == [tuple(r.values()) for r in measured["regions"]]
    assert report.cycles == report.instructions + sum(report.stalls.values())
    energy = report.energy
    assert 0 < energy.low_pj < energy.nominal_pj < energy.high_pj
    assert report.results.dtype == np.uint32
    assert str(report.cycles) in str(report)


def test_regions_add_up():
    report = mpic.run(elf("k_mm_a8w4"))
    assert report.regions and all(r.end_id == r.begin_id + 1 for r in report.regions)
    assert 0 < sum(r.cycles for r in report.regions) <= report.cycles
    assert sum(r.macs for r in report.regions) <= report.macs


def test_a_program_can_be_bytes():
    assert mpic.run(elf(EXIT).read_bytes()).cycles == mpic.run(str(elf(EXIT))).cycles


def test_steps_end_where_a_run_ends():
    machine = mpic.Machine(elf(EXIT))
    assert machine.pc == 0x1C008080 and not machine.ended
    first = machine.disassemble()
    assert machine.step() and machine.instructions == 1
    assert machine.disassemble() != first or machine.pc != 0x1C008080
    while machine.step(1000):
        assert machine.report().status == "limit"
    whole = mpic.run(elf(EXIT))
    report = machine.report()
    assert machine.ended and not machine.step()
    assert (report.cycles, report.instructions, report.exit_code) == (whole.cycles, whole.instructions, whole.exit_code)
    assert machine.registers.shape == (32,) and machine.registers[0] == 0
    assert machine.cycles == whole.cycles


def test_limits_stop_and_a_run_goes_on():
    machine = mpic.Machine(elf(EXIT))
    part = machine.run(max_instructions=100)
    assert (part.status, part.instructions, part.exit_code) == ("limit", 100, None)
    assert machine.run().cycles == mpic.run(elf(EXIT)).cycles
    assert mpic.run(elf(EXIT), max_cycles=50).cycles >= 50


def test_memory_by_symbol_and_address(network):
    machine = mpic.Machine(network.deploy().elf)
    name = "input"
    address, size = machine.symbols[name]
    machine.write(name, np.array([1, -2], np.int32))
    assert machine.read(address, 8) == np.array([1, -2], "<i4").tobytes()
    assert len(machine.read(name)) == size
    assert machine.locate() == machine.locate(machine.pc) == "_start", machine.locate()
    with pytest.raises(mpic.Error, match="the ELF has no symbol 'nowhere'"):
        machine.read("nowhere", 4)
    with pytest.raises(mpic.Error, match="do not fit into the"):
        machine.write(name, bytes(size + 1))
    with pytest.raises(mpic.Error, match="reach beyond memory"):
        machine.read(0, 4)


def test_memory_that_answers_late_costs_cycles():
    fast, slow = mpic.run(elf(EXIT)), mpic.run(elf(EXIT), wait_states="instr=0:1,data=1:0")
    assert slow.instructions == fast.instructions and slow.cycles > fast.cycles
    with pytest.raises(ValueError, match="'data' is given twice"):
        mpic.run(elf(EXIT), wait_states="data=1:0,data=1:0")
    with pytest.raises(ValueError, match="is no core"):
        mpic.run(elf(EXIT), core="cortex")


def test_what_is_no_program_gets_a_sentence(tmp_path):
    with pytest.raises(mpic.Error, match=r"cannot read .*nothing\.elf"):
        mpic.run(tmp_path / "nothing.elf")
    text = tmp_path / "text.elf"
    text.write_text("hello")
    with pytest.raises(mpic.Error, match="text.elf"):
        mpic.run(text)


def test_a_fault_says_where():
    # The program's memory lies elsewhere: its stack is outside.
    code = elf(EXIT)
    with pytest.raises(mpic.Error, match="--ram"):
        mpic.run(code, ram=["0x20000000:64K"])
    machine = mpic.Machine(code)
    machine.write(machine.pc, b"\x03\x25\x00\x00")  # lw a0, 0(zero)
    report = machine.run()
    assert report.status == "fault" and report.fault["kind"] == "load" and report.fault["pc"] == 0x1C008080
    fault = mpic.Fault(report)
    assert "outside memory" in str(fault) and fault.report is report


def test_a_fault_is_raised(tmp_path):
    data = bytearray(elf(EXIT).read_bytes())
    machine = mpic.Machine(bytes(data))
    first = machine.read(machine.pc, 8)
    at = data.find(first)
    data[at : at + 4] = b"\x03\x25\x00\x00"
    with pytest.raises(mpic.Fault, match="at pc 0x1c008080") as caught:
        mpic.run(bytes(data))
    assert caught.value.report.fault["symbol"]
    assert mpic.run(bytes(data), check=False).status == "fault"
