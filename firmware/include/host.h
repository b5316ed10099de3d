/* The host device: how a bare-metal program talks to the simulator. A test compares these with sim/src/memory/device.rs. */
#ifndef HOST_H
#define HOST_H

#define HOST_EXIT 0x1A10F000u    /* W: ends the program; the value is its exit code */
#define HOST_MARKER 0x1A10F004u  /* W: odd id opens a region, id + 1 closes it */
#define HOST_CONSOLE 0x1A10F008u /* W: prints a byte */
#define HOST_RESULT 0x1A10F00Cu  /* W: appends a word to the results */

#ifndef __ASSEMBLER__
/* Without -ffreestanding a bare compiler looks for the <stdint.h> of a C library that it does not have. */
#if __STDC_HOSTED__ && __has_include(<stdint-gcc.h>)
#include <stdint-gcc.h>
#else
#include <stdint.h>
#endif

static inline void host_write(uint32_t address, uint32_t value) {
    /* Nothing is moved across it, so that a region holds what the source puts between its markers. */
    __asm__ volatile("" ::: "memory");
    *(volatile uint32_t *)address = value;
    __asm__ volatile("" ::: "memory");
}
static inline void host_exit(uint32_t code) { host_write(HOST_EXIT, code); }
static inline void host_marker(uint32_t id) { host_write(HOST_MARKER, id); }
static inline void host_putc(char c) { host_write(HOST_CONSOLE, (uint8_t)c); }
static inline void host_result(uint32_t word) { host_write(HOST_RESULT, word); }

static inline void host_puts(const char *text) {
    while (*text)
        host_putc(*text++);
}

/* Prints a number in decimal. */
static inline void host_print(int value) {
    char digits[10];
    int n = 0;
    unsigned rest = value < 0 ? 0u - (unsigned)value : (unsigned)value;
    if (value < 0)
        host_putc('-');
    do
        digits[n++] = (char)('0' + rest % 10);
    while (rest /= 10);
    while (n > 0)
        host_putc(digits[--n]);
}

/* Names the region that marker `id` (an odd constant) opens, for reports and time lines. The name stands in the ELF, in a section
   that is not loaded, so that it costs the program nothing. */
#define mark_name(id, name)                                                                                                \
    __asm__ volatile(".pushsection .mpic_names\n .4byte %c0\n .asciz \"" name "\"\n .popsection" ::"i"(id))

/* Region `id` (an odd constant) from here to region_end(id). */
#define region_begin(id, name)                                                                                             \
    do {                                                                                                                   \
        mark_name(id, name);                                                                                               \
        host_marker(id);                                                                                                   \
    } while (0)
#define region_end(id) host_marker((id) + 1)
#endif

#endif
