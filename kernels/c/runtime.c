/* Executes a layer table. */
#include "layers.h"

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

static conv_kernel *const four_pixels[] = {conv_u, conv_m2, conv_m4, conv_s2, conv_s4};
static conv_kernel *const one_pixel[] = {window_u, window_m2, window_m4, window_s2, window_s4};
static depthwise_kernel *const by_plane[] = {depthwise_two, depthwise_down, depthwise_any};

static void conv(const struct conv *c, uint32_t groups)
{
    for (; groups; groups--, c++) (c->out_width >= 4 ? four_pixels : one_pixel)[c->kernel](c);
}

/* code of slot c of the pixel at p */
static int32_t get(const int8_t *p, uint32_t c, const struct tensor *t)
{
    if (t->plane) return p[c * t->plane];
    uint32_t at = c * t->bits, word = ((const uint32_t *)p)[at >> 5];
    return (int32_t)(word << (32 - t->bits - (at & 31))) >> (32 - t->bits);
}

static uint32_t blocks(const struct tensor *t) { return (t->channels + 3) / 4; }

/* bytes of a pixel behind its last block */
static uint32_t skip(const struct tensor *t)
{
    return t->plane ? t->pixel - 4 * blocks(t) * t->plane : t->pixel - blocks(t) * t->bits / 2;
}

static int32_t bound(const struct tensor *t) { return (int32_t)((1u << (t->bits - 1)) - 1); }

static void pool(const struct pool *l, void row_kernel(const struct pool_row *))
{
    const struct tensor *in = l->in, *out = l->out;
    int32_t offset = (int32_t)(l->kernel_height * l->kernel_width) * l->zero_point;
    struct pool_row row = {
        .in = l->start, .out = out->first, .width = out->width, .blocks = blocks(out),
        .stride = l->stride_width * in->pixel, .pixel = in->pixel, .rows = l->kernel_height, .columns = l->kernel_width,
        .row_skip = (int32_t)(in->row - l->kernel_width * in->pixel), .skip_out = skip(out),
        .bits = in->bits, .format = in->bits == 8 ? 2 : in->bits == 4 ? 3 : 4, .store = out->bits, .bound = bound(out),
        .kappa = l->kappa, .lambda = l->lambda - offset * l->kappa, .shift = l->shift, .plane = out->plane,
    };
    for (uint32_t y = out->height; y; y--) {
        row_kernel(&row);
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

void network_run(const struct network *net, void (*mark)(uint32_t))
{
    for (uint32_t i = 0; i < net->layers; i++) {
        const struct layer *l = &net->layer[i];
        if (mark && (i == 0 || l[-1].region != l->region)) mark(2 * l->region + 1);
        if (l->fill) fill(l->fill);
        switch ((enum kind)l->kind) {
        case LAYER_CONV: conv(l->body, l->groups); break;
        case LAYER_DEPTHWISE: by_plane[((const struct depthwise *)l->body)->kernel](l->body); break;
        case LAYER_AVERAGE: pool(l->body, average_row); break;
        case LAYER_MAXIMUM: pool(l->body, maximum_row); break;
        case LAYER_ADD: add(l->body); break;
        }
        if (mark && (i + 1 == net->layers || l[1].region != l->region)) mark(2 * l->region + 2);
    }
}

void network_output(const struct network *net, void (*emit)(int32_t))
{
    const struct tensor *out = net->output;
    for (uint32_t y = 0; y < out->height; y++)
        for (uint32_t x = 0; x < out->width; x++)
            for (uint32_t c = 0; c < net->channels; c++) {
                uint32_t slot = net->order[c];
                emit(slot == NO_SLOT ? net->zero_point : get(out->first + y * out->row + x * out->pixel, slot, out));
            }
}
