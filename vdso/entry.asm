; The vDSO's ways into the kernel: for a program's system calls, and for handlers that return.
;
; 1. The functions take their arguments in registers. They change none of them except eax, which has the result.
; 2. Debuggers and unwinders know a handler's return by its instructions, so these must be exactly the ones below.
;    __kernel_vsyscall has a record of its frame in .eh_frame.

bits 32

NR_SIGRETURN	equ 119
NR_RT_SIGRETURN	equ 173

section .text

; Performs the system call eax with the arguments ebx, ecx, edx, esi, edi, ebp. Returns the result in eax.
;
; sysenter keeps neither esp nor eip. The kernel finds esp in ebp, and the program's ebp at the top of the stack. It returns to
; __kernel_vsyscall_return. A call that is interrupted and starts again does so by the `int` before that place.
; On a CPU without sysenter, the two instructions before the `int` are nops (mm/vm/vdso.c).
; BOOK: fast-call
global __kernel_vsyscall:function
__kernel_vsyscall:
	push	ebp
__kernel_vsyscall_fast:
	mov	ebp, esp
	sysenter
__kernel_vsyscall_int:
	int	0x80
__kernel_vsyscall_return:
	pop	ebp
vsyscall_popped:
	ret
vsyscall_end:

; Where a plain handler returns to. Its signal number is still on the stack.
	align	16
	nop					; unwinders look at the byte before, which belongs to no function
	align	16
global __kernel_sigreturn:function
__kernel_sigreturn:
	pop	eax
	mov	eax, NR_SIGRETURN
	int	0x80

; Where a handler with SA_SIGINFO returns to.
	align	16
	nop
	align	16
global __kernel_rt_sigreturn:function
__kernel_rt_sigreturn:
	mov	eax, NR_RT_SIGRETURN
	int	0x80
	nop

; The frame of __kernel_vsyscall in DWARF (Linux Standard Base Core, "Exception Frames"): the return address is at esp,
; and between push and pop 4 bytes above it.
section .eh_frame progbits alloc noexec nowrite align=4
cie:	dd	cie_end - cie - 4
	dd	0				; this is a CIE
	db	1, "zR", 0			; version, augmentation
	db	1, 0x7c, 8			; code in units of 1, data in units of -4, the return address is column 8
	db	1, 0x1b				; addresses are signed 32-bit numbers relative to their places
	db	0x0c, 4, 4			; the frame is at esp (4) + 4
	db	0x88, 1				; the return address is 1 unit below it
	align	4, db 0
cie_end:
fde:	dd	fde_end - fde - 4
	dd	$ - cie
	dd	__kernel_vsyscall - $
	dd	vsyscall_end - __kernel_vsyscall
	db	0
	db	0x40 + (__kernel_vsyscall_fast - __kernel_vsyscall)	; from here on ...
	db	0x0e, 8				; the frame is at the same register + 8,
	db	0x85, 2				; and ebp (5) is 2 units below it
	db	0x40 + (vsyscall_popped - __kernel_vsyscall_fast)	; and from here on ...
	db	0x0e, 4, 0xc5			; as at the beginning
	align	4, db 0
fde_end:
