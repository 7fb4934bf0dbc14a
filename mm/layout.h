/* The address map of the whole machine: the VMM's own, and the guest's. */
#ifndef MM_LAYOUT_H
#define MM_LAYOUT_H

#define PAGE_SHIFT 12
#define PAGE_SIZE 4096ull
#define PAGE_MASK (PAGE_SIZE - 1)
#define LARGE_PAGE_SHIFT 21
#define LARGE_PAGE_SIZE (1ull << LARGE_PAGE_SHIFT)
#define HUGE_PAGE_SHIFT 30
#define HUGE_PAGE_SIZE (1ull << HUGE_PAGE_SHIFT)

/*
 * The VMM's address space: virtual = physical, for the image and for all RAM, so that a frame's address is its pointer.
 *   0          - 0xfff        not mapped: null pointers fault
 *   1 MiB      - image end    the image by section: text r-x, rodata r--, data and bss rw-; guard pages under stacks not mapped
 *   all other RAM             rw-, never executable, 2 MiB and 1 GiB leaves
 *   MMIO that the VMM drives  rw-, uncached, page by page (mm/map.h)
 */
#define VMM_LOAD 0x100000ull

/* The guest's physical memory. */
#define GUEST_LOW_END 0xa0000ull        /* RAM from 0 */
#define GUEST_HIGH_START 0x100000ull    /* RAM from here to --memory, at most up to GUEST_MMIO_START */
/* Between the two, in RAM that the memory map does not offer: firmware's tables, of direct boot. */
#define GUEST_EBDA 0x9fc00ull           /* to GUEST_LOW_END */
#define GUEST_ACPI 0xe0000ull           /* to GUEST_FIRMWARE */
#define GUEST_FIRMWARE 0xf0000ull       /* where guests look for what points to tables; to GUEST_HIGH_START */
#define GUEST_MMIO_START 0xc0000000ull
/* Where the heads' PCI BARs are at power-on; the guest may move them. */
#define GUEST_HEAD_BASE 0xd0000000ull   /* head n's VRAM at GUEST_HEAD_BASE + n * GUEST_HEAD_STRIDE */
#define GUEST_HEAD_STRIDE 0x2000000ull  /* 32 MiB each at most */
#define GUEST_HEAD_MODE_MAX 0x1000000ull /* bytes of a head's largest mode: VRAM holds two pictures, to flip between */
#define GUEST_HEAD_REGS 0xf1000000ull   /* head n's registers, a page each */
#define GUEST_PCI_END 0xfec00000ull     /* the interrupt controllers' and firmware's addresses: no BAR's memory goes there */
#define GUEST_ROM_END 0x100000000ull    /* a firmware image ends here, and its last GUEST_ROM_LOW bytes at 1 MiB too */
#define GUEST_ROM_MAX 0x1000000ull
#define GUEST_ROM_LOW 0x20000ull
#define GUEST_ECAM 0xfef00000ull        /* PCI configuration space by memory, 1 MiB */
#define GUEST_HIGH_RAM 0x100000000ull   /* RAM beyond GUEST_MMIO_START goes on here */

#endif
