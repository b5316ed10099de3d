//! What instructions cost: the four-stage pipeline (IF, ID, EX, WB), cycle by cycle, with every lost cycle named.
//!
//! [`Pipeline`] is the control of the RTL without its data: the fetch side (`fetch`), ID, EX and WB (`cycle`, `stages`), the
//! `controller`, the memory ports (`ports`) and the mixed-precision controller (`precision`). Whoever runs on it is its
//! [`Driver`]. Numbers that were measured are in [`rules`].

mod controller;
mod cycle;
mod driver;
mod fetch;
mod pipeline;
mod ports;
mod precision;
pub mod rules;
mod stages;

pub use driver::{Driver, Issue};
pub use pipeline::{Pipeline, Situation};
pub use ports::{Latency, MemoryTiming, Priority};

/// Version of the timing rules; raised whenever a cycle count may change, so that measured tables can tell.
pub const VERSION: u32 = 3;

/// Why a cycle passed without an instruction leaving ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stall {
    /// An operand was being loaded.
    LoadUse,
    /// The destination was being loaded by the instruction before.
    LoadWriteAfterWrite,
    /// The target register of `jalr` was not in the register file yet.
    JumpRegister,
    /// Second access of a load or store that crosses a word boundary.
    MisalignedAccess,
    /// `mulh` and kin in EX.
    Mulh,
    /// Division in EX.
    Division,
    /// A killed division that runs all the same (RTL quirk).
    StaleDivision,
    /// Fetch behind a taken branch.
    TakenBranch,
    /// Fetch behind `jal` or `jalr`.
    Jump,
    /// Fetch of a hardware loop's first instruction.
    HardwareLoop,
    /// Entering or leaving a trap.
    Trap,
    /// Pipeline flush of `fence` and `fence.i`.
    Fence,
    /// Pipeline flush of a status CSR access.
    CsrFlush,
    /// Entering an interrupt handler.
    Interrupt,
    /// Asleep in `wfi`.
    Sleep,
    /// Data memory did not grant or answer as early as it could.
    DataMemory,
    /// Instruction memory did not grant or answer as early as it could.
    InstructionMemory,
}

impl Stall {
    /// Every reason, in the order of its number.
    pub const ALL: [Self; 17] = [
        Self::LoadUse,
        Self::LoadWriteAfterWrite,
        Self::JumpRegister,
        Self::MisalignedAccess,
        Self::Mulh,
        Self::Division,
        Self::StaleDivision,
        Self::TakenBranch,
        Self::Jump,
        Self::HardwareLoop,
        Self::Trap,
        Self::Fence,
        Self::CsrFlush,
        Self::Interrupt,
        Self::Sleep,
        Self::DataMemory,
        Self::InstructionMemory,
    ];

    /// Name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::LoadUse => "load_use",
            Self::LoadWriteAfterWrite => "load_write_after_write",
            Self::JumpRegister => "jump_register",
            Self::MisalignedAccess => "misaligned_access",
            Self::Mulh => "mulh",
            Self::Division => "division",
            Self::StaleDivision => "stale_division",
            Self::TakenBranch => "taken_branch",
            Self::Jump => "jump",
            Self::HardwareLoop => "hardware_loop",
            Self::Trap => "trap",
            Self::Fence => "fence",
            Self::CsrFlush => "csr_flush",
            Self::Interrupt => "interrupt",
            Self::Sleep => "sleep",
            Self::DataMemory => "data_memory",
            Self::InstructionMemory => "instruction_memory",
        }
    }
}

/// Cycles by reason.
pub type Stalls = [u64; Stall::ALL.len()];
