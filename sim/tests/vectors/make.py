#!/usr/bin/env python3
"""Writes xpulp.json: what every Xpulp and MPIC instruction makes of some operands.

An oracle of its own: words are encoded here from the manual's fields, results follow the signals of the MPIC RTL
(riscv_decoder.sv, riscv_alu.sv, riscv_mult.sv): one adder with carries cut between lanes, one shifter, comparisons in pairs
of bits, byte selectors. Nothing is taken from the simulator. Loads, stores, loops and branches follow the manual.

usage: make.py > xpulp.json
"""
import json, random

M = 0xFFFFFFFF
R = random.Random(2026)
VEC32, VEC16, VEC8, VEC4, VEC2, MIX2X4, MIX2X8, MIX2X16, MIX4X8, MIX4X16, MIX8X16 = range(11)
LANE = {VEC16: 16, VEC8: 8, VEC4: 4, VEC2: 2}

def signed(v, n=32):
    v &= (1 << n) - 1
    return v - (1 << n) if v >> (n - 1) else v

def bit(v, i): return v >> i & 1

# ---- the ALU ---------------------------------------------------------------------------------------------------------

def adder(a, b, carry_in, cut, ones):
    """Two bits at a time: between two pairs the carry passes, unless `cut` holds the pair's number: then it is dropped and a
    0 (addition) or 1 (subtraction, `ones`) goes in."""
    out, carry = 0, carry_in
    for pair in range(16):
        if pair in cut and pair: carry = 1 if ones else 0
        s = (a >> 2 * pair & 3) + (b >> 2 * pair & 3) + carry
        out |= (s & 3) << 2 * pair
        carry = s >> 2
    return out

def cuts(mode, adding):
    width = LANE.get(mode)
    if width is None: return set()
    at = {i * width // 2 for i in range(1, 32 // width)}
    if mode == VEC2 and adding: at.discard(13)  # the RTL leaves this one out, for additions
    return at

def add(a, b, mode): return adder(a, b, 0, cuts(mode, True), False)
def sub(a, b, mode): return adder(a, ~b & M, 1, cuts(mode, False), True)

def shift_right(v, amount, mode, arithmetic):
    """`amount` holds one amount per lane. Lanes of 4 and 2 bits take their sign from bit 31 of the word."""
    width = LANE.get(mode)
    if width is None:
        a = amount & 31
        return (signed(v) >> a) & M if arithmetic else v >> a
    out = 0
    for at in range(0, 32, width):
        lane = v >> at & ((1 << width) - 1)
        a = amount >> at & (width - 1)
        s = bit(v, 31) if width < 8 else lane >> (width - 1)
        x = signed(lane | s << width, width + 1) if arithmetic else lane
        out |= (x >> a & ((1 << width) - 1)) << at
    return out

def reverse(v, n=32): return int(f"{v:0{n}b}"[::-1], 2)

def shift_left(v, amount, mode):
    width = LANE.get(mode)
    if width is None: return v << (amount & 31) & M
    out = 0
    for at in range(0, 32, width):
        lane = v >> at & ((1 << width) - 1)
        out |= (lane << (amount >> at & (width - 1)) & ((1 << width) - 1)) << at
    return out

def compare(a, b, mode, sign):
    """Equal and greater, one bit each per pair of bits."""
    width = LANE.get(mode, 32)
    whole = a == b
    eq, gt = [0] * 16, [0] * 16
    for at in range(0, 32, width):
        m = (1 << width) - 1
        x, y = a >> at & m, b >> at & m
        g = signed(x, width) > signed(y, width) if sign else x > y
        for pair in range(at // 2, (at + width) // 2):
            gt[pair] = int(g)
            # the upper pair of a 4-bit lane keeps what holds for the whole word
            upper_nibble_pair = mode == VEC4 and pair % 2 == 1
            eq[pair] = int(whole if upper_nibble_pair else x == y)
    return eq, gt

def spread(bits): return sum((3 if b else 0) << 2 * i for i, b in enumerate(bits))

def pick(sel, a, b): return sum(((a if s else b) >> 2 * i & 3) << 2 * i for i, s in enumerate(sel))

def alu(op, a, b, c, mode, imm=0):
    if op == "add": return add(a, b, mode)
    if op == "sub": return sub(a, b, mode)
    if op in ("avg", "avgu"):
        ones = sum(1 << at for at in range(0, 32, LANE.get(mode, 32)))
        return shift_right(add(a, b, mode), ones, mode, op == "avg")
    if op in ("min", "minu", "max", "maxu"):
        _, gt = compare(a, b, mode, not op.endswith("u"))
        return pick([g ^ op.startswith("min") for g in gt], a, b)
    if op == "abs":
        _, gt = compare(a, b, mode, True)
        return pick(gt, a, sub(b, a, mode))
    if op == "srl": return shift_right(a, b, mode, False)
    if op == "sra": return shift_right(a, b, mode, True)
    if op == "sll": return shift_left(a, b, mode)
    if op == "or": return a | b
    if op == "xor": return a ^ b
    if op == "and": return a & b
    if op.startswith("cmp"):
        eq, gt = compare(a, b, mode, not op.endswith("u"))
        kind = op[3:5]
        r = {"eq": eq, "ne": [1 - e for e in eq], "gt": gt, "ge": [g | e for g, e in zip(gt, eq)],
             "lt": [1 - (g | e) for g, e in zip(gt, eq)], "le": [1 - g for g in gt]}[kind]
        return spread(r)
    return moves(op, a, b, c, mode, imm)

def moves(op, a, b, c, mode, imm):
    """Byte selectors into two words r0, r1; one of them per byte; bytes that are not written through come from c."""
    ab = [a >> 8 * i & 255 for i in range(4)]
    r0, r1 = ab[:], [c >> 8 * i & 255 for i in range(4)]
    if op == "exts": r1 = [255 if x & 128 else 0 for x in ab]
    if op in ("pcklo", "pckhi"): r1 = [b >> 8 * i & 255 for i in range(4)]
    sel, reg, through = [0] * 4, [0] * 4, [1] * 4
    if op in ("ext", "exts"):
        reg = [0, 1, 1, 1] if mode == VEC8 else [0, 0, 1, 1]
        if mode == VEC8: sel = [imm & 3] * 4
        elif mode == VEC16: sel = [(imm & 1) * 2] + [(imm & 1) * 2 + 1] * 3
    elif op == "pcklo":
        if mode == VEC8: through, reg = [1, 1, 0, 0], [1, 0, 0, 0]
        else: reg = [1, 1, 0, 0]
        if mode == VEC16: sel = [0, 1, 0, 1]
    elif op == "pckhi":
        if mode == VEC8: through, reg = [0, 0, 1, 1], [0, 0, 1, 0]
        else: reg = [1, 1, 0, 0]
        if mode == VEC16: sel = [2, 3, 2, 3]
    elif op in ("shuf", "shuf2"):
        if mode == VEC8:
            sel = [b >> 8 * i & 3 for i in range(4)]
            if op == "shuf2": reg = [1 - (b >> 8 * i + 2 & 1) for i in range(4)]
        elif mode == VEC16:
            sel = [(b & 1) * 2, (b & 1) * 2 + 1, (b >> 16 & 1) * 2, (b >> 16 & 1) * 2 + 1]
            if op == "shuf2": reg = [1 - (b >> 1 & 1)] * 2 + [1 - (b >> 17 & 1)] * 2
    elif op == "ins":
        sel = [0, 1, 2, 3]
        if mode == VEC8:
            r0 = [ab[0]] * 4
            reg = [int(i != (imm & 3)) for i in range(4)]
        elif mode == VEC16:
            r0 = [ab[0], ab[1]] * 2
            reg = [imm & 1] * 2 + [1 - (imm & 1)] * 2
    out = 0
    for i in range(4):
        byte = (r1 if reg[i] else r0)[sel[i]]
        out |= (byte if through[i] else c >> 8 * i & 255) << 8 * i
    return out

def bitmask(width1, lsb): return (~(0xFFFFFFFE << width1 & M) & M) << lsb & M

def dot(a, b, acc, mode, sa, sb, cnt):
    wide, narrow = {VEC16: (16, 16), VEC8: (8, 8), VEC4: (4, 4), VEC2: (2, 2), MIX2X4: (4, 2), MIX2X8: (8, 2), MIX2X16: (16, 2),
                    MIX4X8: (8, 4), MIX4X16: (16, 4), MIX8X16: (16, 8)}[mode]
    n, group = 32 // wide, 0 if wide == narrow else cnt
    for k in range(n):
        x = a >> k * wide & ((1 << wide) - 1)
        y = b >> (group * n + k) * narrow & ((1 << narrow) - 1)
        acc += (signed(x, wide) if sa else x) * (signed(y, narrow) if sb else y)
    return acc & M

# ---- the vectors -----------------------------------------------------------------------------------------------------

RS1, RS2, RD = 10, 11, 12
out = []

def operand():
    k = R.randrange(8)
    if k == 0: return R.choice([0, M, 0x80000000, 0x7FFFFFFF, 0x80008000, 0x80808080, 0x88888888, 0xAAAAAAAA, 1])
    v = R.getrandbits(32)
    return v

def emit(name, word, fmt, a, b, d, expected, cnt=0):
    out.append([name, word & M, fmt, cnt, a, b, d, expected & M])

def rtype(f7, f3, op): return f7 << 25 | RS2 << 20 | RS1 << 15 | f3 << 12 | RD << 7 | op

def scalar():
    for _ in range(6):
        a, b, d = operand(), operand(), operand()
        if R.randrange(3) == 0: b = a
        w, l = R.randrange(32), R.randrange(32)
        def prefix3(f3): return 3 << 30 | w << 25 | l << 20 | RS1 << 15 | f3 << 12 | RD << 7 | 0x33
        def reg(f3): return rtype(0x40, f3, 0x33)
        br = (R.randrange(32) << 5 | R.randrange(32)) | R.getrandbits(20) << 12
        for name, w1, ls, word, bb in ((("p.extract", w, l, prefix3(0), b), ("p.extractu", w, l, prefix3(1), b), ("p.insert", w, l, prefix3(2), b),
                                        ("p.bclr", w, l, prefix3(3), b), ("p.bset", w, l, prefix3(4), b),
                                        ("p.extractr", br >> 5 & 31, br & 31, reg(0), br), ("p.extractur", br >> 5 & 31, br & 31, reg(1), br),
                                        ("p.insertr", br >> 5 & 31, br & 31, reg(2), br), ("p.bclrr", br >> 5 & 31, br & 31, reg(3), br),
                                        ("p.bsetr", br >> 5 & 31, br & 31, reg(4), br))):
            m = bitmask(w1, ls)
            low = bitmask(w1, 0)
            kind = name.rstrip("r") if name not in ("p.bclr",) else name
            if name.startswith("p.extract"):
                un = "u" in name[2:].replace("extract", "")
                sh = a >> ls if un else signed(a) >> ls & M
                sign = 0 if un else sh >> w1 & 1
                e = sh & low | (~low & M if sign else 0)
            elif name.startswith("p.insert"): e = a << ls & m | d & ~m
            elif name.startswith("p.bclr"): e = a & ~m
            else: e = a | m
            emit(name, word, 0, a, bb, d, e)
        # bit reversal by radix 2, 4, 8 of rs1 shifted left by lsb
        rad = R.randrange(3)
        v = reverse(a << l & M)
        v = reverse(reverse(a) >> l) if False else a << l & M
        if rad == 0: e = reverse(v)
        elif rad == 1: e = sum((v >> 30 - 2 * i & 3) << 2 * i for i in range(16))
        else: e = sum((v >> 29 - 3 * i & 7) << 3 * i for i in range(10))
        emit("p.bitrev", 3 << 30 | rad << 25 | l << 20 | RS1 << 15 | 5 << 12 | RD << 7 | 0x33, 0, a, b, d, e)
        sa, sb = signed(a), signed(b)
        for name, f7, f3, e in (("p.slet", 2, 2, sa <= sb), ("p.sletu", 2, 3, a <= b), ("p.min", 2, 4, min(sa, sb)), ("p.minu", 2, 5, min(a, b)),
                                ("p.max", 2, 6, max(sa, sb)), ("p.maxu", 2, 7, max(a, b)), ("p.ror", 4, 5, (a >> (b & 31) | a << 32 - (b & 31))),
                                ("p.mac", 0x21, 0, d + a * b), ("p.msu", 0x21, 1, d - a * b)):
            emit(name, rtype(f7, f3, 0x33), 0, a, b, d, int(e))
        ones = bin(a).count("1")
        ff1 = (a & -a).bit_length() - 1 if a else 32
        fl1 = a.bit_length() - 1 if a else 32
        x = ~a & M if bit(a, 31) else a
        clb = (31 if bit(a, 31) else 0) if x == 0 else 31 - (x.bit_length() - 1) - 1
        for name, f3, e in (("p.ff1", 0, ff1), ("p.fl1", 1, fl1), ("p.clb", 2, clb), ("p.cnt", 3, ones), ("p.exths", 4, signed(a, 16)),
                            ("p.exthz", 5, a & 0xFFFF), ("p.extbs", 6, signed(a, 8)), ("p.extbz", 7, a & 255)):
            emit(name, 8 << 25 | RS1 << 15 | f3 << 12 | RD << 7 | 0x33, 0, a, b, d, e)
        emit("p.abs", 2 << 25 | RS1 << 15 | RD << 7 | 0x33, 0, a, b, d, abs(sa))
        i = R.randrange(32)
        small = R.choice([a, R.randrange(-300, 300) & M])
        bound = ((1 << i) - 1) >> 1
        c = lambda v, lo, hi: min(max(v, lo), hi)
        emit("p.clip", 0xA << 25 | i << 20 | RS1 << 15 | 1 << 12 | RD << 7 | 0x33, 0, small, b, d, c(signed(small), -bound - 1, bound))
        emit("p.clipu", 0xA << 25 | i << 20 | RS1 << 15 | 2 << 12 | RD << 7 | 0x33, 0, small, b, d, c(signed(small), 0, bound))
        pos = R.randrange(1 << R.randrange(1, 31))
        emit("p.clipr", rtype(0xA, 5, 0x33), 0, small, pos, d, c(signed(small), -pos - 1, pos))
        emit("p.clipur", rtype(0xA, 6, 0x33), 0, small, pos, d, c(signed(small), 0, pos))
        n = R.randrange(32)
        rnd = (1 << n) >> 1
        for subtract in (0, 1):
            for u in (0, 1):
                for r in (0, 1):
                    for by_reg in (0, 1):
                        x, y, sh = (d, a, b & 31) if by_reg else (a, b, n)
                        v = (x - y if subtract else x + y) + ((1 << sh >> 1) if r else 0) & M
                        e = v >> sh if u else signed(v) >> sh
                        name = "p." + ("sub" if subtract else "add") + ("u" if u else "") + ("RN" if r else "N") + ("r" if by_reg else "")
                        f = u << 31 | by_reg << 30 | (0 if by_reg else n) << 25
                        emit(name, f | RS2 << 20 | RS1 << 15 | (r << 2 | 2 | subtract) << 12 | RD << 7 | 0x5B, 0, a, b, d, e)
        for high in (0, 1):
            for s in (0, 1):
                for r in (0, 1):
                    for acc in (0, 1):
                        half = lambda v: signed(v >> 16 * high, 16) if s else v >> 16 * high & 0xFFFF
                        v = half(a) * half(b) + (d if acc else 0) + (rnd if r else 0) & M
                        e = signed(v) >> n if s else v >> n
                        name = "p." + ("mac" if acc else "mul") + ("hh" if high else "") + ("s" if s else "u") + ("RN" if r else "N")
                        emit(name, s << 31 | high << 30 | n << 25 | RS2 << 20 | RS1 << 15 | (r << 2 | acc) << 12 | RD << 7 | 0x5B, 0, a, b, d, e)

LANEWISE = [("add", 0, 0, "s"), ("sub", 1, 0, "s"), ("avg", 2, 0, "s"), ("avgu", 3, 0, "u"), ("min", 4, 0, "s"), ("minu", 5, 0, "u"),
            ("max", 6, 0, "s"), ("maxu", 7, 0, "u"), ("srl", 8, 0, "s"), ("sra", 9, 0, "s"), ("sll", 10, 0, "s"), ("or", 11, 0, "s"),
            ("xor", 12, 0, "s"), ("and", 13, 0, "s"), ("cmpeq", 0, 1, "s"), ("cmpne", 1, 1, "s"), ("cmpgt", 2, 1, "s"), ("cmpge", 3, 1, "s"),
            ("cmplt", 4, 1, "s"), ("cmple", 5, 1, "s"), ("cmpgtu", 6, 1, "u"), ("cmpgeu", 7, 1, "u"), ("cmpltu", 8, 1, "u"), ("cmpleu", 9, 1, "u")]

def replicate(v, mode):
    width = LANE.get(mode, 16)
    v &= (1 << width) - 1
    return sum(v << at for at in range(0, 32, width))

def second(form, b, mode, sign):
    """Operand b and the fields of the word: rs2, its lowest lane, or a 6-bit immediate."""
    if form == "": return b, RS2 << 20
    if form == ".sc": return replicate(b, mode), RS2 << 20 | 4 << 12
    imm = R.randrange(64)
    return replicate(signed(imm, 6) & M if sign == "s" else imm, mode), (imm >> 1) << 20 | (imm & 1) << 25 | 6 << 12

def vec(f6, fields): return f6 << 26 | fields | RS1 << 15 | RD << 7 | 0x57

def simd():
    for fmt in range(11):
        for _ in range(3 if fmt in (1, 2) else 2):
            for name, code, odd, sign in LANEWISE:
                for form in ("", ".sc", ".sci"):
                    a, b, d = operand(), operand(), operand()
                    if R.randrange(3) == 0: b = a ^ (R.getrandbits(32) & R.getrandbits(32) & R.getrandbits(32))
                    y, fields = second(form, b, fmt, sign)
                    emit(f"pv.{name}{form}", vec(code << 1 | odd, fields), fmt, a, b, d, alu(name, a, y, d, fmt))
            a, b, d = operand(), operand(), operand()
            emit("pv.abs", 14 << 27 | RS1 << 15 | RD << 7 | 0x57, fmt, a, 0, d, alu("abs", a, 0, d, fmt))
            emit("pv.shuffle", vec(0x30, RS2 << 20), fmt, a, b, d, alu("shuf", a, b, d, fmt))
            emit("pv.shuffle2", vec(0x32, RS2 << 20), fmt, a, b, d, alu("shuf2", a, b, d, fmt))
            for n, f6 in enumerate((0x30, 0x3A, 0x3C, 0x3E)):
                imm = R.randrange(64)
                word = vec(f6, (imm >> 1) << 20 | (imm & 1) << 25 | 6 << 12)
                i = lambda hi, lo: word >> lo & ((1 << hi - lo + 1) - 1)
                if fmt == VEC8: y = i(28, 27) << 24 | i(24, 23) << 16 | i(22, 21) << 8 | i(20, 20) << 1 | i(25, 25)
                else: y = i(20, 20) << 16 | i(25, 25)
                emit(f"pv.shuffleI{n}", word, fmt, a, b, d, alu("shuf", a, y, d, fmt))
            emit("pv.pack", vec(0x34, RS2 << 20), fmt, a, b, d, alu("pcklo", a, b, 0, fmt))
            emit("pv.pack.h", vec(0x34, RS2 << 20 | 1 << 25), fmt, a, b, d, alu("pckhi", a, b, 0, fmt))
            emit("pv.packhi", vec(0x36, RS2 << 20), fmt, a, b, d, alu("pckhi", a, b, d, fmt))
            emit("pv.packlo", vec(0x38, RS2 << 20), fmt, a, b, d, alu("pcklo", a, b, d, fmt))
            for name, f6, op in (("pv.extract", 0x1E, "exts"), ("pv.extractu", 0x24, "ext"), ("pv.insert", 0x2C, "ins")):
                imm = R.randrange(4)
                emit(name, vec(f6, (imm >> 1) << 20 | (imm & 1) << 25 | 6 << 12), fmt, a, b, d, alu(op, a, b, d if op == "ins" else 0, fmt, imm))
            if fmt:
                for name, f6, acc, sa, sb in (("pv.dotup", 0x20, 0, 0, 0), ("pv.dotusp", 0x22, 0, 0, 1), ("pv.dotsp", 0x26, 0, 1, 1),
                                              ("pv.sdotup", 0x28, 1, 0, 0), ("pv.sdotusp", 0x2A, 1, 0, 1), ("pv.sdotsp", 0x2E, 1, 1, 1)):
                    for form in ("", ".sc", ".sci"):
                        a, b, d = operand(), operand(), operand()
                        y, fields = second(form, b, fmt, "s")
                        cnt = R.randrange({5: 2, 8: 2, 10: 2, 6: 4, 9: 4, 7: 8}.get(fmt, 1))
                        emit(name + form, vec(f6, fields), fmt, a, b, d, dot(a, y, d if acc else 0, fmt, sa, sb, cnt), cnt)
    for _ in range(6):
        fmt = R.randrange(11)
        a, b, d = operand(), operand(), operand()
        lo, hi = lambda v: signed(v, 16), lambda v: signed(v >> 16, 16)
        join = lambda h, l: (h & 0xFFFF) << 16 | l & 0xFFFF
        emit("pv.cplxconj.h", vec(0x17, 0), fmt, a, 0, d, join(-hi(a), lo(a)))
        for s, suffix in enumerate(("", ".div2", ".div4", ".div8")):
            f = RS2 << 20 | s << 13
            q = lambda v: signed(v >> 15, 17) >> s
            re = lo(a) * lo(b) - hi(a) * hi(b)
            emit("pv.cplxmul.h.r" + suffix, vec(0x15, f), fmt, a, b, d, join(hi(d), q(re)))
            # MPIC never drives the select of the imaginary part
            emit("pv.cplxmul.h.i" + suffix, vec(0x15, f | 1 << 25), fmt, a, b, d, join(hi(d), q(re)))
            h16 = lambda v: signed(v, 16) >> s
            emit("pv.subrotmj.h" + suffix, vec(0x1B, f), fmt, a, b, d, join(h16(lo(b) - lo(a)), h16(hi(a) - hi(b))))
            emit("pv.add.h" + suffix, vec(0x1D, f), fmt, a, b, d, join(h16(hi(a) + hi(b)), h16(lo(a) + lo(b))))
            emit("pv.sub.h" + suffix, vec(0x19, f), fmt, a, b, d, join(h16(hi(a) - hi(b)), h16(lo(a) - lo(b))))

scalar()
simd()
# riscv_decoder.sv: with PULP_SECURE = 0 it has no effect, and is not refused.
emit("uret", 0x00200073, 0, 0x11111111, 0x22222222, 0x33333333, 0x33333333)
print("[\n" + ",\n".join(json.dumps(v) for v in out) + "\n]")
