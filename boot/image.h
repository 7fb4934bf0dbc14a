/* Bounds of the image's parts, from linker.ld, and of the boot CPU's stacks, from boot/entry.asm. */
#ifndef BOOT_IMAGE_H
#define BOOT_IMAGE_H

#include "mm/layout.h"

extern char image_start[], image_text_end[], image_rodata_end[], image_end[]; /* all on page boundaries */

/* Each stack lies above a guard page that is never mapped: [stack - PAGE_SIZE, stack). */
#define BOOT_STACK_SIZE 0x10000
#define IST_STACK_SIZE 0x3000
extern char boot_stack[BOOT_STACK_SIZE];
extern char ist_stack_df[IST_STACK_SIZE], ist_stack_nmi[IST_STACK_SIZE], ist_stack_mc[IST_STACK_SIZE], ist_stack_pf[IST_STACK_SIZE];

#endif
