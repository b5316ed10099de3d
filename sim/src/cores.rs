//! The cores that can be simulated, a value each. To add one, say what it has and give it a place in [`ALL`].

use crate::isa::csr::{self, Csr};
use crate::isa::{self, Core, Formats, Index};

/// MPIC: RI5CY whose SIMD instructions take their format from CSR 0x00D.
pub static MPIC: Core = Core {
    name: "mpic",
    about: "takes SIMD formats from a CSR",
    base: &isa::BASE,
    extensions: &isa::OWN,
    csrs: &[csr::MACHINE, csr::COUNTERS, csr::LOOPS, csr::MIXED_PRECISION],
    formats: Formats::Status,
    imaginary_is_real: true,
    index: Index::new(),
};

/// RI5CY with `XpulpNN`.
pub static RI5CY: Core = Core {
    name: "ri5cy",
    about: "takes SIMD formats from the encoding",
    base: &isa::BASE,
    extensions: &isa::OWN,
    csrs: &[csr::MACHINE, csr::COUNTERS, csr::LOOPS],
    formats: Formats::Encoding,
    imaginary_is_real: false,
    index: Index::new(),
};

/// Every core; the first is the one that is simulated unless another is asked for.
pub static ALL: [&Core; 2] = [&MPIC, &RI5CY];

/// The core of a name.
#[must_use]
pub fn named(name: &str) -> Option<&'static Core> {
    ALL.into_iter().find(|c| c.name == name)
}

/// Every CSR that a core has, by number.
pub fn csrs() -> impl Iterator<Item = &'static Csr> {
    (0..1 << 12).filter_map(|number| ALL.into_iter().find_map(|c| c.csr(number)))
}
