/* Whether this host's KVM offers virtualization to its guests. */
#ifndef HOST_KVM_H
#define HOST_KVM_H

#include <stdbool.h>
#include <stddef.h>

/** True when it does. Else why gets a clause that completes "no nested KVM: ". */
bool kvm_nests(char *why, size_t size);

#endif
