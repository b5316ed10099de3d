//! The widths of codes that the SIMD unit multiplies: the one list of them.

/// Bits of a code, signed in two's complement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Width {
    /// 2 bits.
    Two,
    /// 4 bits.
    Four,
    /// 8 bits.
    Eight,
}

impl Width {
    /// Every width, ascending.
    pub const ALL: [Self; 3] = [Self::Two, Self::Four, Self::Eight];

    /// Its bits.
    #[must_use]
    pub const fn bits(self) -> u8 {
        match self {
            Self::Two => 2,
            Self::Four => 4,
            Self::Eight => 8,
        }
    }

    /// The width of so many bits, if the kernels have it.
    #[must_use]
    pub fn of(bits: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|w| w.bits() == bits)
    }

    /// Whether weights may have so many bits: a width, or 0 for a pruned channel.
    #[must_use]
    pub fn is_of_weights(bits: u8) -> bool {
        bits == 0 || Self::of(bits).is_some()
    }

    /// Codes in a 32-bit word.
    #[must_use]
    pub const fn lanes(self) -> usize {
        32 / self.bits() as usize
    }
}

impl std::fmt::Display for Width {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.bits().fmt(f)
    }
}

/// Every width in words: `2, 4 or 8`.
#[must_use]
pub fn in_words() -> String {
    let [first, middle, last] = Width::ALL;
    format!("{first}, {middle} or {last}")
}
