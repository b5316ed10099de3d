/* Xpulp and MPIC instructions: assembler macros, and C functions. Made from the instruction table by `mpic-sim isa --header`; a test
   holds it. Names and order of operands are the manual's, with '_' for '.'; post-increment is _post with an immediate and _rpost with a
   register. docs/instructions.md says what each does. */
#ifndef XPULP_H
#define XPULP_H

/* SIMD formats, the codes of CSR 0x00D: width of a lane of rs1 and, where it differs, of rs2. */
#define MPIC_FMT_16 1
#define MPIC_FMT_8 2
#define MPIC_FMT_4 3
#define MPIC_FMT_2 4
#define MPIC_FMT_4x2 5
#define MPIC_FMT_8x2 6
#define MPIC_FMT_16x2 7
#define MPIC_FMT_8x4 8
#define MPIC_FMT_16x4 9
#define MPIC_FMT_16x8 10

#ifdef __ASSEMBLER__
/* Numbers of registers by name: .Lmpic_t2 is 7, and so are .Lmpic_x7 and .Lmpic_7. */
.set .Lmpic_zero, 0; .set .Lmpic_ra, 1; .set .Lmpic_sp, 2; .set .Lmpic_gp, 3; .set .Lmpic_tp, 4; .set .Lmpic_t0, 5
.set .Lmpic_t1, 6; .set .Lmpic_t2, 7; .set .Lmpic_s0, 8; .set .Lmpic_s1, 9; .set .Lmpic_a0, 10; .set .Lmpic_a1, 11
.set .Lmpic_a2, 12; .set .Lmpic_a3, 13; .set .Lmpic_a4, 14; .set .Lmpic_a5, 15; .set .Lmpic_a6, 16; .set .Lmpic_a7, 17
.set .Lmpic_s2, 18; .set .Lmpic_s3, 19; .set .Lmpic_s4, 20; .set .Lmpic_s5, 21; .set .Lmpic_s6, 22; .set .Lmpic_s7, 23
.set .Lmpic_s8, 24; .set .Lmpic_s9, 25; .set .Lmpic_s10, 26; .set .Lmpic_s11, 27; .set .Lmpic_t3, 28; .set .Lmpic_t4, 29
.set .Lmpic_t5, 30; .set .Lmpic_t6, 31; .set .Lmpic_fp, 8
.irp r, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    .set .Lmpic_\r, \r; .set .Lmpic_x\r, \r
.endr
.macro pv_dotup rd, rs1, rs2
    .insn r 0x57, 1, 0x40, \rd, \rs1, \rs2
.endm
.macro pv_dotup_sc rd, rs1, rs2
    .insn r 0x57, 5, 0x40, \rd, \rs1, \rs2
.endm
.macro pv_dotup_sci rd, rs1, imm
    .word 0x80007057 | (((\imm) & 1) << 25) | ((((\imm) >> 1) & 31) << 20) | (.Lmpic_\rs1 << 15) | (.Lmpic_\rd << 7)
.endm
.macro pv_dotusp rd, rs1, rs2
    .insn r 0x57, 1, 0x44, \rd, \rs1, \rs2
.endm
.macro pv_dotusp_sc rd, rs1, rs2
    .insn r 0x57, 5, 0x44, \rd, \rs1, \rs2
.endm
.macro pv_dotusp_sci rd, rs1, imm
    .word 0x88007057 | (((\imm) & 1) << 25) | ((((\imm) >> 1) & 31) << 20) | (.Lmpic_\rs1 << 15) | (.Lmpic_\rd << 7)
.endm
.macro pv_dotsp rd, rs1, rs2
    .insn r 0x57, 1, 0x4c, \rd, \rs1, \rs2
.endm
.macro pv_dotsp_sc rd, rs1, rs2
    .insn r 0x57, 5, 0x4c, \rd, \rs1, \rs2
.endm
.macro pv_dotsp_sci rd, rs1, imm
    .word 0x98007057 | (((\imm) & 1) << 25) | ((((\imm) >> 1) & 31) << 20) | (.Lmpic_\rs1 << 15) | (.Lmpic_\rd << 7)
.endm
.macro pv_sdotup rd, rs1, rs2
    .insn r 0x57, 1, 0x50, \rd, \rs1, \rs2
.endm
.macro pv_sdotup_sc rd, rs1, rs2
    .insn r 0x57, 5, 0x50, \rd, \rs1, \rs2
.endm
.macro pv_sdotup_sci rd, rs1, imm
    .word 0xa0007057 | (((\imm) & 1) << 25) | ((((\imm) >> 1) & 31) << 20) | (.Lmpic_\rs1 << 15) | (.Lmpic_\rd << 7)
.endm
.macro pv_sdotusp rd, rs1, rs2
    .insn r 0x57, 1, 0x54, \rd, \rs1, \rs2
.endm
.macro pv_sdotusp_sc rd, rs1, rs2
    .insn r 0x57, 5, 0x54, \rd, \rs1, \rs2
.endm
.macro pv_sdotusp_sci rd, rs1, imm
    .word 0xa8007057 | (((\imm) & 1) << 25) | ((((\imm) >> 1) & 31) << 20) | (.Lmpic_\rs1 << 15) | (.Lmpic_\rd << 7)
.endm
.macro pv_sdotsp rd, rs1, rs2
    .insn r 0x57, 1, 0x5c, \rd, \rs1, \rs2
.endm
.macro pv_sdotsp_sc rd, rs1, rs2
    .insn r 0x57, 5, 0x5c, \rd, \rs1, \rs2
.endm
.macro pv_sdotsp_sci rd, rs1, imm
    .word 0xb8007057 | (((\imm) & 1) << 25) | ((((\imm) >> 1) & 31) << 20) | (.Lmpic_\rs1 << 15) | (.Lmpic_\rd << 7)
.endm
.macro p_lb_post rd, imm, rs1
    .insn i 0x0b, 0, \rd, \imm(\rs1)
.endm
.macro p_lh_post rd, imm, rs1
    .insn i 0x0b, 1, \rd, \imm(\rs1)
.endm
.macro p_lw_post rd, imm, rs1
    .insn i 0x0b, 2, \rd, \imm(\rs1)
.endm
.macro p_lbu_post rd, imm, rs1
    .insn i 0x0b, 4, \rd, \imm(\rs1)
.endm
.macro p_lhu_post rd, imm, rs1
    .insn i 0x0b, 5, \rd, \imm(\rs1)
.endm
.macro p_lb_rpost rd, rs2, rs1
    .insn r 0x0b, 7, 0x00, \rd, \rs1, \rs2
.endm
.macro p_lh_rpost rd, rs2, rs1
    .insn r 0x0b, 7, 0x08, \rd, \rs1, \rs2
.endm
.macro p_lw_rpost rd, rs2, rs1
    .insn r 0x0b, 7, 0x10, \rd, \rs1, \rs2
.endm
.macro p_lbu_rpost rd, rs2, rs1
    .insn r 0x0b, 7, 0x20, \rd, \rs1, \rs2
.endm
.macro p_lhu_rpost rd, rs2, rs1
    .insn r 0x0b, 7, 0x28, \rd, \rs1, \rs2
.endm
.macro p_lb rd, rs2, rs1
    .insn r 0x03, 7, 0x00, \rd, \rs1, \rs2
.endm
.macro p_lh rd, rs2, rs1
    .insn r 0x03, 7, 0x08, \rd, \rs1, \rs2
.endm
.macro p_lw rd, rs2, rs1
    .insn r 0x03, 7, 0x10, \rd, \rs1, \rs2
.endm
.macro p_lbu rd, rs2, rs1
    .insn r 0x03, 7, 0x20, \rd, \rs1, \rs2
.endm
.macro p_lhu rd, rs2, rs1
    .insn r 0x03, 7, 0x28, \rd, \rs1, \rs2
.endm
.macro p_sb_post rs2, imm, rs1
    .insn s 0x2b, 0, \rs2, \imm(\rs1)
.endm
.macro p_sh_post rs2, imm, rs1
    .insn s 0x2b, 1, \rs2, \imm(\rs1)
.endm
.macro p_sw_post rs2, imm, rs1
    .insn s 0x2b, 2, \rs2, \imm(\rs1)
.endm
.macro p_sb_rpost rs2, rs3, rs1
    .insn r 0x2b, 4, 0x00, \rs3, \rs1, \rs2
.endm
.macro p_sh_rpost rs2, rs3, rs1
    .insn r 0x2b, 5, 0x00, \rs3, \rs1, \rs2
.endm
.macro p_sw_rpost rs2, rs3, rs1
    .insn r 0x2b, 6, 0x00, \rs3, \rs1, \rs2
.endm
.macro p_sb rs2, rs3, rs1
    .insn r 0x23, 4, 0x00, \rs3, \rs1, \rs2
.endm
.macro p_sh rs2, rs3, rs1
    .insn r 0x23, 5, 0x00, \rs3, \rs1, \rs2
.endm
.macro p_sw rs2, rs3, rs1
    .insn r 0x23, 6, 0x00, \rs3, \rs1, \rs2
.endm
.macro p_extract rd, rs1, width, lsb
    .insn r 0x33, 0, 0x60 + \width - 1, \rd, \rs1, x\lsb
.endm
.macro p_extractu rd, rs1, width, lsb
    .insn r 0x33, 1, 0x60 + \width - 1, \rd, \rs1, x\lsb
.endm
.macro p_insert rd, rs1, width, lsb
    .insn r 0x33, 2, 0x60 + \width - 1, \rd, \rs1, x\lsb
.endm
.macro p_bclr rd, rs1, width, lsb
    .insn r 0x33, 3, 0x60 + \width - 1, \rd, \rs1, x\lsb
.endm
.macro p_bset rd, rs1, width, lsb
    .insn r 0x33, 4, 0x60 + \width - 1, \rd, \rs1, x\lsb
.endm
.macro p_bitrev rd, rs1, radix, shift
    .insn r 0x33, 5, 0x60 + \radix, \rd, \rs1, x\shift
.endm
.macro p_extractr rd, rs1, rs2
    .insn r 0x33, 0, 0x40, \rd, \rs1, \rs2
.endm
.macro p_extractur rd, rs1, rs2
    .insn r 0x33, 1, 0x40, \rd, \rs1, \rs2
.endm
.macro p_insertr rd, rs1, rs2
    .insn r 0x33, 2, 0x40, \rd, \rs1, \rs2
.endm
.macro p_bclrr rd, rs1, rs2
    .insn r 0x33, 3, 0x40, \rd, \rs1, \rs2
.endm
.macro p_bsetr rd, rs1, rs2
    .insn r 0x33, 4, 0x40, \rd, \rs1, \rs2
.endm
.macro p_abs rd, rs1
    .insn r 0x33, 0, 0x02, \rd, \rs1, x0
.endm
.macro p_slet rd, rs1, rs2
    .insn r 0x33, 2, 0x02, \rd, \rs1, \rs2
.endm
.macro p_sletu rd, rs1, rs2
    .insn r 0x33, 3, 0x02, \rd, \rs1, \rs2
.endm
.macro p_min rd, rs1, rs2
    .insn r 0x33, 4, 0x02, \rd, \rs1, \rs2
.endm
.macro p_minu rd, rs1, rs2
    .insn r 0x33, 5, 0x02, \rd, \rs1, \rs2
.endm
.macro p_max rd, rs1, rs2
    .insn r 0x33, 6, 0x02, \rd, \rs1, \rs2
.endm
.macro p_maxu rd, rs1, rs2
    .insn r 0x33, 7, 0x02, \rd, \rs1, \rs2
.endm
.macro p_ror rd, rs1, rs2
    .insn r 0x33, 5, 0x04, \rd, \rs1, \rs2
.endm
.macro p_ff1 rd, rs1
    .insn r 0x33, 0, 0x08, \rd, \rs1, x0
.endm
.macro p_fl1 rd, rs1
    .insn r 0x33, 1, 0x08, \rd, \rs1, x0
.endm
.macro p_clb rd, rs1
    .insn r 0x33, 2, 0x08, \rd, \rs1, x0
.endm
.macro p_cnt rd, rs1
    .insn r 0x33, 3, 0x08, \rd, \rs1, x0
.endm
.macro p_exths rd, rs1
    .insn r 0x33, 4, 0x08, \rd, \rs1, x0
.endm
.macro p_exthz rd, rs1
    .insn r 0x33, 5, 0x08, \rd, \rs1, x0
.endm
.macro p_extbs rd, rs1
    .insn r 0x33, 6, 0x08, \rd, \rs1, x0
.endm
.macro p_extbz rd, rs1
    .insn r 0x33, 7, 0x08, \rd, \rs1, x0
.endm
.macro p_clip rd, rs1, n
    .insn r 0x33, 1, 0x0a, \rd, \rs1, x\n
.endm
.macro p_clipu rd, rs1, n
    .insn r 0x33, 2, 0x0a, \rd, \rs1, x\n
.endm
.macro p_clipr rd, rs1, rs2
    .insn r 0x33, 5, 0x0a, \rd, \rs1, \rs2
.endm
.macro p_clipur rd, rs1, rs2
    .insn r 0x33, 6, 0x0a, \rd, \rs1, \rs2
.endm
.macro p_addN rd, rs1, rs2, n
    .insn r 0x5b, 2, 0x00 + \n, \rd, \rs1, \rs2
.endm
.macro p_adduN rd, rs1, rs2, n
    .insn r 0x5b, 2, 0x40 + \n, \rd, \rs1, \rs2
.endm
.macro p_addRN rd, rs1, rs2, n
    .insn r 0x5b, 6, 0x00 + \n, \rd, \rs1, \rs2
.endm
.macro p_adduRN rd, rs1, rs2, n
    .insn r 0x5b, 6, 0x40 + \n, \rd, \rs1, \rs2
.endm
.macro p_subN rd, rs1, rs2, n
    .insn r 0x5b, 3, 0x00 + \n, \rd, \rs1, \rs2
.endm
.macro p_subuN rd, rs1, rs2, n
    .insn r 0x5b, 3, 0x40 + \n, \rd, \rs1, \rs2
.endm
.macro p_subRN rd, rs1, rs2, n
    .insn r 0x5b, 7, 0x00 + \n, \rd, \rs1, \rs2
.endm
.macro p_subuRN rd, rs1, rs2, n
    .insn r 0x5b, 7, 0x40 + \n, \rd, \rs1, \rs2
.endm
.macro p_addNr rd, rs1, rs2
    .insn r 0x5b, 2, 0x20, \rd, \rs1, \rs2
.endm
.macro p_adduNr rd, rs1, rs2
    .insn r 0x5b, 2, 0x60, \rd, \rs1, \rs2
.endm
.macro p_addRNr rd, rs1, rs2
    .insn r 0x5b, 6, 0x20, \rd, \rs1, \rs2
.endm
.macro p_adduRNr rd, rs1, rs2
    .insn r 0x5b, 6, 0x60, \rd, \rs1, \rs2
.endm
.macro p_subNr rd, rs1, rs2
    .insn r 0x5b, 3, 0x20, \rd, \rs1, \rs2
.endm
.macro p_subuNr rd, rs1, rs2
    .insn r 0x5b, 3, 0x60, \rd, \rs1, \rs2
.endm
.macro p_subRNr rd, rs1, rs2
    .insn r 0x5b, 7, 0x20, \rd, \rs1, \rs2
.endm
.macro p_subuRNr rd, rs1, rs2
    .insn r 0x5b, 7, 0x60, \rd, \rs1, \rs2
.endm
.macro p_mac rd, rs1, rs2
    .insn r 0x33, 0, 0x21, \rd, \rs1, \rs2
.endm
.macro p_msu rd, rs1, rs2
    .insn r 0x33, 1, 0x21, \rd, \rs1, \rs2
.endm
.macro p_muluN rd, rs1, rs2, n
    .insn r 0x5b, 0, 0x00 + \n, \rd, \rs1, \rs2
.endm
.macro p_mulhhuN rd, rs1, rs2, n
    .insn r 0x5b, 0, 0x20 + \n, \rd, \rs1, \rs2
.endm
.macro p_mulsN rd, rs1, rs2, n
    .insn r 0x5b, 0, 0x40 + \n, \rd, \rs1, \rs2
.endm
.macro p_mulhhsN rd, rs1, rs2, n
    .insn r 0x5b, 0, 0x60 + \n, \rd, \rs1, \rs2
.endm
.macro p_muluRN rd, rs1, rs2, n
    .insn r 0x5b, 4, 0x00 + \n, \rd, \rs1, \rs2
.endm
.macro p_mulhhuRN rd, rs1, rs2, n
    .insn r 0x5b, 4, 0x20 + \n, \rd, \rs1, \rs2
.endm
.macro p_mulsRN rd, rs1, rs2, n
    .insn r 0x5b, 4, 0x40 + \n, \rd, \rs1, \rs2
.endm
.macro p_mulhhsRN rd, rs1, rs2, n
    .insn r 0x5b, 4, 0x60 + \n, \rd, \rs1, \rs2
.endm
.macro p_macuN rd, rs1, rs2, n
    .insn r 0x5b, 1, 0x00 + \n, \rd, \rs1, \rs2
.endm
.macro p_machhuN rd, rs1, rs2, n
    .insn r 0x5b, 1, 0x20 + \n, \rd, \rs1, \rs2
.endm
.macro p_macsN rd, rs1, rs2, n
    .insn r 0x5b, 1, 0x40 + \n, \rd, \rs1, \rs2
.endm
.macro p_machhsN rd, rs1, rs2, n
    .insn r 0x5b, 1, 0x60 + \n, \rd, \rs1, \rs2
.endm
.macro p_macuRN rd, rs1, rs2, n
    .insn r 0x5b, 5, 0x00 + \n, \rd, \rs1, \rs2
.endm
.macro p_machhuRN rd, rs1, rs2, n
    .insn r 0x5b, 5, 0x20 + \n, \rd, \rs1, \rs2
.endm
.macro p_macsRN rd, rs1, rs2, n
    .insn r 0x5b, 5, 0x40 + \n, \rd, \rs1, \rs2
.endm
.macro p_machhsRN rd, rs1, rs2, n
    .insn r 0x5b, 5, 0x60 + \n, \rd, \rs1, \rs2
.endm
.macro p_beqimm rs1, imm, to
    .if (\imm) >= 0
    .insn sb 0x63, 2, \rs1, x\imm, \to
    .else
    .irp k, 16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    .if \k == (\imm) + 32
    .insn sb 0x63, 2, \rs1, x\k, \to
    .endif
    .endr
    .endif
.endm
.macro p_bneimm rs1, imm, to
    .if (\imm) >= 0
    .insn sb 0x63, 3, \rs1, x\imm, \to
    .else
    .irp k, 16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    .if \k == (\imm) + 32
    .insn sb 0x63, 3, \rs1, x\k, \to
    .endif
    .endr
    .endif
.endm
.macro pv_add rd, rs1, rs2
    .insn r 0x57, 1, 0x00, \rd, \rs1, \rs2
.endm
.macro pv_add_sc rd, rs1, rs2
    .insn r 0x57, 5, 0x00, \rd, \rs1, \rs2
.endm
.macro pv_add_sci rd, rs1, imm
    .word 0x00007057 | (((\imm) & 1) << 25) | ((((\imm) >> 1) & 31) << 20) | (.Lmpic_\rs1 << 15) | (.Lmpic_\rd << 7)
.endm
.macro pv_sub rd, rs1, rs2
    .insn r 0x57, 1, 0x04, \rd, \rs1, \rs2
.endm
.macro pv_sub_sc rd, rs1, rs2
    .insn r 0x57, 5, 0x04, \rd, \rs1, \rs2
.endm
.macro pv_sub_sci rd, rs1, imm
    .word 0x08007057 | (((\imm) & 1) << 25) | ((((\imm) >> 1) & 31) << 20) | (.Lmpic_\rs1 << 15) | (.Lmpic_\rd << 7)
.endm
.macro pv_avg rd, rs1, rs2
    .insn r 0x57, 1, 0x08, \rd, \rs1, \rs2
.endm
.macro pv_avg_sc rd, rs1, rs2
    .insn r 0x57, 5, 0x08, \rd, \rs1, \rs2
.endm
.macro pv_avg_sci rd, rs1, imm
    .word 0x10007057 | (((\imm) & 1) << 25) | ((((\imm) >> 1) & 31) << 20) | (.Lmpic_\rs1 << 15) | (.Lmpic_\rd << 7)
.endm
.macro pv_avgu rd, rs1, rs2
    .insn r 0x57, 1, 0x0c, \rd, \rs1, \rs2
.endm
.macro pv_avgu_sc rd, rs1, rs2
    .insn r 0x57, 5, 0x0c, \rd, \rs1, \rs2
.endm
.macro pv_avgu_sci rd, rs1, imm
    .word 0x18007057 | (((\imm) & 1) << 25) | ((((\imm) >> 1) & 31) << 20) | (.Lmpic_\rs1 << 15) | (.Lmpic_\rd << 7)
.endm
.macro pv_min rd, rs1, rs2
    .insn r 0x57, 1, 0x10, \rd, \rs1, \rs2
.endm
.macro pv_min_sc rd, rs1, rs2
    .insn r 0x57, 5, 0x10, \rd, \rs1, \rs2
.endm
.macro pv_min_sci rd, rs1, imm
    .word 0x20007057 | (((\imm) & 1) << 25) | ((((\imm) >> 1) & 31) << 20) | (.Lmpic_\rs1 << 15) | (.Lmpic_\rd << 7)
.endm
.macro pv_minu rd, rs1, rs2
    .insn r 0x57, 1, 0x14, \rd, \rs1, \rs2
.endm
.macro pv_minu_sc rd, rs1, rs2
    .insn r 0x57, 5, 0x14, \rd, \rs1, \rs2
.endm
.macro pv_minu_sci rd, rs1, imm
    .word 0x28007057 | (((\imm) & 1) << 25) | ((((\imm) >> 1) & 31) << 20) | (.Lmpic_\rs1 << 15) | (.Lmpic_\rd << 7)
.endm
.macro pv_max rd, rs1, rs2
    .insn r 0x57, 1, 0x18, \rd, \rs1, \rs2
.endm
.macro pv_max_sc rd, rs1, rs2
    .insn r 0x57, 5, 0x18, \rd, \rs1, \rs2
.endm
.macro pv_max_sci rd, rs1, imm
    .word 0x30007057 | (((\imm) & 1) << 25) | ((((\imm) >> 1) & 31) << 20) | (.Lmpic_\rs1 << 15) | (.Lmpic_\rd << 7)
.endm
.macro pv_maxu rd, rs1, rs2
    .insn r 0x57, 1, 0x1c, \rd, \rs1, \rs2
.endm
.macro pv_maxu_sc rd, rs1, rs2
    .insn r 0x57, 5, 0x1c, \rd, \rs1, \rs2
.endm
.macro pv_maxu_sci rd, rs1, imm
    .word 0x38007057 | (((\imm) & 1) << 25) | ((((\imm) >> 1) & 31) << 20) | (.Lmpic_\rs1 << 15) | (.Lmpic_\rd << 7)
.endm
.macro pv_srl rd, rs1, rs2
    .insn r 0x57, 1, 0x20, \rd, \rs1, \rs2
.endm
.macro pv_srl_sc rd, rs1, rs2
    .insn r 0x57, 5, 0x20, \rd, \rs1, \rs2
.endm
.macro pv_srl_sci rd, rs1, imm
    .word 0x40007057 | (((\imm) & 1) << 25) | ((((\imm) >> 1) & 31) << 20) | (.Lmpic_\rs1 << 15) | (.Lmpic_\rd << 7)
.endm
.macro pv_sra rd, rs1, rs2
    .insn r 0x57, 1, 0x24, \rd, \rs1, \rs2
.endm
.macro pv_sra_sc rd, rs1, rs2
    .insn r 0x57, 5, 0x24, \rd, \rs1, \rs2
.endm
.macro pv_sra_sci rd, rs1, imm
    .word 0x48007057 | (((\imm) & 1) << 25) | ((((\imm) >> 1) & 31) << 20) | (.Lmpic_\rs1 << 15) | (.Lmpic_\rd << 7)
.endm
.macro pv_sll rd, rs1, rs2
    .insn r 0x57, 1, 0x28, \rd, \rs1, \rs2
.endm
.macro pv_sll_sc rd, rs1, rs2
    .insn r 0x57, 5, 0x28, \rd, \rs1, \rs2
.endm
.macro pv_sll_sci rd, rs1, imm
    .word 0x50007057 | (((\imm) & 1) << 25) | ((((\imm) >> 1) & 31) << 20) | (.Lmpic_\rs1 << 15) | (.Lmpic_\rd << 7)
.endm
.macro pv_or rd, rs1, rs2
    .insn r 0x57, 1, 0x2c, \rd, \rs1, \rs2
.endm
.macro pv_or_sc rd, rs1, rs2
    .insn r 0x57, 5, 0x2c, \rd, \rs1, \rs2
.endm
.macro pv_or_sci rd, rs1, imm
    .word 0x58007057 | (((\imm) & 1) << 25) | ((((\imm) >> 1) & 31) << 20) | (.Lmpic_\rs1 << 15) | (.Lmpic_\rd << 7)
.endm
.macro pv_xor rd, rs1, rs2
    .insn r 0x57, 1, 0x30, \rd, \rs1, \rs2
.endm
.macro pv_xor_sc rd, rs1, rs2
    .insn r 0x57, 5, 0x30, \rd, \rs1, \rs2
.endm
.macro pv_xor_sci rd, rs1, imm
    .word 0x60007057 | (((\imm) & 1) << 25) | ((((\imm) >> 1) & 31) << 20) | (.Lmpic_\rs1 << 15) | (.Lmpic_\rd << 7)
.endm
.macro pv_and rd, rs1, rs2
    .insn r 0x57, 1, 0x34, \rd, \rs1, \rs2
.endm
.macro pv_and_sc rd, rs1, rs2
    .insn r 0x57, 5, 0x34, \rd, \rs1, \rs2
.endm
.macro pv_and_sci rd, rs1, imm
    .word 0x68007057 | (((\imm) & 1) << 25) | ((((\imm) >> 1) & 31) << 20) | (.Lmpic_\rs1 << 15) | (.Lmpic_\rd << 7)
.endm
.macro pv_abs rd, rs1
    .insn r 0x57, 1, 0x38, \rd, \rs1, x0
.endm
.macro pv_cmpeq rd, rs1, rs2
    .insn r 0x57, 1, 0x02, \rd, \rs1, \rs2
.endm
.macro pv_cmpeq_sc rd, rs1, rs2
    .insn r 0x57, 5, 0x02, \rd, \rs1, \rs2
.endm
.macro pv_cmpeq_sci rd, rs1, imm
    .word 0x04007057 | (((\imm) & 1) << 25) | ((((\imm) >> 1) & 31) << 20) | (.Lmpic_\rs1 << 15) | (.Lmpic_\rd << 7)
.endm
.macro pv_cmpne rd, rs1, rs2
    .insn r 0x57, 1, 0x06, \rd, \rs1, \rs2
.endm
.macro pv_cmpne_sc rd, rs1, rs2
    .insn r 0x57, 5, 0x06, \rd, \rs1, \rs2
.endm
.macro pv_cmpne_sci rd, rs1, imm
    .word 0x0c007057 | (((\imm) & 1) << 25) | ((((\imm) >> 1) & 31) << 20) | (.Lmpic_\rs1 << 15) | (.Lmpic_\rd << 7)
.endm
.macro pv_cmpgt rd, rs1, rs2
    .insn r 0x57, 1, 0x0a, \rd, \rs1, \rs2
.endm
.macro pv_cmpgt_sc rd, rs1, rs2
    .insn r 0x57, 5, 0x0a, \rd, \rs1, \rs2
.endm
.macro pv_cmpgt_sci rd, rs1, imm
    .word 0x14007057 | (((\imm) & 1) << 25) | ((((\imm) >> 1) & 31) << 20) | (.Lmpic_\rs1 << 15) | (.Lmpic_\rd << 7)
.endm
.macro pv_cmpge rd, rs1, rs2
    .insn r 0x57, 1, 0x0e, \rd, \rs1, \rs2
.endm
.macro pv_cmpge_sc rd, rs1, rs2
    .insn r 0x57, 5, 0x0e, \rd, \rs1, \rs2
.endm
.macro pv_cmpge_sci rd, rs1, imm
    .word 0x1c007057 | (((\imm) & 1) << 25) | ((((\imm) >> 1) & 31) << 20) | (.Lmpic_\rs1 << 15) | (.Lmpic_\rd << 7)
.endm
.macro pv_cmplt rd, rs1, rs2
    .insn r 0x57, 1, 0x12, \rd, \rs1, \rs2
.endm
.macro pv_cmplt_sc rd, rs1, rs2
    .insn r 0x57, 5, 0x12, \rd, \rs1, \rs2
.endm
.macro pv_cmplt_sci rd, rs1, imm
    .word 0x24007057 | (((\imm) & 1) << 25) | ((((\imm) >> 1) & 31) << 20) | (.Lmpic_\rs1 << 15) | (.Lmpic_\rd << 7)
.endm
.macro pv_cmple rd, rs1, rs2
    .insn r 0x57, 1, 0x16, \rd, \rs1, \rs2
.endm
.macro pv_cmple_sc rd, rs1, rs2
    .insn r 0x57, 5, 0x16, \rd, \rs1, \rs2
.endm
.macro pv_cmple_sci rd, rs1, imm
    .word 0x2c007057 | (((\imm) & 1) << 25) | ((((\imm) >> 1) & 31) << 20) | (.Lmpic_\rs1 << 15) | (.Lmpic_\rd << 7)
.endm
.macro pv_cmpgtu rd, rs1, rs2
    .insn r 0x57, 1, 0x1a, \rd, \rs1, \rs2
.endm
.macro pv_cmpgtu_sc rd, rs1, rs2
    .insn r 0x57, 5, 0x1a, \rd, \rs1, \rs2
.endm
.macro pv_cmpgtu_sci rd, rs1, imm
    .word 0x34007057 | (((\imm) & 1) << 25) | ((((\imm) >> 1) & 31) << 20) | (.Lmpic_\rs1 << 15) | (.Lmpic_\rd << 7)
.endm
.macro pv_cmpgeu rd, rs1, rs2
    .insn r 0x57, 1, 0x1e, \rd, \rs1, \rs2
.endm
.macro pv_cmpgeu_sc rd, rs1, rs2
    .insn r 0x57, 5, 0x1e, \rd, \rs1, \rs2
.endm
.macro pv_cmpgeu_sci rd, rs1, imm
    .word 0x3c007057 | (((\imm) & 1) << 25) | ((((\imm) >> 1) & 31) << 20) | (.Lmpic_\rs1 << 15) | (.Lmpic_\rd << 7)
.endm
.macro pv_cmpltu rd, rs1, rs2
    .insn r 0x57, 1, 0x22, \rd, \rs1, \rs2
.endm
.macro pv_cmpltu_sc rd, rs1, rs2
    .insn r 0x57, 5, 0x22, \rd, \rs1, \rs2
.endm
.macro pv_cmpltu_sci rd, rs1, imm
    .word 0x44007057 | (((\imm) & 1) << 25) | ((((\imm) >> 1) & 31) << 20) | (.Lmpic_\rs1 << 15) | (.Lmpic_\rd << 7)
.endm
.macro pv_cmpleu rd, rs1, rs2
    .insn r 0x57, 1, 0x26, \rd, \rs1, \rs2
.endm
.macro pv_cmpleu_sc rd, rs1, rs2
    .insn r 0x57, 5, 0x26, \rd, \rs1, \rs2
.endm
.macro pv_cmpleu_sci rd, rs1, imm
    .word 0x4c007057 | (((\imm) & 1) << 25) | ((((\imm) >> 1) & 31) << 20) | (.Lmpic_\rs1 << 15) | (.Lmpic_\rd << 7)
.endm
.macro pv_shuffle rd, rs1, rs2
    .insn r 0x57, 1, 0x60, \rd, \rs1, \rs2
.endm
.macro pv_shuffleI0 rd, rs1, imm
    .word 0xc0007057 | (((\imm) & 1) << 25) | ((((\imm) >> 1) & 31) << 20) | (.Lmpic_\rs1 << 15) | (.Lmpic_\rd << 7)
.endm
.macro pv_shuffleI1 rd, rs1, imm
    .word 0xe8007057 | (((\imm) & 1) << 25) | ((((\imm) >> 1) & 31) << 20) | (.Lmpic_\rs1 << 15) | (.Lmpic_\rd << 7)
.endm
.macro pv_shuffleI2 rd, rs1, imm
    .word 0xf0007057 | (((\imm) & 1) << 25) | ((((\imm) >> 1) & 31) << 20) | (.Lmpic_\rs1 << 15) | (.Lmpic_\rd << 7)
.endm
.macro pv_shuffleI3 rd, rs1, imm
    .word 0xf8007057 | (((\imm) & 1) << 25) | ((((\imm) >> 1) & 31) << 20) | (.Lmpic_\rs1 << 15) | (.Lmpic_\rd << 7)
.endm
.macro pv_shuffle2 rd, rs1, rs2
    .insn r 0x57, 1, 0x64, \rd, \rs1, \rs2
.endm
.macro pv_pack rd, rs1, rs2
    .insn r 0x57, 1, 0x68, \rd, \rs1, \rs2
.endm
.macro pv_pack_h rd, rs1, rs2
    .insn r 0x57, 1, 0x69, \rd, \rs1, \rs2
.endm
.macro pv_packhi rd, rs1, rs2
    .insn r 0x57, 1, 0x6c, \rd, \rs1, \rs2
.endm
.macro pv_packlo rd, rs1, rs2
    .insn r 0x57, 1, 0x70, \rd, \rs1, \rs2
.endm
.macro pv_extract rd, rs1, imm
    .word 0x78007057 | (((\imm) & 1) << 25) | ((((\imm) >> 1) & 31) << 20) | (.Lmpic_\rs1 << 15) | (.Lmpic_\rd << 7)
.endm
.macro pv_extractu rd, rs1, imm
    .word 0x90007057 | (((\imm) & 1) << 25) | ((((\imm) >> 1) & 31) << 20) | (.Lmpic_\rs1 << 15) | (.Lmpic_\rd << 7)
.endm
.macro pv_insert rd, rs1, imm
    .word 0xb0007057 | (((\imm) & 1) << 25) | ((((\imm) >> 1) & 31) << 20) | (.Lmpic_\rs1 << 15) | (.Lmpic_\rd << 7)
.endm
.macro pv_cplxconj_h rd, rs1
    .insn r 0x57, 1, 0x2e, \rd, \rs1, x0
.endm
.macro pv_cplxmul_h_r rd, rs1, rs2
    .insn r 0x57, 1, 0x2a, \rd, \rs1, \rs2
.endm
.macro pv_cplxmul_h_r_div2 rd, rs1, rs2
    .insn r 0x57, 3, 0x2a, \rd, \rs1, \rs2
.endm
.macro pv_cplxmul_h_r_div4 rd, rs1, rs2
    .insn r 0x57, 5, 0x2a, \rd, \rs1, \rs2
.endm
.macro pv_cplxmul_h_r_div8 rd, rs1, rs2
    .insn r 0x57, 7, 0x2a, \rd, \rs1, \rs2
.endm
.macro pv_cplxmul_h_i rd, rs1, rs2
    .insn r 0x57, 1, 0x2b, \rd, \rs1, \rs2
.endm
.macro pv_cplxmul_h_i_div2 rd, rs1, rs2
    .insn r 0x57, 3, 0x2b, \rd, \rs1, \rs2
.endm
.macro pv_cplxmul_h_i_div4 rd, rs1, rs2
    .insn r 0x57, 5, 0x2b, \rd, \rs1, \rs2
.endm
.macro pv_cplxmul_h_i_div8 rd, rs1, rs2
    .insn r 0x57, 7, 0x2b, \rd, \rs1, \rs2
.endm
.macro pv_subrotmj_h rd, rs1, rs2
    .insn r 0x57, 1, 0x36, \rd, \rs1, \rs2
.endm
.macro pv_subrotmj_h_div2 rd, rs1, rs2
    .insn r 0x57, 3, 0x36, \rd, \rs1, \rs2
.endm
.macro pv_subrotmj_h_div4 rd, rs1, rs2
    .insn r 0x57, 5, 0x36, \rd, \rs1, \rs2
.endm
.macro pv_subrotmj_h_div8 rd, rs1, rs2
    .insn r 0x57, 7, 0x36, \rd, \rs1, \rs2
.endm
.macro pv_add_h rd, rs1, rs2
    .insn r 0x57, 1, 0x3a, \rd, \rs1, \rs2
.endm
.macro pv_add_h_div2 rd, rs1, rs2
    .insn r 0x57, 3, 0x3a, \rd, \rs1, \rs2
.endm
.macro pv_add_h_div4 rd, rs1, rs2
    .insn r 0x57, 5, 0x3a, \rd, \rs1, \rs2
.endm
.macro pv_add_h_div8 rd, rs1, rs2
    .insn r 0x57, 7, 0x3a, \rd, \rs1, \rs2
.endm
.macro pv_sub_h rd, rs1, rs2
    .insn r 0x57, 1, 0x32, \rd, \rs1, \rs2
.endm
.macro pv_sub_h_div2 rd, rs1, rs2
    .insn r 0x57, 3, 0x32, \rd, \rs1, \rs2
.endm
.macro pv_sub_h_div4 rd, rs1, rs2
    .insn r 0x57, 5, 0x32, \rd, \rs1, \rs2
.endm
.macro pv_sub_h_div8 rd, rs1, rs2
    .insn r 0x57, 7, 0x32, \rd, \rs1, \rs2
.endm
#else
/* An operand named imm, step, width, lsb or n must be a constant; in a post-increment access p is a pointer variable, which moves on.
   SIMD instructions depend on CSRs, so the compiler keeps their order. Branches and hardware loops are for assembly (see MPIC_LOOP). */
typedef __UINT32_TYPE__ mpic_u32;
typedef __INT32_TYPE__ mpic_i32;
typedef mpic_u32 __attribute__((may_alias)) mpic_word;
typedef __UINT16_TYPE__ __attribute__((may_alias)) mpic_half;
typedef __UINT8_TYPE__ __attribute__((may_alias)) mpic_byte;
#define MPIC_INLINE static inline __attribute__((always_inline, unused))
MPIC_INLINE mpic_u32 pv_dotup(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__ volatile(".insn r 0x57, 1, 0x40, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_u32 pv_dotup_sc(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__ volatile(".insn r 0x57, 5, 0x40, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
#define pv_dotup_sci(rs1, imm) __extension__({ mpic_u32 rd_; __asm__ volatile(".insn r 0x57, 7, 0x40 + %c2, %0, %1, x%c3" : "=r"(rd_) : "r"((mpic_u32)(rs1)), "i"((imm) & 1), "i"((imm) >> 1 & 31)); rd_; })
MPIC_INLINE mpic_i32 pv_dotusp(mpic_u32 rs1, mpic_u32 rs2) { mpic_i32 rd; __asm__ volatile(".insn r 0x57, 1, 0x44, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_i32 pv_dotusp_sc(mpic_u32 rs1, mpic_u32 rs2) { mpic_i32 rd; __asm__ volatile(".insn r 0x57, 5, 0x44, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
#define pv_dotusp_sci(rs1, imm) __extension__({ mpic_i32 rd_; __asm__ volatile(".insn r 0x57, 7, 0x44 + %c2, %0, %1, x%c3" : "=r"(rd_) : "r"((mpic_u32)(rs1)), "i"((imm) & 1), "i"((imm) >> 1 & 31)); rd_; })
MPIC_INLINE mpic_i32 pv_dotsp(mpic_u32 rs1, mpic_u32 rs2) { mpic_i32 rd; __asm__ volatile(".insn r 0x57, 1, 0x4c, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_i32 pv_dotsp_sc(mpic_u32 rs1, mpic_u32 rs2) { mpic_i32 rd; __asm__ volatile(".insn r 0x57, 5, 0x4c, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
#define pv_dotsp_sci(rs1, imm) __extension__({ mpic_i32 rd_; __asm__ volatile(".insn r 0x57, 7, 0x4c + %c2, %0, %1, x%c3" : "=r"(rd_) : "r"((mpic_u32)(rs1)), "i"((imm) & 1), "i"((imm) >> 1 & 31)); rd_; })
MPIC_INLINE mpic_u32 pv_sdotup(mpic_u32 rd, mpic_u32 rs1, mpic_u32 rs2) { __asm__ volatile(".insn r 0x57, 1, 0x50, %0, %1, %2" : "+r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_u32 pv_sdotup_sc(mpic_u32 rd, mpic_u32 rs1, mpic_u32 rs2) { __asm__ volatile(".insn r 0x57, 5, 0x50, %0, %1, %2" : "+r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
#define pv_sdotup_sci(acc, rs1, imm) __extension__({ mpic_u32 rd_ = (acc); __asm__ volatile(".insn r 0x57, 7, 0x50 + %c2, %0, %1, x%c3" : "+r"(rd_) : "r"((mpic_u32)(rs1)), "i"((imm) & 1), "i"((imm) >> 1 & 31)); rd_; })
MPIC_INLINE mpic_i32 pv_sdotusp(mpic_i32 rd, mpic_u32 rs1, mpic_u32 rs2) { __asm__ volatile(".insn r 0x57, 1, 0x54, %0, %1, %2" : "+r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_i32 pv_sdotusp_sc(mpic_i32 rd, mpic_u32 rs1, mpic_u32 rs2) { __asm__ volatile(".insn r 0x57, 5, 0x54, %0, %1, %2" : "+r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
#define pv_sdotusp_sci(acc, rs1, imm) __extension__({ mpic_i32 rd_ = (acc); __asm__ volatile(".insn r 0x57, 7, 0x54 + %c2, %0, %1, x%c3" : "+r"(rd_) : "r"((mpic_u32)(rs1)), "i"((imm) & 1), "i"((imm) >> 1 & 31)); rd_; })
MPIC_INLINE mpic_i32 pv_sdotsp(mpic_i32 rd, mpic_u32 rs1, mpic_u32 rs2) { __asm__ volatile(".insn r 0x57, 1, 0x5c, %0, %1, %2" : "+r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_i32 pv_sdotsp_sc(mpic_i32 rd, mpic_u32 rs1, mpic_u32 rs2) { __asm__ volatile(".insn r 0x57, 5, 0x5c, %0, %1, %2" : "+r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
#define pv_sdotsp_sci(acc, rs1, imm) __extension__({ mpic_i32 rd_ = (acc); __asm__ volatile(".insn r 0x57, 7, 0x5c + %c2, %0, %1, x%c3" : "+r"(rd_) : "r"((mpic_u32)(rs1)), "i"((imm) & 1), "i"((imm) >> 1 & 31)); rd_; })
#define p_lb_post(p, step) __extension__({ mpic_i32 rd_; const void *at_ = (p); __asm__(".insn i 0x0b, 0, %0, %c3(%1)" : "=r"(rd_), "+r"(p) : "m"(*(const mpic_byte *)at_), "i"(step)); rd_; })
#define p_lh_post(p, step) __extension__({ mpic_i32 rd_; const void *at_ = (p); __asm__(".insn i 0x0b, 1, %0, %c3(%1)" : "=r"(rd_), "+r"(p) : "m"(*(const mpic_half *)at_), "i"(step)); rd_; })
#define p_lw_post(p, step) __extension__({ mpic_u32 rd_; const void *at_ = (p); __asm__(".insn i 0x0b, 2, %0, %c3(%1)" : "=r"(rd_), "+r"(p) : "m"(*(const mpic_word *)at_), "i"(step)); rd_; })
#define p_lbu_post(p, step) __extension__({ mpic_u32 rd_; const void *at_ = (p); __asm__(".insn i 0x0b, 4, %0, %c3(%1)" : "=r"(rd_), "+r"(p) : "m"(*(const mpic_byte *)at_), "i"(step)); rd_; })
#define p_lhu_post(p, step) __extension__({ mpic_u32 rd_; const void *at_ = (p); __asm__(".insn i 0x0b, 5, %0, %c3(%1)" : "=r"(rd_), "+r"(p) : "m"(*(const mpic_half *)at_), "i"(step)); rd_; })
#define p_lb_rpost(p, step) __extension__({ mpic_i32 rd_; const void *at_ = (p); __asm__(".insn r 0x0b, 7, 0x00, %0, %1, %3" : "=r"(rd_), "+r"(p) : "m"(*(const mpic_byte *)at_), "r"((mpic_u32)(step))); rd_; })
#define p_lh_rpost(p, step) __extension__({ mpic_i32 rd_; const void *at_ = (p); __asm__(".insn r 0x0b, 7, 0x08, %0, %1, %3" : "=r"(rd_), "+r"(p) : "m"(*(const mpic_half *)at_), "r"((mpic_u32)(step))); rd_; })
#define p_lw_rpost(p, step) __extension__({ mpic_u32 rd_; const void *at_ = (p); __asm__(".insn r 0x0b, 7, 0x10, %0, %1, %3" : "=r"(rd_), "+r"(p) : "m"(*(const mpic_word *)at_), "r"((mpic_u32)(step))); rd_; })
#define p_lbu_rpost(p, step) __extension__({ mpic_u32 rd_; const void *at_ = (p); __asm__(".insn r 0x0b, 7, 0x20, %0, %1, %3" : "=r"(rd_), "+r"(p) : "m"(*(const mpic_byte *)at_), "r"((mpic_u32)(step))); rd_; })
#define p_lhu_rpost(p, step) __extension__({ mpic_u32 rd_; const void *at_ = (p); __asm__(".insn r 0x0b, 7, 0x28, %0, %1, %3" : "=r"(rd_), "+r"(p) : "m"(*(const mpic_half *)at_), "r"((mpic_u32)(step))); rd_; })
MPIC_INLINE mpic_i32 p_lb(const void *base, mpic_u32 offset) { mpic_i32 rd; __asm__(".insn r 0x03, 7, 0x00, %0, %1, %2" : "=r"(rd) : "r"(base), "r"(offset), "m"(*(const mpic_byte *)((const char *)base + offset))); return rd; }
MPIC_INLINE mpic_i32 p_lh(const void *base, mpic_u32 offset) { mpic_i32 rd; __asm__(".insn r 0x03, 7, 0x08, %0, %1, %2" : "=r"(rd) : "r"(base), "r"(offset), "m"(*(const mpic_half *)((const char *)base + offset))); return rd; }
MPIC_INLINE mpic_u32 p_lw(const void *base, mpic_u32 offset) { mpic_u32 rd; __asm__(".insn r 0x03, 7, 0x10, %0, %1, %2" : "=r"(rd) : "r"(base), "r"(offset), "m"(*(const mpic_word *)((const char *)base + offset))); return rd; }
MPIC_INLINE mpic_u32 p_lbu(const void *base, mpic_u32 offset) { mpic_u32 rd; __asm__(".insn r 0x03, 7, 0x20, %0, %1, %2" : "=r"(rd) : "r"(base), "r"(offset), "m"(*(const mpic_byte *)((const char *)base + offset))); return rd; }
MPIC_INLINE mpic_u32 p_lhu(const void *base, mpic_u32 offset) { mpic_u32 rd; __asm__(".insn r 0x03, 7, 0x28, %0, %1, %2" : "=r"(rd) : "r"(base), "r"(offset), "m"(*(const mpic_half *)((const char *)base + offset))); return rd; }
#define p_sb_post(value, p, step) __extension__({ void *at_ = (p); __asm__(".insn s 0x2b, 0, %2, %c3(%1)" : "=m"(*(mpic_byte *)at_), "+r"(p) : "r"((mpic_u32)(value)), "i"(step)); })
#define p_sh_post(value, p, step) __extension__({ void *at_ = (p); __asm__(".insn s 0x2b, 1, %2, %c3(%1)" : "=m"(*(mpic_half *)at_), "+r"(p) : "r"((mpic_u32)(value)), "i"(step)); })
#define p_sw_post(value, p, step) __extension__({ void *at_ = (p); __asm__(".insn s 0x2b, 2, %2, %c3(%1)" : "=m"(*(mpic_word *)at_), "+r"(p) : "r"((mpic_u32)(value)), "i"(step)); })
#define p_sb_rpost(value, p, step) __extension__({ void *at_ = (p); __asm__(".insn r 0x2b, 4, 0x00, %3, %1, %2" : "=m"(*(mpic_byte *)at_), "+r"(p) : "r"((mpic_u32)(value)), "r"((mpic_u32)(step))); })
#define p_sh_rpost(value, p, step) __extension__({ void *at_ = (p); __asm__(".insn r 0x2b, 5, 0x00, %3, %1, %2" : "=m"(*(mpic_half *)at_), "+r"(p) : "r"((mpic_u32)(value)), "r"((mpic_u32)(step))); })
#define p_sw_rpost(value, p, step) __extension__({ void *at_ = (p); __asm__(".insn r 0x2b, 6, 0x00, %3, %1, %2" : "=m"(*(mpic_word *)at_), "+r"(p) : "r"((mpic_u32)(value)), "r"((mpic_u32)(step))); })
MPIC_INLINE void p_sb(mpic_u32 value, void *base, mpic_u32 offset) { __asm__(".insn r 0x23, 4, 0x00, %3, %2, %1" : "=m"(*(mpic_byte *)((char *)base + offset)) : "r"(value), "r"(base), "r"(offset)); }
MPIC_INLINE void p_sh(mpic_u32 value, void *base, mpic_u32 offset) { __asm__(".insn r 0x23, 5, 0x00, %3, %2, %1" : "=m"(*(mpic_half *)((char *)base + offset)) : "r"(value), "r"(base), "r"(offset)); }
MPIC_INLINE void p_sw(mpic_u32 value, void *base, mpic_u32 offset) { __asm__(".insn r 0x23, 6, 0x00, %3, %2, %1" : "=m"(*(mpic_word *)((char *)base + offset)) : "r"(value), "r"(base), "r"(offset)); }
#define p_extract(rs1, width, lsb) __extension__({ mpic_i32 rd_; __asm__(".insn r 0x33, 0, 0x60 + %c2 - 1, %0, %1, x%c3" : "=r"(rd_) : "r"((mpic_u32)(rs1)), "i"(width), "i"(lsb)); rd_; })
#define p_extractu(rs1, width, lsb) __extension__({ mpic_u32 rd_; __asm__(".insn r 0x33, 1, 0x60 + %c2 - 1, %0, %1, x%c3" : "=r"(rd_) : "r"((mpic_u32)(rs1)), "i"(width), "i"(lsb)); rd_; })
#define p_insert(acc, rs1, width, lsb) __extension__({ mpic_u32 rd_ = (acc); __asm__(".insn r 0x33, 2, 0x60 + %c2 - 1, %0, %1, x%c3" : "+r"(rd_) : "r"((mpic_u32)(rs1)), "i"(width), "i"(lsb)); rd_; })
#define p_bclr(rs1, width, lsb) __extension__({ mpic_u32 rd_; __asm__(".insn r 0x33, 3, 0x60 + %c2 - 1, %0, %1, x%c3" : "=r"(rd_) : "r"((mpic_u32)(rs1)), "i"(width), "i"(lsb)); rd_; })
#define p_bset(rs1, width, lsb) __extension__({ mpic_u32 rd_; __asm__(".insn r 0x33, 4, 0x60 + %c2 - 1, %0, %1, x%c3" : "=r"(rd_) : "r"((mpic_u32)(rs1)), "i"(width), "i"(lsb)); rd_; })
#define p_bitrev(rs1, radix, shift) __extension__({ mpic_u32 rd_; __asm__(".insn r 0x33, 5, 0x60 + %c2, %0, %1, x%c3" : "=r"(rd_) : "r"((mpic_u32)(rs1)), "i"(radix), "i"(shift)); rd_; })
MPIC_INLINE mpic_i32 p_extractr(mpic_u32 rs1, mpic_u32 rs2) { mpic_i32 rd; __asm__(".insn r 0x33, 0, 0x40, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_u32 p_extractur(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__(".insn r 0x33, 1, 0x40, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_u32 p_insertr(mpic_u32 rd, mpic_u32 rs1, mpic_u32 rs2) { __asm__(".insn r 0x33, 2, 0x40, %0, %1, %2" : "+r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_u32 p_bclrr(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__(".insn r 0x33, 3, 0x40, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_u32 p_bsetr(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__(".insn r 0x33, 4, 0x40, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_i32 p_abs(mpic_u32 rs1) { mpic_i32 rd; __asm__(".insn r 0x33, 0, 0x02, %0, %1, x0" : "=r"(rd) : "r"(rs1)); return rd; }
MPIC_INLINE mpic_u32 p_slet(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__(".insn r 0x33, 2, 0x02, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_u32 p_sletu(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__(".insn r 0x33, 3, 0x02, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_i32 p_min(mpic_u32 rs1, mpic_u32 rs2) { mpic_i32 rd; __asm__(".insn r 0x33, 4, 0x02, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_u32 p_minu(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__(".insn r 0x33, 5, 0x02, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_i32 p_max(mpic_u32 rs1, mpic_u32 rs2) { mpic_i32 rd; __asm__(".insn r 0x33, 6, 0x02, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_u32 p_maxu(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__(".insn r 0x33, 7, 0x02, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_u32 p_ror(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__(".insn r 0x33, 5, 0x04, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_u32 p_ff1(mpic_u32 rs1) { mpic_u32 rd; __asm__(".insn r 0x33, 0, 0x08, %0, %1, x0" : "=r"(rd) : "r"(rs1)); return rd; }
MPIC_INLINE mpic_u32 p_fl1(mpic_u32 rs1) { mpic_u32 rd; __asm__(".insn r 0x33, 1, 0x08, %0, %1, x0" : "=r"(rd) : "r"(rs1)); return rd; }
MPIC_INLINE mpic_u32 p_clb(mpic_u32 rs1) { mpic_u32 rd; __asm__(".insn r 0x33, 2, 0x08, %0, %1, x0" : "=r"(rd) : "r"(rs1)); return rd; }
MPIC_INLINE mpic_u32 p_cnt(mpic_u32 rs1) { mpic_u32 rd; __asm__(".insn r 0x33, 3, 0x08, %0, %1, x0" : "=r"(rd) : "r"(rs1)); return rd; }
MPIC_INLINE mpic_i32 p_exths(mpic_u32 rs1) { mpic_i32 rd; __asm__(".insn r 0x33, 4, 0x08, %0, %1, x0" : "=r"(rd) : "r"(rs1)); return rd; }
MPIC_INLINE mpic_u32 p_exthz(mpic_u32 rs1) { mpic_u32 rd; __asm__(".insn r 0x33, 5, 0x08, %0, %1, x0" : "=r"(rd) : "r"(rs1)); return rd; }
MPIC_INLINE mpic_i32 p_extbs(mpic_u32 rs1) { mpic_i32 rd; __asm__(".insn r 0x33, 6, 0x08, %0, %1, x0" : "=r"(rd) : "r"(rs1)); return rd; }
MPIC_INLINE mpic_u32 p_extbz(mpic_u32 rs1) { mpic_u32 rd; __asm__(".insn r 0x33, 7, 0x08, %0, %1, x0" : "=r"(rd) : "r"(rs1)); return rd; }
#define p_clip(rs1, n) __extension__({ mpic_i32 rd_; __asm__(".insn r 0x33, 1, 0x0a, %0, %1, x%c2" : "=r"(rd_) : "r"((mpic_u32)(rs1)), "i"(n)); rd_; })
#define p_clipu(rs1, n) __extension__({ mpic_i32 rd_; __asm__(".insn r 0x33, 2, 0x0a, %0, %1, x%c2" : "=r"(rd_) : "r"((mpic_u32)(rs1)), "i"(n)); rd_; })
MPIC_INLINE mpic_i32 p_clipr(mpic_u32 rs1, mpic_u32 rs2) { mpic_i32 rd; __asm__(".insn r 0x33, 5, 0x0a, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_i32 p_clipur(mpic_u32 rs1, mpic_u32 rs2) { mpic_i32 rd; __asm__(".insn r 0x33, 6, 0x0a, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
#define p_addN(rs1, rs2, n) __extension__({ mpic_i32 rd_; __asm__(".insn r 0x5b, 2, 0x00 + %c3, %0, %1, %2" : "=r"(rd_) : "r"((mpic_u32)(rs1)), "r"((mpic_u32)(rs2)), "i"(n)); rd_; })
#define p_adduN(rs1, rs2, n) __extension__({ mpic_u32 rd_; __asm__(".insn r 0x5b, 2, 0x40 + %c3, %0, %1, %2" : "=r"(rd_) : "r"((mpic_u32)(rs1)), "r"((mpic_u32)(rs2)), "i"(n)); rd_; })
#define p_addRN(rs1, rs2, n) __extension__({ mpic_i32 rd_; __asm__(".insn r 0x5b, 6, 0x00 + %c3, %0, %1, %2" : "=r"(rd_) : "r"((mpic_u32)(rs1)), "r"((mpic_u32)(rs2)), "i"(n)); rd_; })
#define p_adduRN(rs1, rs2, n) __extension__({ mpic_u32 rd_; __asm__(".insn r 0x5b, 6, 0x40 + %c3, %0, %1, %2" : "=r"(rd_) : "r"((mpic_u32)(rs1)), "r"((mpic_u32)(rs2)), "i"(n)); rd_; })
#define p_subN(rs1, rs2, n) __extension__({ mpic_i32 rd_; __asm__(".insn r 0x5b, 3, 0x00 + %c3, %0, %1, %2" : "=r"(rd_) : "r"((mpic_u32)(rs1)), "r"((mpic_u32)(rs2)), "i"(n)); rd_; })
#define p_subuN(rs1, rs2, n) __extension__({ mpic_u32 rd_; __asm__(".insn r 0x5b, 3, 0x40 + %c3, %0, %1, %2" : "=r"(rd_) : "r"((mpic_u32)(rs1)), "r"((mpic_u32)(rs2)), "i"(n)); rd_; })
#define p_subRN(rs1, rs2, n) __extension__({ mpic_i32 rd_; __asm__(".insn r 0x5b, 7, 0x00 + %c3, %0, %1, %2" : "=r"(rd_) : "r"((mpic_u32)(rs1)), "r"((mpic_u32)(rs2)), "i"(n)); rd_; })
#define p_subuRN(rs1, rs2, n) __extension__({ mpic_u32 rd_; __asm__(".insn r 0x5b, 7, 0x40 + %c3, %0, %1, %2" : "=r"(rd_) : "r"((mpic_u32)(rs1)), "r"((mpic_u32)(rs2)), "i"(n)); rd_; })
MPIC_INLINE mpic_i32 p_addNr(mpic_i32 rd, mpic_u32 rs1, mpic_u32 rs2) { __asm__(".insn r 0x5b, 2, 0x20, %0, %1, %2" : "+r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_u32 p_adduNr(mpic_u32 rd, mpic_u32 rs1, mpic_u32 rs2) { __asm__(".insn r 0x5b, 2, 0x60, %0, %1, %2" : "+r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_i32 p_addRNr(mpic_i32 rd, mpic_u32 rs1, mpic_u32 rs2) { __asm__(".insn r 0x5b, 6, 0x20, %0, %1, %2" : "+r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_u32 p_adduRNr(mpic_u32 rd, mpic_u32 rs1, mpic_u32 rs2) { __asm__(".insn r 0x5b, 6, 0x60, %0, %1, %2" : "+r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_i32 p_subNr(mpic_i32 rd, mpic_u32 rs1, mpic_u32 rs2) { __asm__(".insn r 0x5b, 3, 0x20, %0, %1, %2" : "+r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_u32 p_subuNr(mpic_u32 rd, mpic_u32 rs1, mpic_u32 rs2) { __asm__(".insn r 0x5b, 3, 0x60, %0, %1, %2" : "+r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_i32 p_subRNr(mpic_i32 rd, mpic_u32 rs1, mpic_u32 rs2) { __asm__(".insn r 0x5b, 7, 0x20, %0, %1, %2" : "+r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_u32 p_subuRNr(mpic_u32 rd, mpic_u32 rs1, mpic_u32 rs2) { __asm__(".insn r 0x5b, 7, 0x60, %0, %1, %2" : "+r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_i32 p_mac(mpic_i32 rd, mpic_u32 rs1, mpic_u32 rs2) { __asm__(".insn r 0x33, 0, 0x21, %0, %1, %2" : "+r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_i32 p_msu(mpic_i32 rd, mpic_u32 rs1, mpic_u32 rs2) { __asm__(".insn r 0x33, 1, 0x21, %0, %1, %2" : "+r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
#define p_muluN(rs1, rs2, n) __extension__({ mpic_u32 rd_; __asm__(".insn r 0x5b, 0, 0x00 + %c3, %0, %1, %2" : "=r"(rd_) : "r"((mpic_u32)(rs1)), "r"((mpic_u32)(rs2)), "i"(n)); rd_; })
#define p_mulhhuN(rs1, rs2, n) __extension__({ mpic_u32 rd_; __asm__(".insn r 0x5b, 0, 0x20 + %c3, %0, %1, %2" : "=r"(rd_) : "r"((mpic_u32)(rs1)), "r"((mpic_u32)(rs2)), "i"(n)); rd_; })
#define p_mulsN(rs1, rs2, n) __extension__({ mpic_i32 rd_; __asm__(".insn r 0x5b, 0, 0x40 + %c3, %0, %1, %2" : "=r"(rd_) : "r"((mpic_u32)(rs1)), "r"((mpic_u32)(rs2)), "i"(n)); rd_; })
#define p_mulhhsN(rs1, rs2, n) __extension__({ mpic_i32 rd_; __asm__(".insn r 0x5b, 0, 0x60 + %c3, %0, %1, %2" : "=r"(rd_) : "r"((mpic_u32)(rs1)), "r"((mpic_u32)(rs2)), "i"(n)); rd_; })
#define p_muluRN(rs1, rs2, n) __extension__({ mpic_u32 rd_; __asm__(".insn r 0x5b, 4, 0x00 + %c3, %0, %1, %2" : "=r"(rd_) : "r"((mpic_u32)(rs1)), "r"((mpic_u32)(rs2)), "i"(n)); rd_; })
#define p_mulhhuRN(rs1, rs2, n) __extension__({ mpic_u32 rd_; __asm__(".insn r 0x5b, 4, 0x20 + %c3, %0, %1, %2" : "=r"(rd_) : "r"((mpic_u32)(rs1)), "r"((mpic_u32)(rs2)), "i"(n)); rd_; })
#define p_mulsRN(rs1, rs2, n) __extension__({ mpic_i32 rd_; __asm__(".insn r 0x5b, 4, 0x40 + %c3, %0, %1, %2" : "=r"(rd_) : "r"((mpic_u32)(rs1)), "r"((mpic_u32)(rs2)), "i"(n)); rd_; })
#define p_mulhhsRN(rs1, rs2, n) __extension__({ mpic_i32 rd_; __asm__(".insn r 0x5b, 4, 0x60 + %c3, %0, %1, %2" : "=r"(rd_) : "r"((mpic_u32)(rs1)), "r"((mpic_u32)(rs2)), "i"(n)); rd_; })
#define p_macuN(acc, rs1, rs2, n) __extension__({ mpic_u32 rd_ = (acc); __asm__(".insn r 0x5b, 1, 0x00 + %c3, %0, %1, %2" : "+r"(rd_) : "r"((mpic_u32)(rs1)), "r"((mpic_u32)(rs2)), "i"(n)); rd_; })
#define p_machhuN(acc, rs1, rs2, n) __extension__({ mpic_u32 rd_ = (acc); __asm__(".insn r 0x5b, 1, 0x20 + %c3, %0, %1, %2" : "+r"(rd_) : "r"((mpic_u32)(rs1)), "r"((mpic_u32)(rs2)), "i"(n)); rd_; })
#define p_macsN(acc, rs1, rs2, n) __extension__({ mpic_i32 rd_ = (acc); __asm__(".insn r 0x5b, 1, 0x40 + %c3, %0, %1, %2" : "+r"(rd_) : "r"((mpic_u32)(rs1)), "r"((mpic_u32)(rs2)), "i"(n)); rd_; })
#define p_machhsN(acc, rs1, rs2, n) __extension__({ mpic_i32 rd_ = (acc); __asm__(".insn r 0x5b, 1, 0x60 + %c3, %0, %1, %2" : "+r"(rd_) : "r"((mpic_u32)(rs1)), "r"((mpic_u32)(rs2)), "i"(n)); rd_; })
#define p_macuRN(acc, rs1, rs2, n) __extension__({ mpic_u32 rd_ = (acc); __asm__(".insn r 0x5b, 5, 0x00 + %c3, %0, %1, %2" : "+r"(rd_) : "r"((mpic_u32)(rs1)), "r"((mpic_u32)(rs2)), "i"(n)); rd_; })
#define p_machhuRN(acc, rs1, rs2, n) __extension__({ mpic_u32 rd_ = (acc); __asm__(".insn r 0x5b, 5, 0x20 + %c3, %0, %1, %2" : "+r"(rd_) : "r"((mpic_u32)(rs1)), "r"((mpic_u32)(rs2)), "i"(n)); rd_; })
#define p_macsRN(acc, rs1, rs2, n) __extension__({ mpic_i32 rd_ = (acc); __asm__(".insn r 0x5b, 5, 0x40 + %c3, %0, %1, %2" : "+r"(rd_) : "r"((mpic_u32)(rs1)), "r"((mpic_u32)(rs2)), "i"(n)); rd_; })
#define p_machhsRN(acc, rs1, rs2, n) __extension__({ mpic_i32 rd_ = (acc); __asm__(".insn r 0x5b, 5, 0x60 + %c3, %0, %1, %2" : "+r"(rd_) : "r"((mpic_u32)(rs1)), "r"((mpic_u32)(rs2)), "i"(n)); rd_; })
MPIC_INLINE mpic_u32 pv_add(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__ volatile(".insn r 0x57, 1, 0x00, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_u32 pv_add_sc(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__ volatile(".insn r 0x57, 5, 0x00, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
#define pv_add_sci(rs1, imm) __extension__({ mpic_u32 rd_; __asm__ volatile(".insn r 0x57, 7, 0x00 + %c2, %0, %1, x%c3" : "=r"(rd_) : "r"((mpic_u32)(rs1)), "i"((imm) & 1), "i"((imm) >> 1 & 31)); rd_; })
MPIC_INLINE mpic_u32 pv_sub(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__ volatile(".insn r 0x57, 1, 0x04, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_u32 pv_sub_sc(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__ volatile(".insn r 0x57, 5, 0x04, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
#define pv_sub_sci(rs1, imm) __extension__({ mpic_u32 rd_; __asm__ volatile(".insn r 0x57, 7, 0x04 + %c2, %0, %1, x%c3" : "=r"(rd_) : "r"((mpic_u32)(rs1)), "i"((imm) & 1), "i"((imm) >> 1 & 31)); rd_; })
MPIC_INLINE mpic_u32 pv_avg(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__ volatile(".insn r 0x57, 1, 0x08, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_u32 pv_avg_sc(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__ volatile(".insn r 0x57, 5, 0x08, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
#define pv_avg_sci(rs1, imm) __extension__({ mpic_u32 rd_; __asm__ volatile(".insn r 0x57, 7, 0x08 + %c2, %0, %1, x%c3" : "=r"(rd_) : "r"((mpic_u32)(rs1)), "i"((imm) & 1), "i"((imm) >> 1 & 31)); rd_; })
MPIC_INLINE mpic_u32 pv_avgu(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__ volatile(".insn r 0x57, 1, 0x0c, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_u32 pv_avgu_sc(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__ volatile(".insn r 0x57, 5, 0x0c, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
#define pv_avgu_sci(rs1, imm) __extension__({ mpic_u32 rd_; __asm__ volatile(".insn r 0x57, 7, 0x0c + %c2, %0, %1, x%c3" : "=r"(rd_) : "r"((mpic_u32)(rs1)), "i"((imm) & 1), "i"((imm) >> 1 & 31)); rd_; })
MPIC_INLINE mpic_u32 pv_min(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__ volatile(".insn r 0x57, 1, 0x10, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_u32 pv_min_sc(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__ volatile(".insn r 0x57, 5, 0x10, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
#define pv_min_sci(rs1, imm) __extension__({ mpic_u32 rd_; __asm__ volatile(".insn r 0x57, 7, 0x10 + %c2, %0, %1, x%c3" : "=r"(rd_) : "r"((mpic_u32)(rs1)), "i"((imm) & 1), "i"((imm) >> 1 & 31)); rd_; })
MPIC_INLINE mpic_u32 pv_minu(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__ volatile(".insn r 0x57, 1, 0x14, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_u32 pv_minu_sc(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__ volatile(".insn r 0x57, 5, 0x14, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
#define pv_minu_sci(rs1, imm) __extension__({ mpic_u32 rd_; __asm__ volatile(".insn r 0x57, 7, 0x14 + %c2, %0, %1, x%c3" : "=r"(rd_) : "r"((mpic_u32)(rs1)), "i"((imm) & 1), "i"((imm) >> 1 & 31)); rd_; })
MPIC_INLINE mpic_u32 pv_max(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__ volatile(".insn r 0x57, 1, 0x18, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_u32 pv_max_sc(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__ volatile(".insn r 0x57, 5, 0x18, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
#define pv_max_sci(rs1, imm) __extension__({ mpic_u32 rd_; __asm__ volatile(".insn r 0x57, 7, 0x18 + %c2, %0, %1, x%c3" : "=r"(rd_) : "r"((mpic_u32)(rs1)), "i"((imm) & 1), "i"((imm) >> 1 & 31)); rd_; })
MPIC_INLINE mpic_u32 pv_maxu(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__ volatile(".insn r 0x57, 1, 0x1c, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_u32 pv_maxu_sc(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__ volatile(".insn r 0x57, 5, 0x1c, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
#define pv_maxu_sci(rs1, imm) __extension__({ mpic_u32 rd_; __asm__ volatile(".insn r 0x57, 7, 0x1c + %c2, %0, %1, x%c3" : "=r"(rd_) : "r"((mpic_u32)(rs1)), "i"((imm) & 1), "i"((imm) >> 1 & 31)); rd_; })
MPIC_INLINE mpic_u32 pv_srl(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__ volatile(".insn r 0x57, 1, 0x20, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_u32 pv_srl_sc(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__ volatile(".insn r 0x57, 5, 0x20, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
#define pv_srl_sci(rs1, imm) __extension__({ mpic_u32 rd_; __asm__ volatile(".insn r 0x57, 7, 0x20 + %c2, %0, %1, x%c3" : "=r"(rd_) : "r"((mpic_u32)(rs1)), "i"((imm) & 1), "i"((imm) >> 1 & 31)); rd_; })
MPIC_INLINE mpic_u32 pv_sra(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__ volatile(".insn r 0x57, 1, 0x24, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_u32 pv_sra_sc(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__ volatile(".insn r 0x57, 5, 0x24, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
#define pv_sra_sci(rs1, imm) __extension__({ mpic_u32 rd_; __asm__ volatile(".insn r 0x57, 7, 0x24 + %c2, %0, %1, x%c3" : "=r"(rd_) : "r"((mpic_u32)(rs1)), "i"((imm) & 1), "i"((imm) >> 1 & 31)); rd_; })
MPIC_INLINE mpic_u32 pv_sll(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__ volatile(".insn r 0x57, 1, 0x28, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_u32 pv_sll_sc(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__ volatile(".insn r 0x57, 5, 0x28, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
#define pv_sll_sci(rs1, imm) __extension__({ mpic_u32 rd_; __asm__ volatile(".insn r 0x57, 7, 0x28 + %c2, %0, %1, x%c3" : "=r"(rd_) : "r"((mpic_u32)(rs1)), "i"((imm) & 1), "i"((imm) >> 1 & 31)); rd_; })
MPIC_INLINE mpic_u32 pv_or(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__ volatile(".insn r 0x57, 1, 0x2c, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_u32 pv_or_sc(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__ volatile(".insn r 0x57, 5, 0x2c, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
#define pv_or_sci(rs1, imm) __extension__({ mpic_u32 rd_; __asm__ volatile(".insn r 0x57, 7, 0x2c + %c2, %0, %1, x%c3" : "=r"(rd_) : "r"((mpic_u32)(rs1)), "i"((imm) & 1), "i"((imm) >> 1 & 31)); rd_; })
MPIC_INLINE mpic_u32 pv_xor(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__ volatile(".insn r 0x57, 1, 0x30, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_u32 pv_xor_sc(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__ volatile(".insn r 0x57, 5, 0x30, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
#define pv_xor_sci(rs1, imm) __extension__({ mpic_u32 rd_; __asm__ volatile(".insn r 0x57, 7, 0x30 + %c2, %0, %1, x%c3" : "=r"(rd_) : "r"((mpic_u32)(rs1)), "i"((imm) & 1), "i"((imm) >> 1 & 31)); rd_; })
MPIC_INLINE mpic_u32 pv_and(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__ volatile(".insn r 0x57, 1, 0x34, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_u32 pv_and_sc(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__ volatile(".insn r 0x57, 5, 0x34, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
#define pv_and_sci(rs1, imm) __extension__({ mpic_u32 rd_; __asm__ volatile(".insn r 0x57, 7, 0x34 + %c2, %0, %1, x%c3" : "=r"(rd_) : "r"((mpic_u32)(rs1)), "i"((imm) & 1), "i"((imm) >> 1 & 31)); rd_; })
MPIC_INLINE mpic_u32 pv_abs(mpic_u32 rs1) { mpic_u32 rd; __asm__ volatile(".insn r 0x57, 1, 0x38, %0, %1, x0" : "=r"(rd) : "r"(rs1)); return rd; }
MPIC_INLINE mpic_u32 pv_cmpeq(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__ volatile(".insn r 0x57, 1, 0x02, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_u32 pv_cmpeq_sc(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__ volatile(".insn r 0x57, 5, 0x02, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
#define pv_cmpeq_sci(rs1, imm) __extension__({ mpic_u32 rd_; __asm__ volatile(".insn r 0x57, 7, 0x02 + %c2, %0, %1, x%c3" : "=r"(rd_) : "r"((mpic_u32)(rs1)), "i"((imm) & 1), "i"((imm) >> 1 & 31)); rd_; })
MPIC_INLINE mpic_u32 pv_cmpne(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__ volatile(".insn r 0x57, 1, 0x06, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_u32 pv_cmpne_sc(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__ volatile(".insn r 0x57, 5, 0x06, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
#define pv_cmpne_sci(rs1, imm) __extension__({ mpic_u32 rd_; __asm__ volatile(".insn r 0x57, 7, 0x06 + %c2, %0, %1, x%c3" : "=r"(rd_) : "r"((mpic_u32)(rs1)), "i"((imm) & 1), "i"((imm) >> 1 & 31)); rd_; })
MPIC_INLINE mpic_u32 pv_cmpgt(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__ volatile(".insn r 0x57, 1, 0x0a, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_u32 pv_cmpgt_sc(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__ volatile(".insn r 0x57, 5, 0x0a, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
#define pv_cmpgt_sci(rs1, imm) __extension__({ mpic_u32 rd_; __asm__ volatile(".insn r 0x57, 7, 0x0a + %c2, %0, %1, x%c3" : "=r"(rd_) : "r"((mpic_u32)(rs1)), "i"((imm) & 1), "i"((imm) >> 1 & 31)); rd_; })
MPIC_INLINE mpic_u32 pv_cmpge(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__ volatile(".insn r 0x57, 1, 0x0e, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_u32 pv_cmpge_sc(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__ volatile(".insn r 0x57, 5, 0x0e, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
#define pv_cmpge_sci(rs1, imm) __extension__({ mpic_u32 rd_; __asm__ volatile(".insn r 0x57, 7, 0x0e + %c2, %0, %1, x%c3" : "=r"(rd_) : "r"((mpic_u32)(rs1)), "i"((imm) & 1), "i"((imm) >> 1 & 31)); rd_; })
MPIC_INLINE mpic_u32 pv_cmplt(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__ volatile(".insn r 0x57, 1, 0x12, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_u32 pv_cmplt_sc(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__ volatile(".insn r 0x57, 5, 0x12, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
#define pv_cmplt_sci(rs1, imm) __extension__({ mpic_u32 rd_; __asm__ volatile(".insn r 0x57, 7, 0x12 + %c2, %0, %1, x%c3" : "=r"(rd_) : "r"((mpic_u32)(rs1)), "i"((imm) & 1), "i"((imm) >> 1 & 31)); rd_; })
MPIC_INLINE mpic_u32 pv_cmple(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__ volatile(".insn r 0x57, 1, 0x16, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_u32 pv_cmple_sc(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__ volatile(".insn r 0x57, 5, 0x16, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
#define pv_cmple_sci(rs1, imm) __extension__({ mpic_u32 rd_; __asm__ volatile(".insn r 0x57, 7, 0x16 + %c2, %0, %1, x%c3" : "=r"(rd_) : "r"((mpic_u32)(rs1)), "i"((imm) & 1), "i"((imm) >> 1 & 31)); rd_; })
MPIC_INLINE mpic_u32 pv_cmpgtu(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__ volatile(".insn r 0x57, 1, 0x1a, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_u32 pv_cmpgtu_sc(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__ volatile(".insn r 0x57, 5, 0x1a, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
#define pv_cmpgtu_sci(rs1, imm) __extension__({ mpic_u32 rd_; __asm__ volatile(".insn r 0x57, 7, 0x1a + %c2, %0, %1, x%c3" : "=r"(rd_) : "r"((mpic_u32)(rs1)), "i"((imm) & 1), "i"((imm) >> 1 & 31)); rd_; })
MPIC_INLINE mpic_u32 pv_cmpgeu(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__ volatile(".insn r 0x57, 1, 0x1e, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_u32 pv_cmpgeu_sc(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__ volatile(".insn r 0x57, 5, 0x1e, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
#define pv_cmpgeu_sci(rs1, imm) __extension__({ mpic_u32 rd_; __asm__ volatile(".insn r 0x57, 7, 0x1e + %c2, %0, %1, x%c3" : "=r"(rd_) : "r"((mpic_u32)(rs1)), "i"((imm) & 1), "i"((imm) >> 1 & 31)); rd_; })
MPIC_INLINE mpic_u32 pv_cmpltu(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__ volatile(".insn r 0x57, 1, 0x22, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_u32 pv_cmpltu_sc(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__ volatile(".insn r 0x57, 5, 0x22, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
#define pv_cmpltu_sci(rs1, imm) __extension__({ mpic_u32 rd_; __asm__ volatile(".insn r 0x57, 7, 0x22 + %c2, %0, %1, x%c3" : "=r"(rd_) : "r"((mpic_u32)(rs1)), "i"((imm) & 1), "i"((imm) >> 1 & 31)); rd_; })
MPIC_INLINE mpic_u32 pv_cmpleu(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__ volatile(".insn r 0x57, 1, 0x26, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_u32 pv_cmpleu_sc(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__ volatile(".insn r 0x57, 5, 0x26, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
#define pv_cmpleu_sci(rs1, imm) __extension__({ mpic_u32 rd_; __asm__ volatile(".insn r 0x57, 7, 0x26 + %c2, %0, %1, x%c3" : "=r"(rd_) : "r"((mpic_u32)(rs1)), "i"((imm) & 1), "i"((imm) >> 1 & 31)); rd_; })
MPIC_INLINE mpic_u32 pv_shuffle(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__ volatile(".insn r 0x57, 1, 0x60, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
#define pv_shuffleI0(rs1, imm) __extension__({ mpic_u32 rd_; __asm__ volatile(".insn r 0x57, 7, 0x60 + %c2, %0, %1, x%c3" : "=r"(rd_) : "r"((mpic_u32)(rs1)), "i"((imm) & 1), "i"((imm) >> 1 & 31)); rd_; })
#define pv_shuffleI1(rs1, imm) __extension__({ mpic_u32 rd_; __asm__ volatile(".insn r 0x57, 7, 0x74 + %c2, %0, %1, x%c3" : "=r"(rd_) : "r"((mpic_u32)(rs1)), "i"((imm) & 1), "i"((imm) >> 1 & 31)); rd_; })
#define pv_shuffleI2(rs1, imm) __extension__({ mpic_u32 rd_; __asm__ volatile(".insn r 0x57, 7, 0x78 + %c2, %0, %1, x%c3" : "=r"(rd_) : "r"((mpic_u32)(rs1)), "i"((imm) & 1), "i"((imm) >> 1 & 31)); rd_; })
#define pv_shuffleI3(rs1, imm) __extension__({ mpic_u32 rd_; __asm__ volatile(".insn r 0x57, 7, 0x7c + %c2, %0, %1, x%c3" : "=r"(rd_) : "r"((mpic_u32)(rs1)), "i"((imm) & 1), "i"((imm) >> 1 & 31)); rd_; })
MPIC_INLINE mpic_u32 pv_shuffle2(mpic_u32 rd, mpic_u32 rs1, mpic_u32 rs2) { __asm__ volatile(".insn r 0x57, 1, 0x64, %0, %1, %2" : "+r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_u32 pv_pack(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__ volatile(".insn r 0x57, 1, 0x68, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_u32 pv_pack_h(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__ volatile(".insn r 0x57, 1, 0x69, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_u32 pv_packhi(mpic_u32 rd, mpic_u32 rs1, mpic_u32 rs2) { __asm__ volatile(".insn r 0x57, 1, 0x6c, %0, %1, %2" : "+r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_u32 pv_packlo(mpic_u32 rd, mpic_u32 rs1, mpic_u32 rs2) { __asm__ volatile(".insn r 0x57, 1, 0x70, %0, %1, %2" : "+r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
#define pv_extract(rs1, imm) __extension__({ mpic_i32 rd_; __asm__ volatile(".insn r 0x57, 7, 0x3c + %c2, %0, %1, x%c3" : "=r"(rd_) : "r"((mpic_u32)(rs1)), "i"((imm) & 1), "i"((imm) >> 1 & 31)); rd_; })
#define pv_extractu(rs1, imm) __extension__({ mpic_u32 rd_; __asm__ volatile(".insn r 0x57, 7, 0x48 + %c2, %0, %1, x%c3" : "=r"(rd_) : "r"((mpic_u32)(rs1)), "i"((imm) & 1), "i"((imm) >> 1 & 31)); rd_; })
#define pv_insert(acc, rs1, imm) __extension__({ mpic_u32 rd_ = (acc); __asm__ volatile(".insn r 0x57, 7, 0x58 + %c2, %0, %1, x%c3" : "+r"(rd_) : "r"((mpic_u32)(rs1)), "i"((imm) & 1), "i"((imm) >> 1 & 31)); rd_; })
MPIC_INLINE mpic_u32 pv_cplxconj_h(mpic_u32 rs1) { mpic_u32 rd; __asm__ volatile(".insn r 0x57, 1, 0x2e, %0, %1, x0" : "=r"(rd) : "r"(rs1)); return rd; }
MPIC_INLINE mpic_u32 pv_cplxmul_h_r(mpic_u32 rd, mpic_u32 rs1, mpic_u32 rs2) { __asm__ volatile(".insn r 0x57, 1, 0x2a, %0, %1, %2" : "+r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_u32 pv_cplxmul_h_r_div2(mpic_u32 rd, mpic_u32 rs1, mpic_u32 rs2) { __asm__ volatile(".insn r 0x57, 3, 0x2a, %0, %1, %2" : "+r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_u32 pv_cplxmul_h_r_div4(mpic_u32 rd, mpic_u32 rs1, mpic_u32 rs2) { __asm__ volatile(".insn r 0x57, 5, 0x2a, %0, %1, %2" : "+r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_u32 pv_cplxmul_h_r_div8(mpic_u32 rd, mpic_u32 rs1, mpic_u32 rs2) { __asm__ volatile(".insn r 0x57, 7, 0x2a, %0, %1, %2" : "+r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_u32 pv_cplxmul_h_i(mpic_u32 rd, mpic_u32 rs1, mpic_u32 rs2) { __asm__ volatile(".insn r 0x57, 1, 0x2b, %0, %1, %2" : "+r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_u32 pv_cplxmul_h_i_div2(mpic_u32 rd, mpic_u32 rs1, mpic_u32 rs2) { __asm__ volatile(".insn r 0x57, 3, 0x2b, %0, %1, %2" : "+r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_u32 pv_cplxmul_h_i_div4(mpic_u32 rd, mpic_u32 rs1, mpic_u32 rs2) { __asm__ volatile(".insn r 0x57, 5, 0x2b, %0, %1, %2" : "+r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_u32 pv_cplxmul_h_i_div8(mpic_u32 rd, mpic_u32 rs1, mpic_u32 rs2) { __asm__ volatile(".insn r 0x57, 7, 0x2b, %0, %1, %2" : "+r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_u32 pv_subrotmj_h(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__ volatile(".insn r 0x57, 1, 0x36, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_u32 pv_subrotmj_h_div2(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__ volatile(".insn r 0x57, 3, 0x36, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_u32 pv_subrotmj_h_div4(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__ volatile(".insn r 0x57, 5, 0x36, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_u32 pv_subrotmj_h_div8(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__ volatile(".insn r 0x57, 7, 0x36, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_u32 pv_add_h(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__ volatile(".insn r 0x57, 1, 0x3a, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_u32 pv_add_h_div2(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__ volatile(".insn r 0x57, 3, 0x3a, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_u32 pv_add_h_div4(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__ volatile(".insn r 0x57, 5, 0x3a, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_u32 pv_add_h_div8(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__ volatile(".insn r 0x57, 7, 0x3a, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_u32 pv_sub_h(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__ volatile(".insn r 0x57, 1, 0x32, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_u32 pv_sub_h_div2(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__ volatile(".insn r 0x57, 3, 0x32, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_u32 pv_sub_h_div4(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__ volatile(".insn r 0x57, 5, 0x32, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
MPIC_INLINE mpic_u32 pv_sub_h_div8(mpic_u32 rs1, mpic_u32 rs2) { mpic_u32 rd; __asm__ volatile(".insn r 0x57, 7, 0x32, %0, %1, %2" : "=r"(rd) : "r"(rs1), "r"(rs2)); return rd; }
#endif

#endif
