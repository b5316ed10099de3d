/* The records of the layer table, written from kernels/src/deploy/records.rs; do not edit. Addresses are absolute, and
   strides are in bytes. */
#ifndef RECORDS_H
#define RECORDS_H

/* offsets into struct conv */
#define CONV_INPUT 0
#define CONV_INPUT_PIXEL 4
#define CONV_INPUT_ROW 8
#define CONV_INPUT_STEP 12
#define CONV_INPUT_BACK 16
#define CONV_KERNEL_ROWS 20
#define CONV_PASSES 24
#define CONV_ROW_SKIP 28
#define CONV_WEIGHTS 32
#define CONV_BLOCK_BYTES 36
#define CONV_TABLE 40
#define CONV_TABLE_END 44
#define CONV_OUTPUT 48
#define CONV_OUTPUT_PIXEL 52
#define CONV_OUTPUT_ROW 56
#define CONV_OUT_HEIGHT 60
#define CONV_OUT_WIDTH 64
#define CONV_STEP 68
#define CONV_BACK 72
#define CONV_BOUND 76
#define CONV_STORE 80
#define CONV_KERNEL 84
#define CONV_FORMAT 88
#define CONV_SKIP 92

/* offsets into struct depthwise */
#define DW_INPUT 0
#define DW_INPUT_COLUMN 4
#define DW_INPUT_ROW 8
#define DW_PLANE 12
#define DW_WEIGHTS 16
#define DW_CHANNEL_BYTES 20
#define DW_KERNEL_ROWS 24
#define DW_KERNEL_WORDS 28
#define DW_ROW_SKIP 32
#define DW_OUTPUT 36
#define DW_OUTPUT_PIXEL 40
#define DW_OUTPUT_ROW 44
#define DW_OUT_HEIGHT 48
#define DW_OUT_WIDTH 52
#define DW_CHANNELS 56
#define DW_BOUND 60
#define DW_BITS 64
#define DW_KERNEL 68
#define DW_STRIDE 72

/* offsets into struct fill */
#define FILL_BASE 0
#define FILL_PLANES 4
#define FILL_HEAD 8
#define FILL_ROWS 12
#define FILL_PAIRS 16
#define FILL_STEP 20
#define FILL_TAIL 24
#define FILL_NEXT 28
#define FILL_WORD 32
#define FILL_SKIP_HEAD 36

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
#define POOL_PLANE 68

/* values of `store` */
#define STORE_8 0
#define STORE_4 1
#define STORE_2 2
#define STORE_PLANES 3
#define STORE_32 4

#ifndef __ASSEMBLER__
#include <stddef.h>
#include <stdint.h>

#define HOLDS(what) _Static_assert(what, #what)

/* One group of output channels of one weight width. Also a linear layer: one pixel, one kernel row. */
struct conv {
    const int8_t *input;        /* window of the first output pixel */
    uint32_t input_pixel;       /* from one output pixel's window to the next */
    uint32_t input_row;         /* from one output row's window to the next */
    int32_t input_step;         /* conv.S: from the last word of a pass to the next pixel's first */
    int32_t input_back;         /* conv.S: from the last pixel's last word to the first pixel's next */
    uint32_t kernel_rows;
    uint32_t passes;            /* of the inner loop per kernel row */
    int32_t row_skip;           /* from the end of a kernel row to the start of the next */
    const uint32_t *weights;
    uint32_t block_bytes;       /* weights of four channels */
    const int32_t *table;       /* kappa, lambda, shift of each channel */
    const int32_t *table_end;
    int8_t *output;             /* this group's first channel in the first output pixel */
    uint32_t output_pixel;
    uint32_t output_row;
    uint32_t out_height;
    uint32_t out_width;
    int32_t step;               /* conv.S: added to the output pointer after each of the first three stores */
    int32_t back;               /* conv.S: added to it after the last */
    int32_t bound;              /* largest output code */
    uint32_t store;             /* STORE_... */
    uint32_t kernel;            /* 0 uniform, 1 and 2 a > w by 2 and 4, 3 and 4 a < w by 2 and 4 */
    uint32_t format;            /* CSR 0x00D */
    uint32_t skip;              /* CSR 0x00F in conv.S */
};
HOLDS(sizeof(struct conv) == 96);
HOLDS(offsetof(struct conv, input) == CONV_INPUT);
HOLDS(offsetof(struct conv, input_pixel) == CONV_INPUT_PIXEL);
HOLDS(offsetof(struct conv, input_row) == CONV_INPUT_ROW);
HOLDS(offsetof(struct conv, input_step) == CONV_INPUT_STEP);
HOLDS(offsetof(struct conv, input_back) == CONV_INPUT_BACK);
HOLDS(offsetof(struct conv, kernel_rows) == CONV_KERNEL_ROWS);
HOLDS(offsetof(struct conv, passes) == CONV_PASSES);
HOLDS(offsetof(struct conv, row_skip) == CONV_ROW_SKIP);
HOLDS(offsetof(struct conv, weights) == CONV_WEIGHTS);
HOLDS(offsetof(struct conv, block_bytes) == CONV_BLOCK_BYTES);
HOLDS(offsetof(struct conv, table) == CONV_TABLE);
HOLDS(offsetof(struct conv, table_end) == CONV_TABLE_END);
HOLDS(offsetof(struct conv, output) == CONV_OUTPUT);
HOLDS(offsetof(struct conv, output_pixel) == CONV_OUTPUT_PIXEL);
HOLDS(offsetof(struct conv, output_row) == CONV_OUTPUT_ROW);
HOLDS(offsetof(struct conv, out_height) == CONV_OUT_HEIGHT);
HOLDS(offsetof(struct conv, out_width) == CONV_OUT_WIDTH);
HOLDS(offsetof(struct conv, step) == CONV_STEP);
HOLDS(offsetof(struct conv, back) == CONV_BACK);
HOLDS(offsetof(struct conv, bound) == CONV_BOUND);
HOLDS(offsetof(struct conv, store) == CONV_STORE);
HOLDS(offsetof(struct conv, kernel) == CONV_KERNEL);
HOLDS(offsetof(struct conv, format) == CONV_FORMAT);
HOLDS(offsetof(struct conv, skip) == CONV_SKIP);

/* Input in planes, one byte per code. Weights and table of a channel lie together: words of kernel rows, kappa, lambda, shift. */
struct depthwise {
    const int8_t *input;        /* window of the first output of the first plane */
    uint32_t input_column;      /* from one output's window to the next in a row */
    uint32_t input_row;         /* bytes of a row of a plane */
    uint32_t plane;
    const uint32_t *weights;
    uint32_t channel_bytes;
    uint32_t kernel_rows;
    uint32_t kernel_words;      /* of a kernel row */
    int32_t row_skip;           /* from the end of a kernel row to the start of the next */
    int8_t *output;
    uint32_t output_pixel;
    uint32_t output_row;
    uint32_t out_height;
    uint32_t out_width;
    uint32_t channels;
    int32_t bound;
    uint32_t bits;              /* of an output code: 2, 4 or 8 */
    uint32_t kernel;            /* 0: up to 3x3 with stride 1; 1: up to 3x4 with vertical stride 2; 2: any */
    uint32_t stride;            /* rows of input from one output row to the next */
};
HOLDS(sizeof(struct depthwise) == 76);
HOLDS(offsetof(struct depthwise, input) == DW_INPUT);
HOLDS(offsetof(struct depthwise, input_column) == DW_INPUT_COLUMN);
HOLDS(offsetof(struct depthwise, input_row) == DW_INPUT_ROW);
HOLDS(offsetof(struct depthwise, plane) == DW_PLANE);
HOLDS(offsetof(struct depthwise, weights) == DW_WEIGHTS);
HOLDS(offsetof(struct depthwise, channel_bytes) == DW_CHANNEL_BYTES);
HOLDS(offsetof(struct depthwise, kernel_rows) == DW_KERNEL_ROWS);
HOLDS(offsetof(struct depthwise, kernel_words) == DW_KERNEL_WORDS);
HOLDS(offsetof(struct depthwise, row_skip) == DW_ROW_SKIP);
HOLDS(offsetof(struct depthwise, output) == DW_OUTPUT);
HOLDS(offsetof(struct depthwise, output_pixel) == DW_OUTPUT_PIXEL);
HOLDS(offsetof(struct depthwise, output_row) == DW_OUTPUT_ROW);
HOLDS(offsetof(struct depthwise, out_height) == DW_OUT_HEIGHT);
HOLDS(offsetof(struct depthwise, out_width) == DW_OUT_WIDTH);
HOLDS(offsetof(struct depthwise, channels) == DW_CHANNELS);
HOLDS(offsetof(struct depthwise, bound) == DW_BOUND);
HOLDS(offsetof(struct depthwise, bits) == DW_BITS);
HOLDS(offsetof(struct depthwise, kernel) == DW_KERNEL);
HOLDS(offsetof(struct depthwise, stride) == DW_STRIDE);

/* What must hold the zero point before a layer writes its output: in each plane (or the only one) a head, the gaps between rows, a tail. Sizes in pairs of words. */
struct fill {
    int8_t *base;
    uint32_t planes;
    uint32_t head;
    uint32_t rows;              /* gaps */
    uint32_t pairs;             /* of a gap */
    int32_t step;               /* from the end of what was filled in a gap to the next gap */
    uint32_t tail;
    int32_t next;               /* from the end of what was filled to the next plane */
    uint32_t word;              /* the zero point in every lane */
    int32_t skip_head;          /* from the end of the filled head to the first gap */
};
HOLDS(sizeof(struct fill) == 40);
HOLDS(offsetof(struct fill, base) == FILL_BASE);
HOLDS(offsetof(struct fill, planes) == FILL_PLANES);
HOLDS(offsetof(struct fill, head) == FILL_HEAD);
HOLDS(offsetof(struct fill, rows) == FILL_ROWS);
HOLDS(offsetof(struct fill, pairs) == FILL_PAIRS);
HOLDS(offsetof(struct fill, step) == FILL_STEP);
HOLDS(offsetof(struct fill, tail) == FILL_TAIL);
HOLDS(offsetof(struct fill, next) == FILL_NEXT);
HOLDS(offsetof(struct fill, word) == FILL_WORD);
HOLDS(offsetof(struct fill, skip_head) == FILL_SKIP_HEAD);

/* A tensor in memory. */
struct tensor {
    int8_t *first;              /* pixel (0, 0) */
    uint32_t pixel;             /* bytes per pixel */
    uint32_t row;               /* bytes per row, border included */
    uint32_t height;
    uint32_t width;
    uint32_t channels;
    uint32_t bits;
    uint32_t plane;             /* bytes of a plane; 0: channels of a pixel lie together */
};
HOLDS(sizeof(struct tensor) == 32);

/* A pooling. */
struct pool {
    const struct tensor *in;
    const struct tensor *out;
    uint32_t kernel_height;
    uint32_t kernel_width;
    uint32_t stride_height;
    uint32_t stride_width;
    int32_t zero_point;         /* of an average */
    int32_t kappa;              /* of an average */
    int32_t lambda;             /* of an average */
    int32_t shift;              /* of an average */
    const int8_t *start;        /* window of the first output pixel */
};
HOLDS(sizeof(struct pool) == 44);

/* An addition. */
struct add {
    const struct tensor *a;
    const struct tensor *b;
    const struct tensor *out;
    int32_t zero_a;
    int32_t zero_b;
    int32_t kappa_a;
    int32_t kappa_b;
    int32_t lambda;
    int32_t shift;
};
HOLDS(sizeof(struct add) == 36);

/* A layer: what is filled before it, and the structures of its kind. */
struct layer {
    uint32_t kind;
    const struct fill *fill;    /* done before the layer runs; null: nothing */
    const void *body;           /* struct conv[groups], depthwise, pool or add */
    uint32_t groups;
    uint32_t region;            /* number of the layer in the network that was deployed */
};
HOLDS(sizeof(struct layer) == 20);

/* Where everything begins: this structure lies at the start of the tables. */
struct network {
    uint32_t layers;
    const struct layer *layer;
    const struct tensor *output;
    const uint32_t *order;      /* slot of each output channel in natural order; NO_SLOT: it is pruned */
    uint32_t channels;          /* of the output, pruned ones included */
    int32_t zero_point;         /* what a pruned output channel holds */
    const int32_t *expected;    /* outputs that must come out, or null */
};
HOLDS(sizeof(struct network) == 28);

/* One row of an addition. */
struct add_row {
    const int8_t *a;
    const int8_t *b;
    int8_t *out;
    uint32_t width;             /* pixels */
    uint32_t blocks;            /* of four channels */
    uint32_t skip_a;            /* from the last block of a pixel to the next pixel */
    uint32_t skip_b;            /* from the last block of a pixel to the next pixel */
    uint32_t skip_out;          /* from the last block of a pixel to the next pixel */
    uint32_t bits_a;
    uint32_t bits_b;
    uint32_t store;             /* bits of the output */
    int32_t bound;              /* largest output code */
    int32_t kappa_a;
    int32_t kappa_b;
    int32_t lambda;
    int32_t shift;
};
HOLDS(sizeof(struct add_row) == 64);
HOLDS(offsetof(struct add_row, a) == ADD_A);
HOLDS(offsetof(struct add_row, b) == ADD_B);
HOLDS(offsetof(struct add_row, out) == ADD_OUT);
HOLDS(offsetof(struct add_row, width) == ADD_WIDTH);
HOLDS(offsetof(struct add_row, blocks) == ADD_BLOCKS);
HOLDS(offsetof(struct add_row, skip_a) == ADD_SKIP_A);
HOLDS(offsetof(struct add_row, skip_b) == ADD_SKIP_B);
HOLDS(offsetof(struct add_row, skip_out) == ADD_SKIP_OUT);
HOLDS(offsetof(struct add_row, bits_a) == ADD_BITS_A);
HOLDS(offsetof(struct add_row, bits_b) == ADD_BITS_B);
HOLDS(offsetof(struct add_row, store) == ADD_STORE);
HOLDS(offsetof(struct add_row, bound) == ADD_BOUND);
HOLDS(offsetof(struct add_row, kappa_a) == ADD_KAPPA_A);
HOLDS(offsetof(struct add_row, kappa_b) == ADD_KAPPA_B);
HOLDS(offsetof(struct add_row, lambda) == ADD_LAMBDA);
HOLDS(offsetof(struct add_row, shift) == ADD_SHIFT);

/* One row of a pooling. */
struct pool_row {
    const int8_t *in;
    int8_t *out;
    uint32_t width;
    uint32_t blocks;
    uint32_t stride;            /* from one output pixel's window to the next */
    uint32_t pixel;             /* bytes of an input pixel */
    uint32_t rows;              /* of the window */
    uint32_t columns;           /* of the window */
    int32_t row_skip;           /* from the end of a window row to the next */
    uint32_t skip_out;
    uint32_t bits;
    uint32_t format;
    uint32_t store;
    int32_t bound;
    int32_t kappa;
    int32_t lambda;
    int32_t shift;
    uint32_t plane;             /* maximum: bytes of an output plane; 0: channels of a pixel lie together */
};
HOLDS(sizeof(struct pool_row) == 72);
HOLDS(offsetof(struct pool_row, in) == POOL_IN);
HOLDS(offsetof(struct pool_row, out) == POOL_OUT);
HOLDS(offsetof(struct pool_row, width) == POOL_WIDTH);
HOLDS(offsetof(struct pool_row, blocks) == POOL_BLOCKS);
HOLDS(offsetof(struct pool_row, stride) == POOL_STRIDE);
HOLDS(offsetof(struct pool_row, pixel) == POOL_PIXEL);
HOLDS(offsetof(struct pool_row, rows) == POOL_ROWS);
HOLDS(offsetof(struct pool_row, columns) == POOL_COLUMNS);
HOLDS(offsetof(struct pool_row, row_skip) == POOL_ROW_SKIP);
HOLDS(offsetof(struct pool_row, skip_out) == POOL_SKIP_OUT);
HOLDS(offsetof(struct pool_row, bits) == POOL_BITS);
HOLDS(offsetof(struct pool_row, format) == POOL_FORMAT);
HOLDS(offsetof(struct pool_row, store) == POOL_STORE);
HOLDS(offsetof(struct pool_row, bound) == POOL_BOUND);
HOLDS(offsetof(struct pool_row, kappa) == POOL_KAPPA);
HOLDS(offsetof(struct pool_row, lambda) == POOL_LAMBDA);
HOLDS(offsetof(struct pool_row, shift) == POOL_SHIFT);
HOLDS(offsetof(struct pool_row, plane) == POOL_PLANE);

enum kind { LAYER_CONV = 0, LAYER_DEPTHWISE = 1, LAYER_AVERAGE = 2, LAYER_MAXIMUM = 3, LAYER_ADD = 4 };
#define NO_SLOT 0xFFFFFFFFu /* an output channel that is not stored */
#undef HOLDS
#endif
#endif
