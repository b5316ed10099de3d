//! What a core is: a value that lists what it has. The cores themselves are in [`crate::cores`].

use std::sync::OnceLock;

use super::Row;
use super::csr::Csr;

/// What a core can do: its instructions, its CSRs, and where it deviates from others.
#[derive(Debug)]
pub struct Core {
    /// How it is called on the command line.
    pub name: &'static str,
    /// What it is, in a line.
    pub about: &'static str,
    /// Its instructions of the RISC-V manual, a slice per extension.
    pub base: &'static [&'static [Row]],
    /// Its other instructions, which are looked through first.
    pub extensions: &'static [&'static [Row]],
    /// Its CSRs. One that is not here reads 0, and writes to it are lost: the core runs in machine mode only, so none is above
    /// its privilege.
    pub csrs: &'static [&'static [Csr]],
    /// Where SIMD instructions take their format from.
    pub formats: Formats,
    /// RTL: `pv.cplxmul.h.i` computes the real part, because the signal that selects the imaginary one is never driven.
    pub imaginary_is_real: bool,
    pub(crate) index: Index,
}

/// Where SIMD instructions take their format from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Formats {
    /// A CSR, behind which a mixed-precision controller counts dot products.
    Status,
    /// From the encoding of each instruction, as in `XpulpNN`.
    Encoding,
}

/// Instructions by opcode and CSRs by number, made when they are first asked for.
#[derive(Debug, Default)]
pub(crate) struct Index {
    rows: OnceLock<Vec<Vec<&'static Row>>>,
    csrs: OnceLock<Vec<Option<&'static Csr>>>,
}

impl Index {
    /// An index that is built when it is first used.
    pub(crate) const fn new() -> Self {
        Self { rows: OnceLock::new(), csrs: OnceLock::new() }
    }
}

impl Core {
    /// The rows of its extensions with a value of the lowest seven bits, which every row fixes.
    pub(crate) fn rows_with(&self, opcode: u32) -> &[&'static Row] {
        let rows = self.index.rows.get_or_init(|| {
            let all = || self.extensions.iter().copied().flatten();
            (0..128).map(|opcode| all().filter(|r| r.bits & 0x7F == opcode).collect()).collect()
        });
        &rows[(opcode & 0x7F) as usize]
    }

    /// A CSR by its number.
    #[must_use]
    pub fn csr(&self, number: u32) -> Option<&'static Csr> {
        let csrs = self.index.csrs.get_or_init(|| {
            let mut table = vec![None; 1 << 12];
            for csr in self.csrs.iter().copied().flatten() {
                table[usize::from(csr.number)] = Some(csr);
            }
            table
        });
        csrs[(number & 0xFFF) as usize]
    }

    /// Its CSRs, by number.
    pub fn csrs_by_number(&self) -> impl Iterator<Item = &'static Csr> {
        (0..1 << 12).filter_map(|number| self.csr(number))
    }

    /// Whether a mixed-precision controller counts dot products.
    #[inline]
    #[must_use]
    pub fn has_controller(&self) -> bool {
        self.formats == Formats::Status
    }
}
