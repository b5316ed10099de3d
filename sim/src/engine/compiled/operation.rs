//! What instructions become that do not change the flow of control. What is not here, the table executes.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{I32, I64};
use cranelift_codegen::ir::{InstBuilder as _, Value};

use super::lower::{Lowering, ram};
use crate::isa::{Alu, Bits, Condition, Form, Inst, Multiply, Normalise, Op, Short};
use crate::memory::{GRANULE, WRITTEN};

impl Lowering<'_, '_> {
    /// Lowers instruction `k` of node `n`, which lies at `pc`; `false` leaves it to the table.
    pub(super) fn operation(&mut self, pc: u32, i: &Inst, n: usize, k: usize) -> bool {
        let form = i.row.form;
        let value = match i.row.op {
            Op::Alu(alu) => {
                let (a, b) = (self.get(i.rs1), self.second(i));
                match self.alu(alu, a, b) {
                    Some(value) => value,
                    None => return false,
                }
            }
            Op::PcPlus => self.number(pc.wrapping_add(i.imm as u32)),
            Op::Multiply(multiply) => {
                let [a, b, d] = self.keep(i);
                self.multiply(multiply, a, b, d)
            }
            Op::Short(short) => {
                let [a, b, d] = self.keep(i);
                self.short(short, a, b, form.reads()[2].then_some(d), i.imm as u32)
            }
            Op::Load { bytes, signed } => {
                self.load(bytes, signed, i, n, k);
                return true;
            }
            Op::Store { bytes } => {
                self.store(bytes, i, n, k);
                return true;
            }
            Op::Bits(bits) if matches!(form, Form::Bits | Form::BitsAcc) && bits != Bits::Reverse => {
                self.bits(bits, i)
            }
            Op::Clip { signed } => self.clip(signed, i),
            Op::Normalise(normalise) => self.normalise(normalise, i),
            Op::Dot { signed } => return self.dot(signed, i, n),
            _ => return false,
        };
        self.set(i.rd, value);
        true
    }

    /// The second operand.
    fn second(&mut self, i: &Inst) -> Value {
        match i.row.form {
            Form::I | Form::Shamt | Form::U => self.number(i.imm as u32),
            Form::R1 => self.number(16 * u32::from(i.rs2 & u8::from(self.plan.cpu.hart.quirks))),
            Form::BImm => self.number(((i32::from(i.rs2) << 27) >> 27) as u32),
            _ => self.get(i.rs2),
        }
    }

    fn alu(&mut self, alu: Alu, a: Value, b: Value) -> Option<Value> {
        let f = &mut self.b;
        let flag = |f: &mut cranelift_frontend::FunctionBuilder, code, a, b| {
            let holds = f.ins().icmp(code, a, b);
            f.ins().uextend(I32, holds)
        };
        Some(match alu {
            Alu::Second => b,
            Alu::Add => f.ins().iadd(a, b),
            Alu::Sub => f.ins().isub(a, b),
            Alu::ShiftLeft => f.ins().ishl(a, b),
            Alu::ShiftRight => f.ins().ushr(a, b),
            Alu::ShiftRightSigned => f.ins().sshr(a, b),
            Alu::Rotate => f.ins().rotr(a, b),
            Alu::Less => flag(f, IntCC::SignedLessThan, a, b),
            Alu::LessUnsigned => flag(f, IntCC::UnsignedLessThan, a, b),
            Alu::LessEqual => flag(f, IntCC::SignedLessThanOrEqual, a, b),
            Alu::LessEqualUnsigned => flag(f, IntCC::UnsignedLessThanOrEqual, a, b),
            Alu::Xor => f.ins().bxor(a, b),
            Alu::Or => f.ins().bor(a, b),
            Alu::And => f.ins().band(a, b),
            Alu::Min => f.ins().smin(a, b),
            Alu::MinUnsigned => f.ins().umin(a, b),
            Alu::Max => f.ins().smax(a, b),
            Alu::MaxUnsigned => f.ins().umax(a, b),
            Alu::Abs => {
                let greater = f.ins().icmp(IntCC::SignedGreaterThan, a, b);
                let difference = f.ins().isub(b, a);
                f.ins().select(greater, a, difference)
            }
            Alu::FirstOne => f.ins().ctz(a),
            Alu::CountOnes => f.ins().popcnt(a),
            Alu::Half { signed } => self.half(a, false, signed),
            Alu::Byte { signed } => {
                let shifted = f.ins().ushr(a, b);
                self.byte(shifted, signed)
            }
            // Divisions are not in blocks; the others are rare.
            Alu::Divide
            | Alu::DivideUnsigned
            | Alu::Remainder
            | Alu::RemainderUnsigned
            | Alu::LastOne
            | Alu::SignBits => return None,
        })
    }

    /// The operands of a multiplication, which the multiplier keeps.
    fn keep(&mut self, i: &Inst) -> [Value; 3] {
        let operands = [self.get(i.rs1), self.get(i.rs2), self.get(i.rd)];
        self.multiplied = Some((i.word, operands));
        operands
    }

    fn multiply(&mut self, multiply: Multiply, a: Value, b: Value, d: Value) -> Value {
        match multiply {
            Multiply::Low => self.b.ins().imul(a, b),
            Multiply::Accumulate => {
                let product = self.b.ins().imul(a, b);
                self.b.ins().iadd(d, product)
            }
            Multiply::Subtract => {
                let product = self.b.ins().imul(a, b);
                self.b.ins().isub(d, product)
            }
            Multiply::High { signed } => {
                let [a, b] = [(a, signed[0]), (b, signed[1])].map(|(v, signed)| {
                    if signed { self.b.ins().sextend(I64, v) } else { self.b.ins().uextend(I64, v) }
                });
                let product = self.b.ins().imul(a, b);
                let high = self.b.ins().ushr_imm(product, 32);
                self.b.ins().ireduce(I32, high)
            }
        }
    }

    fn short(&mut self, s: Short, a: Value, b: Value, acc: Option<Value>, shift: u32) -> Value {
        let a = self.half(a, s.upper, s.signed);
        let b = self.half(b, s.upper, s.signed);
        let mut sum = self.b.ins().imul(a, b);
        if let Some(acc) = acc {
            sum = self.b.ins().iadd(sum, acc);
        }
        if s.rounded {
            sum = self.b.ins().iadd_imm(sum, i64::from((1u32 << shift) >> 1));
        }
        self.shift_right(sum, shift, s.signed)
    }

    fn shift_right(&mut self, value: Value, by: u32, signed: bool) -> Value {
        let by = i64::from(by);
        if signed { self.b.ins().sshr_imm(value, by) } else { self.b.ins().ushr_imm(value, by) }
    }

    fn normalise(&mut self, how: Normalise, i: &Inst) -> Value {
        let (a, b, shift) = if i.row.form == Form::Norm {
            (self.get(i.rs1), self.get(i.rs2), self.number(i.imm as u32))
        } else {
            let shift = self.get(i.rs2);
            (self.get(i.rd), self.get(i.rs1), self.b.ins().band_imm(shift, 31))
        };
        let mut sum = if how.subtract { self.b.ins().isub(a, b) } else { self.b.ins().iadd(a, b) };
        if how.rounded {
            let one = self.number(1);
            let place = self.b.ins().ishl(one, shift);
            let half = self.b.ins().ushr_imm(place, 1);
            sum = self.b.ins().iadd(sum, half);
        }
        if how.logical { self.b.ins().ushr(sum, shift) } else { self.b.ins().sshr(sum, shift) }
    }

    /// A bit field at a place that the instruction says.
    fn bits(&mut self, bits: Bits, i: &Inst) -> Value {
        let (width_minus_1, lsb) = (i.imm as u32, u32::from(i.rs2));
        let low = !(0xFFFF_FFFEu32.wrapping_shl(width_minus_1));
        let mask = low << lsb;
        let a = self.get(i.rs1);
        let keeping = |mask: u32| i64::from(mask);
        match bits {
            Bits::Extract { signed } => {
                let shifted = self.shift_right(a, lsb, signed);
                if signed {
                    let up = i64::from(31 - width_minus_1);
                    let top = self.b.ins().ishl_imm(shifted, up);
                    self.b.ins().sshr_imm(top, up)
                } else {
                    self.b.ins().band_imm(shifted, keeping(low))
                }
            }
            Bits::Clear => self.b.ins().band_imm(a, keeping(!mask)),
            Bits::Set => self.b.ins().bor_imm(a, keeping(mask)),
            Bits::Insert | Bits::Reverse => {
                let d = self.get(i.rd);
                let up = self.b.ins().ishl_imm(a, i64::from(lsb));
                let new = self.b.ins().band_imm(up, keeping(mask));
                let old = self.b.ins().band_imm(d, keeping(!mask));
                self.b.ins().bor(new, old)
            }
        }
    }

    /// See `xpulp_alu::clip`: the order of the tests matters where the bound is negative.
    fn clip(&mut self, signed: bool, i: &Inst) -> Value {
        let a = self.get(i.rs1);
        let bound = if i.row.form == Form::Shamt {
            self.number((1u32.wrapping_shl(u32::from(i.rs2)) - 1) >> 1)
        } else {
            self.get(i.rs2)
        };
        let lowest = self.b.ins().bnot(bound);
        let below = if self.plan.cpu.hart.quirks {
            let difference = self.b.ins().isub(a, lowest);
            self.b.ins().icmp_imm(IntCC::SignedLessThan, difference, 0)
        } else {
            self.b.ins().icmp(IntCC::SignedLessThan, a, lowest)
        };
        let mut lower = self.b.ins().select(below, lowest, a);
        if !signed {
            let zero = self.number(0);
            let negative = self.b.ins().icmp_imm(IntCC::SignedLessThan, a, 0);
            lower = self.b.ins().select(negative, zero, lower);
        }
        let above = self.b.ins().icmp(IntCC::SignedGreaterThan, a, bound);
        self.b.ins().select(above, bound, lower)
    }

    /// Whether a branch is taken.
    pub(super) fn condition(&mut self, condition: Condition, i: &Inst) -> Value {
        let code = match condition {
            Condition::Equal => IntCC::Equal,
            Condition::NotEqual => IntCC::NotEqual,
            Condition::Less => IntCC::SignedLessThan,
            Condition::GreaterEqual => IntCC::SignedGreaterThanOrEqual,
            Condition::LessUnsigned => IntCC::UnsignedLessThan,
            Condition::GreaterEqualUnsigned => IntCC::UnsignedGreaterThanOrEqual,
        };
        let (a, b) = (self.get(i.rs1), self.second(i));
        self.b.ins().icmp(code, a, b)
    }

    /// Address of an access, and what becomes of rs1, if anything.
    fn address(&mut self, i: &Inst) -> (Value, Option<Value>) {
        let base = self.get(i.rs1);
        let moved = match i.row.form {
            Form::LoadReg | Form::LoadRegPost => {
                let offset = self.get(i.rs2);
                self.b.ins().iadd(base, offset)
            }
            Form::StoreReg | Form::StoreRegPost => {
                let offset = self.get(i.rd);
                self.b.ins().iadd(base, offset)
            }
            _ => self.b.ins().iadd_imm(base, i64::from(i.imm)),
        };
        match i.row.form {
            Form::LoadPost | Form::LoadRegPost | Form::StorePost | Form::StoreRegPost => (base, Some(moved)),
            _ => (moved, None),
        }
    }

    /// Where in RAM an access goes; the block is left if that is not plain, or to a granule that is not `written`.
    ///
    /// Bounds and alignment are one comparison: turned right by as many bits as must be 0, an odd address is out of bounds. That
    /// leaves out halfwords at odd addresses within a word, which are plain, and rare.
    fn place(&mut self, address: Value, bytes: u8, written: bool, n: usize, k: usize) -> Value {
        let (base, length) = self.plan.cpu.mem.regions().next().unwrap_or_default();
        let at = self.b.ins().iadd_imm(address, -i64::from(base as i32));
        let low_bits = bytes.trailing_zeros();
        let turned = if low_bits == 0 { at } else { self.b.ins().rotr_imm(at, i64::from(low_bits)) };
        let most = i64::from((length >> low_bits) as i32);
        let inside = self.b.ins().icmp_imm(IntCC::UnsignedLessThan, turned, most);
        let behind = self.plan.nodes[n].insts.len() - 1 - k;
        let wide = self.b.ins().uextend(I64, at);
        let Some(splits) = self.splits.filter(|_| self.plan.nodes[n].crosses(behind)) else {
            self.only_if(inside, n, k);
            if written {
                self.only_if_written(wide, n, k);
            }
            return wide;
        };
        // It was seen to cross a word boundary.
        let (aligned, not, on) = (self.b.create_block(), self.b.create_block(), self.b.create_block());
        self.b.ins().brif(inside, aligned, &[], not, &[]);
        self.b.switch_to_block(aligned);
        if written {
            self.only_if_written(wide, n, k);
        }
        self.b.ins().jump(on, &[]);
        self.b.switch_to_block(not);
        let inside = self.b.ins().icmp_imm(IntCC::UnsignedLessThan, at, i64::from((length - 3) as i32));
        self.only_if(inside, n, k);
        if written {
            self.only_if_written(wide, n, k);
            let last = self.b.ins().iadd_imm(wide, i64::from(bytes) - 1);
            self.only_if_written(last, n, k);
        }
        let in_word = self.b.ins().band_imm(at, 3);
        let crosses = i64::from(4 - bytes);
        let crosses = self.b.ins().icmp_imm(IntCC::UnsignedGreaterThan, in_word, crosses);
        let crosses = self.b.ins().uextend(I64, crosses);
        let bit = self.b.ins().ishl_imm(crosses, behind as i64);
        let before = self.b.use_var(splits);
        let after = self.b.ins().bor(before, bit);
        self.b.def_var(splits, after);
        self.b.ins().jump(on, &[]);
        self.b.switch_to_block(on);
        wide
    }

    /// Leaves the block in front of instruction `k` unless the granule of a byte of RAM holds written data and nothing else.
    fn only_if_written(&mut self, at: Value, n: usize, k: usize) {
        let granule = self.b.ins().ushr_imm(at, i64::from(GRANULE.trailing_zeros()));
        let uses = self.uses();
        let granule = self.b.ins().iadd(uses, granule);
        let used = self.b.ins().uload8(I32, ram(), granule, 0);
        let written = self.b.ins().icmp_imm(IntCC::Equal, used, i64::from(WRITTEN));
        self.only_if(written, n, k);
    }

    fn load(&mut self, bytes: u8, signed: bool, i: &Inst, n: usize, k: usize) {
        let (address, base) = self.address(i);
        let at = self.place(address, bytes, false, n, k);
        let at = self.b.ins().iadd(self.ram, at);
        let value = match (bytes, signed) {
            (1, false) => self.b.ins().uload8(I32, ram(), at, 0),
            (1, true) => self.b.ins().sload8(I32, ram(), at, 0),
            (2, false) => self.b.ins().uload16(I32, ram(), at, 0),
            (2, true) => self.b.ins().sload16(I32, ram(), at, 0),
            _ => self.b.ins().load(I32, ram(), at, 0),
        };
        if let Some(base) = base {
            self.set(i.rs1, base);
        }
        self.set(i.rd, value);
    }

    fn store(&mut self, bytes: u8, i: &Inst, n: usize, k: usize) {
        let ((address, base), value) = (self.address(i), self.get(i.rs2));
        let at = self.place(address, bytes, true, n, k);
        let at = self.b.ins().iadd(self.ram, at);
        match bytes {
            1 => self.b.ins().istore8(ram(), value, at, 0),
            2 => self.b.ins().istore16(ram(), value, at, 0),
            _ => self.b.ins().store(ram(), value, at, 0),
        };
        if let Some(base) = base {
            self.set(i.rs1, base);
        }
    }
}
