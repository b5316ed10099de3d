//! The record of what an instruction did: made once, where it is executed, and read by timing, energy, counters, profiles and
//! observers alike.

use crate::isa::{Flow, Inst};

/// A data access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// Its first byte.
    pub address: u32,
    /// It crosses a word boundary, so memory is asked twice.
    pub split: bool,
}

/// An executed instruction.
#[derive(Clone, Copy, Debug)]
pub struct Executed {
    /// Its address.
    pub pc: u32,
    /// The instruction.
    pub inst: Inst,
    /// Where control goes behind it, hardware loops left out.
    pub flow: Flow,
    /// Its data access, if it made one.
    pub access: Option<Access>,
    /// The value of rs2 before it, which decides how long a division takes.
    pub divisor: u32,
    /// Cycle in which it left ID; the first instruction leaves in cycle 4.
    pub cycle: u64,
}

impl Executed {
    /// An instruction that only goes on, makes no access and does not divide.
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
