; In and out of the guest under VMX (SDM vol. 3, ch. 27, 28).
; struct vcpu: general registers at 0..127 in encoding order, CR2 at 128. struct vmx_vcpu: host_rsp at 0, launched at 8.
bits 64

VMCS_HOST_RSP	equ 0x6c14
VCPU_CR2	equ 128
SELECTOR_DATA	equ 0x10			; boot/tables.h

; The general registers of the guest whose vCPU is at RDI. Flags stay.
%macro load_guest 0
	mov rax, [rdi + 0 * 8]
	mov rcx, [rdi + 1 * 8]
	mov rdx, [rdi + 2 * 8]
	mov rbx, [rdi + 3 * 8]
	mov rbp, [rdi + 5 * 8]
	mov rsi, [rdi + 6 * 8]
	mov r8, [rdi + 8 * 8]
	mov r9, [rdi + 9 * 8]
	mov r10, [rdi + 10 * 8]
	mov r11, [rdi + 11 * 8]
	mov r12, [rdi + 12 * 8]
	mov r13, [rdi + 13 * 8]
	mov r14, [rdi + 14 * 8]
	mov r15, [rdi + 15 * 8]
	mov rdi, [rdi + 7 * 8]
%endmacro

; Any selector that can be written will do: where the CPU reports MD_CLEAR, VERW of memory clears what its buffers keep of the VMM's data
; (docs/threat-model.md). All loads behind it are of the guest's own registers.
section .rodata
verw_selector dw SELECTOR_DATA

section .text

; unsigned vmx_enter(struct vcpu *v, struct vmx_vcpu *a)
; An exit restores RSP from the VMCS; RFLAGS is then 2, so interrupts are off and DF is clear (28.5.3). The C function that handles it
; is called from here, so that exits which the guest goes on after need no callee's registers. 0: exit, 1: CF, 2: ZF.
extern vmx_exited, vmx_prepare
global vmx_enter
vmx_enter:
	push rbp
	push rbx
	push r12
	push r13
	push r14
	push r15
	push rsi
	push rdi
	sub rsp, 8			; the ABI's alignment, for calls after an exit
	cmp [rsi], rsp
	je .host_rsp_written
	mov [rsi], rsp
	mov eax, VMCS_HOST_RSP
	vmwrite rax, rsp
	jbe failed
.host_rsp_written:
	verw [rel verw_selector]
	cmp qword [rsi + 8], 0
	load_guest
	jne .resume
	vmlaunch
	jmp failed
.resume:
	vmresume

; The instruction before failed and fell through: CF without, ZF with an instruction error in the VMCS.
failed:
	mov eax, 1
	jc leave
	inc eax
	jmp leave

; HOST_RIP. On the stack: a free word, v, a, as vmx_enter left them.
global vmx_exit_point
vmx_exit_point:
	mov [rsp], rdi
	mov rdi, [rsp + 8]
	mov [rdi + 0 * 8], rax
	mov [rdi + 1 * 8], rcx
	mov [rdi + 2 * 8], rdx
	mov [rdi + 3 * 8], rbx
	mov [rdi + 5 * 8], rbp
	mov [rdi + 6 * 8], rsi
	mov [rdi + 8 * 8], r8
	mov [rdi + 9 * 8], r9
	mov [rdi + 10 * 8], r10
	mov [rdi + 11 * 8], r11
	mov [rdi + 12 * 8], r12
	mov [rdi + 13 * 8], r13
	mov [rdi + 14 * 8], r14
	mov [rdi + 15 * 8], r15
	mov rax, [rsp]
	mov [rdi + 7 * 8], rax
	mov rax, cr2
	mov [rdi + VCPU_CR2], rax
	mov rsi, [rsp + 16]
	lea rbp, [rsp + 64]		; vmx_enter's frame, for a backtrace
	call vmx_exited
	test al, al
	jz done
	mov rdi, [rsp + 8]
	mov rsi, [rsp + 16]
	call vmx_prepare
	mov rdi, [rsp + 8]
	verw [rel verw_selector]
	load_guest
	vmresume
	jmp failed
done:	xor eax, eax

leave:
	add rsp, 24
	pop r15
	pop r14
	pop r13
	pop r12
	pop rbx
	pop rbp
	ret
