//! The price table: one row per event, with its range, where it comes from and how much that is worth.

/// Version of the table; raised whenever a price changes.
pub const VERSION: u32 = 2;

/// By how much operands alone can move a total either way, as a share of it: the anchors were measured with operands that nobody
/// knows. Random against zero operands cost 1.13 to 1.68 times as much for scalar instructions and 1.2 to 2.0 for SIMD
/// (ET-SoC-1 silicon, 161 instructions measured, energy manual of `yaroslavvb/et-soc1-prototyping`).
pub const OPERANDS: f64 = 0.25;

/// How well a price is founded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Published for a core of this class in this node.
    Published,
    /// Scaled from a published number by a stated rule.
    Scaled,
    /// Assumed: an engineering guess with no number behind it.
    Assumed,
}

/// One row: price in pJ per event at 0.8 V, 25 C, 250 MHz, GF22FDX.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Most plausible value.
    pub nominal: f64,
    /// Low end of the range.
    pub low: f64,
    /// High end of the range.
    pub high: f64,
    /// What the row rests on.
    pub status: Status,
    /// Where it comes from.
    pub source: &'static str,
}

/// What has a price of its own. Class prices are incremental: over the per-cycle and per-fetch terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Price {
    /// Static power per cycle.
    Leakage,
    /// One 32-bit instruction word requested.
    Fetch,
    /// One data read of up to 32 bits.
    Read,
    /// One data write of up to 32 bits.
    Write,
    /// Add, logic, shift, bit manipulation, clip, SIMD other than dot products.
    Alu,
    /// 32-bit multiply or multiply-accumulate.
    Mul,
    /// Upper-half multiply, its four extra cycles included.
    Mulh,
    /// Divider, per busy cycle.
    DivCycle,
    /// Core part of a load.
    Load,
    /// Core part of a store.
    Store,
    /// Branch or jump.
    Branch,
    /// CSR access, precision switch included.
    Csr,
    /// Hardware-loop set-up (a back-edge is free).
    LoopSetup,
    /// 8-bit dot product; the other widths follow from the anchors.
    Dot8,
    /// Added for a mixed-precision dot product, over its wide format.
    Mixed,
    /// A stall cycle, over leakage and background.
    Stall,
    /// Share of the background that stays on while the core sleeps (no unit).
    Sleep,
}

const fn row(nominal: f64, low: f64, high: f64, status: Status, source: &'static str) -> Row {
    Row { nominal, low, high, status, source }
}

use Status::{Assumed, Published, Scaled};

/// Every price, in the order of [`Price`].
pub const PRICES: [(Price, Row); 17] = [
    (
        Price::Leakage,
        row(
            1.0,
            0.2,
            2.4,
            Scaled,
            "22 nm SRAM at 0.8 to 1.0 nW per byte, 64 to 512 KiB; midpoint, memory size unknown",
        ),
    ),
    (
        Price::Fetch,
        row(
            5.7,
            2.2,
            8.6,
            Published,
            "SENECA, GF 22 nm, Ibex class: 5.7 per 32-bit word; low: 22 nm SRAM word read; high: 41 % of cluster power \
             for fetch and private cache (Dustin)",
        ),
    ),
    (
        Price::Read,
        row(3.0, 2.05, 6.0, Scaled, "22 nm SRAM word read 2.05 to 2.18, plus interconnect (assumed 0.9)"),
    ),
    (
        Price::Write,
        row(3.6, 2.05, 7.3, Scaled, "read times 3.5 / 2.9, a 16-bit store over a load in SENECA (GF 22 nm)"),
    ),
    (
        Price::Alu,
        row(3.0, 1.1, 7.0, Assumed, "low: GVSoC's flat instruction price scaled by voltage squared"),
    ),
    (
        Price::Mul,
        row(4.5, 3.0, 9.0, Scaled, "ALU plus a 32-bit multiply from Horowitz 2014 to Aladdin, scaled by 0.4"),
    ),
    (Price::Mulh, row(6.5, 3.0, 12.0, Assumed, "multiply plus 0.5 for each of four extra cycles")),
    (Price::DivCycle, row(2.5, 1.0, 5.0, Assumed, "no number found")),
    (Price::Load, row(3.5, 2.0, 6.0, Assumed, "address, post-increment and result write; no number found")),
    (
        Price::Store,
        row(
            4.9,
            1.5,
            6.5,
            Scaled,
            "what makes a store, memory included, 1.31 times a load: 1.58 to 1.21 on ET-SoC-1 silicon",
        ),
    ),
    (
        Price::Branch,
        row(3.0, 1.1, 7.0, Assumed, "as ALU; penalty cycles are stalls, dropped words are fetches"),
    ),
    (Price::Csr, row(3.0, 1.1, 7.0, Assumed, "as ALU")),
    (Price::LoopSetup, row(3.0, 1.1, 7.0, Assumed, "as ALU")),
    (
        Price::Dot8,
        row(5.5, 3.0, 8.0, Assumed, "level trades with the background; the anchors fix only their sum"),
    ),
    (Price::Mixed, row(0.2, 0.0, 0.8, Assumed, "slicer and counter; no mixed-format power was published")),
    (Price::Stall, row(0.5, 0.0, 2.0, Assumed, "no number found")),
    (Price::Sleep, row(0.1, 0.0, 1.0, Assumed, "clock gating unknown")),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_in_order_and_ranges_hold_their_nominal() {
        for (i, (price, row)) in PRICES.iter().enumerate() {
            assert_eq!(*price as usize, i, "{price:?} is out of order");
            assert!(row.low <= row.nominal && row.nominal <= row.high && !row.source.is_empty(), "{price:?}");
        }
    }
}
