/* Xpulp and MPIC instructions for assembly: stock binutils has none, so each is an .insn of one 32-bit word.
   Names are the manual's with '.' as '_'; operand order is the manual's. */
#ifndef MPIC_H
#define MPIC_H

#define CSR_SIMD_FORMAT 0x00D
#define CSR_SIMD_GROUP 0x00E
#define CSR_SIMD_SKIP 0x00F

#ifdef __ASSEMBLER__
/* rd = *rs1; rs1 += imm */
.macro p_lw_post rd, imm, rs1
    .insn i 0x0b, 2, \rd, \imm(\rs1)
.endm
/* rd = *rs1; rs1 += rs2 */
.macro p_lw_rpost rd, rs2, rs1
    .insn r 0x0b, 7, 0x10, \rd, \rs1, \rs2
.endm
/* *rs1 = rs2; rs1 += imm */
.macro p_sw_post rs2, imm, rs1
    .insn s 0x2b, 2, \rs2, \imm(\rs1)
.endm
/* *rs1 = rs2; rs1 += step (a register): word, half-word, byte */
.macro p_sw_rpost rs2, step, rs1
    .insn r 0x2b, 6, 0, \step, \rs1, \rs2
.endm
.macro p_sh_rpost rs2, step, rs1
    .insn r 0x2b, 5, 0, \step, \rs1, \rs2
.endm
.macro p_sb_rpost rs2, step, rs1
    .insn r 0x2b, 4, 0, \step, \rs1, \rs2
.endm
/* rd = sum of lane products, both operands signed; rs2 is the narrow operand of a mixed format */
.macro pv_dotsp rd, rs1, rs2
    .insn r 0x57, 1, 0x4c, \rd, \rs1, \rs2
.endm
/* lane-wise maximum, signed */
.macro pv_max rd, rs1, rs2
    .insn r 0x57, 1, 0x18, \rd, \rs1, \rs2
.endm
/* rd = max(rs1, rs2), signed */
.macro p_max rd, rs1, rs2
    .insn r 0x33, 6, 0x02, \rd, \rs1, \rs2
.endm
/* rd += sum of lane products, both operands signed; rs2 is the narrow operand of a mixed format */
.macro pv_sdotsp rd, rs1, rs2
    .insn r 0x57, 1, 0x5c, \rd, \rs1, \rs2
.endm
/* rd += rs1 * rs2 */
.macro p_mac rd, rs1, rs2
    .insn r 0x33, 0, 0x21, \rd, \rs1, \rs2
.endm
/* rd = (rd + rs1) >> rs2, arithmetic */
.macro p_addNr rd, rs1, rs2
    .insn r 0x5b, 2, 0x20, \rd, \rs1, \rs2
.endm
/* rd = clip(rs1, -(rs2 + 1), rs2) */
.macro p_clipr rd, rs1, rs2
    .insn r 0x33, 5, 0x0a, \rd, \rs1, \rs2
.endm
/* rd = rs1[lsb + width - 1 : lsb], sign-extended; lsb in rs2[4:0], width - 1 in rs2[9:5] */
.macro p_extractr rd, rs1, rs2
    .insn r 0x33, 0, 0x40, \rd, \rs1, \rs2
.endm
/* rd[lsb + width - 1 : lsb] = rs1 */
.macro p_insert rd, rs1, width, lsb
    .insn r 0x33, 2, 0x60 + \width - 1, \rd, \rs1, x\lsb
.endm
/* rd[lsb + width - 1 : lsb] = rs1; lsb in rs2[4:0], width - 1 in rs2[9:5] */
.macro p_insertr rd, rs1, rs2
    .insn r 0x33, 2, 0x40, \rd, \rs1, \rs2
.endm
/* branch if rs1 == imm, -16 <= imm < 16; here 0 <= imm */
.macro p_beqimm rs1, imm, to
    .insn sb 0x63, 2, \rs1, x\imm, \to
.endm
/* Loop \l is [\start, \end - 4]; both lie ahead. */
.macro lp_bounds l, start, end
    .word 0x0000007b | (\l << 7) | (((\start - .) / 2) << 20)
    .word 0x0000107b | (\l << 7) | (((\end - 4 - .) / 2) << 20)
.endm
/* Count of loop \l from register number \rnum. */
.macro lp_count l, rnum
    .word 0x0000207b | (\l << 7) | (\rnum << 15)
.endm
/* Loop \l over [next instruction, \end - 4], count in register number \rnum. \end labels what follows the body. */
.macro lp_setup l, rnum, end
    .word 0x0000407b | (\l << 7) | (\rnum << 15) | (((\end - 4 - .) / 2) << 20)
.endm
#endif

#endif
