# Interrupt while the stale division of a taken branch is running: the vector instruction waits for it (RTL).
# Run with an interrupt raised between the branch and the end of the division (see corners.json).
    .include "find.inc"
    csrwi mstatus, 8
    li a2, 7
    nop
    nop
    beq x0, x0, 1f
    div a3, a1, a2
1:  nop
    nop
    nop
    FINISH
