//! One cycle of the pipeline: who is ready, what the ports do, and the instruction that leaves ID.

use super::Stall;
use super::controller::Orders;
use super::driver::{Driver, Issue};
use super::fetch::{Demand, Plan};
use super::pipeline::{Control, Pipeline, State};
use super::ports::Priority;
use super::precision::{Content, Step};
use crate::exec::Executed;
use crate::hart::{Given, Simd};
use crate::isa::{Inst, Unit};

/// Why ID or EX is not ready, and whether it is.
#[derive(Clone, Copy)]
pub(super) struct Readiness {
    /// EX and WB are done with what they hold.
    pub(super) done: bool,
    /// The same, and something was enabled in EX (`ex_valid_o`).
    pub(super) valid: bool,
    /// EX can take something.
    pub(super) ex: bool,
    /// ID can hand something on.
    pub(super) id: bool,
    pub(super) load_stall: bool,
    pub(super) jump_stall: bool,
    pub(super) misaligned: bool,
}

/// The ports in a cycle.
#[derive(Clone, Copy)]
pub(super) struct Traffic {
    /// Data memory answers.
    pub(super) data_answers: bool,
    /// WB can take something.
    pub(super) wb_ready: bool,
    /// The request for a word of code is granted.
    pub(super) code_granted: bool,
    /// The request for data is granted.
    pub(super) data_granted: bool,
    /// A word of code comes later than it could.
    pub(super) code_late: bool,
}

#[inline]
pub(super) fn among(sources: [u8; 3], r: u8) -> bool {
    r != 0 && (sources[0] == r || sources[1] == r || sources[2] == r)
}

impl Pipeline {
    /// One cycle; what the instruction did that left ID in it, if one did.
    pub(super) fn cycle<D: Driver>(&mut self, d: &mut D) -> Result<Option<Executed>, D::Stop> {
        if self.state.control == Control::Asleep && !self.state.busy && !d.pin(self.now) {
            self.sleep_on(d.next_pin());
            return Ok(None);
        }
        // Everything up to `issues` is the RTL's combinational logic, in an order in which each part has what it needs: the
        // controller does not look at the ports, a request for code does not wait for a grant of data, and only then is known
        // whether EX, and with it ID, is ready.
        let code_answers = self.state.instructions.answers();
        let data_answers = self.state.data.answers();
        let enabled = d.interrupts_enabled();
        let orders = self.orders(d, enabled)?;
        let (demand, plan) = self.plan(d, &orders, code_answers);
        let traffic = self.traffic(d, &plan, data_answers);
        let ready = self.readiness(&orders, traffic);
        let leaves = ready.id && !orders.halts_id;
        let moves = plan.valid && orders.jump.is_none() && !plan.drops && ready.id && !orders.halts_if;
        let issues = leaves && orders.decodes;
        let clears = ready.id || orders.halts_id || self.state.ex.taken.is_some();

        let simd = d.simd();
        let content = self.inst.as_ref().map_or(Content::Other, Content::of);
        let step = simd.map(|simd| self.state.precision.step(simd, content, orders.decodes));

        // What IF holds has to be read before the fetch side goes on, and moves to ID when the instruction there has left.
        let output = self.state.fetch.output();
        let sources = self.state.fetch.sources();
        let starts = if plan.starts { self.state.fetch.jumping() } else { 0 };
        let loops = plan.drops || self.state.fetch.halves_start(&demand);
        if d.counting() {
            d.count(self.events(&orders, ready, traffic, &plan, leaves));
        }
        self.state.fetch.finish(&demand, &plan, traffic.code_granted, moves && orders.wanted, !self.quirks);
        // What is in EX writes its CSR before the instruction that leaves ID is executed: that one reads CSRs when it is in EX.
        self.write_csrs(d, ready, leaves, clears, issues);
        if let (Some(simd), Some(step)) = (simd, step) {
            let (skip, group) = self.state.precision.finish(step, content, simd);
            d.set_simd(skip, group);
        }
        self.see_interrupts(d, enabled);

        if traffic.data_granted {
            self.granted = self.now;
        }
        let awaits = traffic.data_granted || self.state.awaits && !traffic.data_answers;
        let held = awaits && !self.state.data.answers_next();
        let operand = if leaves && simd.is_some() { self.operand(d) } else { None };
        let mut executed = None;
        if issues || orders.at_once {
            let read = if moves { [sources.0, sources.1] } else { [1; 2] };
            executed = Some(self.execute(d, output, read, simd.zip(step), held)?);
        } else {
            self.book_loss(&orders, ready, traffic, loops);
        }
        // EX goes to WB as it was before ID hands something on to it.
        let ex = self.state.ex;
        let wb = if ready.done {
            ex.loads.then_some(ex.load_rd)
        } else {
            self.state.wb.filter(|_| !traffic.wb_ready)
        };
        self.hand_on(d, ready, leaves, executed.as_ref().filter(|_| issues));
        if let Some(step) = step.filter(|_| leaves) {
            self.state.precision.latch(step, content, operand);
        }
        let s = &mut self.state;
        s.wb = wb;
        s.awaits = awaits;
        s.handed_on = leaves;
        s.jumped &= !ready.id;
        s.busy = !matches!(s.control, Control::FallAsleep | Control::Asleep)
            || plan.asks
            || !s.fetch.idle()
            || awaits;
        s.control = orders.follow(s.control, ready);
        self.take_in(d, moves, clears, output, sources, starts);
        self.now += 1;
        Ok(executed)
    }

    /// Asleep with the clock stopped: nothing changes until a pin rises.
    fn sleep_on(&mut self, pin: u64) {
        let until = pin.max(self.now + 1);
        self.asleep += until - self.now;
        self.lose(Stall::Sleep, until - self.now);
        self.now = until;
    }

    /// What the fetch side does.
    #[inline]
    fn plan<D: Driver>(&mut self, d: &mut D, o: &Orders, answer: bool) -> (Demand, Plan) {
        let output = self.state.fetch.output();
        let pending = if self.state.valid { self.state.starts } else { 0 };
        let ends = d.ends_loop(output, pending);
        let size = self.look(d, output).map_or(2, |i| i.size);
        let upper_compressed = ends.is_some()
            && self.state.fetch.asks_for_upper()
            && d.parcel(self.state.fetch.upper()) & 3 != 3;
        // Behind the odd start of a loop, jumps would go to odd addresses.
        let jump = o.jump.map(|target| target & !1);
        let demand = Demand { wanted: o.wanted, jump, answer, ends, size, upper_compressed };
        let plan = self.state.fetch.plan(&demand);
        if o.jump.is_some() {
            d.refetch(None);
        }
        (demand, plan)
    }

    /// What the ports do.
    #[inline]
    fn traffic<D: Driver>(&mut self, d: &mut D, plan: &Plan, data_answers: bool) -> Traffic {
        let s = &mut self.state;
        let wb_ready = !s.awaits || data_answers;
        let asks_data = s.ex.request && wb_ready;
        let (mut code_timing, mut data_timing) = (self.timing.instructions, self.timing.data);
        if !self.timing.regions.is_empty() {
            code_timing = self.timing.fetching(plan.address);
            data_timing = self.timing.accessing(s.ex.address);
        }
        let late = s.instructions.open();
        let mut code = plan.asks && s.instructions.ripe(code_timing);
        let mut data = asks_data && s.data.ripe(data_timing);
        if code && data {
            match self.timing.shared {
                Some(Priority::Data) => code = false,
                Some(Priority::Instructions) => data = false,
                None => {}
            }
        }
        s.instructions.settle(plan.asks, code, code_timing);
        s.data.settle(asks_data, data, data_timing);
        if s.ex.request && s.ex.store {
            if code {
                // It may be an older word than the one that was seen there.
                d.fetched(plan.address & !3);
                self.seen = None;
            }
            if data {
                d.stored(s.ex.address & !3, !s.ex.first_of_two);
            }
        }
        Traffic {
            data_answers,
            wb_ready,
            code_granted: code,
            data_granted: data,
            code_late: plan.asks && !code || late,
        }
    }

    /// Who is ready (`riscv_controller.sv`, stalls; `riscv_id_stage.sv`, `id_ready_o`; `riscv_ex_stage.sv`, `ex_ready_o`).
    #[inline]
    fn readiness(&self, o: &Orders, t: Traffic) -> Readiness {
        let s = &self.state;
        let done = s.ex.left <= 1 && t.wb_ready && (!s.ex.request || t.data_granted);
        let ex = done || s.ex.branch;
        let misaligned = s.ex.request && s.ex.first_of_two;
        let loading = s.ex.request && s.ex.loads || !t.wb_ready && s.wb.is_some();
        let (mut load_stall, mut jump_stall) = (false, false);
        if let Some(inst) = &self.inst {
            load_stall = loading
                && (among(inst.waits_for(), s.ex.load_rd)
                    || o.decodes && !misaligned && inst.alu_dest() == Some(s.ex.load_rd));
            jump_stall = inst.row.unit == Unit::Jalr && s.waits_for_target(inst);
        }
        let id = !misaligned && !jump_stall && !load_stall && ex;
        Readiness { done, valid: done && !s.ex.nothing, ex, id, load_stall, jump_stall, misaligned }
    }

    /// Writes of CSRs in EX, at the end of the cycle.
    #[inline]
    fn write_csrs<D: Driver>(
        &mut self,
        d: &mut D,
        ready: Readiness,
        leaves: bool,
        clears: bool,
        issues: bool,
    ) {
        if self.state.ex.csr {
            let pending = if self.state.valid { self.state.starts } else { 0 };
            let still = if clears { 0 } else { pending };
            let set_up = issues && self.inst.is_some_and(|i| i.row.unit == Unit::Loop);
            d.write_csr(pending, still, set_up);
            if leaves || ready.ex {
                d.csr_done();
            }
        }
    }

    /// Executes the instruction in ID, which leaves it now. `after` is the address at the output of the fetch side, `read` where the
    /// words were read of an instruction that moves on from there.
    #[inline]
    fn execute<D: Driver>(
        &mut self,
        d: &mut D,
        after: u32,
        read: [u32; 2],
        precision: Option<(Simd, Step)>,
        held: bool,
    ) -> Result<Executed, D::Stop> {
        let inst = self.inst.expect("it is decoded");
        let waited = self.state.waited;
        let given = precision.and_then(|(before, step)| {
            let now = d.simd()?;
            let mut latched = self.state.precision;
            latched.latch(step, Content::of(&inst), None);
            let group = latched.group(now.group, held);
            Some(Given {
                format: step.format,
                group,
                skip: before.skip,
                from: step.from,
                overtaken: group != now.group,
                waited: waited > 0,
            })
        });
        let issue = Issue { pc: self.state.pc, cycle: self.now, waited, after, given };
        let executed = d.execute(&inst, &issue)?;
        if inst.row.unit == Unit::Store {
            for word in d.changed_code().into_iter().flatten() {
                self.seen = None;
                if self.state.fetch.holds(word) || read.contains(&word) {
                    d.fetched(word);
                }
            }
        }
        for (reason, cycles) in self.open.drain(..) {
            self.stalls[reason as usize] += cycles;
        }
        self.booked = self.now;
        // A jump and what flushes have said why ID will be empty; behind anything else only a loop can make it so.
        let says = match inst.row.unit {
            Unit::Jal | Unit::Jalr | Unit::Trap | Unit::Mret | Unit::Fence | Unit::Wfi => true,
            Unit::Csr => d.flushes(&inst),
            Unit::Alu
            | Unit::Mul
            | Unit::Mac
            | Unit::Mulh
            | Unit::Div
            | Unit::Divu
            | Unit::Load
            | Unit::Store
            | Unit::Branch
            | Unit::Loop
            | Unit::Dot => false,
        };
        if !says {
            self.state.reason = Stall::HardwareLoop;
        }
        Ok(executed)
    }

    /// The low bits of the first operand that goes to EX, if EX takes a new one.
    fn operand<D: Driver>(&self, d: &D) -> Option<u8> {
        let inst = self.inst.as_ref()?;
        let register = |r: u8| Some((d.register(r) & 15) as u8);
        if self.state.ex.taken.is_some() {
            return None;
        }
        match inst.row.unit {
            Unit::Mul | Unit::Mac | Unit::Mulh | Unit::Dot => None,
            Unit::Div | Unit::Divu => register(inst.rs2),
            Unit::Jal | Unit::Jalr => Some((self.state.pc & 15) as u8),
            Unit::Csr if inst.waits_for()[0] != inst.rs1 => Some(inst.rs1 & 15),
            Unit::Alu if inst.row.name == "lui" => Some(0),
            Unit::Alu if inst.row.name == "auipc" => Some((self.state.pc & 15) as u8),
            Unit::Alu
            | Unit::Load
            | Unit::Store
            | Unit::Branch
            | Unit::Csr
            | Unit::Loop
            | Unit::Fence
            | Unit::Trap
            | Unit::Mret
            | Unit::Wfi => register(inst.rs1),
        }
    }
}

impl State {
    /// Whether `jalr` waits for its register (`jr_stall_o`): it is on its way through EX or WB.
    #[inline]
    pub(super) fn waits_for_target(&self, inst: &Inst) -> bool {
        let r = inst.rs1;
        inst.row.unit == Unit::Jalr
            && r != 0
            && (self.wb == Some(r)
                || self.ex.loads && self.ex.load_rd == r
                || self.ex.writes && self.ex.alu_rd == r)
    }
}
