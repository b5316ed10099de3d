/* int8 convolution, 3x3, 8 channels to 8, 16x16 pixels, with requantisation, in plain C. */
#include "host.h"
#define SIZE 16
#define IN 8
#define OUT 8
volatile uint32_t repeat = 20;
static uint8_t input[SIZE + 2][SIZE + 2][IN], output[SIZE][SIZE][OUT];
static int8_t weights[OUT][3][3][IN];

int main(void) {
    uint32_t seed = 7;
    for (uint32_t i = 0; i < sizeof input; i++) {
        seed = seed * 1103515245u + 12345u;
        ((uint8_t *)input)[i] = (uint8_t)(seed >> 16);
    }
    for (uint32_t i = 0; i < sizeof weights; i++) {
        seed = seed * 1103515245u + 12345u;
        ((int8_t *)weights)[i] = (int8_t)(seed >> 16);
    }
    for (uint32_t pass = repeat; pass > 0; pass--)
        for (int y = 0; y < SIZE; y++)
            for (int x = 0; x < SIZE; x++)
                for (int o = 0; o < OUT; o++) {
                    int32_t sum = (int32_t)pass;
                    for (int ky = 0; ky < 3; ky++)
                        for (int kx = 0; kx < 3; kx++)
                            for (int i = 0; i < IN; i++)
                                sum += input[y + ky][x + kx][i] * weights[o][ky][kx][i];
                    sum = (sum * 77) >> 16;
                    output[y][x][o] = (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
                }
    uint32_t hash = 0;
    for (uint32_t i = 0; i < sizeof output; i++)
        hash = hash * 31u + ((uint8_t *)output)[i];
    host_result(hash);
    return 0;
}
