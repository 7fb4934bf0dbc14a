/*
 * Heads that come and go while the guest runs, as the host asks by `plug`, `unplug` and `resize`.
 *
 * A guest whose ACPI listens (it enabled the hot-plug event) is told of a new card, and asked for one that is to go: the answer
 * comes when it let go, or after a time of grace when it did not, and then all is as before. Where nobody listens, a card is put in
 * and taken out without a word; a guest that looks finds it or misses it. A new size means another card for a guest that listens,
 * since none looks at an EDID twice; else the EDID alone changes.
 *
 * A reset leaves the cards where they are, and does first what was asked for and not yet done.
 */
#ifndef VMM_HOTPLUG_H
#define VMM_HOTPLUG_H

#include <stdint.h>

struct vm;

void hotplug_init(struct vm *vm);

/** At power-on, after the devices' reset and before the heads'. */
void hotplug_reset(struct vm *vm);

/** The guest let go of the card in a slot: it is gone. */
void hotplug_ejected(struct vm *vm, unsigned slot);

/* Commands: "N WxH", "N [force]", "N WxH". Each answers request id once, now or later. */
void hotplug_plug(struct vm *vm, uint32_t id, const char *args);
void hotplug_unplug(struct vm *vm, uint32_t id, const char *args);
void hotplug_resize(struct vm *vm, uint32_t id, const char *args);

#endif
