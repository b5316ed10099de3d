/* int8 matrix product C[64][64] = A[64][64] * B[64][64]^T, 4 rows x 2 columns at a time, hardware loops: 14 instructions for
 * 32 multiply-accumulates, as the published kernels. Repeats `repeat` times. */
#include "mpic.h"
    .option norelax
    .option norvc
    .text
    .globl main
main:
    addi sp, sp, -64
    sw ra, 0(sp)
    sw s0, 4(sp)
    sw s1, 8(sp)
    sw s2, 12(sp)
    sw s3, 16(sp)
    sw s4, 20(sp)
    sw s5, 24(sp)
    sw s6, 28(sp)
    sw s7, 32(sp)
    sw s8, 36(sp)
    sw s9, 40(sp)
    sw s10, 44(sp)
    /* A and B: a linear congruential generator */
    la a0, A
    li a1, 2048
    li a2, 1
    li t0, 1664525
    li t1, 1013904223
1:  mul a2, a2, t0
    add a2, a2, t1
    p_sw_post a2, 4, a0
    addi a1, a1, -1
    bnez a1, 1b
    csrwi CSR_SIMD_FORMAT, 2
    csrwi CSR_SIMD_SKIP, 0
    la t0, repeat
    lw s10, 0(t0)
again:
    la s0, A            /* row block */
    la s1, C
    li s2, 16           /* row blocks */
rows:
    la s3, B            /* column pair */
    li s4, 32
    lp_setup 1, 20, columns_end       /* s4 */
    mv a0, s0
    addi a1, s0, 64
    addi a2, s0, 128
    addi a3, s0, 192
    mv a4, s3
    addi a5, s3, 64
    li t3, 0
    li t4, 0
    li t5, 0
    li t6, 0
    li s5, 0
    li s6, 0
    li s7, 0
    li s8, 0
    li s9, 16
    lp_setup 0, 25, depth_end         /* s9 */
    p_lw_post t0, 4, a4
    p_lw_post t1, 4, a5
    p_lw_post a6, 4, a0
    p_lw_post a7, 4, a1
    p_lw_post t2, 4, a2
    p_lw_post ra, 4, a3
    pv_sdotsp t3, a6, t0
    pv_sdotsp t4, a6, t1
    pv_sdotsp t5, a7, t0
    pv_sdotsp t6, a7, t1
    pv_sdotsp s5, t2, t0
    pv_sdotsp s6, t2, t1
    pv_sdotsp s7, ra, t0
    pv_sdotsp s8, ra, t1
depth_end:
    sw t3, 0(s1)
    sw t4, 4(s1)
    sw t5, 256(s1)
    sw t6, 260(s1)
    sw s5, 512(s1)
    sw s6, 516(s1)
    sw s7, 768(s1)
    sw s8, 772(s1)
    addi s1, s1, 8
    addi s3, s3, 128
columns_end:
    addi s1, s1, 768
    addi s0, s0, 256
    addi s2, s2, -1
    bnez s2, rows
    addi s10, s10, -1
    bnez s10, again
    /* the checksum is the result */
    la a0, C
    li a1, 4096
    li a2, 0
1:  p_lw_post t0, 4, a0
    slli t1, a2, 5
    sub a2, t1, a2
    add a2, a2, t0
    addi a1, a1, -1
    bnez a1, 1b
    li t0, 0x1A10F00C
    sw a2, 0(t0)
    lw ra, 0(sp)
    lw s0, 4(sp)
    lw s1, 8(sp)
    lw s2, 12(sp)
    lw s3, 16(sp)
    lw s4, 20(sp)
    lw s5, 24(sp)
    lw s6, 28(sp)
    lw s7, 32(sp)
    lw s8, 36(sp)
    lw s9, 40(sp)
    lw s10, 44(sp)
    addi sp, sp, 64
    li a0, 0
    ret
    .data
    .balign 4
    .globl repeat
repeat: .word 40
    .bss
    .balign 16
A: .space 4096
B: .space 4096
C: .space 16384
