/* The layer table: what deployment writes and the runtime executes. Mirrored by kernels/src/deploy.rs.
   Addresses are absolute; strides in bytes. */
#ifndef LAYERS_H
#define LAYERS_H

/* offsets into struct conv, for assembly */
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

/* values of `store` */
#define STORE_8 0
#define STORE_4 1
#define STORE_2 2
#define STORE_PLANES 3
#define STORE_32 4

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

#ifndef __ASSEMBLER__
#include <stdint.h>

/* One group of output channels of one weight width. Also a linear layer: one pixel, one kernel row. */
struct conv {
    const int8_t *input;    /* window of the first output pixel */
    uint32_t input_pixel;   /* from one output pixel's window to the next */
    uint32_t input_row;     /* from one output row's window to the next */
    int32_t input_step;     /* conv.S: from the last word of a pass to the next pixel's first */
    int32_t input_back;     /* conv.S: from the last pixel's last word to the first pixel's next */
    uint32_t kernel_rows;
    uint32_t passes;        /* of the inner loop per kernel row */
    int32_t row_skip;       /* from the end of a kernel row to the start of the next */
    const uint32_t *weights;
    uint32_t block_bytes;   /* weights of four channels */
    const int32_t *table;   /* kappa, lambda, shift of each channel */
    const int32_t *table_end;
    int8_t *output;         /* this group's first channel in the first output pixel */
    uint32_t output_pixel;
    uint32_t output_row;
    uint32_t out_height;
    uint32_t out_width;
    int32_t step, back;     /* conv.S: added to the output pointer after each of the first three stores, and after the last */
    int32_t bound;          /* largest output code */
    uint32_t store;         /* STORE_... */
    uint32_t kernel;        /* 0 uniform, 1 and 2 a > w by 2 and 4, 3 and 4 a < w by 2 and 4 */
    uint32_t format;        /* CSR 0x00D */
    uint32_t skip;          /* CSR 0x00F in conv.S */
};

/* Input in planes, one byte per code. Weights and table of a channel lie together: words of kernel rows, kappa, lambda, shift. */
struct depthwise {
    const int8_t *input;    /* window of the first output of the first plane */
    uint32_t input_column;  /* from one output's window to the next in a row */
    uint32_t input_row;     /* bytes of a row of a plane */
    uint32_t plane;
    const uint32_t *weights;
    uint32_t channel_bytes;
    uint32_t kernel_rows;
    uint32_t kernel_words;  /* of a kernel row */
    int32_t row_skip;       /* from the end of a kernel row to the start of the next */
    int8_t *output;
    uint32_t output_pixel;
    uint32_t output_row;
    uint32_t out_height;
    uint32_t out_width;
    uint32_t channels;
    int32_t bound;
    uint32_t bits;          /* of an output code: 2, 4 or 8 */
    uint32_t kernel;        /* 0: up to 3x3 with stride 1; 1: up to 3x4 with vertical stride 2; 2: any */
    uint32_t stride;        /* rows of input from one output row to the next */
};

/* What must hold the zero point before a layer writes its output: in each plane (or the only one) a head, the gaps
   between rows, a tail. Sizes in pairs of words. */
struct fill {
    int8_t *base;
    uint32_t planes;
    uint32_t head;
    uint32_t rows;          /* gaps */
    uint32_t pairs;         /* of a gap */
    int32_t step;           /* from the end of what was filled in a gap to the next gap */
    uint32_t tail;
    int32_t next;           /* from the end of what was filled to the next plane */
    uint32_t word;          /* the zero point in every lane */
    int32_t skip_head;      /* from the end of the filled head to the first gap */
};

struct tensor {
    int8_t *first;          /* pixel (0, 0) */
    uint32_t pixel;         /* bytes per pixel */
    uint32_t row;           /* bytes per row, border included */
    uint32_t height, width, channels, bits;
    uint32_t plane;         /* bytes of a plane; 0: channels of a pixel lie together */
};

struct pool {
    const struct tensor *in, *out;
    uint32_t kernel_height, kernel_width, stride_height, stride_width;
    int32_t zero_point, kappa, lambda, shift; /* of an average */
    const int8_t *start;    /* window of the first output pixel */
};

struct add {
    const struct tensor *a, *b, *out;
    int32_t zero_a, zero_b, kappa_a, kappa_b, lambda, shift;
};

enum kind { LAYER_CONV, LAYER_DEPTHWISE, LAYER_AVERAGE, LAYER_MAXIMUM, LAYER_ADD };

struct layer {
    uint32_t kind;
    const struct fill *fill;  /* done before the layer runs; null: nothing */
    const void *body;         /* struct conv[groups], depthwise, pool or add */
    uint32_t groups;
    uint32_t region;          /* number of the layer in the network that was deployed */
};

struct network {
    uint32_t layers;
    const struct layer *layer;
    const struct tensor *output;
    const uint32_t *order;    /* slot of each output channel in natural order; NO_SLOT: it is pruned */
    uint32_t channels;        /* of the output, pruned ones included */
    int32_t zero_point;       /* what a pruned output channel holds */
    const int32_t *expected;  /* outputs that must come out, or null */
};
#define NO_SLOT 0xFFFFFFFFu

/* Runs the layers; `mark`, if not null, is told 2 r + 1 before and 2 r + 2 after region r. */
void network_run(const struct network *, void (*mark)(uint32_t));

/* Calls `emit` with each output code: rows, columns, channels in natural order. */
void network_output(const struct network *, void (*emit)(int32_t));

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

/* One row of a pooling. */
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
    uint32_t plane;         /* maximum: bytes of an output plane; 0: channels of a pixel lie together */
};
extern void average_row(const struct pool_row *), maximum_row(const struct pool_row *);

extern void fill(const struct fill *);

typedef void conv_kernel(const struct conv *);
extern conv_kernel conv_u, conv_m2, conv_m4, conv_s2, conv_s4;
extern conv_kernel window_u, window_m2, window_m4, window_s2, window_s4;
typedef void depthwise_kernel(const struct depthwise *);
extern depthwise_kernel depthwise_two, depthwise_down, depthwise_any;
#endif
#endif
