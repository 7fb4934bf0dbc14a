; What ops call: one instruction each, which the trap's IP must point at, in one page. CPL 3 runs them at USER_CODE; 32-bit modes run the
; same bytes, so only encodings that mean the same there are used, but for the 8-byte ones.
; DI: address; AX, CX, DX, BX: values; SI: source.
BITS 64
section .text
align 4096
global routines

%macro ROUTINE 2+
global r_%1
r_%1:	%2
	ret
%endmacro

routines:
user_return:
	int 0x30
	ROUTINE read1, mov al, [rdi]
	ROUTINE read2, mov ax, [rdi]
	ROUTINE read4, mov eax, [rdi]
	ROUTINE read8, mov rax, [rdi]
	ROUTINE write1, mov [rdi], al
	ROUTINE write2, mov [rdi], ax
	ROUTINE write4, mov [rdi], eax
	ROUTINE write8, mov [rdi], rax
	ROUTINE exec, call rdi
	ROUTINE xadd4, lock xadd [rdi], eax
	ROUTINE cmpxchg4, cmpxchg [rdi], ecx
	ROUTINE cmpxchg8b, lock cmpxchg8b [rdi]
	ROUTINE or4, lock or [rdi], eax
	ROUTINE and4, lock and [rdi], eax
	ROUTINE bts, lock bts dword [rdi], 1
	ROUTINE btr, lock btr dword [rdi], 1
	ROUTINE stos1, rep stosb
	ROUTINE stos4, rep stosd
	ROUTINE movs1, rep movsb
	ROUTINE movs4, rep movsd
	ROUTINE invlpg, invlpg [rdi]
	ROUTINE set_cr0, mov cr0, rax
	ROUTINE set_cr3, mov cr3, rax
	ROUTINE set_cr4, mov cr4, rax
	ROUTINE wrmsr, wrmsr
	ROUTINE lldt, lldt ax
	ROUTINE load_gs, mov gs, eax
	ROUTINE lidt, lidt [rdi]
	ROUTINE int80, int 0x80
	align 4096
