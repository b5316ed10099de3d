/* int8 matrix product in plain C. */
#include "host.h"
#define N 48
volatile uint32_t repeat = 40;
static int8_t a[N][N], b[N][N];
static int32_t c[N][N];

int main(void) {
    uint32_t seed = 1;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            seed = seed * 1103515245u + 12345u;
            a[i][j] = (int8_t)(seed >> 16);
            b[i][j] = (int8_t)(seed >> 24);
        }
    for (uint32_t pass = repeat; pass > 0; pass--)
        for (int i = 0; i < N; i++)
            for (int j = 0; j < N; j++) {
                int32_t sum = 0;
                for (int k = 0; k < N; k++)
                    sum += a[i][k] * b[k][j];
                c[i][j] = sum + (int32_t)pass;
            }
    uint32_t hash = 0;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            hash = hash * 31u + (uint32_t)c[i][j];
    host_result(hash);
    return 0;
}
