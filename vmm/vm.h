/* A guest: its memory, its CPU, its PC, its heads. */
#ifndef VMM_VM_H
#define VMM_VM_H

#include <stdbool.h>
#include <stdint.h>

#include "boot/bootinfo.h"
#include "devices/bus.h"
#include "devices/clock.h"
#include "devices/head.h"
#include "devices/pc.h"
#include "devices/vga_text.h"
#include "mm/dirty.h"
#include "mm/layout.h"
#include "mm/slat.h"
#include "stream/proto.h"
#include "vmm/guest_mem.h"
#include "vmm/heads.h"
#include "vmm/hypercall_dirty.h"
#include "vmm/loader.h"
#include "vmm/vcpu.h"

#define VM_HEAD_PAGES (GUEST_HEAD_STRIDE / PAGE_SIZE)

struct vm {
	struct guest_mem mem;
	struct slat slat;
	struct dirty dirty;
	struct bus bus;
	struct clock clock;
	struct pc *pc;
	struct vcpu *vcpu;                     /* one for now */
	unsigned head_count;                   /* heads have lower numbers; not all of these are there */
	struct head head[DISPLAY_HEADS];
	struct head_view view[DISPLAY_HEADS];  /* what tracker and stream know of each */
	struct vga_text text;                  /* the picture of head 0's text mode */
	uint32_t text_palette[256];            /* that the stream has seen it with */
	int stream_consumer;                   /* the tracker's consumer that feeds the stream */
	struct guest_dirty guest_dirty;        /* the guest's own ranges and consumers */
	uint64_t ram_bytes;
	int64_t tsc_offset;
	uint64_t start_ns;                     /* time_ns() at power-on */
	struct loader_blob kernel, module[BOOT_MODULES_MAX];
	unsigned module_count;
	struct loader_blob video_rom; /* head 0's expansion ROM; len 0: none */
	bool firmware;                         /* the kernel is a firmware image */

	/* These four together: exit.c reads them as one. */
	bool attention;                        /* something outside of the vCPU wants to be looked at before the next entry */
	bool intr_changed;                     /* pc_intr is to be asked before the next entry */
	bool rearm;                            /* a deadline came nearer: set the timer again */
	bool hold;                             /* does not start before a host attaches (wait=host) */
	bool paused;                           /* by the host's wish */
	bool ended;                            /* the guest ended the run; how and value say how */
	bool reset_wanted;
	bool used;                             /* a guest was loaded: its memory is not all zero any more */
	enum { SYNC_NONE, SYNC_PICTURES, SYNC_MESSAGE } sync; /* the guest waits: until the pictures arrived, then the message */
	uint32_t shots;                        /* screenshots that the guest asked for */
	enum guest_end how;
	uint32_t value;
	bool quit;                             /* the host wants the machine off */
	uint64_t turns;                        /* of vm_run's loop */
	bool stalls;                           /* selftest=stall: HC_STALL is answered, by never coming back */
};

/**
 * Makes the one guest from the boot modules and options: memory, tables, devices, heads. Returns it ready for vm_boot, or NULL with
 * a sentence in why.
 */
struct vm *vm_create(struct cpu *cpu, const struct vcpu_ops *ops, const struct boot_info *bi, const struct boot_options *opt,
		     char *why, size_t why_len);

/**
 * Gives the guest memory, or takes what begins at gpa away, under either kind of paging, while it runs too. The frames are the caller's.
 * Returns 0, or as guest_mem_add and slat_map.
 */
int vm_memory_add(struct vm *vm, uint64_t gpa, uint64_t len, uint64_t hpa);
void vm_memory_remove(struct vm *vm, uint64_t gpa);

/** Power-on: clears RAM, resets the devices, loads the kernel and sets the vCPU to its entry. 0 or a negative errno and why. */
int vm_boot(struct vm *vm, char *why, size_t why_len);

/** Runs the guest, the line and the timers. Returns when the host asked the machine to go off. */
void vm_run(struct vm *vm);

/** The guest's run is over. Tells the host once; later calls are ignored. */
void vm_end(struct vm *vm, enum guest_end how, uint32_t value);

/**
 * The guest wants the far end to take screenshots: stops it until all that it drew has arrived and the host knows. Returns the
 * screenshot's number, or -ENOTCONN.
 */
int vm_screenshot(struct vm *vm);

/** v stopped for good: the host is told what happened, and the run ends as a crash. */
void vm_parked(struct vm *vm, const char *problem);

#endif
