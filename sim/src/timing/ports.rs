//! The two memory ports of the core, and how long memory takes to answer on them.

/// How long memory takes: both 0 on the memories the RTL was first measured with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Latency {
    /// Cycles from a request until it is granted.
    pub grant: u16,
    /// Cycles the answer comes later than in the cycle behind the grant.
    pub answer: u16,
}

impl Latency {
    /// Grant in the cycle of the request, answer in the next.
    pub const IDEAL: Self = Self { grant: 0, answer: 0 };
}

/// Which port goes first where both lead to one memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Priority {
    /// Loads and stores.
    Data,
    /// Instruction fetches.
    Instructions,
}

/// The timing of the memories behind both ports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryTiming {
    /// Of instruction fetches, where no region says otherwise.
    pub instructions: Latency,
    /// Of loads and stores, where no region says otherwise.
    pub data: Latency,
    /// Both ports lead to one memory with one port of its own; this one goes first.
    pub shared: Option<Priority>,
    /// Regions of RAM with a timing of their own, on both ports: base, bytes, timing.
    pub regions: Vec<(u32, u32, Latency)>,
}

impl MemoryTiming {
    /// Whether memory never lets the core wait.
    #[must_use]
    pub fn is_ideal(&self) -> bool {
        *self == Self::default()
    }

    /// Whether instruction memory never lets the core wait.
    #[must_use]
    pub fn is_prompt(&self) -> bool {
        self.instructions == Latency::IDEAL && self.shared.is_none() && self.regions.is_empty()
    }

    /// The timing of instruction fetches from an address.
    #[inline]
    #[must_use]
    pub fn fetching(&self, address: u32) -> Latency {
        self.of(address, self.instructions)
    }

    /// The timing of loads and stores at an address.
    #[inline]
    #[must_use]
    pub fn accessing(&self, address: u32) -> Latency {
        self.of(address, self.data)
    }

    #[inline]
    fn of(&self, address: u32, otherwise: Latency) -> Latency {
        let holds = |r: &&(u32, u32, Latency)| address.wrapping_sub(r.0) < r.1;
        self.regions.iter().find(holds).map_or(otherwise, |r| r.2)
    }
}

/// One port: at most one request and one answer are under way (the core asks for no more).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Port {
    /// Cycles the request has waited for its grant.
    waited: u16,
    /// Cycles until the answer; 0 if none is under way.
    due: u16,
}

impl Port {
    /// A new cycle begins; whether an answer arrives in it.
    #[inline]
    pub(super) fn answers(&mut self) -> bool {
        let arrives = self.due == 1;
        self.due = self.due.saturating_sub(1);
        arrives
    }

    /// Whether memory would grant the request in this cycle if it had nothing else to do.
    #[inline]
    pub(super) fn ripe(self, latency: Latency) -> bool {
        self.waited >= latency.grant
    }

    /// The request of this cycle, if there is one, was granted or not.
    #[inline]
    pub(super) fn settle(&mut self, asks: bool, granted: bool, latency: Latency) {
        self.waited = if asks && !granted { self.waited.saturating_add(1) } else { 0 };
        if granted {
            self.due = 1 + latency.answer;
        }
    }

    /// Whether an answer is still under way.
    #[inline]
    pub(super) fn open(self) -> bool {
        self.due > 0
    }

    /// Whether an answer that is under way comes in the next cycle.
    #[inline]
    pub(super) fn answers_next(self) -> bool {
        self.due == 1
    }
}
