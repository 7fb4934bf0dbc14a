/* What comes along with a firmware image: its video BIOS, and the ROM that boots a kernel, where the image's own package has them.
 */
#ifndef HOST_FIRMWARE_H
#define HOST_FIRMWARE_H

#include "host/options.h"

/**
 * Adds modules for a guest that is a firmware image (vmm/firmware_files.h): vgabios-stdvga.bin that lies beside it, unless there is
 * no head, or videorom or a vgaroms/ file was given; linuxboot_dma.bin beside it or in ../qemu, when a kernel was given and no
 * genroms/ file. Returns 0, or EXIT_USAGE having said what is missing.
 */
int firmware_add_roms(struct options *o);

#endif
