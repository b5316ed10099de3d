/* int32_t dot_asm(const int8_t *a, const int8_t *b, int32_t n): a0 = a, a1 = b, a2 = n.
   Eight products a pass. No load stands right before its use, which would cost a cycle. */
#include "mpic.h"

    .text
    .globl dot_asm
    .type dot_asm, @function
dot_asm:
    csrwi CSR_SIMD_FORMAT, MPIC_FMT_8
    srli t0, a2, 3
    li a3, 0
    lp_begin 0, t0
    p_lw_post t1, 4, a0
    p_lw_post t2, 4, a1
    p_lw_post t3, 4, a0
    p_lw_post t4, 4, a1
    pv_sdotsp a3, t1, t2
    pv_sdotsp a3, t3, t4
    lp_end 0
    mv a0, a3
    ret
    .size dot_asm, . - dot_asm
