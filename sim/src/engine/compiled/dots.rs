//! Dot products of two registers, in every format: lanes become 16-bit lanes of a vector of the host, which has an instruction
//! that multiplies eight of them and adds them up in pairs.
//!
//! Taking a word apart is most of the work, and the compiler does it once for a register that several dot products read.

use cranelift_codegen::ir::types::{I8, I8X16, I16X8, I32, I32X4, I64, I64X2};
use cranelift_codegen::ir::{Endianness, InstBuilder as _, MemFlags, Value};

use super::lower::Lowering;
use crate::isa::{Inst, mpic_dot};

impl Lowering<'_, '_> {
    /// A dot product in node `n`; `false` leaves it to the table.
    pub(super) fn dot(&mut self, signed: [bool; 2], i: &Inst, n: usize) -> bool {
        let Some((wide, narrow)) = mpic_dot::of_registers(self.plan.cpu, i) else { return false };
        let (a, mut b) = (self.get(i.rs1), self.get(i.rs2));
        if wide != narrow {
            b = self.sub_group(b, wide, narrow);
        }
        let mut sum = if wide == 16 {
            self.sum_of_halves(signed, a, b, narrow)
        } else {
            let products = self.products(signed, a, b, wide, narrow);
            if let Some(lanes) = self.lanes_of(n, i.rd) {
                let so_far = self.b.use_var(lanes);
                let sums = self.b.ins().iadd(so_far, products);
                self.b.def_var(lanes, sums);
                return true;
            }
            // Of bytes only the lower four lanes are there, and two sums of them.
            if wide == 8 { self.both_words(products) } else { self.both_halves(products) }
        };
        if i.row.form.reads()[2] {
            let d = self.get(i.rd);
            sum = self.b.ins().iadd(d, sum);
        }
        self.set(i.rd, sum);
        true
    }

    /// The lanes of the narrow operand that are next, at the bottom of a word.
    fn sub_group(&mut self, b: Value, wide: u32, narrow: u32) -> Value {
        let from = u32::from(self.phase.group) * (32 / wide) * narrow;
        // A sub-group left too high by other code reads 0.
        if from < 32 { self.b.ins().ushr_imm(b, i64::from(from)) } else { self.number(0) }
    }

    /// Two lanes: scalar.
    fn sum_of_halves(&mut self, signed: [bool; 2], a: Value, b: Value, narrow: u32) -> Value {
        let products = [0, 1].map(|k| {
            let a = self.half(a, k == 1, signed[0]);
            let b = self.lane(b, k, narrow, signed[1]);
            self.b.ins().imul(a, b)
        });
        self.b.ins().iadd(products[0], products[1])
    }

    /// Lane `k` of a word, extended.
    fn lane(&mut self, word: Value, k: u32, bits: u32, signed: bool) -> Value {
        let up = i64::from(32 - bits * (k + 1));
        let top = self.b.ins().ishl_imm(word, up);
        let down = i64::from(32 - bits);
        if signed { self.b.ins().sshr_imm(top, down) } else { self.b.ins().ushr_imm(top, down) }
    }

    /// Of four, eight or sixteen lanes: products, added up to four sums.
    fn products(&mut self, signed: [bool; 2], a: Value, b: Value, wide: u32, narrow: u32) -> Value {
        let a = self.lanes(a, wide, wide, signed[0]);
        let b = self.lanes(b, wide, narrow, signed[1]);
        let sums = a.into_iter().zip(b).map(|(a, b)| self.pairs(a, b));
        let sums = sums.collect::<Vec<_>>();
        let (first, others) = sums.split_first().expect("there are lanes");
        others.iter().fold(*first, |sum, &more| self.b.ins().iadd(sum, more))
    }

    /// The sum of the four words of a vector.
    pub(super) fn both_halves(&mut self, vector: Value) -> Value {
        let upper = self.b.ins().bitcast(I64X2, little(), vector);
        let upper = self.b.ins().extractlane(upper, 1);
        let upper = self.b.ins().scalar_to_vector(I64X2, upper);
        let upper = self.b.ins().bitcast(I32X4, little(), upper);
        let sum = self.b.ins().iadd(vector, upper);
        self.both_words(sum)
    }

    /// The sum of the two lowest words of a vector.
    fn both_words(&mut self, vector: Value) -> Value {
        let two = self.b.ins().bitcast(I64X2, little(), vector);
        let two = self.b.ins().extractlane(two, 0);
        let low = self.b.ins().ireduce(I32, two);
        let high = self.b.ins().ushr_imm(two, 32);
        let high = self.b.ins().ireduce(I32, high);
        self.b.ins().iadd(low, high)
    }

    /// Products of eight lanes, neighbours added: the form that the compiler makes one instruction of.
    fn pairs(&mut self, a: Value, b: Value) -> Value {
        let (al, bl) = (self.b.ins().swiden_low(a), self.b.ins().swiden_low(b));
        let (ah, bh) = (self.b.ins().swiden_high(a), self.b.ins().swiden_high(b));
        let low = self.b.ins().imul(al, bl);
        let high = self.b.ins().imul(ah, bh);
        self.b.ins().iadd_pairwise(low, high)
    }

    /// The lanes of a word as vectors of eight 16-bit lanes, in an order that depends on `wide` only: as many lanes of `bits` from
    /// the bottom of the word as there are of `wide` in one.
    fn lanes(&mut self, word: Value, wide: u32, bits: u32, signed: bool) -> Vec<Value> {
        let word = self.b.ins().uextend(I64, word);
        let (low, high) = match wide {
            // Bytes in their order.
            8 => (self.bytes_of(word, bits), None),
            // The even lanes, then the odd ones.
            4 => (self.even_and_odd(word, bits), None),
            // Of the even nibbles and then of the odd ones the lower lane; then the upper ones.
            _ => {
                let nibbles = self.even_and_odd(word, 4);
                let odd = self.b.ins().ushr_imm(nibbles, 2);
                (self.masked(nibbles, 0x03), Some(self.masked(odd, 0x03)))
            }
        };
        let low = self.b.ins().scalar_to_vector(I64X2, low);
        let all = match high {
            Some(high) => self.b.ins().insertlane(low, high, 1),
            None => low,
        };
        let mut bytes = self.b.ins().bitcast(I8X16, little(), all);
        if signed && bits < 8 {
            // The sign bit is flipped, and what it stands for taken off again.
            let sign = self.b.ins().iconst(I8, 1 << (bits - 1));
            let sign = self.b.ins().splat(I8X16, sign);
            let flipped = self.b.ins().bxor(bytes, sign);
            bytes = self.b.ins().isub(flipped, sign);
        }
        let widened = if signed { self.b.ins().swiden_low(bytes) } else { self.b.ins().uwiden_low(bytes) };
        let mut lanes = vec![widened];
        if high.is_some() {
            lanes.push(if signed {
                self.b.ins().swiden_high(bytes)
            } else {
                self.b.ins().uwiden_high(bytes)
            });
        }
        debug_assert!(lanes.iter().all(|v| self.b.func.dfg.value_type(*v) == I16X8));
        lanes
    }

    /// The same bits of every byte.
    fn masked(&mut self, bytes: Value, bits: u8) -> Value {
        self.b.ins().band_imm(bytes, i64::from_ne_bytes([bits; 8]))
    }

    /// Four lanes of `bits` from the bottom of a word, one to a byte.
    fn bytes_of(&mut self, word: Value, bits: u32) -> Value {
        let steps = match bits {
            8 => return word,
            4 => [(8, 0x00FF_00FF), (4, 0x0F0F_0F0F)],
            _ => [(12, 0x000F_000F), (6, 0x0303_0303)],
        };
        // What lies above would be mixed in.
        let word = self.b.ins().band_imm(word, (1 << (4 * bits)) - 1);
        steps.into_iter().fold(word, |word, (by, mask)| self.spread(word, by, mask))
    }

    /// Eight lanes of `bits` from the bottom of a word, one to a byte: the even ones, then the odd ones.
    fn even_and_odd(&mut self, word: Value, bits: u32) -> Value {
        if bits == 4 {
            return self.spread(word, 28, 0x0F0F_0F0F_0F0F_0F0F);
        }
        let pairs = self.bytes_of(word, 4);
        self.spread(pairs, 30, 0x0303_0303_0303_0303)
    }

    /// A word and itself, shifted up, of which the bits of a mask are kept.
    fn spread(&mut self, word: Value, by: i64, mask: i64) -> Value {
        let up = self.b.ins().ishl_imm(word, by);
        let both = self.b.ins().bor(word, up);
        self.b.ins().band_imm(both, mask)
    }
}

/// How a vector is looked at as one of other lanes.
fn little() -> MemFlags {
    MemFlags::new().with_endianness(Endianness::Little)
}
