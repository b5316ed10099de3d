#ifndef DOT_H
#define DOT_H

#include <stdint.h>

/* Sum of a[i] * b[i] over n signed bytes; n is a multiple of 8 and at least 8, both arrays lie at multiples of 4. */
int32_t dot_asm(const int8_t *a, const int8_t *b, int32_t n);

#endif
