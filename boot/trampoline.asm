; The first code of another CPU. The CPU starts in real mode at a page below 1 MiB, to which kernel/cpu/smp.c
; has copied the bytes from trampoline_start to trampoline_end. The fields at the end contain its stack and
; its number. The first MiB must be identity-mapped. Intel SDM vol. 3, 8.4.

TRAMPOLINE	equ 0x8000
CR0_PE		equ 1
CR0_PG		equ 1 << 31
CR0_WP		equ 1 << 16
MSR_EFER	equ 0xc0000080
%include "kernel/cpu/offsets.inc"		; struct trampoline_fields of kernel/cpu/smp.h
%define AT(label) (TRAMPOLINE + (label) - trampoline_start)

section .rodata
global trampoline_start, trampoline_end, trampoline_fields
bits 16
trampoline_start:
	cli
	cld
	xor	ax, ax
	mov	ds, ax
	lgdt	[AT(gdt_pointer)]
	mov	eax, cr0
	or	eax, CR0_PE
	mov	cr0, eax
	jmp	dword 0x08:AT(.protected)
bits 32
.protected:
	mov	ax, 0x10
	mov	ds, ax
	mov	es, ax
	mov	ss, ax
	mov	eax, [AT(trampoline_fields) + FIELD_CR4]
	mov	cr4, eax
	mov	eax, [AT(trampoline_fields) + FIELD_CR3]
	mov	cr3, eax
	cmp	dword [AT(trampoline_fields) + FIELD_NX], 0
	je	.paging
	mov	ecx, MSR_EFER
	rdmsr
	or	eax, 1 << 11			; NXE
	wrmsr
.paging:
	mov	eax, cr0
	or	eax, CR0_PG | CR0_WP
	mov	cr0, eax
	mov	esp, [AT(trampoline_fields) + FIELD_STACK]
	mov	eax, [AT(trampoline_fields) + FIELD_CPU]		; smp_cpu_entry(cpu)
	xor	ebp, ebp
	mov	ecx, [AT(trampoline_fields) + FIELD_ENTRY]
	call	ecx
.halt:	cli
	hlt
	jmp	.halt

align 8
gdt:	dq 0, 0x00cf9a000000ffff, 0x00cf92000000ffff
gdt_pointer:
	dw gdt_pointer - gdt - 1
	dd AT(gdt)
align 4
trampoline_fields:
	times FIELDS_SIZE db 0
trampoline_end:
