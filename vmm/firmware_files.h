/*
 * What a firmware image that runs as the guest finds in fw_cfg besides the tables: the guest's modules. A module's string names it:
 *   kernel, initrd    the Linux kernel, and its initramfs, that the boot ROM linuxboot asks for
 *   videorom          head 0's expansion ROM, for the video BIOS; not in fw_cfg
 *   any other         a file of that name: genroms/NAME and vgaroms/NAME are option ROMs
 */
#ifndef VMM_FIRMWARE_FILES_H
#define VMM_FIRMWARE_FILES_H

#include <stddef.h>

struct vm;

/** Puts the modules into fw_cfg. Returns 0; -EINVAL, -ENOEXEC or -ENOSPC with a sentence in why. */
int firmware_files(struct vm *vm, char *why, size_t why_len);

#endif
