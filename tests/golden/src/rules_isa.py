"""What instructions mean, for rules_model.py: programs, the compressed set, decoding, operations.

Covers RV32IMC, hardware loops, post-increment accesses, the SIMD dot products and the Xpulp instructions that the golden programs
use; any other word is decoded as far as the pipeline looks at it, and cannot be executed.
"""
import struct

MASK = 0xffffffff
RAM, RAM_BYTES = 0x1c000000, 0x200000


def signed(v, bits):
    v &= (1 << bits) - 1
    return v - (1 << bits) if v >> (bits - 1) else v


def field(word, low, bits, is_signed):
    v = (word >> low) & ((1 << bits) - 1)
    return v - (1 << bits) if is_signed and v >> (bits - 1) else v


def leading_zeros(v):
    return 32 - v.bit_length()


def load_elf(path):
    """Entry address and RAM of an ELF executable."""
    with open(path, "rb") as file:
        data = file.read()
    header = struct.unpack_from("<16sHHIIIIIHHHHHH", data, 0)
    entry, offset, size, count = header[4], header[5], header[9], header[10]
    ram = bytearray(RAM_BYTES)
    for i in range(count):
        kind, at, _, address, bytes_in_file, *_ = struct.unpack_from("<IIIIIIII", data, offset + i * size)
        if kind == 1:
            ram[address - RAM:address - RAM + bytes_in_file] = data[at:at + bytes_in_file]
    return entry, ram


def expand(h):
    """A compressed word as (32-bit form, whether the core traps on it)."""
    op, f3, rd, rs2 = h & 3, h >> 13, (h >> 7) & 31, (h >> 2) & 31
    rdp, rs1p = 8 + ((h >> 2) & 7), 8 + ((h >> 7) & 7)

    def b(i, n=1):
        return (h >> i) & ((1 << n) - 1)

    def imm(value, rs1, funct3, rd, opcode):
        return (value & 0xfff) << 20 | rs1 << 15 | funct3 << 12 | rd << 7 | opcode

    def reg(funct7, rs2, rs1, funct3, rd):
        return funct7 << 25 | rs2 << 20 | rs1 << 15 | funct3 << 12 | rd << 7 | 0x33

    def store(value, rs2, rs1):
        return (value >> 5 & 0x7f) << 25 | rs2 << 20 | rs1 << 15 | 2 << 12 | (value & 31) << 7 | 0x23

    imm6 = signed(b(12) << 5 | b(2, 5), 6)
    if op == 0:
        offset = b(10, 3) << 3 | b(6) << 2 | b(5) << 6
        if f3 == 0:
            value = b(7, 4) << 6 | b(11, 2) << 4 | b(5) << 3 | b(6) << 2
            return imm(value, 2, 0, rdp, 0x13), value == 0
        if f3 == 2:
            return imm(offset, rs1p, 2, rdp, 0x03), False
        if f3 == 6:
            return store(offset, rdp, rs1p), False
    elif op == 1:
        if f3 == 0:
            return imm(imm6, rd, 0, rd, 0x13), False
        if f3 in (1, 5):
            t = signed(b(12) << 11 | b(8) << 10 | b(9, 2) << 8 | b(6) << 7 | b(7) << 6 | b(2) << 5 | b(11) << 4 | b(3, 3) << 1, 12)
            word = (t >> 20 & 1) << 31 | (t >> 1 & 0x3ff) << 21 | (t >> 11 & 1) << 20 | (t >> 12 & 0xff) << 12 | 0x6f
            return word | (f3 == 1) << 7, False
        if f3 == 2:
            return imm(imm6, 0, 0, rd, 0x13), rd == 0
        if f3 == 3:
            if rd == 2:
                value = signed(b(12) << 9 | b(3, 2) << 7 | b(5) << 6 | b(2) << 5 | b(6) << 4, 10)
                return imm(value, 2, 0, 2, 0x13), value == 0
            return (imm6 & 0xfffff) << 12 | rd << 7 | 0x37, rd == 0 or imm6 == 0
        if f3 == 4:
            kind = b(10, 2)
            if kind < 2:
                return imm(b(2, 5) | kind << 10, rs1p, 5, rs1p, 0x13), bool(b(12)) or b(2, 5) == 0
            if kind == 2:
                return imm(imm6, rs1p, 7, rs1p, 0x13), False
            funct7, funct3 = ((0x20, 0), (0, 4), (0, 6), (0, 7))[b(5, 2)]
            return reg(funct7, rdp, rs1p, funct3, rs1p), bool(b(12))
        o = signed(b(12) << 8 | b(5, 2) << 6 | b(2) << 5 | b(10, 2) << 3 | b(3, 2) << 1, 9)
        word = (o >> 12 & 1) << 31 | (o >> 5 & 0x3f) << 25 | rs1p << 15 | (o >> 1 & 15) << 8 | (o >> 11 & 1) << 7 | 0x63
        return word | (f3 & 1) << 12, False
    else:
        if f3 == 0:
            return imm(b(2, 5), rd, 1, rd, 0x13), rd == 0 or bool(b(12)) or b(2, 5) == 0
        if f3 == 2:
            return imm(b(12) << 5 | b(4, 3) << 2 | b(2, 2) << 6, 2, 2, rd, 0x03), rd == 0
        if f3 == 4:
            if not b(12):
                return (imm(0, rd, 0, 0, 0x67) if rs2 == 0 else reg(0, rs2, 0, 0, rd)), False
            if rd == 0:
                return 0x00100073, rs2 != 0
            return (imm(0, rd, 0, 1, 0x67) if rs2 == 0 else reg(0, rs2, rd, 0, rd)), False
        if f3 == 6:
            return store(b(9, 4) << 2 | b(7, 2) << 6, rs2, 2), False
    return 0, True


# Formats of CSR 0x00D: lane widths of rs1 and rs2; how many sub-groups a mixed one has.
LANES = {1: (16, 16), 2: (8, 8), 3: (4, 4), 4: (2, 2), 5: (4, 2), 6: (8, 2), 7: (16, 2), 8: (8, 4), 9: (16, 4), 10: (16, 8)}
SUB_GROUPS = {5: 2, 8: 2, 10: 2, 6: 4, 9: 4, 7: 8}
# funct6 of a dot product: rs1 signed, rs2 signed, accumulates.
DOTS = {0x20: (0, 0, 0), 0x22: (0, 1, 0), 0x26: (1, 1, 0), 0x28: (0, 0, 1), 0x2a: (0, 1, 1), 0x2e: (1, 1, 1)}


def dot(form, simd_format, group, a, b, accumulator):
    """A dot product, with the sub-group of rs2 that the controller has chosen."""
    signed_a, signed_b, _ = form
    wide, narrow = LANES[simd_format]
    lanes = 32 // wide
    low = group * lanes * narrow if wide != narrow else 0
    total = accumulator
    for k in range(lanes):
        at = low + k * narrow
        total += field(a, k * wide, wide, signed_a) * (field(b, at, narrow, signed_b) if at < 32 else 0)
    return total & MASK


class Inst:
    """A decoded word.

    kind      what the pipeline does with it
    rd, rs1, rs2
    third     number of the register read through the third port, or 0
    uses      numbers of the registers whose values it waits for, without x0
    alu_we    writes `waddr` from EX; `loads`: writes rd from the load unit
    alu_en    goes through the ALU, which then keeps its first operand: `first` says which that is
    op        what an ALU or multiplier operation gives, of rs1, rs2 and the third register
    """
    __slots__ = ("word", "kind", "rd", "rs1", "rs2", "third", "uses", "alu_we", "waddr", "loads", "alu_en", "first", "imm", "op",
                 "funct3", "csr", "flushes", "width", "extends", "post", "form", "divides", "writes_format", "size")

    def __init__(self, word, size):
        self.word, self.size, self.kind = word, size, "illegal"
        self.rd, self.rs1, self.rs2 = word >> 7 & 31, word >> 15 & 31, word >> 20 & 31
        self.funct3 = word >> 12 & 7
        self.third, self.uses, self.alu_we, self.loads, self.alu_en = 0, (), False, False, True
        self.waddr, self.first, self.imm, self.op, self.csr, self.flushes = self.rd, "rs1", 0, None, 0, False
        self.width, self.extends, self.post, self.form, self.divides, self.writes_format = 0, False, False, None, False, False


def decode(word, size, refused):
    """A word of 32 bits or the 32-bit form of a compressed one; `refused`: the compressed decoder traps on it."""
    d = Inst(word, size)
    opcode, funct3, funct7 = word & 0x7f, d.funct3, word >> 25
    reads = []
    i_imm = signed(word >> 20, 12)
    if opcode == 0x13:
        reads, d.alu_we, d.kind = [d.rs1], True, "alu"
        if funct3 == 1 and funct7 or funct3 == 5 and funct7 not in (0, 0x20):
            d.kind = "illegal"
        elif funct3 == 5 and funct7:
            d.op = lambda a, b, c, n=d.rs2: signed(a, 32) >> n
        else:
            n, u = d.rs2, i_imm & MASK
            d.op = (lambda a, b, c: a + i_imm, lambda a, b, c: a << n, lambda a, b, c: int(signed(a, 32) < i_imm),
                    lambda a, b, c: int(a < u), lambda a, b, c: a ^ u, lambda a, b, c: a >> n,
                    lambda a, b, c: a | u, lambda a, b, c: a & u)[funct3]
    elif opcode == 0x37:
        d.alu_we, d.kind, d.first, value = True, "alu", "zero", word & 0xfffff000
        d.op = lambda a, b, c: value
    elif opcode == 0x17:
        d.alu_we, d.kind, d.first, d.imm = True, "auipc", "pc", word & 0xfffff000
    elif opcode == 0x6f:
        d.alu_we, d.kind, d.first = True, "jal", "pc"
        d.imm = signed((word >> 31) << 20 | (word >> 12 & 255) << 12 | (word >> 20 & 1) << 11 | (word >> 21 & 1023) << 1, 21)
    elif opcode == 0x67:
        reads, d.first, d.imm = [d.rs1], "pc", i_imm
        if funct3 == 0:
            d.alu_we, d.kind = True, "jalr"
    elif opcode == 0x63:
        d.kind, reads = "branch", [d.rs1] if funct3 in (2, 3) else [d.rs1, d.rs2]
        d.imm = signed((word >> 31) << 12 | (word >> 7 & 1) << 11 | (word >> 25 & 63) << 5 | (word >> 8 & 15) << 1, 13)
        n = signed(d.rs2, 5) & MASK
        d.op = (lambda a, b, c: a == b, lambda a, b, c: a != b, lambda a, b, c: a == n, lambda a, b, c: a != n,
                lambda a, b, c: signed(a, 32) < signed(b, 32), lambda a, b, c: signed(a, 32) >= signed(b, 32),
                lambda a, b, c: a < b, lambda a, b, c: a >= b)[funct3]
    elif opcode in (0x03, 0x0b):
        d.kind, d.loads, d.post, reads = "load", True, opcode == 0x0b, [d.rs1]
        d.width, d.extends, d.imm = 1 << (funct3 & 3), not funct3 & 4, i_imm
        if funct3 == 7:
            reads, d.form, d.extends = [d.rs1, d.rs2], "register", not funct7 & 0x20
            d.width = {0: 1, 0x20: 1, 0x08: 2, 0x28: 2, 0x10: 4}.get(funct7, 0)
        if funct3 == 3 or not d.width:
            d.kind = "illegal"
        if funct3 == 6:
            d.kind = "unknown"
        if d.post:
            d.alu_we, d.waddr = True, d.rs1
    elif opcode in (0x23, 0x2b):
        d.kind, d.post, reads = "store", opcode == 0x2b, [d.rs1, d.rs2]
        d.width, d.imm = 1 << (funct3 & 3), signed(funct7 << 5 | d.rd, 12)
        if funct3 & 4:
            d.third, d.form = d.rd, "register"
            reads = [d.rs1, d.rs2, d.rd]
        if funct3 & 3 == 3:
            d.kind = "illegal"
        if d.post:
            d.alu_we, d.waddr = True, d.rs1
    elif opcode == 0x33:
        reads = register_operation(d, funct3, funct7)
    elif opcode == 0x5b:
        reads = normalising_operation(d, funct3, funct7)
    elif opcode == 0x57:
        reads = vector_operation(d, word)
    elif opcode == 0x7b:
        d.kind = "loop" if funct3 < 6 else "illegal"
        d.imm = word >> 20
        reads = [d.rs1] if funct3 in (2, 4) else []
    elif opcode == 0x73:
        d.csr = word >> 20
        if funct3 == 0:
            if d.rs1 == 0 and d.rd == 0:
                # With one privilege level uret falls through.
                d.kind = {0x000: "ecall", 0x001: "ebreak", 0x302: "mret", 0x105: "wfi", 0x002: "uret",
                          0x7b2: "unknown"}.get(d.csr, "illegal")
        else:
            d.alu_we, d.kind = True, "csr" if funct3 & 3 else "illegal"
            reads, d.first = ([], "immediate") if funct3 & 4 else ([d.rs1], "rs1")
            d.flushes = d.csr in (0x300, 0x000, 0x041, 0x7b0, 0x7b1, 0x7b2, 0x7b3)
            d.writes_format = funct3 & 3 == 1 and d.csr == 0x00d
    elif opcode == 0x0f and funct3 < 2:
        d.kind = "fence"
    d.uses = tuple({r for r in reads if r})
    if refused:
        d.kind = "illegal"
    return d


def register_operation(d, funct3, funct7):
    """Opcode 0x33. Returns the registers that it reads."""
    d.alu_we, d.kind = True, "alu"
    if funct7 >> 5 == 3:
        low, mask = d.rs2, (2 << (funct7 & 31)) - 1
        d.op = (lambda a, b, c, n=(funct7 & 31) + 1: signed(a >> low, n), lambda a, b, c: a >> low & mask,
                lambda a, b, c: c & ~(mask << low) | (a & mask) << low, lambda a, b, c: a & ~(mask << low),
                lambda a, b, c: a | mask << low, None, None, None)[funct3]
        if funct3 > 5:
            d.kind = "illegal"
        if funct3 in (2, 5):
            d.third = d.rd
            return [d.rs1, d.rd]
        return [d.rs1]
    if funct7 == 0x20:
        d.op = {0: lambda a, b, c: a - b, 5: lambda a, b, c: signed(a, 32) >> (b & 31)}.get(funct3)
    elif funct7 == 0:
        d.op = (lambda a, b, c: a + b, lambda a, b, c: a << (b & 31), lambda a, b, c: int(signed(a, 32) < signed(b, 32)),
                lambda a, b, c: int(a < b), lambda a, b, c: a ^ b, lambda a, b, c: a >> (b & 31),
                lambda a, b, c: a | b, lambda a, b, c: a & b)[funct3]
    elif funct7 == 1:
        if funct3 >= 4:
            d.kind, d.divides, d.first = "div", True, "rs2"
            d.op = lambda a, b, c: divide(a, b, funct3)
        else:
            d.kind, d.alu_en = "mulh" if funct3 else "mul", False
            d.op = (lambda a, b, c: a * b, lambda a, b, c: signed(a, 32) * signed(b, 32) >> 32,
                    lambda a, b, c: signed(a, 32) * b >> 32, lambda a, b, c: a * b >> 32)[funct3]
    elif funct7 == 0x21:
        d.kind, d.alu_en, d.third = "mul", False, d.rd
        d.op = {0: lambda a, b, c: c + a * b, 1: lambda a, b, c: c - a * b}.get(funct3)
        return [d.rs1, d.rs2, d.rd]
    elif funct7 == 2:
        d.op = (lambda a, b, c: abs(signed(a, 32)), None, lambda a, b, c: int(signed(a, 32) <= signed(b, 32)),
                lambda a, b, c: int(a <= b), lambda a, b, c: min(signed(a, 32), signed(b, 32)), lambda a, b, c: min(a, b),
                lambda a, b, c: max(signed(a, 32), signed(b, 32)), lambda a, b, c: max(a, b))[funct3]
    elif funct7 == 4 and funct3 == 5:
        d.op = lambda a, b, c: a >> (b & 31) | a << (32 - (b & 31))
    elif funct7 == 8:
        d.op = (lambda a, b, c: (a & -a).bit_length() - 1 if a else 32, lambda a, b, c: a.bit_length() - 1 if a else 32,
                lambda a, b, c: leading_zeros(a ^ (MASK if a >> 31 else 0)) - 1 if a else 0, lambda a, b, c: bin(a).count("1"),
                lambda a, b, c: signed(a, 16), lambda a, b, c: a & 0xffff, lambda a, b, c: signed(a, 8), lambda a, b, c: a & 0xff)[funct3]
        return [d.rs1]
    elif funct7 == 0x0a:
        top = (1 << d.rs2 >> 1) - 1 if d.rs2 else 0
        d.op = {1: lambda a, b, c: max(-top - 1, min(top, signed(a, 32))), 2: lambda a, b, c: max(0, min(top, signed(a, 32))),
                5: lambda a, b, c: clip(a, b, True), 6: lambda a, b, c: clip(a, b, False)}.get(funct3)
        if funct3 in (1, 2):
            return [d.rs1]
    if d.op is None:
        d.kind = "illegal"
    return [d.rs1, d.rs2]


def clip(a, bound, is_signed):
    """p.clipr, p.clipur: below the lower bound is what makes the 32-bit sum a + bound + 1 negative."""
    if signed(a, 32) > signed(bound, 32):
        return bound
    if not is_signed and a >> 31:
        return 0
    return ~bound if (a + bound + 1) >> 31 & 1 else a


def divide(a, b, funct3):
    """div, divu, rem, remu by funct3."""
    p, q = (signed(a, 32), signed(b, 32)) if funct3 in (4, 6) else (a, b)
    if b == 0:
        return MASK if funct3 < 6 else a
    quotient = abs(p) // abs(q)
    if (p < 0) != (q < 0):
        quotient = -quotient
    return quotient if funct3 < 6 else p - quotient * q


def normalising_operation(d, funct3, funct7):
    """Opcode 0x5B. Returns the registers that it reads."""
    kind, is_signed, high, shift, rounds = funct3 & 3, funct7 >> 6, funct7 >> 5 & 1, funct7 & 31, funct3 >> 2
    half = (1 << shift) >> 1 if rounds else 0
    d.alu_we = True
    if kind < 2:
        d.kind, d.alu_en = "mul", False

        def multiply(a, b, c):
            v = field(a, 16 * high, 16, is_signed) * field(b, 16 * high, 16, is_signed) + (signed(c, 32) if kind else 0) + half
            return signed(v, 32) >> shift if is_signed else (v & MASK) >> shift
        d.op = multiply
        if kind == 1:
            d.third = d.rd
            return [d.rs1, d.rs2, d.rd]
        return [d.rs1, d.rs2]
    d.kind = "alu"
    if high:
        # The shift in a register: the ALU's first operand is rd.
        d.kind, d.first, d.third = "unknown", "rd", d.rd
        return [d.rs1, d.rs2, d.rd]

    def add(a, b, c):
        v = (a + b if kind == 2 else a - b) + half
        return (v & MASK) >> shift if is_signed else signed(v, 32) >> shift
    d.op = add
    return [d.rs1, d.rs2]


def vector_operation(d, word):
    """Opcode 0x57. Returns the registers that it reads."""
    funct6 = word >> 26
    d.alu_we, d.kind = True, "unknown"
    # rs2 is read but for an immediate; some read it, as a number or for its hazard, all the same.
    reads = [d.rs1] if d.funct3 & 6 == 6 and funct6 not in (0x3a, 0x3c, 0x3e, 0x30, 0x32, 0x34, 0x36, 0x38) else [d.rs1, d.rs2]
    if funct6 in DOTS:
        d.form, d.alu_en = DOTS[funct6], False
        if d.funct3 & 4 == 0:
            d.kind = "dot"
        if d.form[2]:
            d.third = d.rd
            reads.append(d.rd)
    elif funct6 in (0x00, 0x02, 0x0c):
        d.form = {0x00: lambda p, q: p + q, 0x02: lambda p, q: p - q, 0x0c: max}[funct6]
        if d.funct3 & 4 == 0:
            d.kind = "lanes"
    elif funct6 in (0x32, 0x36, 0x38, 0x2c, 0x15):
        d.third = d.rd
        reads.append(d.rd)
    elif funct6 not in (0x04, 0x06, 0x08, 0x0a, 0x0e, 0x10, 0x12, 0x14, 0x16, 0x18, 0x1a, 0x1c, 0x1e, 0x24, 0x30, 0x34, 0x3a, 0x3c, 0x3e,
                        0x01, 0x03, 0x05, 0x07, 0x09, 0x0b, 0x0d, 0x0f, 0x11, 0x13, 0x17, 0x19, 0x1b, 0x1d):
        d.kind = "illegal"
    return reads


def lanes(operation, simd_format, a, b):
    """A lane-wise operation."""
    width = LANES[simd_format][0]
    return sum((operation(field(a, k, width, 1), field(b, k, width, 1)) & ((1 << width) - 1)) << k for k in range(0, 32, width))
