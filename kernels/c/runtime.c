/* Executes the layer table that deployment put at __image_end. */
#include "host.h"
#include "layers.h"

extern const struct network __image_end[];

/* the compiler may call these even in freestanding code */
void *memset(void *to, int value, unsigned n)
{
    for (char *p = to; n; n--) *p++ = (char)value;
    return to;
}
void *memcpy(void *restrict to, const void *restrict from, unsigned n)
{
    char *p = to;
    for (const char *q = from; n; n--) *p++ = *q++;
    return to;
}

static conv_kernel *const four_pixels[] = {conv_u_4, conv_m2_4, conv_m4_4, conv_s2_4, conv_s4_4};
static conv_kernel *const one_pixel[] = {conv_u_1, conv_m2_1, conv_m4_1, conv_s2_1, conv_s4_1};

/* The border must hold the zero point, and what is not written later must not be left from another tensor. */
static void fill(const struct tensor *t)
{
    fill_pairs(t->base, (t->bytes + 4) / 8, t->border); /* buffers begin 16 bytes apart, so there is room for a pair */
}

static void conv(const struct conv *c, uint32_t groups)
{
    for (; groups; groups--, c++) (c->out_width >= 4 ? four_pixels : one_pixel)[c->kernel](c);
}

/* code of channel c of the pixel at p */
static int32_t get(const int8_t *p, uint32_t c, uint32_t bits)
{
    uint32_t at = c * bits, word = ((const uint32_t *)p)[at >> 5];
    return (int32_t)(word << (32 - bits - (at & 31))) >> (32 - bits);
}

static uint32_t blocks(const struct tensor *t) { return (t->channels + 3) / 4; }

/* bytes of a pixel behind its last block */
static uint32_t skip(const struct tensor *t) { return t->pixel - blocks(t) * t->bits / 2; }

static int32_t bound(const struct tensor *t) { return (int32_t)((1u << (t->bits - 1)) - 1); }

static void pool(const struct pool *l)
{
    const struct tensor *in = l->in, *out = l->out;
    int32_t offset = (int32_t)(l->kernel_height * l->kernel_width) * l->zero_point;
    struct pool_row row = {
        .in = in->first, .out = out->first, .width = out->width, .blocks = blocks(out),
        .stride = l->stride_width * in->pixel, .pixel = in->pixel, .rows = l->kernel_height, .columns = l->kernel_width,
        .row_skip = (int32_t)(in->row - l->kernel_width * in->pixel), .skip_out = skip(out),
        .bits = in->bits, .format = in->bits == 8 ? 2 : in->bits == 4 ? 3 : 4, .store = out->bits, .bound = bound(out),
        .kappa = l->kappa, .lambda = l->lambda - offset * l->kappa, .shift = l->shift,
    };
    for (uint32_t y = out->height; y; y--) {
        pool_row(&row);
        row.in += l->stride_height * in->row;
        row.out += out->row;
    }
}

static void add(const struct add *l)
{
    const struct tensor *a = l->a, *b = l->b, *out = l->out;
    struct add_row row = {
        .a = a->first, .b = b->first, .out = out->first, .width = out->width, .blocks = blocks(out),
        .skip_a = skip(a), .skip_b = skip(b), .skip_out = skip(out), .bits_a = a->bits, .bits_b = b->bits,
        .store = out->bits, .bound = bound(out), .kappa_a = l->kappa_a, .kappa_b = l->kappa_b,
        .lambda = l->lambda - l->zero_a * l->kappa_a - l->zero_b * l->kappa_b, .shift = l->shift,
    };
    for (uint32_t y = out->height; y; y--) {
        add_row(&row);
        row.a += a->row;
        row.b += b->row;
        row.out += out->row;
    }
}

int main(void)
{
    const struct network *net = __image_end;
    for (uint32_t i = 0; i < net->layers; i++) {
        const struct layer *l = &net->layer[i];
        host_marker(2 * i + 1);
        fill(l->out);
        switch ((enum kind)l->kind) {
        case LAYER_CONV: conv(l->body, l->groups); break;
        case LAYER_POOL: pool(l->body); break;
        case LAYER_ADD: add(l->body); break;
        }
        host_marker(2 * i + 2);
    }
    const struct tensor *out = net->output;
    for (uint32_t y = 0; y < out->height; y++)
        for (uint32_t x = 0; x < out->width; x++)
            for (uint32_t c = 0; c < out->channels; c++)
                host_result((uint32_t)get(out->first + y * out->row + x * out->pixel, net->order[c], out->bits));
    return 0;
}
