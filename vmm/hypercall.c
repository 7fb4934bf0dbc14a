#include "vmm/hypercall.h"

#include <errno.h>

#include "vmm/exit.h"
#include "vmm/line.h"
#include "vmm/vm.h"

static int64_t head_info(struct vm *vm, uint64_t index, uint64_t gpa)
{
	struct hc_head info;
	const struct head *h;

	if (index >= vm->head_count)
		return -ENOENT;
	h = &vm->head[index];
	info = (struct hc_head){
		.gpa = h->gpa + h->start, .width = h->width, .height = h->height, .stride = h->stride,
		.size = (uint32_t)(h->vram_bytes - h->start),
	};
	return guest_mem_write(&vm->mem, gpa, &info, sizeof(info));
}

void exit_hypercall(struct vcpu *v, struct vm_exit *x)
{
	bool wide = vcpu_mode(v) == INSN_64;
	uint64_t mask = wide ? ~0ull : 0xffffffff, b = v->gpr[RBX] & mask, c = v->gpr[RCX] & mask;
	int64_t result;

	if (!vcpu_exit_length(v, x))
		return;
	if (vcpu_cpl(v)) {
		result = -EPERM;
	} else {
		switch ((uint32_t)v->gpr[RAX]) {
		case HC_GET_VERSION: result = HC_VERSION; break;
		case HC_HEAD_COUNT: result = v->vm->head_count; break;
		case HC_HEAD_INFO: result = head_info(v->vm, b, c); break;
		case HC_SCREENSHOT:
			result = vm_screenshot(v->vm);
			break;
		default: result = -ENOSYS; break;
		}
	}
	v->gpr[RAX] = (uint64_t)result & mask;
	vcpu_skip(v, x->insn_len);
}
