/* The layer table and the functions that execute it. */
#ifndef LAYERS_H
#define LAYERS_H
#include "records.h"

#ifndef __ASSEMBLER__
/* Runs the layers; `mark`, if not null, is told 2 r + 1 before and 2 r + 2 after region r. */
void network_run(const struct network *, void (*mark)(uint32_t));

/* Calls `emit` with each output code: rows, columns, channels in natural order. */
void network_output(const struct network *, void (*emit)(int32_t));

extern void add_row(const struct add_row *);

extern void average_row(const struct pool_row *), maximum_row(const struct pool_row *);

extern void fill(const struct fill *);

typedef void conv_kernel(const struct conv *);
extern conv_kernel conv_u, conv_m2, conv_m4, conv_s2, conv_s4;
extern conv_kernel window_u, window_m2, window_m4, window_s2, window_s4;
typedef void depthwise_kernel(const struct depthwise *);
extern depthwise_kernel depthwise_two, depthwise_down, depthwise_any;
#endif
#endif
