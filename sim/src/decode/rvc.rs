//! Compressed instructions to their 32-bit forms (RISC-V unprivileged manual, chapter C; `riscv_compressed_decoder.sv`).

const OP_IMM: u32 = 0x13;
const OP: u32 = 0x33;
const LOAD: u32 = 0x03;
const JALR: u32 = 0x67;

/// The 32-bit form of a 16-bit instruction, `None` if it is undefined on this core (RV32, no floating point).
pub(super) fn expand(half: u16) -> Option<u32> {
    let h = u32::from(half);
    let funct3 = h >> 13;
    match h & 3 {
        0 => quadrant0(h, funct3),
        1 => quadrant1(h, funct3),
        2 => quadrant2(h, funct3),
        _ => None,
    }
}

/// Whether this is a hint that the RTL does not know: an instruction that writes x0, or shifts by 0, where another encoding of it
/// does something. `c.mv x0` and `c.addi` by 0 it knows.
pub(super) fn is_refused_hint(half: u16) -> bool {
    let h = u32::from(half);
    let (rd, low) = (bits(h, 7, 5), bits(h, 2, 5));
    match (h & 3, h >> 13) {
        // c.li, c.lui
        (1, 2 | 3) => rd == 0,
        // c.srli, c.srai
        (1, 4) => bits(h, 10, 2) < 2 && low == 0,
        // c.slli
        (2, 0) => rd == 0 || low == 0,
        // c.add
        (2, 4) => bits(h, 12, 1) == 1 && rd == 0 && low != 0,
        _ => false,
    }
}

fn bits(h: u32, lo: u32, n: u32) -> u32 {
    (h >> lo) & ((1 << n) - 1)
}

/// Sign-extends the low `n` bits.
fn sext(v: u32, n: u32) -> u32 {
    ((v << (32 - n)) as i32 >> (32 - n)) as u32
}

/// Register numbers of the three-bit fields.
fn rd_prime(h: u32) -> u32 {
    8 + bits(h, 2, 3)
}
fn rs1_prime(h: u32) -> u32 {
    8 + bits(h, 7, 3)
}

fn itype(imm: u32, rs1: u32, funct3: u32, rd: u32, opcode: u32) -> u32 {
    (imm & 0xFFF) << 20 | rs1 << 15 | funct3 << 12 | rd << 7 | opcode
}
fn rtype(funct7: u32, rs2: u32, rs1: u32, funct3: u32, rd: u32) -> u32 {
    funct7 << 25 | rs2 << 20 | rs1 << 15 | funct3 << 12 | rd << 7 | OP
}
fn sw(imm: u32, rs2: u32, rs1: u32) -> u32 {
    bits(imm, 5, 7) << 25 | rs2 << 20 | rs1 << 15 | 2 << 12 | bits(imm, 0, 5) << 7 | 0x23
}
fn jal(offset: u32, rd: u32) -> u32 {
    bits(offset, 20, 1) << 31
        | bits(offset, 1, 10) << 21
        | bits(offset, 11, 1) << 20
        | bits(offset, 12, 8) << 12
        | rd << 7
        | 0x6F
}
fn branch(offset: u32, rs1: u32, funct3: u32) -> u32 {
    bits(offset, 12, 1) << 31
        | bits(offset, 5, 6) << 25
        | rs1 << 15
        | funct3 << 12
        | bits(offset, 1, 4) << 8
        | bits(offset, 11, 1) << 7
        | 0x63
}

fn quadrant0(h: u32, funct3: u32) -> Option<u32> {
    let offset = bits(h, 10, 3) << 3 | bits(h, 6, 1) << 2 | bits(h, 5, 1) << 6;
    match funct3 {
        // c.addi4spn; the all-zero word and a zero immediate are reserved.
        0 => {
            let imm = bits(h, 7, 4) << 6 | bits(h, 11, 2) << 4 | bits(h, 5, 1) << 3 | bits(h, 6, 1) << 2;
            (imm != 0).then(|| itype(imm, 2, 0, rd_prime(h), OP_IMM))
        }
        2 => Some(itype(offset, rs1_prime(h), 2, rd_prime(h), LOAD)),
        6 => Some(sw(offset, rd_prime(h), rs1_prime(h))),
        _ => None,
    }
}

fn quadrant1(h: u32, funct3: u32) -> Option<u32> {
    let rd = bits(h, 7, 5);
    let imm6 = sext(bits(h, 12, 1) << 5 | bits(h, 2, 5), 6);
    match funct3 {
        0 => Some(itype(imm6, rd, 0, rd, OP_IMM)),
        1 | 5 => {
            let offset = bits(h, 12, 1) << 11
                | bits(h, 8, 1) << 10
                | bits(h, 9, 2) << 8
                | bits(h, 6, 1) << 7
                | bits(h, 7, 1) << 6
                | bits(h, 2, 1) << 5
                | bits(h, 11, 1) << 4
                | bits(h, 3, 3) << 1;
            Some(jal(sext(offset, 12), u32::from(funct3 == 1)))
        }
        2 => Some(itype(imm6, 0, 0, rd, OP_IMM)),
        3 if rd == 2 => {
            let imm = bits(h, 12, 1) << 9
                | bits(h, 3, 2) << 7
                | bits(h, 5, 1) << 6
                | bits(h, 2, 1) << 5
                | bits(h, 6, 1) << 4;
            (imm != 0).then(|| itype(sext(imm, 10), 2, 0, 2, OP_IMM))
        }
        3 => (imm6 != 0).then_some((imm6 & 0xF_FFFF) << 12 | rd << 7 | 0x37),
        4 => arithmetic(h, imm6),
        _ => {
            let offset = bits(h, 12, 1) << 8
                | bits(h, 5, 2) << 6
                | bits(h, 2, 1) << 5
                | bits(h, 10, 2) << 3
                | bits(h, 3, 2) << 1;
            Some(branch(sext(offset, 9), rs1_prime(h), u32::from(funct3 == 7)))
        }
    }
}

/// c.srli, c.srai, c.andi, c.sub, c.xor, c.or, c.and.
fn arithmetic(h: u32, imm6: u32) -> Option<u32> {
    let (rd, rs2) = (rs1_prime(h), rd_prime(h));
    let shamt = bits(h, 2, 5);
    match bits(h, 10, 2) {
        // Shift amounts of 32 and more are for RV64.
        0 | 1 if bits(h, 12, 1) == 1 => None,
        0 => Some(itype(shamt, rd, 5, rd, OP_IMM)),
        1 => Some(itype(shamt | 0x400, rd, 5, rd, OP_IMM)),
        2 => Some(itype(imm6, rd, 7, rd, OP_IMM)),
        _ if bits(h, 12, 1) == 1 => None,
        _ => Some(match bits(h, 5, 2) {
            0 => rtype(0x20, rs2, rd, 0, rd),
            1 => rtype(0, rs2, rd, 4, rd),
            2 => rtype(0, rs2, rd, 6, rd),
            _ => rtype(0, rs2, rd, 7, rd),
        }),
    }
}

fn quadrant2(h: u32, funct3: u32) -> Option<u32> {
    let (rd, rs2) = (bits(h, 7, 5), bits(h, 2, 5));
    match funct3 {
        0 => (bits(h, 12, 1) == 0).then(|| itype(rs2, rd, 1, rd, OP_IMM)),
        2 => {
            let offset = bits(h, 12, 1) << 5 | bits(h, 4, 3) << 2 | bits(h, 2, 2) << 6;
            (rd != 0).then(|| itype(offset, 2, 2, rd, LOAD))
        }
        4 => match (bits(h, 12, 1), rd, rs2) {
            (0, _, 0) => Some(itype(0, rd, 0, 0, JALR)),
            (0, _, _) => Some(rtype(0, rs2, 0, 0, rd)),
            (_, 0, 0) => Some(0x0010_0073),
            (_, _, 0) => Some(itype(0, rd, 0, 1, JALR)),
            _ => Some(rtype(0, rs2, rd, 0, rd)),
        },
        6 => Some(sw(bits(h, 9, 4) << 2 | bits(h, 7, 2) << 6, rs2, 2)),
        _ => None,
    }
}
