/* Dot products of signed bytes in three ways, compared with each other. The exit code is the number of wrong ones. */
#include "dot.h"
#include "host.h"
#include "mpic.h"

#define N 256

static int8_t a[N] __attribute__((aligned(4)));
static int8_t b[N] __attribute__((aligned(4)));

/* Plain C: what is right. */
__attribute__((noinline)) static int32_t dot_c(const int8_t *x, const int8_t *y, int32_t n) {
    int32_t sum = 0;
    for (int32_t i = 0; i < n; i++)
        sum += x[i] * y[i];
    return sum;
}

/* Four products at a time, with the instructions of mpic.h. */
__attribute__((noinline)) static int32_t dot_simd(const int8_t *x, const int8_t *y, int32_t n) {
    mpic_format(MPIC_FMT_8);
    int32_t sum = 0;
    for (int32_t i = 0; i < n; i += 4) {
        uint32_t xs = p_lw_post(x, 4);
        uint32_t ys = p_lw_post(y, 4);
        sum = pv_sdotsp(sum, xs, ys);
    }
    return sum;
}

static int wrong(const char *name, int32_t got, int32_t want) {
    host_puts(name);
    host_print(got);
    host_puts(got == want ? " right\n" : " WRONG\n");
    return got != want;
}

int main(void) {
    for (int i = 0; i < N; i++) {
        a[i] = (int8_t)(7 * i + 3);
        b[i] = (int8_t)(5 * i - 100);
    }
    region_begin(1, "dot_c");
    int32_t plain = dot_c(a, b, N);
    region_end(1);
    region_begin(3, "dot_simd");
    int32_t simd = dot_simd(a, b, N);
    region_end(3);
    region_begin(5, "dot_asm");
    int32_t assembly = dot_asm(a, b, N);
    region_end(5);
    return wrong("dot_simd ", simd, plain) + wrong("dot_asm  ", assembly, plain);
}
