//! The instruction table as people read it: a table with encodings, meanings and cycles, and the header with an assembler macro and
//! a C function for every instruction that compilers do not know.

mod header;
mod meaning;
mod page;

pub use header::header;
pub use meaning::meaning;
pub use page::{formats, page, table};

use crate::isa::{Row, Unit, rows};

/// A group of instructions, as the manual has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extension {
    /// The base instruction set with multiplication, CSRs and fences: what compilers know.
    Base,
    /// Scalar Xpulp: hardware loops, post-increment, bit fields, multiply-accumulate.
    Xpulp,
    /// Packed SIMD, whose lanes come from CSR 0x00D.
    Simd,
}

/// The group an instruction belongs to.
#[must_use]
pub fn extension(row: &Row) -> Extension {
    match row.name.split_once('.') {
        Some(("p" | "lp", _)) => Extension::Xpulp,
        Some(("pv", _)) => Extension::Simd,
        _ => Extension::Base,
    }
}

/// The rows that compilers do not know.
fn own_rows() -> impl Iterator<Item = &'static Row> {
    rows().filter(|r| extension(r) != Extension::Base)
}

/// Cycles from where an instruction leaves ID until the next one can, with memory that answers at once.
#[must_use]
pub fn cycles(row: &Row) -> &'static str {
    match row.unit {
        Unit::Alu | Unit::Mul | Unit::Mac | Unit::Loop | Unit::Dot => "1",
        Unit::Mulh | Unit::Mret => "5",
        Unit::Div | Unit::Divu => "3 to 35, by the divisor",
        Unit::Load | Unit::Store => "1; 2 across a word boundary",
        Unit::Branch => "1; 3 if taken",
        Unit::Jal | Unit::Jalr => "2",
        Unit::Csr => "1; 4 for mstatus",
        Unit::Fence | Unit::Trap => "4",
        Unit::Wfi => "until it wakes",
    }
}
