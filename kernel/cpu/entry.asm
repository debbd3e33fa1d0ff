; The ways into the kernel and out of it: trap stubs, system calls, the return to user mode, the context switch.
;
; 1. Every entry builds a struct trap_frame (kernel/cpu/trap.h) on the kernel stack of the current task.
; 2. The kernel runs with flat ds and es, and with %fs on this CPU's struct cpu. %gs is null. If it kept the
;    user's selector, a nested trap would load that again, and its TLS segment may be gone by then.
; 3. System calls come through a trap gate, which leaves interrupts on. Everything else comes through interrupt
;    gates.
; 4. The return to user mode tests for work with interrupts off, so that no work can arrive unseen between the
;    test and iret.

%include "kernel/cpu/offsets.inc"		; made from kernel/cpu/offsets.c

extern trap_dispatch, return_work, sched_finish_switch, kernel_task_end, syscall_traced, syscall_unknown
extern syscall_table, syscall_table_size, double_fault

%macro EX_TABLE 2				; a fault at %1 continues at %2
	section __ex_table
	dd	%1, %2
	section .text
%endmacro

; A user program may have set EFLAGS.AC, which would give the kernel access to user memory in spite of SMAP. With
; SMAP, mm/vm/uaccess.c replaces these three bytes, which do nothing, by a clac.
%macro CLAC 0
%%site:	db	0x8d, 0x76, 0x00		; lea esi, [esi + 0]
	section __smap_sites
	dd	%%site, 0xca
	section .text
%endmacro

section .text
bits 32

%macro SAVE 0
	pushad					; eax, ecx, edx, ebx, esp, ebp, esi, edi
	push	ds
	push	es
	push	fs
	push	gs
	CLAC
	mov	ebx, KERNEL_DATA
	mov	ds, ebx
	mov	es, ebx
	mov	ebx, PERCPU
	mov	fs, ebx
	xor	ebx, ebx
	mov	gs, ebx
	cld
%endmacro

; BOOK: syscall-entry
global syscall_entry
syscall_entry:
	push	eax				; trap_frame.error: the original eax
	push	dword SYSCALL
	SAVE
	xor	ebp, ebp			; no caller beyond this
	mov	ebx, [fs:CPU_CURRENT]
	test	dword [ebx + TASK_WORK], WORK_TRACE
	jnz	.traced
	cmp	eax, [syscall_table_size]
	jae	.unknown
	mov	edi, [syscall_table + eax * 4]
	test	edi, edi
	jz	.unknown
	mov	eax, [esp + FRAME_EBX]		; the first three arguments
	mov	ecx, [esp + FRAME_EDX]
	mov	edx, [esp + FRAME_ECX]
	push	dword [esp + FRAME_EBP]
	push	dword [esp + FRAME_EDI + 4]	; one further down by now
	push	dword [esp + FRAME_ESI + 8]	; two further down
	call	edi
	add	esp, 12
.done:	mov	[esp + FRAME_EAX], eax
	cli					; ebx is still the current task, because C preserves it
	jmp	return_to_user.test
return_to_user:
	cli
	mov	ebx, [fs:CPU_CURRENT]
.test:	cmp	dword [fs:CPU_RESCHED], 0
	jne	.work
	test	dword [ebx + TASK_WORK], WORK_SIGNAL
	jnz	.work
restore:
.gs:	pop	gs
.fs:	pop	fs
.es:	pop	es
.ds:	pop	ds
	popad					; all except esp
	add	esp, 8				; vector, error
	iretd
; The user's selector cannot be loaded, because its TLS segment is gone. Load a null selector instead.
.fix_ds: mov	dword [esp], 0
	jmp	.ds
.fix_es: mov	dword [esp], 0
	jmp	.es
.fix_fs: mov	dword [esp], 0
	jmp	.fs
.fix_gs: mov	dword [esp], 0
	jmp	.gs
	EX_TABLE restore.ds, restore.fix_ds
	EX_TABLE restore.es, restore.fix_es
	EX_TABLE restore.fs, restore.fix_fs
	EX_TABLE restore.gs, restore.fix_gs

return_to_user.work:
	sti
	mov	eax, esp
	call	return_work
	jmp	return_to_user
syscall_entry.unknown:
	mov	eax, esp
	call	syscall_unknown
	jmp	syscall_entry.done
syscall_entry.traced:
	mov	eax, esp
	call	syscall_traced
	jmp	syscall_entry.done

; Traps and interrupts. The CPU has pushed an error code for some; for all others the stub has pushed a zero.
trap_common:
	SAVE
	xor	ebp, ebp
	test	dword [esp + FRAME_CS], 3
	jnz	.user
	mov	ebp, [esp + FRAME_EBP]		; a trap in the kernel: backtraces go on there
.user:	mov	eax, esp
	call	trap_dispatch
	test	dword [esp + FRAME_CS], 3
	jnz	return_to_user
	jmp	restore

%macro STUB 1
stub_%1:
%if !(%1 == 8 || (%1 >= 10 && %1 <= 14) || %1 == 17 || %1 == 21)
	push	dword 0
%endif
	push	dword %1
	jmp	trap_common
%endmacro
%assign vector 0
%rep 256
	STUB vector
%assign vector vector + 1
%endrep

section .rodata
global trap_stubs
trap_stubs:
%macro STUB_ADDRESS 1
	dd stub_%1
%endmacro
%assign vector 0
%rep 256
	STUB_ADDRESS vector
%assign vector vector + 1
%endrep

section .text
; The double fault runs as a hardware task, with a stack and page tables that still work.
global double_fault_entry
double_fault_entry:
	mov	ebx, PERCPU
	mov	fs, ebx
	xor	ebp, ebp
	call	double_fault
.halt:	cli
	hlt
	jmp	.halt

; struct task *switch_context(struct task *prev, struct task *next): returns, on next's stack, the task that ran before.
global switch_context
switch_context:
	push	ebp
	push	ebx
	push	esi
	push	edi
	mov	[eax + TASK_ESP], esp
	mov	esp, [edx + TASK_ESP]
	pop	edi
	pop	esi
	pop	ebx
	pop	ebp
	ret

; The first instructions of a task. kernel/task.c has prepared its stack. eax: the task that ran before.
global user_task_entry
user_task_entry:
	call	sched_finish_switch
	jmp	return_to_user

global kernel_task_entry
kernel_task_entry:				; ebx: function, esi: argument
	call	sched_finish_switch
	sti
	mov	eax, esi
	call	ebx
	call	kernel_task_end			; returns only in a task that became a user task: its frame
	mov	esp, eax
	jmp	return_to_user
