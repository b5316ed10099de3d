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
    uint32_t *p = (uint32_t *)t->base, *end = (uint32_t *)(t->base + t->bytes);
    while (p < end) *p++ = t->border;
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

static int32_t clip(int32_t v, uint32_t bits)
{
    int32_t high = (1 << (bits - 1)) - 1;
    return v > high ? high : v < -high - 1 ? -high - 1 : v;
}

/* writes channels one after another into the words of a pixel */
struct packer { uint32_t *p, word, used; };
static inline void put(struct packer *k, int32_t code, uint32_t bits)
{
    k->word |= ((uint32_t)code & ((2u << (bits - 1)) - 1)) << k->used;
    k->used += bits;
    if (k->used == 32) {
        *k->p++ = k->word;
        k->word = k->used = 0;
    }
}
static inline void flush(struct packer *k)
{
    if (k->used) *k->p = k->word;
}

static void pool(const struct pool *l)
{
    const struct tensor *in = l->in, *out = l->out;
    int32_t offset = (int32_t)(l->kernel_height * l->kernel_width) * l->zero_point;
    for (uint32_t y = 0; y < out->height; y++)
        for (uint32_t x = 0; x < out->width; x++) {
            struct packer k = {(uint32_t *)(out->first + y * out->row + x * out->pixel), 0, 0};
            const int8_t *window = in->first + y * l->stride_height * in->row + x * l->stride_width * in->pixel;
            for (uint32_t c = 0; c < out->channels; c++) {
                int32_t sum = -offset;
                for (uint32_t i = 0; i < l->kernel_height; i++)
                    for (uint32_t j = 0; j < l->kernel_width; j++)
                        sum += get(window + i * in->row + j * in->pixel, c, in->bits);
                put(&k, clip((sum * l->kappa + l->lambda) >> l->shift, out->bits), out->bits);
            }
            flush(&k);
        }
}

static void add(const struct add *l)
{
    const struct tensor *a = l->a, *b = l->b, *out = l->out;
    int32_t lambda = l->lambda - l->zero_a * l->kappa_a - l->zero_b * l->kappa_b;
    for (uint32_t y = 0; y < out->height; y++)
        for (uint32_t x = 0; x < out->width; x++) {
            struct packer k = {(uint32_t *)(out->first + y * out->row + x * out->pixel), 0, 0};
            const int8_t *p = a->first + y * a->row + x * a->pixel, *q = b->first + y * b->row + x * b->pixel;
            for (uint32_t c = 0; c < out->channels; c++) {
                int32_t sum = get(p, c, a->bits) * l->kappa_a + get(q, c, b->bits) * l->kappa_b + lambda;
                put(&k, clip(sum >> l->shift, out->bits), out->bits);
            }
            flush(&k);
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
