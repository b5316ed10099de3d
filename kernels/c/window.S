/* Convolution of one pixel at a time, 8 or 4 output channels: linear layers, maps narrower than four pixels, and
 * one or two pixels that are left of a row.
 *
 * Bodies, formats and the order of weights are those of conv.S; eight channels are two of its blocks, each behind a weight
 * pointer of its own. One load per dot product would be the limit with a single block; two share the pixel's words.
 * Mixed: SKIP = number of channels. Swapped: SKIP 0, every dot product moves on to the next part of the pixel's word.
 *
 * With LATE_DATA (guard.h) loads come together, then a nop, then the dot products; SKIP is 0 for the mixed bodies too.
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

/* s0-s7 sums  t0-t3 a2-a5 resident weights  t4 t5 streamed  a6 pixel  gp tp weights  a1 table  ra output
 * a7 window of the pixel  s8 bytes of weights of a block  s9 row skip, then whether four more sums follow  s10 t6 s11 code of eight and
 * of four channels, of the store */

#define OUT_ROW (SAVED + 0)
#define IN_ROW (SAVED + 4)
#define LEFT_Y (SAVED + 8)
#define LEFT_X (SAVED + 12)
#define OUT (SAVED + 16)
#define FRAME (SAVED + 20)

.macro load_weights to, channel
    .if \channel < 4
    p_lw_post \to, 4, gp
    .else
    p_lw_post \to, 4, tp
    .endif
.endm

/* uniform: weights stream through t0 and t1, the pixel's word is t4 */
.macro pass_uniform channels
    p_lw_post t4, 4, a6
    p_lw_post t0, 4, gp
    p_lw_post t1, 4, gp
    pv_sdotsp s0, t4, t0
    p_lw_post t0, 4, gp
    pv_sdotsp s1, t4, t1
    p_lw_post t1, 4, gp
    .if \channels == 8
    pv_sdotsp s2, t4, t0
    p_lw_post t0, 4, tp
    pv_sdotsp s3, t4, t1
    p_lw_post t1, 4, tp
    pv_sdotsp s4, t4, t0
    p_lw_post t0, 4, tp
    pv_sdotsp s5, t4, t1
    p_lw_post t1, 4, tp
    pv_sdotsp s6, t4, t0
    pv_sdotsp s7, t4, t1
    .else
    pv_sdotsp s2, t4, t0
    pv_sdotsp s3, t4, t1
    .endif
.endm

.macro load_resident channels
    .irp r, t0, t1, t2, t3
    p_lw_post \r, 4, gp
    .endr
    .if \channels == 8
    .irp r, a2, a3, a4, a5
    p_lw_post \r, 4, tp
    .endr
    .endif
.endm
.macro dot_all channels, word
    pv_sdotsp s0, \word, t0
    pv_sdotsp s1, \word, t1
    pv_sdotsp s2, \word, t2
    pv_sdotsp s3, \word, t3
    .if \channels == 8
    pv_sdotsp s4, \word, a2
    pv_sdotsp s5, \word, a3
    pv_sdotsp s6, \word, a4
    pv_sdotsp s7, \word, a5
    .endif
.endm

/* activations wider: weights are resident, the pixel's words stream through t4 and t5 */
.macro pass_mixed ratio, channels
    p_lw_post t4, 4, a6
    load_resident \channels
    p_lw_post t5, 4, a6
    dot_all \channels, t4
    .if \ratio == 4
    p_lw_post t4, 4, a6
    dot_all \channels, t5
    p_lw_post t5, 4, a6
    dot_all \channels, t4
    .endif
    dot_all \channels, t5
.endm

/* all words of one channel against the pixel's word t4; loads run one ahead through t0 and t1 */
.macro dot_swapped ratio, acc, from, next, last
    pv_sdotsp \acc, t0, t4
    .if \ratio == 2
    .if \last == 0
    p_lw_post t0, 4, \next
    .endif
    pv_sdotsp \acc, t1, t4
    .if \last == 0
    p_lw_post t1, 4, \next
    .endif
    .else
    p_lw_post t0, 4, \from
    pv_sdotsp \acc, t1, t4
    p_lw_post t1, 4, \from
    pv_sdotsp \acc, t0, t4
    .if \last == 0
    p_lw_post t0, 4, \next
    .endif
    pv_sdotsp \acc, t1, t4
    .if \last == 0
    p_lw_post t1, 4, \next
    .endif
    .endif
.endm
.macro pass_swapped ratio, channels
    p_lw_post t4, 4, a6
    p_lw_post t0, 4, gp
    p_lw_post t1, 4, gp
    dot_swapped \ratio, s0, gp, gp, 0
    dot_swapped \ratio, s1, gp, gp, 0
    dot_swapped \ratio, s2, gp, gp, 0
    .if \channels == 8
    dot_swapped \ratio, s3, gp, tp, 0
    dot_swapped \ratio, s4, tp, tp, 0
    dot_swapped \ratio, s5, tp, tp, 0
    dot_swapped \ratio, s6, tp, tp, 0
    dot_swapped \ratio, s7, tp, tp, 1
    .else
    dot_swapped \ratio, s3, gp, gp, 1
    .endif
.endm

/* the words of the pixel against a channel's word, part by part */
.macro dot_parts sum, weights, words:vararg
    .irp word, \words
    pv_sdotsp \sum, \word, \weights
    .endr
.endm
/* activations wider, for memory that answers late: s8 and s9 hold the third and fourth word */
.macro dot_mixed_late channels, words:vararg
    .irp word, \words
    p_lw_post \word, 4, a6
    .endr
    load_resident \channels
    nop
    dot_parts s0, t0, \words
    dot_parts s1, t1, \words
    dot_parts s2, t2, \words
    dot_parts s3, t3, \words
    .if \channels == 8
    dot_parts s4, a2, \words
    dot_parts s5, a3, \words
    dot_parts s6, a4, \words
    dot_parts s7, a5, \words
    .endif
.endm
.macro pass_mixed_late ratio, channels
    .if \ratio == 2
    dot_mixed_late \channels, t4, t5
    .else
    dot_mixed_late \channels, t4, t5, s8, s9
    .endif
.endm

/* weights wider, for memory that answers late: eight words of weights at a time, of channels that lie together */
.macro dot_swapped_late ratio, from, a, b, c, d
    .irp r, t0, t1, t2, t3, a2, a3, a4, a5
    p_lw_post \r, 4, \from
    .endr
    nop
    .if \ratio == 2
    .irp r, t0, t1
    pv_sdotsp \a, \r, t4
    .endr
    .irp r, t2, t3
    pv_sdotsp \b, \r, t4
    .endr
    .irp r, a2, a3
    pv_sdotsp \c, \r, t4
    .endr
    .irp r, a4, a5
    pv_sdotsp \d, \r, t4
    .endr
    .else
    .irp r, t0, t1, t2, t3
    pv_sdotsp \a, \r, t4
    .endr
    .irp r, a2, a3, a4, a5
    pv_sdotsp \b, \r, t4
    .endr
    .endif
.endm
.macro pass_swapped_late ratio, channels
    p_lw_post t4, 4, a6
    .if \ratio == 2
    dot_swapped_late 2, gp, s0, s1, s2, s3
    .if \channels == 8
    dot_swapped_late 2, tp, s4, s5, s6, s7
    .endif
    .else
    dot_swapped_late 4, gp, s0, s1
    dot_swapped_late 4, gp, s2, s3
    .if \channels == 8
    dot_swapped_late 4, tp, s4, s5
    dot_swapped_late 4, tp, s6, s7
    .endif
    .endif
.endm

/* the next channel of the table */
.macro requant acc
    p_lw_post t0, 4, a1
    p_lw_post t1, 4, a1
    p_lw_post t2, 4, a1
    requant_one \acc
.endm

.macro channels name, body, ratio, n
    .balign 16
.L\name\()_block_\n:
    .if \body == 1 && LATE_DATA == 0
    csrwi CSR_SIMD_SKIP, \n
    .endif
    lw t5, CONV_KERNEL_ROWS(a0)
    lw t4, CONV_PASSES(a0)
    lw s8, CONV_BLOCK_BYTES(a0)
    lw s9, CONV_ROW_SKIP(a0)
    mv a6, a7
    add tp, gp, s8
    .irp r, 0, 1, 2, 3
    li s\r, 0
    .endr
    .if \n == 8
    .irp r, 4, 5, 6, 7
    li s\r, 0
    .endr
    .endif
    lp_setup 1, 30, .L\name\()_rows_end_\n
    lp_setup 0, 29, .L\name\()_passes_end_\n
    .if \body == 0
    pass_uniform \n
    .elseif LATE_DATA && \body == 1
    pass_mixed_late \ratio, \n
    .elseif LATE_DATA
    pass_swapped_late \ratio, \n
    .elseif \body == 1
    pass_mixed \ratio, \n
    .else
    pass_swapped \ratio, \n
    .endif
.L\name\()_passes_end_\n:
    .if LATE_DATA && \body == 1 && \ratio == 4
    lw s9, CONV_ROW_SKIP(a0)
    .endif
    lw t4, CONV_PASSES(a0)
    add a6, a6, s9
.L\name\()_rows_end_\n:
    requant s0
    requant s1
    requant s2
    requant s3
    .if \n == 8
    .if LATE_DATA && \body == 1 && \ratio == 4
    lw s8, CONV_BLOCK_BYTES(a0)
    .endif
    requant s4
    requant s5
    requant s6
    requant s7
    add gp, gp, s8
    li s9, 1
    .else
    li s9, 0
    .endif
    lw t3, CONV_BOUND(a0)
    lw t4, CONV_STEP(a0)
    jr s11
.endm

/* body: 0 uniform, 1 mixed, 2 swapped */
.macro window name, body, ratio
    .globl \name
\name:
    la t0, .L\name\()_block_8
    la t1, .L\name\()_block_4
    j start
    channels \name, \body, \ratio, 8
    channels \name, \body, \ratio, 4
.endm

    window window_u, 0, 1
    window window_m2, 1, 2
    window window_m4, 1, 4
    window window_s2, 2, 2
    window window_s4, 2, 4

/* ---- stores of s0-s3, and of s4-s7 if s9 is 1 ---- */
.macro clip4 a, b, c, d
    .irp r, \a, \b, \c, \d
    p_clipr \r, \r, t3
    .endr
.endm
.macro store_packed bits
    clip4 s0, s1, s2, s3
    emit \bits, s0, s1, s2, s3, ra
    beqz s9, next_channels
    clip4 s4, s5, s6, s7
    emit \bits, s4, s5, s6, s7, ra
    j next_channels
.endm
store_8:
    store_packed 8
store_4:
    store_packed 4
store_2:
    store_packed 2
store_planes:
    .irp r, s0, s1, s2, s3
    p_clipr \r, \r, t3
    p_sb_rpost \r, t4, ra
    .endr
    beqz s9, next_channels
    .irp r, s4, s5, s6, s7
    p_clipr \r, \r, t3
    p_sb_rpost \r, t4, ra
    .endr
    j next_channels
store_32:
    emit 32, s0, s1, s2, s3, ra
    beqz s9, next_channels
    emit 32, s4, s5, s6, s7, ra
    j next_channels
stores:
    .word store_8, store_4, store_2, store_planes, store_32

/* a7 window of the pixel, s10 and t6 code of eight and of four channels */
next_channels:
    lw t1, CONV_TABLE_END(a0)
    li t2, 96 /* bytes of table of eight channels */
    sub t0, t1, a1
    beqz t0, next_pixel
    blt t0, t2, .Lfour
    jr s10
.Lfour:
    jr t6
next_pixel:
    lw t0, LEFT_X(sp)
    lw t1, CONV_INPUT_PIXEL(a0)
    lw t2, CONV_OUTPUT_PIXEL(a0)
    lw t3, OUT(sp)
    addi t0, t0, -1
    add a7, a7, t1
    add ra, t3, t2
    bnez t0, next_window
    lw t0, LEFT_Y(sp)
    lw t1, CONV_INPUT_ROW(a0)
    lw t2, CONV_OUTPUT_ROW(a0)
    lw t3, IN_ROW(sp)
    lw t4, OUT_ROW(sp)
    addi t0, t0, -1
    beqz t0, .Ldone
    add a7, t3, t1
    add ra, t4, t2
next_row:
    sw t0, LEFT_Y(sp)
    sw a7, IN_ROW(sp)
    sw ra, OUT_ROW(sp)
    lw t0, CONV_OUT_WIDTH(a0)
next_window:
    sw t0, LEFT_X(sp)
    sw ra, OUT(sp)
    lw a1, CONV_TABLE(a0)
    lw gp, CONV_WEIGHTS(a0)
    j next_channels
.Ldone:
    csrwi CSR_SIMD_SKIP, 0
    leave FRAME

/* a0 arguments; t0, t1 code of eight and of four channels */
start:
    enter FRAME
    mv s10, t0
    mv t6, t1
    lw t0, CONV_FORMAT(a0)
    csrw CSR_SIMD_FORMAT, t0
    csrwi CSR_SIMD_GROUP, 0
    csrwi CSR_SIMD_SKIP, 0
    la s11, stores
    lw t0, CONV_STORE(a0)
    slli t0, t0, 2
    add s11, s11, t0
    lw s11, 0(s11)
    lw a7, CONV_INPUT(a0)
    lw ra, CONV_OUTPUT(a0)
    lw t0, CONV_OUT_HEIGHT(a0)
    j next_row
