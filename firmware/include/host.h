/* The host device: how a bare-metal program talks to the simulator. A test compares these with sim/src/memory/device.rs. */
#ifndef HOST_H
#define HOST_H

#define HOST_EXIT 0x1A10F000u    /* W: ends the program; the value is its exit code */
#define HOST_MARKER 0x1A10F004u  /* W: odd id opens a region, id + 1 closes it */
#define HOST_CONSOLE 0x1A10F008u /* W: prints a byte */
#define HOST_RESULT 0x1A10F00Cu  /* W: appends a word to the results */

#ifndef __ASSEMBLER__
#include <stdint.h>

static inline void host_write(uint32_t address, uint32_t value) { *(volatile uint32_t *)address = value; }
static inline void host_exit(uint32_t code) { host_write(HOST_EXIT, code); }
static inline void host_marker(uint32_t id) { host_write(HOST_MARKER, id); }
static inline void host_putc(char c) { host_write(HOST_CONSOLE, (uint8_t)c); }
static inline void host_result(uint32_t word) { host_write(HOST_RESULT, word); }
#endif

#endif
