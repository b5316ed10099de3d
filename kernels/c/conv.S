/* Convolution without im2col: 4 output channels x 4 neighbouring pixels at a time.
 *
 * The instruction stream depends only on how the operand widths relate; the widths themselves are a CSR. So five bodies
 * serve all nine pairs: uniform, activations wider by 2 or 4 (mixed), weights wider by 2 or 4 (swapped operands).
 * Weights lie in the order of use behind one pointer. One pointer also walks over the four pixels: loads add a register
 * to it, the step to the next pixel or the step back to the first. Every streamed word is loaded at least one instruction
 * before its use: no dot product waits, so none of the core's skip-count corners is met.
 *
 * Uniform and mixed: 4 weight words are resident, pixel words stream; SKIP = 4 channels.
 * Swapped: pixel words are resident (the narrow operand), weight words stream; SKIP = 4 pixels.
 *
 * The first pass of a window is peeled: it sets the accumulators instead of adding to cleared ones. The loop over the
 * remaining passes is entered with one pass less; its bounds are set once a call, only its count changes.
 *
 * A row of 4 n + 3 pixels ends with a block that overlaps the one before: outputs are pure functions of the input, so writing
 * some twice is harmless. (One or two pixels that are left are for window.S.)
 *
 * With LATE_DATA (guard.h) the mixed and swapped bodies load four streamed words at a time, then do one thing that is neither a load
 * nor a dot product, then all that these words are needed for. The table and output pointers make room for two of the words.
 * SKIP = 0: the words of a pixel (mixed) or channel (swapped) follow each other, so each dot product moves on to the next sub-group.
 */
#include "mpic.h"
#include "guard.h"
#include "layers.h"
#include "frame.h"
#include "pack.h"
    .option norelax
    .option norvc
    .altmacro
    .text

/* acc(c, r): pixel c, channel r      resident   streamed   pixel pointer, steps   weights  table  output  passes  row skip */
/* c0 s0-s3, c1 s4-s7, c2 s8-s11, c3 a2-a5   t0-t3   t4 t5   a6   a7 t6            gp       a1     ra      tp      a0 */

#define ARGS (SAVED + 0)
#define LEFT_Y (SAVED + 4)
#define LEFT_X (SAVED + 8)
#define PIXELS (SAVED + 12)
#define OUT (SAVED + 16)
#define IN_ROW (SAVED + 20)
#define OUT_ROW (SAVED + 24)
#define BLOCK (SAVED + 28)      /* code of a block */
#define STORE (SAVED + 32)      /* code that stores a block */
#define ROWS (SAVED + 36)
#define BOUND (SAVED + 40)
#define STEP (SAVED + 44)
#define BACK (SAVED + 48)
#define TABLE_END (SAVED + 52)
#define TABLE (SAVED + 56)      /* with LATE_DATA, while a block is summed */
#define BLOCK_OUT (SAVED + 60)
#define FRAME (SAVED + 64)

.macro load_pixel c, s, ratio, to
    .if \s + 1 < \ratio
    p_lw_post \to, 4, a6
    .elseif \c < 3
    p_lw_rpost \to, a7, a6
    .else
    p_lw_rpost \to, t6, a6
    .endif
.endm

/* one pixel word against the four resident weight words */
.macro dot_channels first, c, word
    .if \c == 0
    dot \first, s0, \word, t0
    dot \first, s1, \word, t1
    dot \first, s2, \word, t2
    dot \first, s3, \word, t3
    .elseif \c == 1
    dot \first, s4, \word, t0
    dot \first, s5, \word, t1
    dot \first, s6, \word, t2
    dot \first, s7, \word, t3
    .elseif \c == 2
    dot \first, s8, \word, t0
    dot \first, s9, \word, t1
    dot \first, s10, \word, t2
    dot \first, s11, \word, t3
    .else
    dot \first, a2, \word, t0
    dot \first, a3, \word, t1
    dot \first, a4, \word, t2
    dot \first, a5, \word, t3
    .endif
.endm

/* one weight word of channel r against the resident pixel words */
.macro dot_pixels first, r, word
    .if \r == 0
    dot \first, s0, \word, t0
    dot \first, s4, \word, t1
    dot \first, s8, \word, t2
    dot \first, a2, \word, t3
    .elseif \r == 1
    dot \first, s1, \word, t0
    dot \first, s5, \word, t1
    dot \first, s9, \word, t2
    dot \first, a3, \word, t3
    .elseif \r == 2
    dot \first, s2, \word, t0
    dot \first, s6, \word, t1
    dot \first, s10, \word, t2
    dot \first, a4, \word, t3
    .else
    dot \first, s3, \word, t0
    dot \first, s7, \word, t1
    dot \first, s11, \word, t2
    dot \first, a5, \word, t3
    .endif
.endm

.macro load_stream swapped, ratio, i, to
    .if \swapped
    p_lw_post \to, 4, gp
    .else
    load_pixel %((\i) / \ratio), %((\i) - (\i) / \ratio * \ratio), \ratio, \to
    .endif
.endm
.macro dot_stream swapped, ratio, first, i, word
    .if \swapped
    dot_pixels \first, %((\i) / \ratio), \word
    .else
    dot_channels \first, %((\i) / \ratio), \word
    .endif
.endm

/* streamed word number i goes through t4 (even) or t5 (odd) */
.macro stream swapped, ratio, i
    .if (\i) & 1
    load_stream \swapped, \ratio, %(\i), t5
    .else
    load_stream \swapped, \ratio, %(\i), t4
    .endif
.endm
/* with `first`, the first word of each channel or pixel sets the sums */
.macro use swapped, ratio, first, i
    .if (\i) - (\i) / \ratio * \ratio
    dot_word \swapped, \ratio, 0, %(\i)
    .else
    dot_word \swapped, \ratio, \first, %(\i)
    .endif
.endm
.macro dot_word swapped, ratio, first, i
    .if (\i) & 1
    dot_stream \swapped, \ratio, \first, %(\i), t5
    .else
    dot_stream \swapped, \ratio, \first, %(\i), t4
    .endif
.endm

.macro load_resident swapped
    .if \swapped
    p_lw_rpost t0, a7, a6
    p_lw_rpost t1, a7, a6
    p_lw_rpost t2, a7, a6
    p_lw_rpost t3, t6, a6
    .else
    p_lw_post t0, 4, gp
    p_lw_post t1, 4, gp
    p_lw_post t2, 4, gp
    p_lw_post t3, 4, gp
    .endif
.endm
/* one pass: a word of the narrow operand of each of the four */
.macro pass swapped, ratio, first
    load_resident \swapped
    stream \swapped, \ratio, 0
    stream \swapped, \ratio, 1
    .set word, 0
    .rept 4 * \ratio
    use \swapped, \ratio, \first, %word
    .if word + 2 < 4 * \ratio
    stream \swapped, \ratio, %(word + 2)
    .endif
    .set word, word + 1
    .endr
.endm

/* sum number i of the sixteen */
.macro dot_number first, i, wide, narrow
    .set number, 0
    .irp sum, s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, a2, a3, a4, a5
    .if number == \i
    dot \first, \sum, \wide, \narrow
    .endif
    .set number, number + 1
    .endr
.endm
/* the streamed words of pixel or channel number i against the four resident words, sub-group by sub-group */
.macro dot_words swapped, first, i, w0, others:vararg
    .set resident, 0
    .irp narrow, t0, t1, t2, t3
    .if \swapped
    .set which, 4 * resident + \i
    .else
    .set which, 4 * (\i) + resident
    .endif
    dot_number \first, %which, \w0, \narrow
    .irp wide, \others
    dot_number 0, %which, \wide, \narrow
    .endr
    .set resident, resident + 1
    .endr
.endm
/* between loads and dot products; in the first pass what the block needs done anyway: the count of the passes that are left */
.macro apart first, word
    .if \first == 0
    nop
    .elseif \word == 0
    addi tp, tp, -1
    .elseif \word == 4
    lp_count 0, 4
    .else
    nop
    .endif
.endm
/* the same for memory that answers late */
.macro pass_late swapped, ratio, first
    load_resident \swapped
    .set word, 0
    .rept \ratio
    load_stream \swapped, \ratio, %word, t4
    load_stream \swapped, \ratio, %(word + 1), t5
    load_stream \swapped, \ratio, %(word + 2), a1
    load_stream \swapped, \ratio, %(word + 3), ra
    apart \first, %word
    .if \ratio == 2
    dot_words \swapped, \first, %(word / 2), t4, t5
    dot_words \swapped, \first, %(word / 2 + 1), a1, ra
    .else
    dot_words \swapped, \first, %(word / 4), t4, t5, a1, ra
    .endif
    .set word, word + 4
    .endr
.endm

.macro requant c0, c1, c2, c3
    p_lw_post t0, 4, a1
    p_lw_post t1, 4, a1
    p_lw_post t2, 4, a1
    requant_one \c0
    requant_one \c1
    requant_one \c2
    requant_one \c3
.endm

/* A body: what is executed for each block of channels. Its entry sets the loops and goes to the common start. */
.macro body name, swapped, ratio
    .globl \name
\name:
    lp_bounds 0, .L\name\()_pass, .L\name\()_row
    lp_bounds 1, .L\name\()_pass, .L\name\()_rows
    la t0, .L\name\()_block
    j start
    /* off a word boundary every instruction of the inner loop would straddle two fetches */
    .balign 16
.L\name\()_block:
    lw t4, ROWS(sp)
    lw a6, PIXELS(sp)
    .if LATE_DATA && \ratio > 1
    sw a1, TABLE(sp)
    sw ra, BLOCK_OUT(sp)
    lp_count 1, 29
    pass_late \swapped, \ratio, 1
    addi tp, tp, 1
    p_beqimm tp, 1, .L\name\()_row
.L\name\()_pass:
    pass_late \swapped, \ratio, 0
    .else
    addi t5, tp, -1
    lp_count 1, 29
    lp_count 0, 30
    pass \swapped, \ratio, 1
    p_beqimm tp, 1, .L\name\()_row
.L\name\()_pass:
    pass \swapped, \ratio, 0
    .endif
.L\name\()_row:
    lp_count 0, 4 /* not last: an instruction that sets a loop cannot end one */
    add a6, a6, a0
.L\name\()_rows:
    .if LATE_DATA && \ratio > 1
    lw a1, TABLE(sp)
    lw ra, BLOCK_OUT(sp)
    .endif
    requant s0, s4, s8, a2
    requant s1, s5, s9, a3
    requant s2, s6, s10, a4
    requant s3, s7, s11, a5
    lw t3, BOUND(sp)
    lw t0, STORE(sp)
    lw t4, STEP(sp)
    lw t5, BACK(sp)
    .irp acc, s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, a2, a3, a4, a5
    p_clipr \acc, \acc, t3
    .endr
    jr t0
.endm

    body conv_u, 0, 1
    body conv_m2, 0, 2
    body conv_m4, 0, 4
    body conv_s2, 1, 2
    body conv_s4, 1, 4

/* four pixels, each four channels in one store */
.macro store_pixels bits
    lw t1, TABLE_END(sp)
    lw t2, BLOCK(sp)
    pack \bits, s0, s1, s2, s3
    pack \bits, s4, s5, s6, s7
    pack \bits, s8, s9, s10, s11
    pack \bits, a2, a3, a4, a5
    store_step \bits, s0, t4, ra
    store_step \bits, s4, t4, ra
    store_step \bits, s8, t4, ra
    store_step \bits, a2, t5, ra
    beq a1, t1, next_pixels
    jr t2
.endm
store_8:
    store_pixels 8
store_4:
    store_pixels 4
store_2:
    store_pixels 2
/* four planes, each four pixels in one store of bytes */
store_planes:
    lw t1, TABLE_END(sp)
    lw t2, BLOCK(sp)
    pack 8, s0, s4, s8, a2
    pack 8, s1, s5, s9, a3
    pack 8, s2, s6, s10, a4
    pack 8, s3, s7, s11, a5
    store_step 8, s0, t4, ra
    store_step 8, s1, t4, ra
    store_step 8, s2, t4, ra
    store_step 8, s3, t5, ra
    beq a1, t1, next_pixels
    jr t2

stores:
    .word store_8, store_4, store_2, store_planes

/* a0 arguments, t0 code of a block */
start:
    enter FRAME
    sw a0, ARGS(sp)
    sw t0, BLOCK(sp)
    /* formats first: the first dot product comes many instructions later */
    lw t0, CONV_FORMAT(a0)
    .if LATE_DATA == 0
    lw t1, CONV_SKIP(a0)
    .endif
    csrw CSR_SIMD_FORMAT, t0
    csrwi CSR_SIMD_GROUP, 0
    .if LATE_DATA
    csrwi CSR_SIMD_SKIP, 0
    .else
    csrw CSR_SIMD_SKIP, t1
    .endif
    la t1, stores
    lw t0, CONV_STORE(a0)
    slli t0, t0, 2
    add t0, t0, t1
    lw t0, 0(t0)
    lw t1, CONV_KERNEL_ROWS(a0)
    lw t2, CONV_BOUND(a0)
    lw t3, CONV_STEP(a0)
    sw t0, STORE(sp)
    sw t1, ROWS(sp)
    sw t2, BOUND(sp)
    sw t3, STEP(sp)
    lw t0, CONV_BACK(a0)
    lw t1, CONV_TABLE_END(a0)
    lw t2, CONV_OUT_HEIGHT(a0)
    lw t3, CONV_INPUT(a0)
    lw t4, CONV_OUTPUT(a0)
    sw t0, BACK(sp)
    sw t1, TABLE_END(sp)
    sw t2, LEFT_Y(sp)
    sw t3, IN_ROW(sp)
    sw t4, OUT_ROW(sp)
    lw a7, CONV_INPUT_STEP(a0)
    lw t6, CONV_INPUT_BACK(a0)
    lw tp, CONV_PASSES(a0)
    lw t0, CONV_OUT_WIDTH(a0)
    lw a0, CONV_ROW_SKIP(a0)
.Lrow:
    /* t0 width, t3 and t4 first window and output of the row */
    sw t0, LEFT_X(sp)
    lw t5, ARGS(sp)
    sw t3, PIXELS(sp)
    sw t4, OUT(sp)
    mv ra, t4
    lw a1, CONV_TABLE(t5)
    lw gp, CONV_WEIGHTS(t5)
    lw t2, BLOCK(sp)
    nop
    jr t2
next_pixels:
    lw t5, ARGS(sp)
    lw t0, LEFT_X(sp)
    lw t3, CONV_INPUT_PIXEL(t5)
    lw t4, CONV_OUTPUT_PIXEL(t5)
    lw t2, PIXELS(sp)
    lw ra, OUT(sp)
    addi t0, t0, -4
    beqz t0, .Lnext_row
    li t1, 4
    bge t0, t1, .Lwhole
    /* fewer than four left: step back so that the last block ends with the row */
    mv t1, t0
    li t0, 4
.Lwhole:
    sw t0, LEFT_X(sp)
    mul t3, t3, t1
    mul t4, t4, t1
    lw a1, CONV_TABLE(t5)
    lw gp, CONV_WEIGHTS(t5)
    add t2, t2, t3
    add ra, ra, t4
    sw t2, PIXELS(sp)
    lw t2, BLOCK(sp)
    sw ra, OUT(sp)
    jr t2
.Lnext_row:
    lw t0, LEFT_Y(sp)
    lw t1, CONV_INPUT_ROW(t5)
    lw t3, IN_ROW(sp)
    lw t2, CONV_OUTPUT_ROW(t5)
    lw t4, OUT_ROW(sp)
    addi t0, t0, -1
    add t3, t3, t1
    add t4, t4, t2
    sw t0, LEFT_Y(sp)
    sw t3, IN_ROW(sp)
    sw t4, OUT_ROW(sp)
    mv t1, t0
    lw t0, CONV_OUT_WIDTH(t5)
    bnez t1, .Lrow
    csrwi CSR_SIMD_SKIP, 0
    leave FRAME
