; How another CPU comes up: it starts in real mode at a page below 1 MiB, to which kernel/cpu/smp.c copied the bytes
; between trampoline_start and trampoline_end; the CPU's stack and number are in the fields at the end.
; The identity mapping of the first MiB must be there. Intel SDM vol. 3, 8.4.

TRAMPOLINE	equ 0x8000
CR0_PE		equ 1
CR0_PG		equ 1 << 31
CR0_WP		equ 1 << 16
MSR_EFER	equ 0xc0000080
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
	mov	eax, [AT(field_cr4)]
	mov	cr4, eax
	mov	eax, [AT(field_cr3)]
	mov	cr3, eax
	cmp	dword [AT(field_nx)], 0
	je	.paging
	mov	ecx, MSR_EFER
	rdmsr
	or	eax, 1 << 11			; NXE
	wrmsr
.paging:
	mov	eax, cr0
	or	eax, CR0_PG | CR0_WP
	mov	cr0, eax
	mov	esp, [AT(field_stack)]
	mov	eax, [AT(field_cpu)]		; smp_cpu_entry(cpu)
	xor	ebp, ebp
	mov	ecx, [AT(field_entry)]
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
trampoline_fields:				; struct trampoline_fields, kernel/cpu/smp.c
field_cr3:	dd 0
field_cr4:	dd 0
field_nx:	dd 0
field_stack:	dd 0
field_cpu:	dd 0
field_entry:	dd 0
trampoline_end:
