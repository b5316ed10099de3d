/* Convolution without im2col: 4 output channels x 4 neighbouring pixels (or 1) at a time.
 *
 * The instruction stream depends only on how the operand widths relate; the widths themselves are a CSR. So five bodies
 * serve all nine pairs: uniform, activations wider by 2 or 4 (mixed), weights wider by 2 or 4 (swapped operands).
 * Weights lie in the order of use behind one pointer; each pixel has its own post-incremented pointer, so that a
 * kernel built once needs no pixel stride as an immediate. Every streamed word is loaded at least one instruction
 * before its use: no dot product waits, so none of the core's skip-count corners is met.
 *
 * Uniform and mixed: 4 weight words are resident, pixel words stream; SKIP = 4 channels.
 * Swapped: pixel words are resident (the narrow operand), weight words stream; SKIP = number of pixels.
 *
 * A row whose width is no multiple of 4 ends with a block that overlaps the one before: outputs are pure functions of
 * the input, so writing some twice is harmless.
 */
#include "mpic.h"
#include "layers.h"
#include "pack.h"
    .option norelax
    .option norvc
    .altmacro
    .text

/* acc(c, r): pixel c, channel r      resident words    streamed words   pixel pointers    weights  table  output  args */
/* c0 s0-s3, c1 s4-s7, c2 s8-s11, c3 a2-a5   t0-t3         t4 t5          a6 a7 t6 tp        gp      a1     ra      a0 */

#define FRAME 80
#define LEFT_Y 60
#define LEFT_X 64
#define PIXELS 68
#define OUT_ROW 72
#define IN_ROW 76

.macro load_pixel c, to
    .if \c == 0
    p_lw_post \to, 4, a6
    .elseif \c == 1
    p_lw_post \to, 4, a7
    .elseif \c == 2
    p_lw_post \to, 4, t6
    .else
    p_lw_post \to, 4, tp
    .endif
.endm

/* one pixel word against the four resident weight words */
.macro dot_channels c, word
    .if \c == 0
    pv_sdotsp s0, \word, t0
    pv_sdotsp s1, \word, t1
    pv_sdotsp s2, \word, t2
    pv_sdotsp s3, \word, t3
    .elseif \c == 1
    pv_sdotsp s4, \word, t0
    pv_sdotsp s5, \word, t1
    pv_sdotsp s6, \word, t2
    pv_sdotsp s7, \word, t3
    .elseif \c == 2
    pv_sdotsp s8, \word, t0
    pv_sdotsp s9, \word, t1
    pv_sdotsp s10, \word, t2
    pv_sdotsp s11, \word, t3
    .else
    pv_sdotsp a2, \word, t0
    pv_sdotsp a3, \word, t1
    pv_sdotsp a4, \word, t2
    pv_sdotsp a5, \word, t3
    .endif
.endm

/* one weight word of channel r against the resident pixel words */
.macro dot_pixels r, pixels, word
    .if \r == 0
    pv_sdotsp s0, \word, t0
    .if \pixels == 4
    pv_sdotsp s4, \word, t1
    pv_sdotsp s8, \word, t2
    pv_sdotsp a2, \word, t3
    .endif
    .elseif \r == 1
    pv_sdotsp s1, \word, t0
    .if \pixels == 4
    pv_sdotsp s5, \word, t1
    pv_sdotsp s9, \word, t2
    pv_sdotsp a3, \word, t3
    .endif
    .elseif \r == 2
    pv_sdotsp s2, \word, t0
    .if \pixels == 4
    pv_sdotsp s6, \word, t1
    pv_sdotsp s10, \word, t2
    pv_sdotsp a4, \word, t3
    .endif
    .else
    pv_sdotsp s3, \word, t0
    .if \pixels == 4
    pv_sdotsp s7, \word, t1
    pv_sdotsp s11, \word, t2
    pv_sdotsp a5, \word, t3
    .endif
    .endif
.endm

/* streamed word number i into t4 (even) or t5 (odd) */
.macro stream swapped, ratio, i
    .if \swapped
    .if (\i) & 1
    p_lw_post t5, 4, gp
    .else
    p_lw_post t4, 4, gp
    .endif
    .else
    .if (\i) & 1
    load_pixel %((\i) / \ratio), t5
    .else
    load_pixel %((\i) / \ratio), t4
    .endif
    .endif
.endm

.macro use swapped, ratio, pixels, i
    .if \swapped
    .if (\i) & 1
    dot_pixels %((\i) / \ratio), \pixels, t5
    .else
    dot_pixels %((\i) / \ratio), \pixels, t4
    .endif
    .else
    .if (\i) & 1
    dot_channels %((\i) / \ratio), t5
    .else
    dot_channels %((\i) / \ratio), t4
    .endif
    .endif
.endm

/* one pass of the inner loop */
.macro body swapped, ratio, pixels, words
    .if \words == 1
    stream \swapped, \ratio, 0
    .endif
    .if \swapped
    p_lw_post t0, 4, a6
    .if \pixels == 4
    p_lw_post t1, 4, a7
    p_lw_post t2, 4, t6
    p_lw_post t3, 4, tp
    .endif
    .else
    p_lw_post t0, 4, gp
    p_lw_post t1, 4, gp
    p_lw_post t2, 4, gp
    p_lw_post t3, 4, gp
    .endif
    .if \words > 1
    stream \swapped, \ratio, 0
    stream \swapped, \ratio, 1
    .endif
    .set word, 0
    .rept \words
    use \swapped, \ratio, \pixels, %word
    .if word + 2 < \words
    stream \swapped, \ratio, %(word + 2)
    .endif
    .set word, word + 1
    .endr
.endm

/* requantise channel r of every pixel: kappa, lambda, shift in t0-t2, bound in t3 */
.macro requant_one acc
    mul \acc, \acc, t0
    p_addNr \acc, t1, t2
.endm
.macro requant pixels, c0, c1, c2, c3
    p_lw_post t0, 4, a1
    p_lw_post t1, 4, a1
    p_lw_post t2, 4, a1
    requant_one \c0
    .if \pixels == 4
    requant_one \c1
    requant_one \c2
    requant_one \c3
    .endif
.endm
.macro clip4 a, b, c, d
    p_clipr \a, \a, t3
    p_clipr \b, \b, t3
    p_clipr \c, \c, t3
    p_clipr \d, \d, t3
.endm
.macro store_all bits, pixels
    pack \bits, s0, s1, s2, s3
    store \bits, s0, ra
    .if \pixels == 4
    lw t4, CONV_OUTPUT_PIXEL(a0)
    pack \bits, s4, s5, s6, s7
    pack \bits, s8, s9, s10, s11
    pack \bits, a2, a3, a4, a5
    add t5, ra, t4
    store \bits, s4, t5
    add t5, t5, t4
    store \bits, s8, t5
    add t5, t5, t4
    store \bits, a2, t5
    .endif
    addi ra, ra, \bits / 2
.endm

.macro kernel name, swapped, ratio, pixels, words
    .globl \name
    /* off a word boundary every instruction of the inner loops would straddle two fetches */
    .balign 16
\name:
    addi sp, sp, -FRAME
    sw ra, 0(sp)
    sw gp, 4(sp)
    sw tp, 8(sp)
    .irp r, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
    sw s\r, 12 + 4 * \r(sp)
    .endr
    /* formats first: the first dot product comes many instructions later */
    lw t0, CONV_FORMAT(a0)
    lw t1, CONV_SKIP(a0)
    .if \swapped && \pixels == 1
    li t1, 0
    .endif
    csrw CSR_SIMD_FORMAT, t0
    csrwi CSR_SIMD_GROUP, 0
    csrw CSR_SIMD_SKIP, t1
    lw t2, CONV_OUT_HEIGHT(a0)
    lw t3, CONV_INPUT(a0)
    lw t4, CONV_OUTPUT(a0)
    sw t2, LEFT_Y(sp)
    sw t3, IN_ROW(sp)
    sw t4, OUT_ROW(sp)
.L\name\()_row:
    lw t0, CONV_OUT_WIDTH(a0)
    lw t3, IN_ROW(sp)
    lw ra, OUT_ROW(sp)
    sw t0, LEFT_X(sp)
    sw t3, PIXELS(sp)
.L\name\()_pixels:
    lw a1, CONV_TABLE(a0)
    lw gp, CONV_WEIGHTS(a0)
.L\name\()_channels:
    lw a6, PIXELS(sp)
    .if \pixels == 4
    lw t4, CONV_INPUT_PIXEL(a0)
    .endif
    lw t5, CONV_KERNEL_ROWS(a0)
    li s0, 0
    li s1, 0
    li s2, 0
    li s3, 0
    .if \pixels == 4
    add a7, a6, t4
    add t6, a7, t4
    add tp, t6, t4
    .irp r, 4, 5, 6, 7, 8, 9, 10, 11
    li s\r, 0
    .endr
    li a2, 0
    li a3, 0
    li a4, 0
    .endif
    lw t4, CONV_WORDS(a0)
    li a5, 0
    lp_setup 1, 30, .L\name\()_rows_end
    lp_setup 0, 29, .L\name\()_words_end
    body \swapped, \ratio, \pixels, \words
.L\name\()_words_end:
    lw t5, CONV_ROW_SKIP(a0)
    lw t4, CONV_WORDS(a0)
    add a6, a6, t5
    .if \pixels == 4
    add a7, a7, t5
    add t6, t6, t5
    add tp, tp, t5
    .endif
.L\name\()_rows_end:
    requant \pixels, s0, s4, s8, a2
    requant \pixels, s1, s5, s9, a3
    requant \pixels, s2, s6, s10, a4
    requant \pixels, s3, s7, s11, a5
    lw t5, CONV_STORE(a0)
    lw t3, CONV_BOUND(a0)
    .if \pixels == 1
    li t4, 32
    beq t5, t4, .L\name\()_store_32
    .endif
    clip4 s0, s1, s2, s3
    .if \pixels == 4
    clip4 s4, s5, s6, s7
    clip4 s8, s9, s10, s11
    clip4 a2, a3, a4, a5
    .endif
    li t4, 4
    blt t5, t4, .L\name\()_store_2
    beq t5, t4, .L\name\()_store_4
    store_all 8, \pixels
    j .L\name\()_stored
.L\name\()_store_4:
    store_all 4, \pixels
    j .L\name\()_stored
.L\name\()_store_2:
    store_all 2, \pixels
    .if \pixels == 1
    j .L\name\()_stored
.L\name\()_store_32:
    sw s0, 0(ra)
    sw s1, 4(ra)
    sw s2, 8(ra)
    sw s3, 12(ra)
    addi ra, ra, 16
    .endif
.L\name\()_stored:
    lw t4, CONV_TABLE_END(a0)
    bne a1, t4, .L\name\()_channels
    /* next pixels: back to the group's first channel, on by the block */
    lw t0, LEFT_X(sp)
    lw t1, CONV_TABLE(a0)
    lw t2, PIXELS(sp)
    lw t3, CONV_INPUT_PIXEL(a0)
    lw t4, CONV_OUTPUT_PIXEL(a0)
    lw t5, CONV_STORE(a0)
    addi t0, t0, -\pixels
    beqz t0, .L\name\()_next_row
    /* bytes written per pixel: channels x bits / 8, with 12 bytes of table per channel */
    sub t1, a1, t1
    mul t1, t1, t5
    li t6, 96
    divu t1, t1, t6
    sub ra, ra, t1
    li t6, \pixels
    .if \pixels == 4
    bge t0, t6, .L\name\()_whole
    /* fewer than four left: step back so that the last block ends with the row */
    mv t6, t0
    li t0, 4
.L\name\()_whole:
    .endif
    sw t0, LEFT_X(sp)
    mul t3, t3, t6
    mul t4, t4, t6
    add t2, t2, t3
    add ra, ra, t4
    sw t2, PIXELS(sp)
    j .L\name\()_pixels
.L\name\()_next_row:
    lw t0, LEFT_Y(sp)
    lw t1, CONV_INPUT_ROW(a0)
    lw t2, IN_ROW(sp)
    lw t3, CONV_OUTPUT_ROW(a0)
    lw t4, OUT_ROW(sp)
    addi t0, t0, -1
    add t2, t2, t1
    add t4, t4, t3
    sw t0, LEFT_Y(sp)
    sw t2, IN_ROW(sp)
    sw t4, OUT_ROW(sp)
    bnez t0, .L\name\()_row
    csrwi CSR_SIMD_SKIP, 0
    lw ra, 0(sp)
    lw gp, 4(sp)
    lw tp, 8(sp)
    .irp r, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
    lw s\r, 12 + 4 * \r(sp)
    .endr
    addi sp, sp, FRAME
    ret
.endm

    kernel conv_u_4, 0, 1, 4, 4
    kernel conv_m2_4, 0, 2, 4, 8
    kernel conv_m4_4, 0, 4, 4, 16
    kernel conv_s2_4, 1, 2, 4, 8
    kernel conv_s4_4, 1, 4, 4, 16
    kernel conv_u_1, 0, 1, 1, 1
    kernel conv_m2_1, 0, 2, 1, 2
    kernel conv_m4_1, 0, 4, 1, 4
    kernel conv_s2_1, 1, 2, 1, 8
    kernel conv_s4_1, 1, 4, 1, 16
