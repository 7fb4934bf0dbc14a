#include "tests/unit/emulate_world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mm/shadow.h"
#include "vmm/cpu.h"
#include "vmm/exit.h"
#include "vmm/fpu.h"
#include "vmm/hw/msr.h"
#include "vmm/hw/x86.h"
#include "vmm/report.h"

struct emulate_world world;
static uint8_t *ram;

/* ---- what the VMM would do */

void report_vcpu(struct vcpu *v)
{
	(void)v;
}

void vm_parked(struct vm *vm, const char *problem)
{
	(void)vm;
	world.parked = true;
	snprintf(world.problem, sizeof(world.problem), "%s", problem);
}

void dirty_mark(struct dirty *d, uint64_t gpa, uint64_t len)
{
	(void)d, (void)gpa, (void)len;
}

void shadow_invlpg(struct shadow *sh, uint64_t va)
{
	(void)sh, (void)va;
}

void shadow_written(struct shadow *sh, uint64_t gpa, uint64_t len)
{
	(void)sh, (void)gpa, (void)len;
}

void fpu_vector_get(unsigned n, bool avx, uint8_t data[32])
{
	memcpy(data, world.vector[n], avx ? 32 : 16);
}

void fpu_vector_set(unsigned n, bool avx, const uint8_t data[32])
{
	memcpy(world.vector[n], data, avx ? 32 : 16);
}

void fpu_mmx_get(unsigned n, uint8_t data[8])
{
	memcpy(data, world.mmx[n], 8);
}

void fpu_mmx_set(unsigned n, const uint8_t data[8])
{
	memcpy(world.mmx[n], data, 8);
}

static void no_fetch(struct vcpu *v, uint32_t groups)
{
	(void)v, (void)groups;
	abort(); /* all of the state is there */
}

static void no_dr6(struct vcpu *v, uint64_t clear, uint64_t set)
{
	(void)v, (void)clear, (void)set;
}

static const struct vcpu_ops no_hardware = { .name = "none", .fetch = no_fetch, .dr6_set = no_dr6 };

/* ---- the device */

static uint64_t device_read(void *dev, uint64_t addr, unsigned size)
{
	uint64_t value = 0;

	(void)dev;
	world.reads++;
	memcpy(&value, world.device + addr, size);
	return value;
}

static void device_write(void *dev, uint64_t addr, unsigned size, uint64_t value)
{
	(void)dev;
	world.writes++;
	memcpy(world.device + addr, &value, size);
}

static const struct bus_ops device_ops = { .name = "array", .read = device_read, .write = device_write, .access_max = 8 };

void world_begin(void)
{
	struct vsegment flat = { .sel = 0x10, .attr = 0xc093, .limit = 0xffffffff };

	if (!ram && posix_memalign((void **)&ram, 4096, 0x10000))
		abort();
	memset(&world, 0, sizeof(world));
	memset(ram, 0, 0x10000);
	if (guest_mem_add(&world.vm.mem, WORLD_CODE, 0x10000, (uint64_t)(uintptr_t)ram) ||
	    bus_add(&world.vm.bus, BUS_MMIO, WORLD_DEVICE, WORLD_DEVICE_BYTES, &device_ops, &world))
		abort();
	world.cpu.features.phys_bits = 40;
	world.v = (struct vcpu){ .vm = &world.vm, .cpu = &world.cpu, .ops = &no_hardware, .avail = VG_ALL };
	world.vm.vcpu = &world.v;
	for (unsigned i = 0; i < SEG_COUNT; i++)
		world.v.seg[i] = flat;
	world.v.seg[SEG_CS].attr = 0xa09b;
	world.v.efer = EFER_LME | EFER_LMA;
	world.v.cr0 = CR0_PE;
	world.v.rflags = RFLAGS_ONE;
}

void world_mode(unsigned bits)
{
	world.v.efer = 0;
	world.v.seg[SEG_CS].attr = bits == 32 ? 0xc09b : 0x809b;
	world.v.seg[SEG_SS].attr = bits == 32 ? 0xc093 : 0x8093;
}

int world_emulate(const uint8_t *bytes, unsigned len)
{
	memcpy(ram, bytes, len);
	world.v.rip = WORLD_CODE;
	world.v.inject.valid = false;
	world.reads = world.writes = 0;
	return emulate_mmio(&world.v, WORLD_DEVICE);
}
