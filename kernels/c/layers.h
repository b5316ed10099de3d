/* The layer table: what deployment writes and the runtime executes. Mirrored by kernels/src/deploy.rs.
   Addresses are absolute; strides in bytes. */
#ifndef LAYERS_H
#define LAYERS_H

/* offsets into struct conv, for assembly */
#define CONV_INPUT 0
#define CONV_INPUT_PIXEL 4
#define CONV_INPUT_ROW 8
#define CONV_KERNEL_ROWS 12
#define CONV_WORDS 16
#define CONV_ROW_SKIP 20
#define CONV_WEIGHTS 24
#define CONV_TABLE 28
#define CONV_TABLE_END 32
#define CONV_OUTPUT 36
#define CONV_OUTPUT_PIXEL 40
#define CONV_OUTPUT_ROW 44
#define CONV_OUT_HEIGHT 48
#define CONV_OUT_WIDTH 52
#define CONV_BOUND 56
#define CONV_STORE 60
#define CONV_KERNEL 64
#define CONV_FORMAT 68
#define CONV_SKIP 72
#define CONV_BYTES 76

#ifndef __ASSEMBLER__
#include <stdint.h>

/* One group of output channels of one weight width. Also a linear layer: one pixel, one kernel row. */
struct conv {
    const int8_t *input;    /* window of the first output pixel */
    uint32_t input_pixel;   /* from one output pixel's window to the next: stride x bytes per pixel */
    uint32_t input_row;     /* from one output row's window to the next */
    uint32_t kernel_rows;
    uint32_t words;         /* passes of the inner loop per kernel row */
    int32_t row_skip;       /* from the end of a kernel row to the start of the next */
    const uint32_t *weights;
    const int32_t *table;   /* kappa, lambda, shift of each channel */
    const int32_t *table_end;
    int8_t *output;         /* this group's first channel in the first output pixel */
    uint32_t output_pixel;
    uint32_t output_row;
    uint32_t out_height;
    uint32_t out_width;
    int32_t bound;          /* largest output code */
    uint32_t store;         /* output bits: 2, 4, 8 or 32 */
    uint32_t kernel;        /* 0 uniform, 1 and 2 a > w by 2 and 4, 3 and 4 a < w by 2 and 4 */
    uint32_t format;        /* CSR 0x00D */
    uint32_t skip;          /* CSR 0x00F in the four-pixel kernels */
};

struct tensor {
    int8_t *base;           /* first byte, border included */
    uint32_t bytes;
    int8_t *first;          /* pixel (0, 0) */
    uint32_t pixel;         /* bytes per pixel */
    uint32_t row;           /* bytes per row, border included */
    uint32_t height, width, channels, bits;
    uint32_t border;        /* border and dead channels: the zero point in every lane */
};

struct pool {
    const struct tensor *in, *out;
    uint32_t kernel_height, kernel_width, stride_height, stride_width;
    int32_t zero_point, kappa, lambda, shift;
};

struct add {
    const struct tensor *a, *b, *out;
    int32_t zero_a, zero_b, kappa_a, kappa_b, lambda, shift;
};

enum kind { LAYER_CONV, LAYER_POOL, LAYER_ADD };

struct layer {
    uint32_t kind;
    const struct tensor *out; /* its border is filled before the layer runs */
    const void *body;         /* struct conv[groups], struct pool or struct add */
    uint32_t groups;
};

struct network {
    uint32_t layers;
    const struct layer *layer;
    const struct tensor *output;
    const uint32_t *order;    /* slot of each output channel in natural order */
};

typedef void conv_kernel(const struct conv *);
extern conv_kernel conv_u_4, conv_m2_4, conv_m4_4, conv_s2_4, conv_s4_4;
extern conv_kernel conv_u_1, conv_m2_1, conv_m4_1, conv_s2_1, conv_s4_1;
#endif
#endif
