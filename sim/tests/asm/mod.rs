//! A few encoders and an ELF around them, for tests that make their programs themselves.
#![allow(dead_code, reason = "every test binary uses its own part")]

pub(crate) mod classes;
pub(crate) mod corners;
pub(crate) mod generated;
pub(crate) mod hazards;
pub(crate) mod hot;
pub(crate) mod programs;

/// Where programs start: 0x80 behind the trap vectors, as on the reference core.
pub(crate) const ENTRY: u32 = 0x1C00_8080;
/// Where random programs have their data.
pub(crate) const DATA: u32 = 0x1C10_0000;
pub(crate) const DATA_BYTES: u32 = 4096;
/// Trap vectors.
pub(crate) const VECTORS: u32 = 0x1C00_8000;

pub(crate) fn r(funct7: u32, rs2: u32, rs1: u32, funct3: u32, rd: u32, opcode: u32) -> u32 {
    funct7 << 25 | rs2 << 20 | rs1 << 15 | funct3 << 12 | rd << 7 | opcode
}
pub(crate) fn i(imm: i32, rs1: u32, funct3: u32, rd: u32, opcode: u32) -> u32 {
    (imm as u32 & 0xFFF) << 20 | rs1 << 15 | funct3 << 12 | rd << 7 | opcode
}
pub(crate) fn addi(rd: u32, rs1: u32, imm: i32) -> u32 {
    i(imm, rs1, 0, rd, 0x13)
}
pub(crate) fn lui(rd: u32, upper: u32) -> u32 {
    upper & 0xFFFF_F000 | rd << 7 | 0x37
}
/// rd = value, in two instructions whatever the value.
pub(crate) fn li(rd: u32, value: u32) -> [u32; 2] {
    [lui(rd, value.wrapping_add(0x800)), addi(rd, rd, (value << 20) as i32 >> 20)]
}
pub(crate) fn sw(rs2: u32, imm: i32, rs1: u32) -> u32 {
    let imm = imm as u32;
    (imm >> 5 & 0x7F) << 25 | rs2 << 20 | rs1 << 15 | 2 << 12 | (imm & 31) << 7 | 0x23
}
pub(crate) fn lw(rd: u32, imm: i32, rs1: u32) -> u32 {
    i(imm, rs1, 2, rd, 0x03)
}
pub(crate) fn branch(funct3: u32, rs1: u32, rs2: u32, offset: i32) -> u32 {
    let o = offset as u32;
    (o >> 12 & 1) << 31
        | (o >> 5 & 0x3F) << 25
        | rs2 << 20
        | rs1 << 15
        | funct3 << 12
        | (o >> 1 & 15) << 8
        | (o >> 11 & 1) << 7
        | 0x63
}
pub(crate) fn jal(rd: u32, offset: i32) -> u32 {
    let o = offset as u32;
    (o >> 20 & 1) << 31
        | (o >> 1 & 0x3FF) << 21
        | (o >> 11 & 1) << 20
        | (o >> 12 & 0xFF) << 12
        | rd << 7
        | 0x6F
}
pub(crate) fn csrrw(rd: u32, csr: u32, rs1: u32) -> u32 {
    csr << 20 | rs1 << 15 | 1 << 12 | rd << 7 | 0x73
}
pub(crate) fn csrr(rd: u32, csr: u32) -> u32 {
    csr << 20 | 2 << 12 | rd << 7 | 0x73
}
pub(crate) fn csrwi(csr: u32, value: u32) -> u32 {
    csr << 20 | value << 15 | 5 << 12 | 0x73
}
pub(crate) const NOP: u32 = 0x13;
pub(crate) const WFI: u32 = 0x1050_0073;
pub(crate) const MRET: u32 = 0x3020_0073;
pub(crate) const ECALL: u32 = 0x73;

/// Ends the program with the code in a0; uses t6.
pub(crate) fn exit() -> Vec<u32> {
    vec![lui(31, 0x1A10_F000), sw(10, 0, 31)]
}

/// Writes a register to the result port; uses t6.
pub(crate) fn result(register: u32) -> Vec<u32> {
    vec![lui(31, 0x1A10_F000), sw(register, 12, 31)]
}

pub(crate) fn bytes(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|w| w.to_le_bytes()).collect()
}

/// An ELF executable of segments (address, bytes), readable, writable and executable, for this core and for Linux user mode.
pub(crate) fn elf(entry: u32, segments: &[(u32, Vec<u8>)]) -> Vec<u8> {
    let half = |v: u16| v.to_le_bytes().to_vec();
    let word = |v: u32| v.to_le_bytes().to_vec();
    let mut out = b"\x7fELF\x01\x01\x01".to_vec();
    out.resize(16, 0);
    let header = [half(2), half(243), word(1), word(entry), word(52), word(0), word(1)].concat();
    out.extend(header);
    out.extend([half(52), half(32), half(segments.len() as u16), half(40), half(0), half(0)].concat());
    let mut at = 0x1000;
    for (address, data) in segments {
        let n = data.len() as u32;
        let fields = [1, at, *address, *address, n, n, 7, 0x1000];
        out.extend(fields.into_iter().flat_map(word));
        at += n.next_multiple_of(0x1000);
    }
    let mut at = 0x1000;
    for (_, data) in segments {
        out.resize(at, 0);
        out.extend(data);
        at += data.len().next_multiple_of(0x1000);
    }
    out
}

/// A program at the entry with a handler for every vector.
pub(crate) fn program(words: &[u32]) -> Vec<u8> {
    elf(ENTRY, &[(ENTRY - 0x80, bytes(&[vec![NOP; 32], words.to_vec()].concat()))])
}
