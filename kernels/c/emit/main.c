/* The network on the simulator: one input, outputs to the host. A board has a main of its own. */
#include "host.h"
#include "network.h"
#include "sample.h"

static void report(int32_t code) { host_result((uint32_t)code); }

int main(void)
{
    network_set_input(sample);
    network_infer(host_marker);
    network_emit(report);
    return 0;
}
