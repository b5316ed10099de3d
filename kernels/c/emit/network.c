static uint8_t buffers[BYTES] __attribute__((aligned(16)));
extern const uintptr_t tables[];

void network_set_input(const int8_t *codes)
{
    uint32_t mask = (1u << BITS) - 1, fill = 0;
    for (uint32_t bit = 0; bit < 8; bit += BITS) fill |= ((uint32_t)BORDER & mask) << bit;
    for (uint32_t i = 0; i < INPUT_BYTES; i++) buffers[INPUT + i] = (uint8_t)fill;
    for (uint32_t y = 0; y < HEIGHT; y++)
        for (uint32_t x = 0; x < WIDTH; x++)
            for (uint32_t c = 0; c < CHANNELS; c++) {
                uint32_t bit = PLANE ? 0 : c * BITS;
                uint8_t *at = &buffers[INPUT + FIRST + y * DOWN + x * RIGHT + c * PLANE + bit / 8];
                *at = (uint8_t)((*at & ~(mask << bit % 8)) | (((uint32_t)*codes++ & mask) << bit % 8));
            }
}

void network_infer(void (*mark)(uint32_t)) { network_run((const struct network *)tables, mark); }
void network_emit(void (*emit)(int32_t)) { network_output((const struct network *)tables, emit); }
