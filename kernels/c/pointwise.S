/* Layers that treat every channel alike: residual addition and pooling, a row of output pixels at a time, four
 * channels at a time. Codes of four channels are one load, whatever their width; for less than 8 bits that load may lie
 * across two words, which costs a cycle and saves a body per width.
 */
#include "mpic.h"
#include "layers.h"
#include "frame.h"
#include "pack.h"
    .option norelax
    .option norvc
    .altmacro
    .text

#define FRAME (SAVED + 4)

/* ---- addition: a1, a2 inputs, a3 output; a4, a5 kappas, a6 lambda, a7 shift, t0 bound; t1, t2 bytes of four codes;
 *      s0-s3 and s4-s7 which bits of an input word are a channel's code; gp, tp, ra skips to the next pixel ---- */

.macro lane_bits bits, r0, r1, r2, r3
    addi \r0, \bits, -1
    slli \r0, \r0, 5
    add \r1, \r0, \bits
    add \r2, \r1, \bits
    add \r3, \r2, \bits
.endm

.macro add_lane to, by_a, by_b
    p_extractr \to, t3, \by_a
    p_extractr t5, t4, \by_b
    mul \to, \to, a4
    p_mac \to, t5, a5
    p_addNr \to, a6, a7
    p_clipr \to, \to, t0
.endm

.macro add_body bits
    lp_setup 1, 31, .Ladd_pixels_end_\bits
    lw t5, ADD_BLOCKS(a0)
    lp_setup 0, 30, .Ladd_blocks_end_\bits
    p_lw_rpost t3, t1, a1
    p_lw_rpost t4, t2, a2
    add_lane s8, s0, s4
    add_lane s9, s1, s5
    add_lane s10, s2, s6
    add_lane s11, s3, s7
    emit \bits, s8, s9, s10, s11, a3
.Ladd_blocks_end_\bits:
    add a1, a1, gp
    add a2, a2, tp
    add a3, a3, ra
.Ladd_pixels_end_\bits:
    leave FRAME
.endm

    .globl add_row
    .balign 16
add_row:
    enter FRAME
    lw t1, ADD_BITS_A(a0)
    lw t2, ADD_BITS_B(a0)
    lane_bits t1, s0, s1, s2, s3
    lane_bits t2, s4, s5, s6, s7
    srli t1, t1, 1
    srli t2, t2, 1
    lw a1, ADD_A(a0)
    lw a2, ADD_B(a0)
    lw a3, ADD_OUT(a0)
    lw a4, ADD_KAPPA_A(a0)
    lw a5, ADD_KAPPA_B(a0)
    lw a6, ADD_LAMBDA(a0)
    lw a7, ADD_SHIFT(a0)
    lw t0, ADD_BOUND(a0)
    lw gp, ADD_SKIP_A(a0)
    lw tp, ADD_SKIP_B(a0)
    lw ra, ADD_SKIP_OUT(a0)
    lw t6, ADD_WIDTH(a0)
    lw t5, ADD_STORE(a0)
    li t4, 4
    li t3, 32
    blt t5, t4, .Ladd_2
    beq t5, t4, .Ladd_4
    beq t5, t3, .Ladd_32
    add_body 8
.Ladd_4:
    add_body 4
.Ladd_2:
    add_body 2
.Ladd_32:
    add_body 32

/* ---- average: a1 window of the pixel, a2 of the block, a3 output; a4 kappa, a5 lambda, a6 shift, a7 bound; t0 bytes of
 *      four codes, t1 bytes of an input pixel; t2 rows, t3 columns of the window; s0-s3 pick a lane of a word: a dot
 *      product with 1 there and 0 elsewhere; s4-s7 sums; s8 blocks left, s9 pixels left, s10 from the end of a window row to
 *      the next, s11 skip of the output, tp to the next pixel's window ---- */

.macro pool_body bits
.Lpool_pixel_\bits:
    lw s8, POOL_BLOCKS(a0)
    mv a2, a1
.Lpool_block_\bits:
    mv t5, a2
    li s4, 0
    li s5, 0
    li s6, 0
    li s7, 0
    lp_setup 1, 7, .Lpool_rows_end_\bits
    lp_setup 0, 28, .Lpool_columns_end_\bits
    p_lw_rpost t4, t1, t5
    pv_sdotsp s4, t4, s0
    pv_sdotsp s5, t4, s1
    pv_sdotsp s6, t4, s2
    pv_sdotsp s7, t4, s3
.Lpool_columns_end_\bits:
    add t5, t5, s10
    nop
.Lpool_rows_end_\bits:
    .irp r, s4, s5, s6, s7
    mul \r, \r, a4
    p_addNr \r, a5, a6
    p_clipr \r, \r, a7
    .endr
    emit \bits, s4, s5, s6, s7, a3
    addi s8, s8, -1
    add a2, a2, t0
    bnez s8, .Lpool_block_\bits
    addi s9, s9, -1
    add a1, a1, tp
    add a3, a3, s11
    bnez s9, .Lpool_pixel_\bits
    leave FRAME
.endm

    .globl average_row
    .balign 16
average_row:
    enter FRAME
    lw t0, POOL_BITS(a0)
    lw t1, POOL_FORMAT(a0)
    csrw CSR_SIMD_FORMAT, t1
    li s0, 1
    sll s1, s0, t0
    sll s2, s1, t0
    sll s3, s2, t0
    srli t0, t0, 1
    lw a1, POOL_IN(a0)
    lw a3, POOL_OUT(a0)
    lw t1, POOL_PIXEL(a0)
    lw t2, POOL_ROWS(a0)
    lw t3, POOL_COLUMNS(a0)
    lw s10, POOL_ROW_SKIP(a0)
    lw tp, POOL_STRIDE(a0)
    lw s9, POOL_WIDTH(a0)
    lw a4, POOL_KAPPA(a0)
    lw a5, POOL_LAMBDA(a0)
    lw a6, POOL_SHIFT(a0)
    lw a7, POOL_BOUND(a0)
    lw s11, POOL_SKIP_OUT(a0)
    lw t6, POOL_STORE(a0)
    li t4, 4
    li t5, 32
    blt t6, t4, .Lpool_2
    beq t6, t4, .Lpool_4
    beq t6, t5, .Lpool_32
    pool_body 8
.Lpool_4:
    pool_body 4
.Lpool_2:
    pool_body 2
.Lpool_32:
    pool_body 32

/* ---- maximum: registers as for the average, but s0-s3 which bits of a word are a channel's code, s4-s7 maxima, gp bytes of
 *      an output plane ---- */

.macro maximum_body name, bits
.Lmax_pixel_\name:
    lw s8, POOL_BLOCKS(a0)
    mv a2, a1
.Lmax_block_\name:
    mv t5, a2
    .irp r, s4, s5, s6, s7
    not \r, a7
    .endr
    lp_setup 1, 7, .Lmax_rows_end_\name
    lp_setup 0, 28, .Lmax_columns_end_\name
    p_lw_rpost t4, t1, t5
    nop
    p_extractr a4, t4, s0
    p_extractr a5, t4, s1
    p_extractr a6, t4, s2
    p_extractr t6, t4, s3
    p_max s4, s4, a4
    p_max s5, s5, a5
    p_max s6, s6, a6
    p_max s7, s7, t6
.Lmax_columns_end_\name:
    add t5, t5, s10
    nop
.Lmax_rows_end_\name:
    .if \bits
    emit \bits, s4, s5, s6, s7, a3
    .else
    .irp r, s4, s5, s6, s7
    p_sb_rpost \r, gp, a3
    .endr
    .endif
    addi s8, s8, -1
    add a2, a2, t0
    bnez s8, .Lmax_block_\name
    addi s9, s9, -1
    add a1, a1, tp
    add a3, a3, s11
    bnez s9, .Lmax_pixel_\name
    leave FRAME
.endm

    .globl maximum_row
    .balign 16
maximum_row:
    enter FRAME
    lw t0, POOL_BITS(a0)
    lane_bits t0, s0, s1, s2, s3
    mv t4, t0
    srli t0, t0, 1
    lw a1, POOL_IN(a0)
    lw a3, POOL_OUT(a0)
    lw t1, POOL_PIXEL(a0)
    lw t2, POOL_ROWS(a0)
    lw t3, POOL_COLUMNS(a0)
    lw s10, POOL_ROW_SKIP(a0)
    lw tp, POOL_STRIDE(a0)
    lw s9, POOL_WIDTH(a0)
    lw a7, POOL_BOUND(a0)
    lw s11, POOL_SKIP_OUT(a0)
    lw gp, POOL_PLANE(a0)
    li t5, 4
    bnez gp, .Lmax_planes
    blt t4, t5, .Lmax_2
    beq t4, t5, .Lmax_4
    /* whole bytes: four channels at once */
    li t4, 2
    csrw CSR_SIMD_FORMAT, t4
    not a4, a7
    p_insert a4, a4, 8, 8
    p_insert a4, a4, 16, 16
.Lmax_pixel_8:
    lw s8, POOL_BLOCKS(a0)
    mv a2, a1
.Lmax_block_8:
    mv t5, a2
    mv s4, a4
    lp_setup 1, 7, .Lmax_rows_end_8
    lp_setup 0, 28, .Lmax_columns_end_8
    p_lw_rpost t4, t1, t5
    nop
    pv_max s4, s4, t4
.Lmax_columns_end_8:
    add t5, t5, s10
    nop
.Lmax_rows_end_8:
    addi s8, s8, -1
    p_sw_post s4, 4, a3
    add a2, a2, t0
    bnez s8, .Lmax_block_8
    addi s9, s9, -1
    add a1, a1, tp
    add a3, a3, s11
    bnez s9, .Lmax_pixel_8
    leave FRAME
.Lmax_4:
    maximum_body 4, 4
.Lmax_2:
    maximum_body 2, 2
.Lmax_planes:
    maximum_body planes, 0

/* ---- fill: a1 where, a2 planes, a3 head, a4 rows, a5 pairs of a gap, a6 step, a7 tail, t0 next plane, t1 word,
 *      t2 from head to gaps ---- */
.macro fill_pairs count, end
    lp_setup 0, \count, \end
    p_sw_post t1, 4, a1
    p_sw_post t1, 4, a1
.endm
    .globl fill
    .balign 16
fill:
    lw a1, FILL_BASE(a0)
    lw a2, FILL_PLANES(a0)
    lw a3, FILL_HEAD(a0)
    lw a4, FILL_ROWS(a0)
    lw a5, FILL_PAIRS(a0)
    lw a6, FILL_STEP(a0)
    lw a7, FILL_TAIL(a0)
    lw t0, FILL_NEXT(a0)
    lw t1, FILL_WORD(a0)
    lw t2, FILL_SKIP_HEAD(a0)
.Lfill_plane:
    beqz a3, .Lfill_gaps
    fill_pairs 13, .Lfill_head_end
.Lfill_head_end:
.Lfill_gaps:
    add a1, a1, t2
    beqz a4, .Lfill_tail
    lp_setup 1, 14, .Lfill_rows_end
    fill_pairs 15, .Lfill_gap_end
.Lfill_gap_end:
    add a1, a1, a6
    nop
.Lfill_rows_end:
.Lfill_tail:
    beqz a7, .Lfill_next
    fill_pairs 17, .Lfill_tail_end
.Lfill_tail_end:
.Lfill_next:
    addi a2, a2, -1
    add a1, a1, t0
    bnez a2, .Lfill_plane
    ret
