/* The deployed program: runs the network that deployment put at __image_end and reports its outputs to the host. */
#include "host.h"
#include "layers.h"

extern const struct network __image_end[];

static void report(int32_t code) { host_result((uint32_t)code); }

int main(void)
{
    network_run(__image_end, host_marker);
    network_output(__image_end, report);
    return 0;
}
