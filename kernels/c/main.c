/* The deployed program: runs the network that deployment put at __image_end and reports its outputs to the host. With expected
   outputs beside it, the exit code says whether they came out. */
#include "host.h"
#include "layers.h"

extern const struct network __image_end[];

static const int32_t *expected;
static int unequal;

static void report(int32_t code)
{
    host_result((uint32_t)code);
    if (expected && *expected++ != code) unequal = 1;
}

int main(void)
{
    network_run(__image_end, host_marker);
    expected = __image_end->expected;
    network_output(__image_end, report);
    return unequal;
}
