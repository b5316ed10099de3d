/* Start-up: 32 trap vectors, then stack, bss and main. main's result is the exit code. */
#include "host.h"
    .option norelax
    .section .vectors,"ax"
    .option norvc
    .rept 32
    j unexpected_trap
    .endr

    .section .text.start,"ax"
    .globl _start
_start:
    la gp, __global_pointer$
    la sp, __stack_top
    la t0, __bss_start
    la t1, __bss_end
1:  bgeu t0, t1, 2f
    sw zero, 0(t0)
    addi t0, t0, 4
    j 1b
2:  call main
    li t0, HOST_EXIT
    sw a0, 0(t0)
3:  j 3b

/* Nothing here handles traps: end with 0xBAD, so that it cannot pass for a result. */
unexpected_trap:
    li t0, HOST_EXIT
    li t1, 0xBAD
    sw t1, 0(t0)
4:  j 4b
