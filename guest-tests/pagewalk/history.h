/* Entries' former values that the CPU may still have cached (Intel SDM vol. 3, 4.10). */
#ifndef PAGEWALK_HISTORY_H
#define PAGEWALK_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

void history_reset(void);

/** An entry is being replaced. Values that are not present or not accessed are never cached (SDM 4.10.2.3, 4.10.3.1). */
void history_add(uint64_t at, uint64_t value);

/**
 * The nth former value of the entry at `at`, which is `current` now, that translations of va may still use. False: there are no
 * more.
 */
bool history_get(uint64_t at, uint64_t current, uint64_t va, unsigned n, uint64_t *value);

/** There was a page fault at va. */
void history_fault(uint64_t va);

#endif
