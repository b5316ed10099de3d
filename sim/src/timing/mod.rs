//! What instructions cost: the four-stage pipeline (IF, ID, EX, WB) as issue times, with every lost cycle named.
//!
//! `t` is the cycle an instruction leaves ID; it is in EX from `t + 1` to `t + L`. The first instruction leaves ID in
//! cycle 4. Rules and their RTL evidence are in [`rules`]; [`Pipeline`] applies them. It reads the architectural state
//! where the RTL's timing depends on it (divisors, loop registers) and never changes it.

mod performance;
mod pipeline;
pub mod rules;

pub use performance::{Passage, Performance};
pub use pipeline::{Done, Issue, Pipeline};

/// Version of the timing rules; raised whenever a cycle count may change, so that measured tables can tell.
pub const VERSION: u32 = 2;

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
}

impl Stall {
    /// Every reason, in the order of its number.
    pub const ALL: [Self; 15] = [
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
        }
    }
}

/// Cycles by reason.
pub type Stalls = [u64; Stall::ALL.len()];
