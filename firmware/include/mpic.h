/* What C and assembly for MPIC need: the SIMD CSRs, hardware loops, and (in xpulp.h) an assembler macro and a C function for every
   Xpulp and SIMD instruction, since stock compilers know none of them. */
#ifndef MPIC_H
#define MPIC_H

#include "xpulp.h"

#define CSR_SIMD_FORMAT 0x00D
#define CSR_SIMD_GROUP 0x00E
#define CSR_SIMD_SKIP 0x00F

#ifdef __ASSEMBLER__
/* A hardware loop:
       lp_begin 0, t2
       ... at least two instructions, the last of them neither branch, jump, fence, ecall nor lp ...
       lp_end 0
   runs what is between t2 times (once for 0). Loop 0 is the inner one of two nested loops. Instructions in between are not compressed
   and not relaxed, because the hardware wants the address of the last one, four bytes before lp_end. The first lies at a multiple of
   4, or every pass would cost a cycle more. The loop ends at most 8 KiB on. */
.macro lp_begin l, count
    .balign 4
    .option push
    .option norvc
    .option norelax
    lp_setup \l, \count, 9890\l\()f
.endm
.macro lp_end l
9890\l\():
    .option pop
.endm

/* The same by hand, in code without compressed instructions (.option norvc): \end labels what follows the body.
   Loop \l is [\start, \end - 4]; both lie ahead. */
.macro lp_bounds l, start, end
    .word 0x0000007b | (\l << 7) | (((\start - .) / 2) << 20)
    .word 0x0000107b | (\l << 7) | (((\end - 4 - .) / 2) << 20)
.endm
/* Count of loop \l from register \count, by name or number. */
.macro lp_count l, count
    .word 0x0000207b | (\l << 7) | (.Lmpic_\count << 15)
.endm
/* Count of loop \l, a constant below 4096. */
.macro lp_counti l, count
    .word 0x0000307b | (\l << 7) | ((\count) << 20)
.endm
/* Loop \l over [next instruction, \end - 4], count in register \count, by name or number. */
.macro lp_setup l, count, end
    .word 0x0000407b | (\l << 7) | (.Lmpic_\count << 15) | (((\end - 4 - .) / 2) << 20)
.endm
/* The same with a constant count below 4096; \end lies at most 64 bytes ahead. */
.macro lp_setupi l, count, end
    .word 0x0000507b | (\l << 7) | ((\count) << 20) | (((\end - 4 - .) / 2) << 15)
.endm
#else

/* SIMD format of all pv instructions from here on: one of MPIC_FMT_... */
#define mpic_format(format) __asm__ volatile("csrw 0x00D, %0" ::"rK"(format) : "memory")
/* The sub-group of rs2 that the next mixed dot product uses. */
#define mpic_group(group) __asm__ volatile("csrw 0x00E, %0" ::"rK"(group))
/* How many mixed dot products share a sub-group before it moves on; 0 and 1 both mean one. */
#define mpic_skip(products) __asm__ volatile("csrw 0x00F, %0" ::"rK"(products))

/* Numbers of registers by name, for MPIC_LOOP. */
__asm__(".set .Lmpic_zero,0;.set .Lmpic_ra,1;.set .Lmpic_sp,2;.set .Lmpic_gp,3;.set .Lmpic_tp,4;.set .Lmpic_t0,5;.set .Lmpic_t1,6;"
        ".set .Lmpic_t2,7;.set .Lmpic_s0,8;.set .Lmpic_s1,9;.set .Lmpic_a0,10;.set .Lmpic_a1,11;.set .Lmpic_a2,12;.set .Lmpic_a3,13;"
        ".set .Lmpic_a4,14;.set .Lmpic_a5,15;.set .Lmpic_a6,16;.set .Lmpic_a7,17;.set .Lmpic_s2,18;.set .Lmpic_s3,19;"
        ".set .Lmpic_s4,20;.set .Lmpic_s5,21;.set .Lmpic_s6,22;.set .Lmpic_s7,23;.set .Lmpic_s8,24;.set .Lmpic_s9,25;"
        ".set .Lmpic_s10,26;.set .Lmpic_s11,27;.set .Lmpic_t3,28;.set .Lmpic_t4,29;.set .Lmpic_t5,30;.set .Lmpic_t6,31");

/* Text for one __asm__ statement: `body`, instructions each ended by \n, `count` times in hardware loop `loop` (0 or 1). The count is
   a register, by name or as an operand: MPIC_LOOP("0", "%[n]", "..."). What lp_begin says of the body holds here too. The statement
   must contain the whole loop: a compiler knows nothing of hardware loops. */
#define MPIC_LOOP(loop, count, body)                                                                                       \
    ".balign 4\n.option push\n.option norvc\n.option norelax\n"                                                            \
    ".word 0x407b | (" loop " << 7) | (.Lmpic_" count " << 15) | (((9890" loop "f - 4 - .) / 2) << 20)\n" body             \
    "9890" loop ":\n.option pop\n"
#endif

#endif
