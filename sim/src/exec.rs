//! The record of what an instruction did: made once, where it is executed, and read by timing, energy, counters, profiles and
//! observers alike.

use crate::isa::{Flow, Inst};

/// A data access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// Address of its first byte.
    pub address: u32,
    /// Whether it crosses a word boundary and so takes two requests.
    pub split: bool,
}

/// An executed instruction.
#[derive(Clone, Copy, Debug)]
pub struct Executed {
    /// Address of the instruction.
    pub pc: u32,
    /// The instruction.
    pub inst: Inst,
    /// Where control goes after it, without the jump back of a hardware loop.
    pub flow: Flow,
    /// Its data access, if it made one.
    pub access: Option<Access>,
    /// The value of rs2 before it, which decides how long a division takes.
    pub divisor: u32,
    /// Cycle in which it left ID; the first instruction leaves in cycle 4.
    pub cycle: u64,
}

impl Executed {
    /// The record of an instruction that neither jumps nor accesses memory nor divides.
    #[must_use]
    pub fn plain(pc: u32, inst: Inst) -> Self {
        Self { pc, inst, flow: Flow::Next, access: None, divisor: 0, cycle: 0 }
    }

    /// Whether its access takes two requests.
    #[must_use]
    pub fn split(&self) -> bool {
        self.access.is_some_and(|a| a.split)
    }
}
