# A mixed dot product behind a store or load whose answer comes late (data answers one cycle late) multiplies with the
# sub-group of the next one.
    .include "find.inc"
    li a1, 0x01010101
    li a2, 0x04030201
    csrwi 0x00E, 0
    csrwi 0x00D, 6
    nop
    nop
    sw a2, 16(s0)
    pv_dotup 1, a3, a1, a2
    nop
    csrr a5, 0x00E
    RES a3
    RES a5
    FINISH
