//! The calls a program is in, for backtraces.

/// How many are kept; of deeper ones the oldest are forgotten.
const DEEPEST: usize = 64;

/// Return addresses of the calls the program is in.
///
/// A ring whose size is a power of two and that has no other state, so that compiled code can keep it up as well.
#[derive(Clone)]
#[repr(C)]
pub(crate) struct Calls {
    /// The address of the call at depth `n` is at `n % 64`.
    pub(crate) ring: [u32; DEEPEST],
    /// Where the next goes, without the remainder taken.
    pub(crate) next: u32,
    /// How many there are.
    pub(crate) kept: u32,
}

impl Default for Calls {
    fn default() -> Self {
        Self { ring: [0; DEEPEST], next: 0, kept: 0 }
    }
}

impl Calls {
    /// Most that are kept.
    pub(crate) const MOST: u32 = DEEPEST as u32;

    pub(super) fn push(&mut self, address: u32) {
        self.ring[self.next as usize % DEEPEST] = address;
        self.next = self.next.wrapping_add(1);
        self.kept = (self.kept + 1).min(Self::MOST);
    }

    pub(super) fn pop(&mut self) {
        if self.kept > 0 {
            self.next = self.next.wrapping_sub(1);
            self.kept -= 1;
        }
    }

    /// The innermost call first.
    pub(super) fn newest_first(&self) -> Vec<u32> {
        (1..=self.kept).map(|n| self.ring[self.next.wrapping_sub(n) as usize % DEEPEST]).collect()
    }
}
