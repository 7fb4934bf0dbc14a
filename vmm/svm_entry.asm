; The way into the guest and back (APM vol. 2, 15.5, 15.6, 15.17). Offsets into struct vcpu: gpr[n] at 8 * n, in encoding order.

bits 64
section .text

; void svm_enter(struct vcpu *v, uint64_t host)
; The C function that handles an exit is called from here, so that exits which the guest goes on after need no callee's registers.
extern svm_exited, svm_prepare
global svm_enter
svm_enter:
	push rbp
	push rbx
	push r12
	push r13
	push r14
	push r15
	push rsi			; host
	push rsi
	push rdi			; v; the stack is aligned for calls now

.enter:	call svm_prepare
	mov rdi, [rsp]			; and RAX: the VMCB
	; From here to STGI nothing interrupts: GIF holds back interrupts, NMIs and SMIs alike. RFLAGS.IF must nevertheless be 1 at
	; VMRUN, for with V_INTR_MASKING it is the host's IF that lets a physical interrupt end the guest's turn (15.21.1).
	clgi
	sti

	mov rcx, [rdi + 8 * 1]
	mov rdx, [rdi + 8 * 2]
	mov rbx, [rdi + 8 * 3]
	mov rbp, [rdi + 8 * 5]
	mov rsi, [rdi + 8 * 6]
	mov r8, [rdi + 8 * 8]
	mov r9, [rdi + 8 * 9]
	mov r10, [rdi + 8 * 10]
	mov r11, [rdi + 8 * 11]
	mov r12, [rdi + 8 * 12]
	mov r13, [rdi + 8 * 13]
	mov r14, [rdi + 8 * 14]
	mov r15, [rdi + 8 * 15]
	mov rdi, [rdi + 8 * 7]

	vmload				; the guest's FS, GS, TR, LDTR, STAR ...: VMRUN leaves them alone
	vmrun				; #VMEXIT brings back RAX, RSP, RFLAGS, CRs, CS, SS, DS, ES, and clears GIF
.left:	vmsave

	mov rax, [rsp]
	mov [rax + 8 * 1], rcx
	mov [rax + 8 * 2], rdx
	mov [rax + 8 * 3], rbx
	mov [rax + 8 * 5], rbp
	mov [rax + 8 * 6], rsi
	mov [rax + 8 * 7], rdi
	mov [rax + 8 * 8], r8
	mov [rax + 8 * 9], r9
	mov [rax + 8 * 10], r10
	mov [rax + 8 * 11], r11
	mov [rax + 8 * 12], r12
	mov [rax + 8 * 13], r13
	mov [rax + 8 * 14], r14
	mov [rax + 8 * 15], r15
	mov rdi, rax

	mov rax, [rsp + 16]
	vmload				; before STGI: the NMI handler finds its CPU through GS and its stacks through TR
	; RFLAGS.IF is as VMRUN found it, 1: what is pending comes in between these two, once for each exit, so that the guest gets on
	; however fast it comes. Bochs 2.7 needs that: it holds back physical interrupts while the guest runs with IF 0, as if
	; V_INTR_MASKING were off.
	stgi
	cli

	lea rbp, [rsp + 64]		; svm_enter's frame, for a backtrace
	call svm_exited
	mov rdi, [rsp]
	test al, al
	jnz .enter

	add rsp, 24
	pop r15
	pop r14
	pop r13
	pop r12
	pop rbx
	pop rbp
	ret

; Bochs 2.7 carries a single-step trap of the guest over the #VMEXIT and delivers it to the VMM, even with GIF clear: it is dropped.
section .fixup progbits alloc noexec nowrite align=8
	dq svm_enter.left, svm_enter.left

section .text
; void svm_save_host(uint64_t host)
global svm_save_host
svm_save_host:
	mov rax, rdi
	vmsave
	ret
