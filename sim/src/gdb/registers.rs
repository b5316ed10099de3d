//! The registers as gdb sees them: general registers and pc, and every CSR of the cores (hardware loops and SIMD state among them) under
//! its name, as the target description says.

use std::fmt::Write as _;
use std::num::NonZeroUsize;
use std::sync::OnceLock;

use gdbstub::arch::{Arch, RegId, Registers};

use crate::cores;
use crate::trace::REGISTERS;

/// Gdb's number of the pc; those below are x0 to x31.
const PC: usize = 32;
/// Gdb's number of CSR 0.
const FIRST_CSR: usize = 65;

/// MPIC for gdb.
#[derive(Debug)]
pub(super) enum Mpic {}

impl Arch for Mpic {
    type Usize = u32;
    type Registers = Core;
    type BreakpointKind = usize;
    type RegId = Register;

    fn target_description_xml() -> Option<&'static str> {
        static XML: OnceLock<String> = OnceLock::new();
        Some(XML.get_or_init(description))
    }
}

fn description() -> String {
    let mut xml = String::from(
        "<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\"><target version=\"1.0\">\
         <architecture>riscv:rv32</architecture><feature name=\"org.gnu.gdb.riscv.cpu\">",
    );
    let mut register = |name: &str, number: usize, kind: &str| {
        let _ = write!(xml, "<reg name=\"{name}\" bitsize=\"32\" regnum=\"{number}\" type=\"{kind}\"/>");
    };
    for (n, name) in REGISTERS.iter().enumerate() {
        // Gdb calls it so.
        let name = if *name == "s0" { "fp" } else { name };
        register(name, n, if name == "sp" { "data_ptr" } else { "int" });
    }
    register("pc", PC, "code_ptr");
    xml += "</feature><feature name=\"org.gnu.gdb.riscv.csr\">";
    for csr in cores::csrs() {
        let number = FIRST_CSR + usize::from(csr.number);
        let _ = write!(
            xml,
            "<reg name=\"{}\" bitsize=\"32\" regnum=\"{number}\" type=\"int\" group=\"csr\"/>",
            csr.name
        );
    }
    xml + "</feature></target>"
}

/// The registers that gdb asks for all at once.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Core {
    pub(super) x: [u32; 32],
    pub(super) pc: u32,
}

impl Registers for Core {
    type ProgramCounter = u32;

    fn pc(&self) -> u32 {
        self.pc
    }

    fn gdb_serialize(&self, mut write_byte: impl FnMut(Option<u8>)) {
        for value in self.x.iter().chain([&self.pc]) {
            value.to_le_bytes().into_iter().for_each(|b| write_byte(Some(b)));
        }
    }

    fn gdb_deserialize(&mut self, bytes: &[u8]) -> Result<(), ()> {
        let mut words = bytes.chunks_exact(4).map(|w| u32::from_le_bytes([w[0], w[1], w[2], w[3]]));
        for place in self.x.iter_mut().chain([&mut self.pc]) {
            *place = words.next().ok_or(())?;
        }
        Ok(())
    }
}

/// A register as gdb numbers them.
#[derive(Clone, Copy, Debug)]
pub(super) enum Register {
    X(u8),
    Pc,
    Csr(u32),
}

impl RegId for Register {
    fn from_raw_id(id: usize) -> Option<(Self, Option<NonZeroUsize>)> {
        let register = match id {
            0..PC => Self::X(id as u8),
            PC => Self::Pc,
            _ => {
                let number = u32::try_from(id.checked_sub(FIRST_CSR)?).ok()?;
                cores::csrs().find(|c| u32::from(c.number) == number).map(|_| Self::Csr(number))?
            }
        };
        Some((register, NonZeroUsize::new(4)))
    }
}
