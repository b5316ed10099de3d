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

/* offsets into struct add_row */
#define ADD_A 0
#define ADD_B 4
#define ADD_OUT 8
#define ADD_WIDTH 12
#define ADD_BLOCKS 16
#define ADD_SKIP_A 20
#define ADD_SKIP_B 24
#define ADD_SKIP_OUT 28
#define ADD_BITS_A 32
#define ADD_BITS_B 36
#define ADD_STORE 40
#define ADD_BOUND 44
#define ADD_KAPPA_A 48
#define ADD_KAPPA_B 52
#define ADD_LAMBDA 56
#define ADD_SHIFT 60

/* offsets into struct pool_row */
#define POOL_IN 0
#define POOL_OUT 4
#define POOL_WIDTH 8
#define POOL_BLOCKS 12
#define POOL_STRIDE 16
#define POOL_PIXEL 20
#define POOL_ROWS 24
#define POOL_COLUMNS 28
#define POOL_ROW_SKIP 32
#define POOL_SKIP_OUT 36
#define POOL_BITS 40
#define POOL_FORMAT 44
#define POOL_STORE 48
#define POOL_BOUND 52
#define POOL_KAPPA 56
#define POOL_LAMBDA 60
#define POOL_SHIFT 64

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

/* One row of an addition. */
struct add_row {
    const int8_t *a, *b;
    int8_t *out;
    uint32_t width, blocks;           /* pixels; blocks of four channels */
    uint32_t skip_a, skip_b, skip_out; /* from the last block of a pixel to the next pixel */
    uint32_t bits_a, bits_b, store;   /* store: output bits */
    int32_t bound;                    /* largest output code */
    int32_t kappa_a, kappa_b, lambda, shift;
};
extern void add_row(const struct add_row *);

/* One row of an average pooling. */
struct pool_row {
    const int8_t *in;
    int8_t *out;
    uint32_t width, blocks;
    uint32_t stride;        /* from one output pixel's window to the next */
    uint32_t pixel;         /* bytes of an input pixel */
    uint32_t rows, columns; /* of the window */
    int32_t row_skip;       /* from the end of a window row to the next */
    uint32_t skip_out;
    uint32_t bits, format, store;
    int32_t bound, kappa, lambda, shift;
};
extern void pool_row(const struct pool_row *);

/* Writes `word` to 2 x `pairs` words. */
extern void fill_pairs(int8_t *from, uint32_t pairs, uint32_t word);

typedef void conv_kernel(const struct conv *);
extern conv_kernel conv_u_4, conv_m2_4, conv_m4_4, conv_s2_4, conv_s4_4;
extern conv_kernel conv_u_1, conv_m2_1, conv_m4_1, conv_s2_1, conv_s4_1;
#endif
#endif
