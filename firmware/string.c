/* The functions that compilers call by themselves, and strlen. Weak, so that a program can have better ones. */
#include "string.h"

#define WEAK __attribute__((weak))
/* Or the loops below would be made into calls of the functions they are in. */
#pragma GCC optimize("no-tree-loop-distribute-patterns")

typedef __UINT32_TYPE__ __attribute__((may_alias)) word;

/* Whether both addresses are multiples of 4. */
static int aligned(const void *a, const void *b) { return (((size_t)a | (size_t)b) & 3) == 0; }

WEAK void *memcpy(void *restrict to, const void *restrict from, size_t bytes) {
    unsigned char *t = to;
    const unsigned char *f = from;
    if (aligned(t, f))
        for (; bytes >= 4; bytes -= 4, t += 4, f += 4)
            *(word *)t = *(const word *)f;
    while (bytes--)
        *t++ = *f++;
    return to;
}

WEAK void *memmove(void *to, const void *from, size_t bytes) {
    unsigned char *t = to;
    const unsigned char *f = from;
    if (t < f)
        for (size_t i = 0; i < bytes; i++)
            t[i] = f[i];
    else
        while (bytes--)
            t[bytes] = f[bytes];
    return to;
}

WEAK void *memset(void *to, int byte, size_t bytes) {
    unsigned char *t = to;
    word all = (unsigned char)byte * 0x01010101u;
    if (aligned(t, t))
        for (; bytes >= 4; bytes -= 4, t += 4)
            *(word *)t = all;
    while (bytes--)
        *t++ = (unsigned char)byte;
    return to;
}

WEAK int memcmp(const void *a, const void *b, size_t bytes) {
    const unsigned char *x = a, *y = b;
    for (size_t i = 0; i < bytes; i++)
        if (x[i] != y[i])
            return x[i] < y[i] ? -1 : 1;
    return 0;
}

WEAK size_t strlen(const char *text) {
    size_t n = 0;
    while (text[n])
        n++;
    return n;
}
