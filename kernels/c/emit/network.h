/* A deployed network. Fill the input, run, read the outputs; nothing else is needed. */
#ifndef NETWORK_H
#define NETWORK_H
#include <stdint.h>

/* Codes of rows, columns, channels. The input stays where it is: the network can be run on it again. */
void network_set_input(const int8_t *codes);

/* Runs all layers. `mark`, if not null, is told 2 n + 1 before and 2 n + 2 after layer n. */
void network_infer(void (*mark)(uint32_t));

/* Calls `emit` with each output code: rows, columns, channels. */
void network_emit(void (*emit)(int32_t));

#endif
