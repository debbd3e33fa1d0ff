; From the loader's jump to kmain.
;
; 1. The ELF file has a Multiboot 1 header (qemu -kernel, GRUB, the browser's emulator) and a Multiboot 2
;    header (GRUB). Either kind of loader enters boot_start in 32-bit protected mode without paging. eax says
;    which kind it is (Multiboot 0.6.96, 3.2; Multiboot 2.0, 3.3), and ebx points to its information.
; 2. The first page tables map physical 0..1 GiB both at 0 and at KERNEL_BASE, in 2 MiB pages. So this code
;    continues to run, and kmain runs at the address it is linked for. mm/pgtable.c replaces the tables.
; 3. If the CPU lacks a feature that the kernel needs, it prints a message on both consoles and halts.
; 4. Without an APIC, nothing keeps a second CPU waiting. It also arrives here, and halts.

KERNEL_BASE	equ 0xc0000000
BOOT_STACK_SIZE	equ 8192

MB1_MAGIC	equ 0x1badb002
MB1_FLAGS	equ 0x00000003			; modules on page boundaries, memory map
MB2_MAGIC	equ 0xe85250d6

CR0_PG		equ 1 << 31
CR0_WP		equ 1 << 16
CR4_PSE		equ 1 << 4
CR4_PAE		equ 1 << 5
CPUID_APIC	equ 9				; bits of leaf 1, edx
CPUID_WANTED	equ 1 << 3 | 1 << 4 | 1 << 6 | 1 << 8 | 1 << 15 | 1 << 24 ; see `names`
PTE_LARGE_RW	equ 0x83			; present, writable, 2 MiB

section .boot.header
align 8
	dd MB1_MAGIC, MB1_FLAGS, -(MB1_MAGIC + MB1_FLAGS)
align 8
mb2_header:
	dd MB2_MAGIC, 0, mb2_end - mb2_header, -(MB2_MAGIC + (mb2_end - mb2_header))
	dw 4, 1					; console flags, which the loader may ignore:
	dd 12, 2				; text mode is welcome, too
	align 8
	dw 5, 1					; framebuffer, which the loader may leave out:
	dd 20, 0, 0, 32				; any size, 32 bits per pixel
	align 8
	dw 0, 0					; end tag
	dd 8
mb2_end:

section .boot progbits alloc exec write
bits 32
global boot_start, boot_pdpt
extern kmain

; BOOK: boot-start
boot_start:
	cli
	cld
	mov	esp, boot_stack_low + 256
	mov	ebp, eax			; the loader's magic
	mov	esi, ebx			; its information

	mov	eax, 1
	cpuid
	bt	edx, CPUID_APIC
	jc	.first
	shr	ebx, 24				; the initial APIC id
	jnz	.halt
.first:	not	edx
	and	edx, CPUID_WANTED
	jnz	lacking

	mov	edi, boot_directory		; 512 entries of 2 MiB each, 1 GiB in all
	mov	eax, PTE_LARGE_RW
.fill:	mov	[edi], eax
	mov	dword [edi + 4], 0
	add	edi, 8
	add	eax, 2 << 20
	cmp	eax, (1 << 30) + PTE_LARGE_RW
	jne	.fill

	mov	eax, boot_directory + 1
	mov	[boot_pdpt], eax		; at 0 ...
	mov	[boot_pdpt + 3 * 8], eax	; ... and at 3 GiB
	mov	eax, boot_pdpt
	mov	cr3, eax
	mov	eax, cr4
	or	eax, CR4_PAE | CR4_PSE
	mov	cr4, eax
	mov	eax, cr0
	or	eax, CR0_PG | CR0_WP
	mov	cr0, eax

	mov	eax, .high
	jmp	eax
.high:	mov	esp, boot_stack + BOOT_STACK_SIZE
	mov	eax, ebp			; kmain(magic, info): eax, edx
	mov	edx, esi
	xor	ebp, ebp			; the end of every backtrace
	mov	ecx, kmain
	call	ecx
.halt:	cli
	hlt
	jmp	.halt

; Print the name of the first missing feature, and halt. edx has the bits of the missing features.
lacking:
	bsf	ecx, edx
	mov	edi, 0xb8000
	mov	esi, lacking_text
	call	say
	mov	esi, names
.find:	cmp	[esi], cl
	je	.found
	add	esi, 6
	jmp	.find
.found:	inc	esi
	call	say
	mov	esi, hint_text
	call	say
	jmp	boot_start.halt

; Print the text at esi to the screen at edi and to the first serial port.
say:	lodsb
	test	al, al
	jz	.end
	mov	ah, 0x0f
	stosw
	mov	ah, al
.busy:	mov	dx, 0x3f8 + 5			; line status: room for a byte
	in	al, dx
	test	al, 0x20
	jz	.busy
	mov	al, ah
	mov	dx, 0x3f8
	out	dx, al
	jmp	say
.end:	ret

lacking_text: db "Sluice cannot start: this CPU lacks ", 0
hint_text: db ". In QEMU use -cpu max.", 10, 0
names:	db 3, "PSE", 0, 0			; a bit, and five bytes of text
	db 4, "TSC", 0, 0
	db 6, "PAE", 0, 0
	db 8, "CX8", 0, 0
	db 15, "CMOV", 0
	db 24, "FXSR", 0

section .boot.bss nobits alloc write
align 4096
boot_directory:	resb 4096
align 32
boot_pdpt:	resb 32
boot_stack_low:	resb 256

section .bss
align 16
global boot_stack
boot_stack:	resb BOOT_STACK_SIZE
