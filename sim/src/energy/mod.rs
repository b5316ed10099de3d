//! Energy: event counts priced after the run. Nothing here is seen by the execution or the timing.
//!
//! What the model does **not** support: the energy of a real chip or board; the order of the dot-product widths;
//! mixed formats beyond their cycle count; data-dependent savings (zeros, sparsity); fetch, memory and background
//! shares as findings; other voltages, frequencies, temperatures or technologies; ranking two programs whose energies
//! differ by less than 10 % (see [`Energy::less_than`]).

mod model;
pub mod table;

pub use model::{ANCHORS, Breakdown, CONSTANT_PJ_PER_CYCLE, Energy, Prices};

/// An amount of energy in pJ.
pub type Picojoules = f64;

/// What a run did, as far as it has a price.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventCounts {
    /// Clock cycles, stalls and sleep included.
    pub cycles: u64,
    /// Cycles asleep in `wfi`.
    pub sleep: u64,
    /// Stall cycles, sleep excluded.
    pub stalls: u64,
    /// 32-bit words requested from instruction memory: two compressed instructions share one, words dropped behind a
    /// taken jump count, hardware-loop bodies are fetched every iteration.
    pub fetch_words: u64,
    /// Data memory reads (a misaligned access that crosses a word makes two).
    pub reads: u64,
    /// Data memory writes.
    pub writes: u64,
    /// Load instructions.
    pub loads: u64,
    /// Store instructions.
    pub stores: u64,
    /// ALU instructions, SIMD other than dot products included.
    pub alu: u64,
    /// Multiplications and multiply-accumulates of one cycle.
    pub mul: u64,
    /// Multiplications that give the upper half (`mulh` and kin).
    pub mulh: u64,
    /// Cycles the divider was busy.
    pub div_cycles: u64,
    /// Branches and jumps.
    pub branches: u64,
    /// CSR and system instructions.
    pub csr: u64,
    /// Hardware-loop set-up instructions.
    pub loop_setups: u64,
    /// Dot products by lane width of the wider operand, in the order of [`EventCounts::DOT_WIDTHS`].
    pub dots: [u64; 4],
    /// Those of them in a mixed format.
    pub mixed_dots: u64,
}

impl EventCounts {
    /// Lane widths that index [`EventCounts::dots`].
    pub const DOT_WIDTHS: [u8; 4] = [16, 8, 4, 2];

    /// Where dot products with lanes of `bits` are counted.
    #[must_use]
    pub fn dot_index(bits: u32) -> usize {
        Self::DOT_WIDTHS
            .iter()
            .position(|&w| u32::from(w) == bits)
            .expect("SIMD lanes are 16, 8, 4 or 2 bits wide")
    }

    /// Adds `times` what `other` counted.
    pub fn add(&mut self, other: &Self, times: u64) {
        let EventCounts {
            cycles,
            sleep,
            stalls,
            fetch_words,
            reads,
            writes,
            loads,
            stores,
            alu,
            mul,
            mulh,
            div_cycles,
            branches,
            csr,
            loop_setups,
            dots,
            mixed_dots,
        } = other;
        self.cycles += cycles * times;
        self.sleep += sleep * times;
        self.stalls += stalls * times;
        self.fetch_words += fetch_words * times;
        self.reads += reads * times;
        self.writes += writes * times;
        self.loads += loads * times;
        self.stores += stores * times;
        self.alu += alu * times;
        self.mul += mul * times;
        self.mulh += mulh * times;
        self.div_cycles += div_cycles * times;
        self.branches += branches * times;
        self.csr += csr * times;
        self.loop_setups += loop_setups * times;
        self.dots.iter_mut().zip(dots).for_each(|(mine, n)| *mine += n * times);
        self.mixed_dots += mixed_dots * times;
    }

    /// What happened after `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            cycles: self.cycles - earlier.cycles,
            sleep: self.sleep - earlier.sleep,
            stalls: self.stalls - earlier.stalls,
            fetch_words: self.fetch_words - earlier.fetch_words,
            reads: self.reads - earlier.reads,
            writes: self.writes - earlier.writes,
            loads: self.loads - earlier.loads,
            stores: self.stores - earlier.stores,
            alu: self.alu - earlier.alu,
            mul: self.mul - earlier.mul,
            mulh: self.mulh - earlier.mulh,
            div_cycles: self.div_cycles - earlier.div_cycles,
            branches: self.branches - earlier.branches,
            csr: self.csr - earlier.csr,
            loop_setups: self.loop_setups - earlier.loop_setups,
            dots: std::array::from_fn(|i| self.dots[i] - earlier.dots[i]),
            mixed_dots: self.mixed_dots - earlier.mixed_dots,
        }
    }
}
