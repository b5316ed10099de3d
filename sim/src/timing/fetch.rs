//! The fetch side: prefetch buffer, fetch FIFO and the jumps of hardware loops (`riscv_prefetch_buffer.sv`,
//! `riscv_fetch_fifo.sv`, `riscv_hwloop_controller.sv`), as far as addresses and valid bits go.
//!
//! A word is asked for whenever at most two are stored, so up to four are held. At a loop's end the start is asked for as soon as
//! the end instruction is seen at the FIFO's output, and replaces everything behind it.

/// What the buffer's requests are doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Request {
    /// Nothing is asked for.
    Idle,
    /// Asked for, not granted yet.
    WaitGrant,
    /// Granted, not answered yet.
    WaitAnswer,
    /// Granted, and its answer is of no use: a jump came in between.
    Aborted,
}

/// How far the jump back of a hardware loop is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Looping {
    /// No end of a loop in sight.
    None,
    /// The end was seen; its start is still to be asked for.
    In,
    /// The start was asked for.
    Fetching,
    /// The start lies behind the end instruction.
    Done,
    /// The end is a compressed instruction at a half-word address whose word had just arrived: a jump follows in the next cycle.
    Compressed,
    /// The end lies at a half-word address and its word is still to come.
    HalfWord,
}

/// The fetch side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Fetch {
    request: Request,
    looping: Looping,
    /// Address last asked for (`instr_addr_q`).
    asked: u32,
    /// Address of the word under way, which is not that of `asked` where a loop's start is asked for early.
    reading: u32,
    /// Address of the instruction at the output, if words are stored.
    head: u32,
    /// Where the second word comes from, if it is the start of a loop.
    second: u32,
    /// Words stored.
    stored: u8,
    /// Where each of them was read.
    words: [u32; 4],
    /// Where the other half of the end instruction was read that the first word holds whole.
    other: u32,
    /// The first word is the start of a loop.
    first_is_start: bool,
    /// The second word is the start of a loop; the first then holds the whole end instruction.
    second_is_start: bool,
    /// Loops, one bit each, that the jump back belongs to.
    jumping: u8,
}

/// What the fetch side needs to know of a cycle before grants are given.
#[derive(Clone, Copy, Debug)]
pub(super) struct Demand {
    /// The controller wants instructions at all.
    pub wanted: bool,
    /// A jump to this address.
    pub jump: Option<u32>,
    /// An answer arrives.
    pub answer: bool,
    /// The instruction at the output ends a loop that jumps back: loops as bits, start.
    pub ends: Option<(u8, u32)>,
    /// Size of the instruction at the output.
    pub size: u8,
    /// What stands in the upper half of the first word is compressed, if anyone asks.
    pub upper_compressed: bool,
}

/// What the fetch side does in a cycle, before it is known whether its instruction moves on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// A request goes out, to this address.
    pub asks: bool,
    /// Its address.
    pub address: u32,
    /// An instruction is at the output.
    pub valid: bool,
    /// A loop jumps back late: the instruction at the output is dropped.
    pub drops: bool,
    /// The instruction at the output is the start of a loop that jumped back.
    pub starts: bool,
    /// An answer goes into the FIFO.
    arrives: bool,
    /// The address register takes a new value.
    moves: bool,
    /// The request is for the start of a loop.
    for_start: bool,
    /// The request state after an ungranted request, or without one.
    next: Request,
}

impl Fetch {
    /// After reset: nothing asked for.
    pub(super) const RESET: Self = Self {
        request: Request::Idle,
        looping: Looping::None,
        asked: 0,
        reading: 0,
        head: 0,
        second: 0,
        stored: 0,
        words: [0; 4],
        other: 0,
        first_is_start: false,
        second_is_start: false,
        jumping: 0,
    };

    /// Address of the instruction at the output, or of the one to come.
    #[inline]
    pub(super) fn output(&self) -> u32 {
        if self.stored > 0 { self.head } else { self.asked }
    }

    /// Where the two words were read that the valid instruction at the output is made of, if it takes two.
    #[inline]
    pub(super) fn sources(&self) -> (u32, u32) {
        let arriving = self.reading;
        match self.stored {
            0 => (arriving, arriving),
            1.. if self.second_is_start => (self.words[0], self.other),
            1 => (self.words[0], arriving),
            2.. => (self.words[0], self.words[1]),
        }
    }

    /// Whether the size of what stands in the upper half of the first word matters in this cycle.
    #[inline]
    pub(super) fn asks_for_upper(&self) -> bool {
        self.looping == Looping::None && self.asked & 2 != 0
    }

    /// Whether a loop is jumping back.
    pub(super) fn loops(&self) -> bool {
        self.looping != Looping::None || self.first_is_start
    }

    /// Whether the first half of a loop's start is there, and the other is still to be fetched.
    #[inline]
    pub(super) fn halves_start(&self, d: &Demand) -> bool {
        self.first_is_start && !self.valid_stored(d)
    }

    /// Whether nothing is asked for or awaited.
    pub(super) fn idle(&self) -> bool {
        self.request == Request::Idle
    }

    /// Where the upper half of the first word was read; it holds an end instruction whole if a loop's start comes behind it.
    #[inline]
    pub(super) fn upper(&self) -> u32 {
        if self.second_is_start && self.head & 2 != 0 { self.other } else { self.output() | 2 }
    }

    /// Loops, one bit each, that the instruction at the output jumped back for.
    pub(super) fn jumping(&self) -> u8 {
        self.jumping
    }

    /// Whether a word is stored, or asked for and granted: it was read from memory already.
    pub(super) fn holds(&self, word: u32) -> bool {
        let in_fifo = self.words[..usize::from(self.stored)].contains(&word)
            || self.second_is_start && self.other == word;
        in_fifo || self.request == Request::WaitAnswer && word == self.reading
    }

    /// The state with all addresses counted from `base`.
    pub(super) fn relative(&self, base: u32) -> Self {
        let minus = |a: u32| a.wrapping_sub(base);
        Self {
            asked: minus(self.asked),
            reading: if self.request == Request::WaitAnswer { minus(self.reading) } else { 0 },
            head: if self.stored > 0 { minus(self.head) } else { 0 },
            second: if self.second_is_start { minus(self.second) } else { 0 },
            words: std::array::from_fn(
                |k| if k < usize::from(self.stored) { minus(self.words[k]) } else { 0 },
            ),
            other: if self.second_is_start { minus(self.other) } else { 0 },
            jumping: if self.looping == Looping::None && !self.first_is_start { 0 } else { self.jumping },
            ..*self
        }
    }

    /// A relative state at an address.
    pub(super) fn at(&self, base: u32) -> Self {
        let plus = |a: u32| a.wrapping_add(base);
        Self {
            asked: plus(self.asked),
            reading: plus(self.reading),
            head: plus(self.head),
            second: plus(self.second),
            words: self.words.map(plus),
            other: plus(self.other),
            ..*self
        }
    }

    #[inline]
    fn valid(&self, d: &Demand, arrives: bool) -> bool {
        let any = self.stored > 0 || arrives || self.second_is_start;
        let straddles = self.output() & 2 != 0 && !self.second_is_start && d.size == 4;
        if straddles { self.stored >= 2 || self.stored >= 1 && arrives } else { any }
    }

    /// As `valid`, without a word that arrives only now.
    #[inline]
    fn valid_stored(&self, d: &Demand) -> bool {
        let straddles = self.output() & 2 != 0 && !self.second_is_start && d.size == 4;
        self.stored > u8::from(straddles)
    }

    /// What happens in this cycle up to the grant.
    #[inline]
    pub(super) fn plan(&self, d: &Demand) -> Plan {
        let arrives = self.request == Request::WaitAnswer && d.answer;
        let valid = self.valid(d, arrives);
        let drops = self.looping == Looping::Compressed;
        // The jump back may be asked for instead of the next word.
        let masked = match self.looping {
            Looping::None => d.ends.is_some() && self.asked & 2 == 0,
            Looping::In | Looping::HalfWord => true,
            Looping::Fetching | Looping::Done | Looping::Compressed => false,
        };
        let jumps = d.jump.is_some() || drops;
        let target = d.jump.unwrap_or(self.asked);
        let start = d.ends.map_or(0, |e| e.1);
        let sequential = (self.asked & !3).wrapping_add(4);
        let room = self.stored <= 2;
        let quiet = Plan {
            asks: false,
            address: sequential,
            valid,
            drops,
            starts: if self.stored > 0 { self.first_is_start } else { self.looping == Looping::Fetching },
            arrives,
            moves: false,
            for_start: false,
            next: self.request,
        };
        match self.request {
            Request::Idle => {
                let back = masked && self.valid_stored(d);
                if !(d.wanted && (room || jumps || back)) {
                    return quiet;
                }
                let address = if jumps {
                    target
                } else if back {
                    start
                } else {
                    sequential
                };
                Plan { asks: true, address, moves: true, for_start: back, next: Request::WaitGrant, ..quiet }
            }
            Request::WaitGrant => {
                let back = !jumps && masked && self.valid_stored(d);
                let address = if jumps {
                    target
                } else if back {
                    start
                } else {
                    self.asked
                };
                Plan { asks: true, address, moves: jumps || back, for_start: back, ..quiet }
            }
            Request::WaitAnswer => {
                let address = if jumps {
                    target
                } else if masked {
                    start
                } else {
                    sequential
                };
                if d.wanted && (room || jumps || masked) {
                    if d.answer {
                        let next = Request::WaitGrant;
                        return Plan { asks: true, address, moves: true, for_start: masked, next, ..quiet };
                    }
                    if jumps || masked && valid {
                        let next = Request::Aborted;
                        return Plan { address, moves: true, for_start: !jumps, next, ..quiet };
                    }
                    quiet
                } else if d.answer {
                    Plan { next: Request::Idle, ..quiet }
                } else {
                    quiet
                }
            }
            Request::Aborted => {
                let address = if jumps { target } else { self.asked };
                let next = if d.answer { Request::WaitGrant } else { Request::Aborted };
                Plan { asks: d.answer, address, moves: jumps, next, ..quiet }
            }
        }
    }

    /// The end of the cycle: `ready` says that the instruction at the output moved on, `granted` that the request was granted;
    /// with `gently`, no instruction is dropped for a late jump back.
    #[inline]
    pub(super) fn finish(&mut self, d: &Demand, p: &Plan, granted: bool, ready: bool, gently: bool) {
        let mut clear = false;
        let mut speculative = false;
        let mut replaces = false;
        let mut next = self.looping;
        match self.looping {
            Looping::None => {
                if d.ends.is_some() {
                    let at_half = self.asked & 2 != 0;
                    if p.valid && at_half && d.upper_compressed {
                        if ready || !gently {
                            next = Looping::Compressed;
                            speculative = true;
                        }
                    } else if at_half && !p.valid {
                        next = Looping::HalfWord;
                        speculative = true;
                    } else {
                        next = if p.for_start { Looping::Fetching } else { Looping::In };
                    }
                    clear = ready;
                }
            }
            Looping::HalfWord => {
                if p.valid {
                    next = Looping::Fetching;
                    clear = ready;
                }
            }
            Looping::Compressed => {
                next = Looping::Fetching;
                clear = true;
            }
            Looping::In => {
                if p.for_start {
                    next = Looping::Fetching;
                }
                clear = ready;
            }
            Looping::Fetching => {
                replaces = true;
                if d.answer && self.request != Request::Aborted {
                    next = if p.valid && p.starts { Looping::None } else { Looping::Done };
                } else {
                    clear = ready;
                }
            }
            Looping::Done => {
                if p.valid && p.starts {
                    next = Looping::None;
                }
            }
        }
        if d.jump.is_some() {
            next = Looping::None;
            clear = true;
        }
        if let Some((loops, _)) = d.ends {
            self.jumping = loops;
        }
        if clear {
            self.stored = 0;
            self.first_is_start = false;
            self.second_is_start = false;
        } else {
            self.store(p, replaces);
            if ready && p.valid {
                self.pop(d.size == 2);
            }
        }
        self.looping = next;
        self.request = if p.asks && granted { Request::WaitAnswer } else { p.next };
        if granted {
            self.reading = p.address & !3;
        }
        if p.moves {
            self.asked = if speculative && d.jump.is_none() { d.ends.map_or(0, |e| e.1) } else { p.address };
        }
    }

    /// A word that arrives goes behind those stored, or with `replaces` in the place of all but the first.
    #[inline]
    fn store(&mut self, p: &Plan, replaces: bool) {
        if !p.arrives {
            return;
        }
        let before = self.stored;
        let word = self.reading;
        if before == 0 {
            self.head = self.asked;
        }
        if replaces && before > 0 {
            self.other = self.sources().1;
            self.words[1] = word;
        } else if let Some(place) = self.words.get_mut(usize::from(before)) {
            *place = word;
        }
        self.stored = (before + 1).min(4);
        if replaces {
            if before > 0 {
                self.second = self.asked;
                self.stored = 2;
                self.second_is_start = true;
            } else {
                self.first_is_start = true;
            }
        }
    }

    /// The instruction at the output moves on.
    #[inline]
    fn pop(&mut self, compressed: bool) {
        self.first_is_start = self.second_is_start;
        let stays = compressed && self.head & 2 == 0 && !self.second_is_start;
        if !stays {
            self.words.rotate_left(1);
        }
        if self.second_is_start {
            self.second_is_start = false;
            self.head = self.second;
            self.stored -= 1;
            return;
        }
        let word = (self.head & !3).wrapping_add(4);
        if self.head & 2 != 0 {
            self.head = if compressed { word } else { word | 2 };
            self.stored -= 1;
        } else if compressed {
            self.head |= 2;
        } else {
            self.head = word;
            self.stored -= 1;
        }
    }
}
