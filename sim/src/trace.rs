//! Instructions as text, and traces of a run.

use std::io::Write;

use crate::isa::{Form, Inst};
use crate::observer::{Observer, Retired};

/// ABI names of the registers.
pub const REGISTERS: [&str; 32] = [
    "zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1", "a0", "a1", "a2", "a3", "a4", "a5", "a6",
    "a7", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6",
];

/// The instruction in assembly; jump targets are absolute for the given `pc`.
#[must_use]
pub fn disassemble(inst: &Inst, pc: u32) -> String {
    let r = |n: u8| REGISTERS[usize::from(n & 31)];
    let (rd, rs1, rs2, imm) = (r(inst.rd), r(inst.rs1), r(inst.rs2), inst.imm);
    let target = pc.wrapping_add(imm as u32);
    let operands = match inst.row.form {
        Form::R | Form::RAcc => format!("{rd}, {rs1}, {rs2}"),
        Form::R1 => format!("{rd}, {rs1}"),
        Form::I | Form::Shamt | Form::Sci | Form::SciU | Form::SciAcc | Form::SciUAcc | Form::Index => {
            format!("{rd}, {rs1}, {imm}")
        }
        Form::U => format!("{rd}, 0x{:x}", imm as u32 >> 12),
        Form::J => format!("{rd}, 0x{target:x}"),
        Form::Jalr | Form::Load => format!("{rd}, {imm}({rs1})"),
        Form::B => format!("{rs1}, {rs2}, 0x{target:x}"),
        Form::BImm => format!("{rs1}, {}, 0x{target:x}", (i32::from(inst.rs2) << 27) >> 27),
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
        Form::LoopAddr => format!("{}, 0x{target:x}", inst.rd & 1),
        Form::LoopCount => format!("{}, {rs1}", inst.rd & 1),
        Form::LoopCountI => format!("{}, {imm}", inst.rd & 1),
        Form::LoopSetup => format!("{}, {rs1}, 0x{target:x}", inst.rd & 1),
        Form::LoopSetupI => {
            format!("{}, {imm}, 0x{:x}", inst.rd & 1, pc.wrapping_add(2 * u32::from(inst.rs1)))
        }
    };
    // The table tells post-increment and register forms apart by suffixes; in assembly the operands do.
    let name = inst.row.name.trim_end_matches('!').trim_end_matches(".r");
    if operands.is_empty() { name.to_owned() } else { format!("{name} {operands}") }
}

/// Form of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum TraceFormat {
    /// For people: cycle, pc, word, text, effects.
    Text,
    /// `cycle,pc,insn,compressed`, as the golden traces.
    Csv,
}

/// Writes a line per retired instruction.
pub struct Trace<W: Write> {
    out: W,
    format: TraceFormat,
    window: std::ops::RangeInclusive<u64>,
    /// The first error; tracing stops there and the run goes on.
    pub error: Option<std::io::Error>,
}

impl<W: Write> Trace<W> {
    /// A trace of the cycles in `window`.
    pub fn new(mut out: W, format: TraceFormat, window: std::ops::RangeInclusive<u64>) -> Self {
        let error = match format {
            TraceFormat::Csv => writeln!(out, "cycle,pc,insn,compressed").err(),
            TraceFormat::Text => None,
        };
        Self { out, format, window, error }
    }

    /// Flushes the output.
    ///
    /// # Errors
    /// The first error of the whole trace.
    pub fn finish(mut self) -> std::io::Result<()> {
        self.error.take().map_or_else(|| self.out.flush(), Err)
    }

    fn line(&mut self, r: &Retired<'_>) -> std::io::Result<()> {
        let i = r.inst;
        match self.format {
            TraceFormat::Csv => {
                writeln!(self.out, "{},0x{:08x},0x{:08x},{}", r.cycle, r.pc, i.word, u8::from(i.size == 2))
            }
            TraceFormat::Text => {
                write!(self.out, "{:>10} {:08x} {:08x} {:<36}", r.cycle, r.pc, i.word, disassemble(i, r.pc))?;
                if let Some(rd) = i.alu_dest().filter(|rd| *rd != 0) {
                    write!(self.out, " {}={:08x}", REGISTERS[usize::from(rd)], r.x[usize::from(rd)])?;
                }
                if i.row.unit == crate::isa::Unit::Load && i.rd != 0 {
                    write!(self.out, " {}={:08x}", REGISTERS[usize::from(i.rd)], r.x[usize::from(i.rd)])?;
                }
                if let Some(address) = r.address {
                    write!(self.out, " [{address:08x}]")?;
                }
                writeln!(self.out)
            }
        }
    }
}

impl<W: Write> Observer for Trace<W> {
    fn retired(&mut self, r: &Retired<'_>) {
        if self.error.is_none() && self.window.contains(&r.cycle) {
            self.error = self.line(r).err();
        }
    }
}
