/* Starts a program under qemu-riscv32, or mpic-sim --semihosting: main, then exit by ecall. */
.globl _start
_start:
    la sp, stack_top
    call main
    li a7, 93
    ecall
.bss
.balign 16
.space 65536
stack_top:
