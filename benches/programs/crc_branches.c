/* CRC-32 bit by bit with a branch for every bit, as unpredictable as the data: the worst case for a simulator's host. */
#include "host.h"
volatile uint32_t repeat = 100;
static uint8_t text[4096];

int main(void) {
    for (uint32_t i = 0; i < sizeof text; i++)
        text[i] = (uint8_t)(i * 7 + (i >> 3));
    uint32_t crc = ~0u;
    for (uint32_t pass = repeat; pass > 0; pass--)
        for (uint32_t i = 0; i < sizeof text; i++) {
            crc ^= text[i];
            for (int k = 0; k < 8; k++)
                crc = crc & 1 ? 0xEDB88320u ^ (crc >> 1) : crc >> 1;
        }
    host_result(~crc);
    return 0;
}
