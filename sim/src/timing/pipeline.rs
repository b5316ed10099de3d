//! Issue times: when each instruction leaves ID.

use super::rules::{self, FIRST_ISSUE};
use super::{Stall, Stalls};
use crate::hart::Hart;
use crate::isa::{Flow, Inst, Unit};

/// What a running hardware loop does to the fetch of its next pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum LoopFetch {
    /// No loop end in sight, or not asked for yet.
    Idle,
    /// The loop's start was asked for in the cycle before.
    Asked,
    /// The start has replaced what lay behind the end instruction.
    Replaced,
    /// A compressed end instruction was reached by a jump: the start is asked for one cycle late.
    Late,
}

/// A division that ID may issue again though it was killed or has run (stale content of ID, RTL quirk).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Stale {
    divisor: u8,
    signed: bool,
    /// When EX is free again if the length was fixed at the time of the branch.
    until: Option<u64>,
}

/// When an instruction issues, and what it waited for.
#[derive(Clone, Copy, Debug)]
pub struct Issue {
    /// Cycle it leaves ID.
    pub cycle: u64,
    /// Cycle it entered ID.
    pub entered: u64,
    /// For `jalr`: cycle its target was known.
    pub resolved: u64,
}

impl Issue {
    /// Cycles it waited in ID.
    #[must_use]
    pub fn waited(&self) -> u64 {
        self.cycle - self.entered
    }
}

/// Timing state of the pipeline.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pipeline {
    quirks: bool,
    /// Cycle the last instruction left ID (killed ones and flushes included).
    last: u64,
    /// Cycle the last counted instruction left ID: what stalls are booked against.
    booked: u64,
    /// First cycle EX can take the next instruction.
    ex_free: u64,
    /// Why EX is not free before.
    ex_reason: Stall,
    /// Why the next instruction may enter ID late.
    fetch_reason: Stall,
    /// Cycle the fetch side looks at next.
    fetch: u64,
    /// Words stored in the fetch FIFO.
    stored: u32,
    /// A word arrives this cycle.
    arriving: bool,
    /// First look after a jump.
    redirected: bool,
    /// The loop's start is already aligned at the FIFO output.
    aligned: bool,
    loop_fetch: LoopFetch,
    stale: Option<Stale>,
    /// First cycle a reader of the register may issue (load results).
    ready: [u64; 32],
    /// First cycle `jalr` may resolve with the register.
    jump_ready: [u64; 32],
    /// The register the instruction before loads, and the first cycle an ALU write to it may issue.
    loading: (u8, u64),
    /// Cycles lost by reason.
    pub stalls: Stalls,
}

impl Pipeline {
    /// The pipeline after reset.
    #[must_use]
    pub fn new(quirks: bool) -> Self {
        Self {
            quirks,
            last: FIRST_ISSUE - 1,
            booked: FIRST_ISSUE - 1,
            ex_free: FIRST_ISSUE,
            ex_reason: Stall::Fence,
            fetch_reason: Stall::HardwareLoop,
            fetch: FIRST_ISSUE - 1,
            stored: 0,
            arriving: true,
            redirected: true,
            aligned: false,
            loop_fetch: LoopFetch::Idle,
            stale: None,
            ready: [0; 32],
            jump_ready: [0; 32],
            loading: (0, 0),
            stalls: [0; Stall::ALL.len()],
        }
    }

    /// The state without the time: cycles relative to the last booked one, constraints that no longer bind left out, no
    /// stalls. Pipelines that are equal in this go on alike.
    #[must_use]
    pub fn relative(&self) -> Self {
        let base = self.booked;
        // The next instruction cannot issue before `last + 1`, which is later than what is left out here.
        let binding = |t: u64| if t > self.last + 1 { t - base } else { 0 };
        let idle = self.ex_free <= base + 1;
        let loading =
            if binding(self.loading.1) > 0 { (self.loading.0, binding(self.loading.1)) } else { (0, 0) };
        Self {
            quirks: self.quirks,
            last: self.last - base,
            booked: 0,
            ex_free: if idle { 1 } else { self.ex_free - base },
            ex_reason: if idle { Stall::Fence } else { self.ex_reason },
            // The fetch side may lag behind an instruction that waited.
            fetch: self.fetch.wrapping_sub(base),
            ready: self.ready.map(binding),
            jump_ready: self.jump_ready.map(binding),
            loading,
            stale: self.stale.map(|s| Stale { until: s.until.map(|t| t.wrapping_sub(base)), ..s }),
            stalls: [0; Stall::ALL.len()],
            ..*self
        }
    }

    /// A [relative](Self::relative) state at a time: its last instruction booked in cycle `booked`.
    #[must_use]
    pub fn at(&self, booked: u64, stalls: Stalls) -> Self {
        let later = |t: u64| if t > 0 { t + booked } else { 0 };
        Self {
            last: self.last + booked,
            booked,
            ex_free: self.ex_free + booked,
            fetch: self.fetch.wrapping_add(booked),
            ready: self.ready.map(later),
            jump_ready: self.jump_ready.map(later),
            loading: (self.loading.0, later(self.loading.1)),
            stale: self.stale.map(|s| Stale { until: s.until.map(|t| t.wrapping_add(booked)), ..s }),
            stalls,
            ..*self
        }
    }

    /// Cycle in which the last counted instruction left ID.
    #[must_use]
    pub fn booked(&self) -> u64 {
        self.booked
    }

    /// Whether ID holds a division that it may issue again: what comes next then depends on registers.
    #[must_use]
    pub fn stale(&self) -> bool {
        self.stale.is_some()
    }

    /// Cycles so far, in the convention of the reports: the first instruction issues in cycle 1.
    #[must_use]
    pub fn cycles(&self) -> u64 {
        self.booked + 1 - FIRST_ISSUE
    }

    /// When the instruction at `pc` issues. `hart` is the state before it executes; `ends_loop` says that a hardware loop
    /// jumps back behind it.
    #[inline]
    pub fn issue(&mut self, inst: &Inst, hart: &Hart, ends_loop: bool) -> Issue {
        let pc = hart.pc;
        // In straight-line code an instruction moves from IF to ID in the cycle the one before leaves ID.
        let moved = self.fetch_until_moved(pc, inst.size, ends_loop);
        if self.loop_fetch == LoopFetch::Late {
            self.fetch += 1;
            self.arriving = true;
            self.stored = 0;
        }
        self.redirected = false;
        self.aligned = false;
        let entered = moved + 1;
        // Traps and flushes leave ID at once; what they flush waits for EX instead.
        let at_once = matches!(inst.row.unit, Unit::Trap | Unit::Mret | Unit::Fence | Unit::Wfi);
        let limit = if at_once { entered } else { u64::MAX };
        let mut at = self.booked + 1;
        self.book(&mut at, self.ex_free.min(limit), self.ex_reason);
        self.book(&mut at, entered, self.fetch_reason);
        if moved > self.last
            && let Some(stale) = self.stale
        {
            self.ex_free = stale
                .until
                .unwrap_or_else(|| self.ex_free + rules::division(stale.signed, hart.get(stale.divisor)));
            self.ex_reason = Stall::StaleDivision;
            self.book(&mut at, self.ex_free.min(limit), Stall::StaleDivision);
        }
        if at_once {
            return Issue { cycle: entered, entered, resolved: entered };
        }
        let mut cycle = entered.max(self.ex_free);
        for r in inst.sources() {
            cycle = cycle.max(self.ready[usize::from(r)]);
        }
        self.book(&mut at, cycle, Stall::LoadUse);
        let mut resolved = entered;
        if inst.row.unit == Unit::Jalr {
            resolved = resolved.max(self.jump_ready[usize::from(inst.rs1)]);
            cycle = cycle.max(resolved);
            self.book(&mut at, cycle, Stall::JumpRegister);
        }
        if inst.alu_dest() == Some(self.loading.0) {
            cycle = cycle.max(self.loading.1);
            self.book(&mut at, cycle, Stall::LoadWriteAfterWrite);
        }
        Issue { cycle, entered, resolved }
    }

    /// The instruction in ID is killed by an interrupt in cycle `k`; the vector instruction can enter ID at `k + 4`. A busy
    /// EX does not hold that up, only the vector instruction itself (`riscv_controller.sv`, `IRQ_FLUSH`, `IRQ_TAKEN_ID`;
    /// two cases measured).
    pub fn interrupt(&mut self, k: u64) {
        self.redirect(k + 3, Stall::Interrupt);
        self.last = k + 2;
        self.busy_until(k + 2, Stall::Interrupt);
    }

    /// Behind a `wfi` that left ID: asleep until the interrupt pin is seen high from cycle `pin` on. With interrupts enabled
    /// the vector instruction can enter ID four cycles after that, otherwise the next instruction two cycles after. Returns
    /// the cycles asleep (`riscv_controller.sv`, `WAIT_SLEEP`, `SLEEP`, `FIRST_FETCH`; one case measured).
    pub fn sleep(&mut self, pin: u64, enabled: bool) -> u64 {
        let asleep = self.last + 2;
        let woken = pin.max(asleep);
        let enters = woken + if enabled { 4 } else { 2 };
        self.redirect(enters - 1, Stall::Sleep);
        self.last = enters - 2;
        self.busy_until(enters - 2, Stall::Sleep);
        woken - asleep
    }

    /// Cycle the last instruction left ID.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.last
    }

    /// Books the cycles up to `until` under a reason.
    #[inline]
    fn book(&mut self, at: &mut u64, until: u64, reason: Stall) {
        if until > *at {
            self.stalls[reason as usize] += until - *at;
            *at = until;
        }
    }

    /// Runs the fetch side until the instruction at `pc` moves from IF to ID; returns that cycle.
    ///
    /// The prefetch FIFO asks for a word per cycle while at most two are stored at its start; each arrives in the next
    /// cycle. At a loop's end the start is asked for as soon as the end instruction is seen at the FIFO output, and
    /// replaces everything behind it (`riscv_prefetch_buffer.sv`, `riscv_fetch_fifo.sv`).
    #[inline]
    fn fetch_until_moved(&mut self, pc: u32, size: u8, ends_loop: bool) -> u64 {
        let straddles = rules::straddles(pc, size);
        let at_half = pc & 2 != 0;
        let mut first = true;
        loop {
            let arriving = u32::from(self.arriving);
            let valid = if straddles && !self.aligned {
                self.stored >= 2 || (self.stored >= 1 && self.arriving)
            } else {
                self.stored + arriving >= 1
            };
            let go =
                valid && (self.fetch == self.last || (self.fetch > self.last && self.fetch >= self.ex_free));
            let asks = self.stored <= 2;
            let late = self.redirected && first && at_half;
            match self.loop_fetch {
                LoopFetch::Idle if ends_loop && !late => {
                    self.loop_fetch = LoopFetch::Asked;
                    self.stored = if go { 0 } else { self.stored + arriving };
                    self.arriving = true;
                }
                LoopFetch::Asked => {
                    self.arriving = asks;
                    self.stored = if go { 1 } else { 2 };
                    self.loop_fetch = LoopFetch::Replaced;
                    self.aligned = !go;
                }
                LoopFetch::Idle if ends_loop && late && size == 2 && go => {
                    self.stored = 0;
                    self.arriving = false;
                    self.loop_fetch = LoopFetch::Late;
                }
                LoopFetch::Idle | LoopFetch::Replaced | LoopFetch::Late => {
                    let popped = u32::from(go && (size == 4 || at_half));
                    self.stored = (self.stored + arriving).saturating_sub(popped);
                    self.arriving = asks;
                }
            }
            first = false;
            self.fetch += 1;
            if go {
                return self.fetch - 1;
            }
        }
    }

    /// Accounts for the executed instruction: what it leaves busy, and where the fetch side goes on.
    #[inline]
    pub fn complete(&mut self, inst: &Inst, issue: Issue, done: &Done<'_>) {
        let t = issue.cycle;
        let (latency, reason) = rules::latency(inst, done.divisor, done.split);
        let flush_end = (t + 1).max(self.ex_free) + 1;
        self.booked = t;
        if t + latency >= self.ex_free {
            self.ex_free = t + latency;
            self.ex_reason = reason;
        }
        self.last = t;
        self.stale = None;
        if self.quirks && matches!(inst.row.unit, Unit::Div | Unit::Divu) {
            self.stale = Some(Stale { divisor: inst.rs2, signed: inst.row.unit == Unit::Div, until: None });
        }
        self.results(inst, t, latency);
        self.loop_fetch = LoopFetch::Idle;
        self.fetch_reason = Stall::HardwareLoop;
        match inst.row.unit {
            Unit::Branch if matches!(done.flow, Flow::Jump(_)) => self.taken_branch(t, done),
            Unit::Jal => self.redirect(issue.entered + 1, Stall::Jump),
            // The target is asked for once the register is there, though the jump may still wait for EX.
            Unit::Jalr => self.redirect(issue.resolved + 1, Stall::Jump),
            Unit::Trap | Unit::Mret => {
                let end = flush_end + u64::from(inst.row.unit == Unit::Mret);
                self.redirect(end + 1, Stall::Trap);
                self.last = end;
                self.busy_until(end, Stall::Trap);
            }
            Unit::Fence | Unit::Wfi => {
                self.redirect(flush_end + 1, Stall::Fence);
                self.last = flush_end;
                self.busy_until(flush_end, Stall::Fence);
            }
            // An access to a CSR that the core turns down.
            Unit::Csr if matches!(done.flow, Flow::Trap(_)) => {
                self.redirect(flush_end + 1, Stall::Trap);
                self.last = flush_end;
                self.busy_until(flush_end, Stall::Trap);
            }
            Unit::Alu
            | Unit::Mul
            | Unit::Mac
            | Unit::Mulh
            | Unit::Div
            | Unit::Divu
            | Unit::Load
            | Unit::Store
            | Unit::Branch
            | Unit::Csr
            | Unit::Loop
            | Unit::Dot => {}
        }
        if rules::csr_flushes(inst) {
            self.fetch = self.fetch.max(t + 3);
            self.last = t + 3;
            self.busy_until(t + 3, Stall::CsrFlush);
            self.fetch_reason = Stall::CsrFlush;
        }
    }

    fn busy_until(&mut self, cycle: u64, reason: Stall) {
        if cycle > self.ex_free {
            self.ex_free = cycle;
            self.ex_reason = reason;
        }
    }

    fn redirect(&mut self, fetch: u64, reason: Stall) {
        self.fetch = fetch;
        self.stored = 0;
        self.arriving = true;
        self.redirected = true;
        self.loop_fetch = LoopFetch::Idle;
        self.fetch_reason = reason;
        self.stale = None;
    }

    /// When results are there for readers, `jalr` and later writers.
    #[inline]
    fn results(&mut self, inst: &Inst, t: u64, latency: u64) {
        let after = t + latency + 1;
        if let Some(rd) = inst.alu_dest() {
            self.jump_ready[usize::from(rd)] = after;
            self.ready[usize::from(rd)] = 0;
        }
        if inst.row.unit == Unit::Load {
            let rd = usize::from(inst.rd);
            self.loading = (inst.rd, after);
            self.ready[rd] = after;
            self.jump_ready[rd] = after + 1;
        }
        self.ready[0] = 0;
        self.jump_ready[0] = 0;
    }

    /// A taken branch: the target can issue at `t + 3`. The killed fall-through instruction still leaves ID at `t + 1`;
    /// if it is a division, EX runs it (stale division, RTL).
    fn taken_branch(&mut self, t: u64, done: &Done<'_>) {
        self.redirect(t + 2, Stall::TakenBranch);
        self.last = t + 1;
        self.ex_free = t + 2;
        self.ex_reason = Stall::TakenBranch;
        if let Some(division) =
            done.shadow.filter(|d| self.quirks && matches!(d.row.unit, Unit::Div | Unit::Divu))
        {
            let signed = division.row.unit == Unit::Div;
            let length = rules::division(signed, done.hart.get(division.rs2));
            let mut until = t + 2 + length;
            if done.target_straddles {
                // ID stays empty for one more cycle, so the division is issued twice.
                self.ex_free = until;
                self.ex_reason = Stall::StaleDivision;
                until += length;
            }
            self.stale = Some(Stale { divisor: division.rs2, signed, until: Some(until) });
        }
    }
}

impl<'a> Done<'a> {
    /// An instruction that neither divides nor makes two accesses, with no division behind it.
    #[must_use]
    pub fn plain(flow: Flow, hart: &'a Hart) -> Self {
        Self { flow, divisor: 0, split: false, shadow: None, target_straddles: false, hart }
    }
}

/// What the timing needs to know of an executed instruction.
#[derive(Clone, Copy, Debug)]
pub struct Done<'a> {
    /// Where control went.
    pub flow: Flow,
    /// rs2 before execution, for divisions.
    pub divisor: u32,
    /// The memory access crossed a word boundary.
    pub split: bool,
    /// The instruction in the shadow of a taken branch.
    pub shadow: Option<Inst>,
    /// The jump target needs two fetched words.
    pub target_straddles: bool,
    /// State after execution.
    pub hart: &'a Hart,
}
