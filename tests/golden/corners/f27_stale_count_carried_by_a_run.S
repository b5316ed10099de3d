# SKIP > 1: the stale value behind a write of 0x00E (or 0x00D) is carried by an unbroken run of dot products up to the step of the
# sub-group. Here SKIP 2, CNT 0 -> 2, then three dot products: the third uses group 1 (0 + 1), not group 3 (2 + 1).
    .include "find.inc"
    li a1, 0x01010101
    lw a2, 0(s0)
    csrwi 0x00E, 0
    csrwi 0x00D, 6
    csrwi 0x00F, 2
    nop
    nop
    csrwi 0x00E, 2
    pv_dotup 1, a3, a1, a2
    pv_dotup 1, a4, a1, a2
    pv_dotup 1, a5, a1, a2
    nop
    csrr a0, 0x00E
    RES a3
    RES a4
    RES a5
    RES a0
    FINISH
