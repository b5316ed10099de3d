/* Registers a kernel saves on entry and restores at its end. For assembly. */
#ifndef FRAME_H
#define FRAME_H

#define SAVED 60 /* bytes below a kernel's own words */

.macro enter bytes
    addi sp, sp, -(\bytes)
    sw ra, 0(sp)
    sw gp, 4(sp)
    sw tp, 8(sp)
    .irp r, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
    sw s\r, 12 + 4 * \r(sp)
    .endr
.endm
.macro leave bytes
    lw ra, 0(sp)
    lw gp, 4(sp)
    lw tp, 8(sp)
    .irp r, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
    lw s\r, 12 + 4 * \r(sp)
    .endr
    addi sp, sp, \bytes
    ret
.endm

/* sets an accumulator or adds to it */
.macro dot first, acc, wide, narrow
    .if \first
    pv_dotsp \acc, \wide, \narrow
    .else
    pv_sdotsp \acc, \wide, \narrow
    .endif
.endm

/* (acc * kappa + lambda) >> shift with these in t0, t1, t2 */
.macro requant_one acc
    mul \acc, \acc, t0
    p_addNr \acc, t1, t2
.endm
#endif
