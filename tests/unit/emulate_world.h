/* A vCPU without hardware for the emulator's tests: flat, paging off unless a test says otherwise, one device that is an array. */
#ifndef TESTS_UNIT_EMULATE_WORLD_H
#define TESTS_UNIT_EMULATE_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/cpu.h"
#include "vmm/vm.h"

#define WORLD_CODE 0x10000ull	   /* RAM: 64 KiB of it */
#define WORLD_DEVICE 0x40000000ull /* two pages that remember what is written, byte by byte */
#define WORLD_DEVICE_BYTES 8192u

struct emulate_world {
	struct vm vm;
	struct vcpu v;
	struct cpu cpu;
	uint8_t device[WORLD_DEVICE_BYTES];
	unsigned reads, writes;
	bool parked;
	char problem[256];
	uint8_t vector[16][32], mmx[8][8];
};

extern struct emulate_world world;

/** Begins anew: 64-bit mode, CPL 0, flat segments, all registers 0. */
void world_begin(void);

/** Switches to 16- or 32-bit protected mode with flat segments. */
void world_mode(unsigned bits);

/** Puts the instruction at WORLD_CODE, and emulates it once. What emulate_mmio says. */
int world_emulate(const uint8_t *bytes, unsigned len);

#endif
