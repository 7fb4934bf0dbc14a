/* x87, SSE and AVX state. The VMM uses none of it, so the running guest's stays in the CPU; this is for the moments when it changes. */
#ifndef VMM_FPU_H
#define VMM_FPU_H

/** Lets this CPU use all the state that a guest is offered (CR0, CR4, XCR0). Before the vendor part stores the host's CR4. */
void fpu_enable(void);

/** Loads the state that power-on has: XCR0 = x87, all registers in their initial configuration (SDM vol. 3, table 10-1). */
void fpu_reset(void);

#endif
