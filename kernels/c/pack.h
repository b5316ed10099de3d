/* Four codes of neighbouring channels into the bytes they are stored in. For assembly. */
#ifndef PACK_H
#define PACK_H

/* a = codes a, b, c, d from the low bits up */
.macro pack bits, a, b, c, d
    .if \bits == 8
    p_insert \a, \b, 8, 8
    p_insert \a, \c, 8, 16
    p_insert \a, \d, 8, 24
    .elseif \bits == 4
    p_insert \a, \b, 4, 4
    p_insert \a, \c, 4, 8
    p_insert \a, \d, 4, 12
    .else
    p_insert \a, \b, 2, 2
    p_insert \a, \c, 2, 4
    p_insert \a, \d, 2, 6
    .endif
.endm

/* the bytes of four packed codes */
.macro store bits, reg, at
    .if \bits == 8
    sw \reg, 0(\at)
    .elseif \bits == 4
    sh \reg, 0(\at)
    .else
    sb \reg, 0(\at)
    .endif
.endm

/* the same, and on by a register */
.macro store_step bits, reg, step, at
    .if \bits == 8
    p_sw_rpost \reg, \step, \at
    .elseif \bits == 4
    p_sh_rpost \reg, \step, \at
    .else
    p_sb_rpost \reg, \step, \at
    .endif
.endm

/* packs and stores four codes, whole words of 32 bits unpacked, and goes on to the next four */
.macro emit bits, a, b, c, d, at
    .if \bits == 32
    p_sw_post \a, 4, \at
    p_sw_post \b, 4, \at
    p_sw_post \c, 4, \at
    p_sw_post \d, 4, \at
    .else
    pack \bits, \a, \b, \c, \d
    store \bits, \a, \at
    addi \at, \at, \bits / 2
    .endif
.endm
#endif
