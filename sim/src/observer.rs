//! Who may watch a run. An observer changes nothing but its own output.

use crate::exec::Executed;
use crate::timing::Stalls;

/// One retired instruction.
#[derive(Clone, Copy, Debug)]
pub struct Retired<'a> {
    /// What the instruction did. Its cycle is counted as in the golden traces: the first instruction is in cycle 4.
    pub executed: &'a Executed,
    /// The integer registers after it.
    pub x: &'a [u32; 32],
    /// Cycles that it waited before it left the decode stage, by reason.
    pub waited: &'a Stalls,
}

/// Watches a run. Every method has an empty default.
pub trait Observer {
    /// Whether [`Observer::retired`] wants to be called.
    const WATCHES: bool = true;
    /// Called after each instruction.
    fn retired(&mut self, _: &Retired<'_>) {}
}

/// An observer that may be absent.
impl<O: Observer> Observer for Option<O> {
    fn retired(&mut self, r: &Retired<'_>) {
        if let Some(observer) = self {
            observer.retired(r);
        }
    }
}

/// Two who watch the same run.
impl<A: Observer, B: Observer> Observer for (A, B) {
    const WATCHES: bool = A::WATCHES || B::WATCHES;
    fn retired(&mut self, r: &Retired<'_>) {
        self.0.retired(r);
        self.1.retired(r);
    }
}

/// The silent observer.
impl Observer for () {
    const WATCHES: bool = false;
}
