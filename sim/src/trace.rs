//! Instructions as text, and traces of a run.

use std::io::Write;

use crate::elf::Symbols;
use crate::isa::{Form, Inst};
use crate::observer::{Observer, Retired};
use crate::timing::Stall;

/// ABI names of the registers.
pub const REGISTERS: [&str; 32] = [
    "zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1", "a0", "a1", "a2", "a3", "a4", "a5", "a6",
    "a7", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6",
];

/// Registers by number.
const NUMBERS: [&str; 32] = [
    "x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15",
    "x16", "x17", "x18", "x19", "x20", "x21", "x22", "x23", "x24", "x25", "x26", "x27", "x28", "x29", "x30",
    "x31",
];

/// The instruction in assembly; jump targets are absolute for the given `pc`.
#[must_use]
pub fn disassemble(inst: &Inst, pc: u32) -> String {
    let operands = operands(inst, &REGISTERS, |offset| format!("0x{:x}", pc.wrapping_add(offset as u32)));
    let name = inst.row.mnemonic();
    if operands.is_empty() { name.to_owned() } else { format!("{name} {operands}") }
}

/// Operands in assembly; `target` renders a jump's offset in bytes.
fn operands(inst: &Inst, registers: &[&'static str; 32], target: impl Fn(i32) -> String) -> String {
    let r = |n: u8| registers[usize::from(n & 31)];
    let (rd, rs1, rs2, imm) = (r(inst.rd), r(inst.rs1), r(inst.rs2), inst.imm);
    match inst.row.form {
        Form::R | Form::RAcc => format!("{rd}, {rs1}, {rs2}"),
        Form::R1 => format!("{rd}, {rs1}"),
        Form::I | Form::Shamt | Form::Sci | Form::SciU | Form::SciAcc | Form::SciUAcc | Form::Index => {
            format!("{rd}, {rs1}, {imm}")
        }
        Form::U => format!("{rd}, 0x{:x}", imm as u32 >> 12),
        Form::J => format!("{rd}, {}", target(imm)),
        Form::Jalr | Form::Load => format!("{rd}, {imm}({rs1})"),
        Form::B => format!("{rs1}, {rs2}, {}", target(imm)),
        Form::BImm => format!("{rs1}, {}, {}", (i32::from(inst.rs2) << 27) >> 27, target(imm)),
        Form::LoadPost => format!("{rd}, {imm}({rs1}!)"),
        Form::LoadReg => format!("{rd}, {rs2}({rs1})"),
        Form::LoadRegPost => format!("{rd}, {rs2}({rs1}!)"),
        Form::Store => format!("{rs2}, {imm}({rs1})"),
        Form::StorePost => format!("{rs2}, {imm}({rs1}!)"),
        Form::StoreReg => format!("{rs2}, {rd}({rs1})"),
        Form::StoreRegPost => format!("{rs2}, {rd}({rs1}!)"),
        Form::Csr => format!("{rd}, 0x{imm:03x}, {rs1}"),
        Form::CsrI => format!("{rd}, 0x{imm:03x}, {}", inst.rs1),
        Form::None => String::new(),
        Form::Bits | Form::BitsAcc => format!("{rd}, {rs1}, {imm}, {}", inst.rs2),
        Form::Norm | Form::NormAcc => format!("{rd}, {rs1}, {rs2}, {imm}"),
        Form::LoopAddr => format!("{}, {}", inst.rd & 1, target(imm)),
        Form::LoopCount => format!("{}, {rs1}", inst.rd & 1),
        Form::LoopCountI => format!("{}, {imm}", inst.rd & 1),
        Form::LoopSetup => format!("{}, {rs1}, {}", inst.rd & 1, target(imm)),
        Form::LoopSetupI => {
            format!("{}, {imm}, {}", inst.rd & 1, target(2 * i32::from(inst.rs1)))
        }
    }
}

/// The format of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum TraceFormat {
    /// For people: cycle, pc, word, text, effects, what was waited for.
    Text,
    /// `cycle,pc,insn,compressed`, as the golden traces.
    Csv,
    /// Lines of the core's own tracer (`riscv_tracer.sv`); its time column counts picoseconds of a 100 MHz clock.
    Ri5cy,
    /// Not lines, but a time line of functions, regions and stalls for ui.perfetto.dev, in which a microsecond stands for a
    /// cycle.
    Perfetto,
}

/// Picoseconds of a cycle in the time column of [`TraceFormat::Ri5cy`].
const CYCLE_PS: u64 = 10_000;

/// Which instructions are traced.
#[derive(Clone, Debug)]
pub struct Window {
    /// Cycles that are traced, as the golden traces count them.
    pub cycles: std::ops::RangeInclusive<u64>,
    /// Addresses whose instructions are traced.
    pub addresses: std::ops::Range<u64>,
}

impl Default for Window {
    fn default() -> Self {
        Self { cycles: 0..=u64::MAX, addresses: 0..1 << 32 }
    }
}

impl Window {
    /// `FROM:TO` in cycles (decimal or 0x...), or the name of a function.
    ///
    /// # Errors
    /// Says in a sentence what `text` lacks.
    pub fn parse(text: &str, symbols: &Symbols) -> Result<Self, String> {
        let cycles = text.split_once(':').and_then(|(a, b)| Some((parse_number(a)?, parse_number(b)?)));
        if let Some((from, to)) = cycles {
            if from > to {
                return Err(format!("{text}: write FROM:TO in cycles with FROM <= TO"));
            }
            return Ok(Self { cycles: from..=to, ..Self::default() });
        }
        let addresses = symbols
            .extent(text)
            .ok_or_else(|| format!("{text}: that is neither FROM:TO in cycles nor a function of this ELF"))?;
        Ok(Self { addresses, ..Self::default() })
    }

    fn holds(&self, r: &Retired<'_>) -> bool {
        self.cycles.contains(&r.executed.cycle) && self.addresses.contains(&u64::from(r.executed.pc))
    }
}

/// A decimal or 0x-prefixed number.
pub(crate) fn parse_number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

/// The part of a line that depends on the instruction only.
#[derive(Clone, Default)]
struct Known {
    pc: u32,
    word: u32,
    text: Vec<u8>,
}

/// Lines kept, by address: loops write the same ones again and again.
const KNOWN: usize = 4096;

/// Writes a line per retired instruction.
pub struct Trace<W: Write> {
    out: W,
    format: TraceFormat,
    window: Window,
    known: Vec<Known>,
    /// Registers before the instruction.
    before: [u32; 32],
    /// The first error; tracing stops there and the run goes on.
    pub error: Option<std::io::Error>,
}

impl<W: Write> Trace<W> {
    /// A trace of the instructions in `window`, written to `out`.
    pub fn new(mut out: W, format: TraceFormat, window: Window) -> Self {
        let error = match format {
            TraceFormat::Csv => writeln!(out, "cycle,pc,insn,compressed").err(),
            TraceFormat::Text | TraceFormat::Perfetto => None,
            TraceFormat::Ri5cy => {
                writeln!(out, "                Time          Cycles PC       Instr    Mnemonic").err()
            }
        };
        Self { out, format, window, known: vec![Known::default(); KNOWN], before: [0; 32], error }
    }

    /// Flushes the output.
    ///
    /// # Errors
    /// The first error of the whole trace.
    pub fn finish(mut self) -> std::io::Result<()> {
        self.error.take().map_or_else(|| self.out.flush(), Err)
    }

    /// The part of a line that depends on the instruction only.
    fn fixed(format: TraceFormat, pc: u32, i: &Inst) -> String {
        let word = i.word;
        match format {
            TraceFormat::Csv => format!(",0x{pc:08x},0x{word:08x},{}\n", u8::from(i.size == 2)),
            TraceFormat::Text | TraceFormat::Perfetto => {
                format!(" {pc:08x} {word:08x} {:<36}", disassemble(i, pc))
            }
            TraceFormat::Ri5cy => {
                let operands = operands(i, &NUMBERS, |offset| offset.to_string());
                format!(
                    " {pc:08x} {word:08x} {:<36}",
                    format!("{:<16} {operands}", i.row.mnemonic()).trim_end()
                )
            }
        }
    }

    fn line(&mut self, r: &Retired<'_>) -> std::io::Result<()> {
        let i = &r.executed.inst;
        let known = &mut self.known[(r.executed.pc >> 1) as usize % KNOWN];
        if known.text.is_empty() || (known.pc, known.word) != (r.executed.pc, i.word) {
            *known = Known {
                pc: r.executed.pc,
                word: i.word,
                text: Self::fixed(self.format, r.executed.pc, i).into_bytes(),
            };
        }
        let written = [i.alu_dest(), (i.row.unit == crate::isa::Unit::Load).then_some(i.rd)];
        let written = written.into_iter().flatten().filter(|rd| *rd != 0);
        let out = &mut self.out;
        match self.format {
            TraceFormat::Csv => {
                out.write_all(itoa::Buffer::new().format(r.executed.cycle).as_bytes())?;
                out.write_all(&known.text)
            }
            TraceFormat::Text | TraceFormat::Perfetto => {
                write!(out, "{:>10}", r.executed.cycle)?;
                out.write_all(&known.text)?;
                for rd in written {
                    write!(out, " {}={:08x}", REGISTERS[usize::from(rd)], r.x[usize::from(rd)])?;
                }
                if let Some(address) = r.executed.access.map(|a| a.address) {
                    write!(out, " [{address:08x}]")?;
                }
                for stall in Stall::ALL {
                    let n = r.waited[stall as usize];
                    if n > 0 {
                        write!(out, " {}:{n}", stall.name())?;
                    }
                }
                out.write_all(b"\n")
            }
            TraceFormat::Ri5cy => {
                write!(out, "{:>20} {:>15}", r.executed.cycle * CYCLE_PS, r.executed.cycle)?;
                out.write_all(&known.text)?;
                for rd in written {
                    write!(out, " {:>3}={:08x}", NUMBERS[usize::from(rd)], r.x[usize::from(rd)])?;
                }
                for rs in i.sources().into_iter().filter(|rs| *rs != 0) {
                    write!(out, " {:>3}:{:08x}", NUMBERS[usize::from(rs)], self.before[usize::from(rs)])?;
                }
                if let Some(address) = r.executed.access.map(|a| a.address) {
                    write!(out, "  PA:{address:08x}")?;
                }
                out.write_all(b"\n")
            }
        }
    }
}

impl<W: Write> Observer for Trace<W> {
    fn retired(&mut self, r: &Retired<'_>) {
        if self.error.is_none() && self.window.holds(r) {
            self.error = self.line(r).err();
        }
        if self.format == TraceFormat::Ri5cy {
            self.before = *r.x;
        }
    }
}
