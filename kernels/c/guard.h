/* Which memory the kernels are for. For assembly. */
#ifndef GUARD_H
#define GUARD_H

/* 1: memory may answer late. The core multiplies a mixed dot product with the wrong sub-group where it stands in EX right behind a
 * load or store that waits in WB, and with SKIP above 1 it counts every cycle in which one waits in ID. So no mixed dot product is
 * the next instruction behind a load or store, and SKIP stays 0: then it may wait in ID, and the next instruction but one is free.
 */
#ifndef LATE_DATA
#define LATE_DATA 0
#endif
#endif
