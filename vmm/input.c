#include "vmm/input.h"

#include "stream/proto.h"
#include "vmm/vm.h"

void input_message(void *arg, uint8_t type, const uint8_t *body, size_t len)
{
	struct vm *vm = arg;

	if (!vm->pc || vm->ended)
		return;
	if (type == MSG_KEY && len == 3)
		pc_key(vm->pc, body[0], (uint16_t)(body[1] | body[2] << 8));
	if (type == MSG_POINTER && len == 7)
		pc_pointer(vm->pc, (uint16_t)(body[1] | body[2] << 8), (uint16_t)(body[3] | body[4] << 8), body[5],
			   (int8_t)body[6]);
	vm->attention = true;
}
