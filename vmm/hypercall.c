#include "vmm/hypercall.h"

#include <errno.h>

#include "vmm/exit.h"
#include "vmm/line.h"
#include "vmm/vm.h"

static int64_t head_info(struct vm *vm, uint64_t index, uint64_t gpa)
{
	struct hc_head info;
	const struct head *h;

	if (index >= vm->head_count || !vm->view[index].present)
		return -ENOENT;
	h = &vm->head[index];
	info = (struct hc_head){ 0 };
	if (h->gpa != HEAD_NOWHERE && h->bpp == 32 && head_visible(h))
		info = (struct hc_head){
			.gpa = h->gpa + h->start,
			.width = h->width,
			.height = h->height,
			.stride = h->stride,
			.size = (uint32_t)(h->vram_bytes - h->start),
		};
	return guest_mem_write(&vm->mem, gpa, &info, sizeof(info));
}

static int64_t poke(struct vm *vm, uint64_t gpa)
{
	static uint8_t data[HC_POKE_BYTES];
	struct hc_poke p;
	uint64_t state;

	if (guest_mem_read(&vm->mem, gpa, &p, sizeof(p)))
		return -EFAULT;
	if (p.bytes > sizeof(data))
		return -E2BIG;
	state = p.seed;
	for (uint32_t i = 0; i < p.bytes; i++)
		data[i] = hc_poke_byte(&state);
	return guest_mem_write(&vm->mem, p.gpa, data, p.bytes);
}

static int64_t call(struct vm *vm, uint32_t number, const uint64_t *arg)
{
	switch (number) {
	case HC_GET_VERSION: return HC_VERSION;
	case HC_HEAD_COUNT: return vm->head_count;
	case HC_HEAD_INFO: return head_info(vm, arg[0], arg[1]);
	case HC_SCREENSHOT: return vm_screenshot(vm);
	case HC_POKE: return poke(vm, arg[0]);
	case HC_STALL:
		if (!vm->stalls)
			return -ENOSYS;
		for (;;)
			cpu_pause();
	default: return hypercall_dirty(vm, number, arg);
	}
}

void exit_hypercall(struct vcpu *v, struct vm_exit *x)
{
	uint64_t mask = vcpu_mode(v) == INSN_64 ? ~0ull : 0xffffffff;
	const uint64_t arg[] = { v->gpr[RBX] & mask, v->gpr[RCX] & mask, v->gpr[RDX] & mask, v->gpr[RSI] & mask };
	int64_t result;

	if (!vcpu_exit_length(v, x))
		return;
	result = vcpu_cpl(v) ? -EPERM : call(v->vm, (uint32_t)v->gpr[RAX], arg);
	v->gpr[RAX] = (uint64_t)result & mask;
	vcpu_skip(v, x->insn_len);
}
