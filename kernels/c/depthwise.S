/* Depthwise convolution. The input lies in planes, one byte per code, so that a word holds four neighbours of a row and
 * each kernel row is one dot product; outputs are written with their channels together, for the pointwise layer that
 * follows. Requantisation bounds the speed: one dot product per kernel row, four instructions per output.
 *
 *   depthwise_two   up to 3 x 3, stride 1: two columns downwards; of three words of rows one is new in each step
 *   depthwise_down  up to 3 x 4, vertical stride 2: one column downwards
 *   depthwise_any   any kernel and stride
 *
 * Codes narrower than a byte share one with other channels' codes, so they are inserted into what is there, after the first.
 */
#include "mpic.h"
#include "layers.h"
#include "frame.h"
    .option norelax
    .option norvc
    .altmacro
    .text

/* a1 weights; a2-a7 weight words; t0-t2 rows; t3 kappa t4 lambda t5 shift t6 bound; s0 s1 sums; s2 input; s3 s4 outputs;
 * s5 input row, s6 output row; s7 column base of the input, s8 of the output; s9 columns left; s10 lane; gp, ra temporaries,
 * tp output pixel, s11 rows. depthwise_two: s7, s8 from the end of a column of the input and of the output to the next pair;
 * s11 rows by threes, ra what is left of them */

#define PLANE (SAVED + 0)
#define OUTPUT (SAVED + 4)
#define CHANNELS (SAVED + 8)
#define FRAME (SAVED + 12)

/* one output code of this channel */
.macro put whole, acc, at
    .if \whole
    p_sb_rpost \acc, s6, \at
    .else
    lbu gp, 0(\at)
    nop
    p_insertr gp, \acc, s10
    p_sb_rpost gp, s6, \at
    .endif
.endm
.macro finish acc
    mul \acc, \acc, t3
    p_addNr \acc, t4, t5
    p_clipr \acc, \acc, t6
.endm
/* two outputs whose last row is loaded here */
.macro two whole, a, b, c
    p_lw_rpost \c, s5, s2
    pv_dotsp s0, \a, a2
    pv_dotsp s1, \a, a5
    pv_sdotsp s0, \b, a3
    pv_sdotsp s1, \b, a6
    pv_sdotsp s0, \c, a4
    pv_sdotsp s1, \c, a7
    finish s0
    finish s1
    put \whole, s0, s3
    put \whole, s1, s4
.endm

/* Planes one after another; the macros `setup`, `weights` and `columns` of the kernel are the body. */
.macro depthwise name, whole
    .balign 16
.L\name\()_channel_\whole:
    lw s9, DW_OUT_WIDTH(a0)
    \name\()_weights
    \name\()_columns \whole
    /* the next channel: a byte on, or the next bits of this one */
    lw t0, DW_BITS(a0)
    lw t1, OUTPUT(sp)
    add s10, s10, t0
    andi t2, s10, 31
    li t3, 8
    blt t2, t3, .L\name\()_same_\whole
    sub s10, s10, t2
    addi t1, t1, 1
    sw t1, OUTPUT(sp)
.L\name\()_same_\whole:
    lw t0, PLANE(sp)
    lw t1, DW_PLANE(a0)
    lw t2, CHANNELS(sp)
    lw t3, DW_CHANNEL_BYTES(a0)
    add t0, t0, t1
    addi t2, t2, -1
    add a1, a1, t3
    sw t0, PLANE(sp)
    sw t2, CHANNELS(sp)
    beqz t2, .L\name\()_done_\whole
    /* the first code of a byte need not mind the others */
    andi t0, s10, 7
    beqz t0, .L\name\()_channel_1
    j .L\name\()_channel_0
.L\name\()_done_\whole:
    leave FRAME
.endm

.macro kernel name
    .globl \name
\name:
    enter FRAME
    li t0, 2
    csrw CSR_SIMD_FORMAT, t0
    csrwi CSR_SIMD_SKIP, 0
    lw t0, DW_INPUT(a0)
    lw t1, DW_OUTPUT(a0)
    lw t2, DW_CHANNELS(a0)
    lw a1, DW_WEIGHTS(a0)
    lw s5, DW_INPUT_ROW(a0)
    lw s6, DW_OUTPUT_ROW(a0)
    lw s11, DW_OUT_HEIGHT(a0)
    lw tp, DW_OUTPUT_PIXEL(a0)
    lw t6, DW_BOUND(a0)
    sw t0, PLANE(sp)
    sw t1, OUTPUT(sp)
    sw t2, CHANNELS(sp)
    \name\()_setup
    lw s10, DW_BITS(a0)
    addi s10, s10, -1
    slli s10, s10, 5
    depthwise \name, 1
    depthwise \name, 0
.endm

/* ---- two columns downwards ---- */
.macro depthwise_two_setup
    addi t0, s11, 2
    mul s7, t0, s5
    mul s8, s11, s6
    li t1, 2
    sub s7, t1, s7
    sub s8, tp, s8
    add s8, s8, tp
    li t0, 3
    remu ra, s11, t0
    divu s11, s11, t0
.endm
.macro depthwise_two_weights
    lw a2, 0(a1)
    lw a3, 4(a1)
    lw a4, 8(a1)
    lw t3, 12(a1)
    lw t4, 16(a1)
    lw t5, 20(a1)
    lw s2, PLANE(sp)
    lw s3, OUTPUT(sp)
    slli a5, a2, 8
    slli a6, a3, 8
    slli a7, a4, 8
    add s4, s3, tp
.endm
.macro depthwise_two_columns whole
    LOCAL pair, triples, rest, done, pairs
    srli t0, s9, 1
    andi s9, s9, 1
    lp_setup 1, 5, pairs
pair:
    p_lw_rpost t0, s5, s2
    p_lw_rpost t1, s5, s2
    beqz s11, rest
    lp_setup 0, 27, triples
    two \whole, t0, t1, t2
    two \whole, t1, t2, t0
    two \whole, t2, t0, t1
triples:
rest:
    beqz ra, done
    two \whole, t0, t1, t2
    p_beqimm ra, 1, done
    two \whole, t1, t2, t0
done:
    add s2, s2, s7
    add s3, s3, s8
    add s4, s4, s8
pairs:
    /* an odd width ends with a pair that overlaps the one before; the loop's count is 1 now */
    addi s2, s2, -1
    sub s3, s3, tp
    sub s4, s4, tp
    addi s9, s9, -1
    beqz s9, pair
.endm

/* ---- one column downwards, two rows at a time ---- */
.macro depthwise_down_setup
.endm
.macro depthwise_down_weights
    lw s7, PLANE(sp)
    lw s8, OUTPUT(sp)
    lw a2, 0(a1)
    lw a3, 4(a1)
    lw a4, 8(a1)
    lw t3, 12(a1)
    lw t4, 16(a1)
    lw t5, 20(a1)
.endm
.macro depthwise_down_columns whole
    LOCAL column, rows
column:
    mv s2, s7
    mv s3, s8
    p_lw_rpost t0, s5, s2
    lp_setup 0, 27, rows
    p_lw_rpost t1, s5, s2
    p_lw_rpost t2, s5, s2
    pv_dotsp s0, t0, a2
    pv_sdotsp s0, t1, a3
    pv_sdotsp s0, t2, a4
    finish s0
    put \whole, s0, s3
    mv t0, t2
rows:
    lw ra, DW_INPUT_COLUMN(a0)
    addi s9, s9, -1
    add s8, s8, tp
    add s7, s7, ra
    bnez s9, column
.endm

/* ---- any: one output at a time, words of the kernel streamed; a2 window, a3 to the next, a4 kernel rows, a5 words of a
 *      kernel row, a6 rest of a row; table behind the words ---- */
.macro depthwise_any_setup
.endm
.macro depthwise_any_weights
    lw s7, PLANE(sp)
    lw s8, OUTPUT(sp)
    lw a4, DW_KERNEL_ROWS(a0)
    lw a5, DW_KERNEL_WORDS(a0)
    lw a6, DW_ROW_SKIP(a0)
    lw a3, DW_STRIDE(a0)
    lw ra, DW_CHANNEL_BYTES(a0)
    mul a3, a3, s5
    add ra, ra, a1
    lw t3, -12(ra)
    lw t4, -8(ra)
    lw t5, -4(ra)
.endm
.macro depthwise_any_columns whole
    LOCAL column, rows, words, row
column:
    mv a2, s7
    mv s3, s8
    mv s4, s11
row:
    mv s2, a2
    mv s1, a1
    li s0, 0
    lp_setup 1, 14, rows
    lp_setup 0, 15, words
    p_lw_post t0, 4, s2
    p_lw_post t1, 4, s1
    nop
    pv_sdotsp s0, t0, t1
words:
    add s2, s2, a6
    nop
rows:
    finish s0
    put \whole, s0, s3
    addi s4, s4, -1
    add a2, a2, a3
    bnez s4, row
    lw ra, DW_INPUT_COLUMN(a0)
    addi s9, s9, -1
    add s8, s8, tp
    add s7, s7, ra
    bnez s9, column
.endm

    kernel depthwise_two
    kernel depthwise_down
    kernel depthwise_any
