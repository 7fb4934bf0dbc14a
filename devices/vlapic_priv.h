/* What the local APIC's files share: registers by their offset in the page, as SDM vol. 3, table 11-1 gives them. */
#ifndef DEVICES_VLAPIC_PRIV_H
#define DEVICES_VLAPIC_PRIV_H

#include "devices/vlapic.h"

#define REG_ID 0x20u
#define REG_VERSION 0x30u
#define REG_TPR 0x80u
#define REG_PPR 0xa0u
#define REG_EOI 0xb0u
#define REG_LDR 0xd0u
#define REG_DFR 0xe0u
#define REG_SVR 0xf0u
#define REG_ISR 0x100u /* eight of them, as TMR and IRR */
#define REG_TMR 0x180u
#define REG_IRR 0x200u
#define REG_ESR 0x280u
#define REG_ICR_LOW 0x300u
#define REG_ICR_HIGH 0x310u
#define REG_LVT 0x320u /* VLAPIC_LVTS of them */
#define REG_TIMER_INITIAL 0x380u
#define REG_TIMER_CURRENT 0x390u
#define REG_TIMER_DIVIDE 0x3e0u
#define REG_SELF_IPI 0x3f0u /* x2APIC */

#define BASE_BSP (1ull << 8)
#define BASE_X2APIC (1ull << 10)
#define BASE_ENABLE (1ull << 11)
#define BASE_ADDRESS (~0xfffull)

#define SVR_ENABLE (1u << 8)
#define LVT_MASKED (1u << 16)
#define LVT_TIMER_MODE(lvt) ((lvt) >> 17 & 3)
enum { TIMER_ONE_SHOT, TIMER_PERIODIC, TIMER_TSC_DEADLINE };

/* Error status (11.5.3). */
#define ESR_SENT_VECTOR (1u << 5)
#define ESR_RECEIVED_VECTOR (1u << 6)
#define ESR_REGISTER (1u << 7)

static inline bool x2apic(const struct vlapic *l)
{
	return (l->base & (BASE_ENABLE | BASE_X2APIC)) == (BASE_ENABLE | BASE_X2APIC);
}

static inline bool vector_get(const uint64_t set[4], uint8_t v)
{
	return set[v / 64] >> (v % 64) & 1;
}

/* ----  vlapic.c */

/** Requests a fixed interrupt. False: not accepted. */
bool vlapic_request(struct vlapic *l, uint8_t vector, bool level);
/** Acts on an LVT entry whose source has something to say. */
void vlapic_local(struct vlapic *l, unsigned entry);
/** Notes errors, and raises the interrupt for them. */
void vlapic_error(struct vlapic *l, uint32_t bits);
uint8_t vlapic_ppr(const struct vlapic *l);
void vlapic_eoi(struct vlapic *l);

/* ---- vlapic_reg.c */

extern const struct bus_ops vlapic_bus_ops;
void vlapic_icr(struct vlapic *l, uint32_t low, uint32_t dest);

/* ---- vlapic_timer.c */

void vlapic_timer_reset(struct vlapic *l);
void vlapic_timer_fire(void *arg);
/** The registers. The LVT entry has been checked. */
uint32_t vlapic_timer_current(struct vlapic *l);
void vlapic_timer_set_initial(struct vlapic *l, uint32_t count);
void vlapic_timer_set_divide(struct vlapic *l, uint32_t divide);
void vlapic_timer_set_lvt(struct vlapic *l, uint32_t lvt);
/** An interrupt with the timer's vector was taken: the next tick that is owed is due. */
void vlapic_timer_taken(struct vlapic *l);

#endif
