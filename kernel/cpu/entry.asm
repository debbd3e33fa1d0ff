; The ways into the kernel and out of it: trap stubs, system calls, the return to user mode, the context switch.
;
; 1. Every entry builds a struct trap_frame (kernel/cpu/trap.h) on the kernel stack of the current task.
; 2. The kernel runs with flat ds and es, and with %fs on this CPU's struct cpu. It does not use %gs. After a system call
;    that has the selector of some program, whose TLS segment may be gone. A trap that cannot load it again leaves a null
;    selector there. To that end the kernel handles traps with a null %gs. Otherwise that fault could not be left either.
; 3. System calls come through a trap gate, which leaves interrupts on, or by sysenter, which turns them off.
;    Everything else comes through interrupt gates.
; 4. The return to user mode tests for work with interrupts off, so that no work can arrive unseen between the
;    test and iret.
; 5. Every return is an iret, also from a call by sysenter. So a program finds all its registers as they were, and the
;    kernel may change any of them in the frame.

%include "kernel/cpu/offsets.inc"		; made from kernel/cpu/offsets.c

extern trap_dispatch, return_work, sched_finish_switch, kernel_task_end, syscall_traced, syscall_unknown
extern syscall_table, double_fault

%macro EX_TABLE 2				; a fault at %1 continues at %2
	section __ex_table
	dd	%1, %2
	section .text
%endmacro

; With SMAP, the kernel has access to user memory while EFLAGS.AC is set. A program may have set it. mm/vm/uaccess.c
; replaces these three bytes, which do nothing, by a clac on a CPU with SMAP.
%macro CLAC 0
%%site:	db	0x8d, 0x76, 0x00		; lea esi, [esi + 0]
	section __smap_sites
	dd	%%site, 0xca
	section .text
%endmacro

section .text
bits 32

section .rodata
data_selector:	 dw KERNEL_DATA
percpu_selector: dw PERCPU
null_selector:	 dw 0
section .text

; Push the rest of the frame, and load the kernel's segments. All other registers keep their values.
%macro SAVE 0
	pushad					; eax, ecx, edx, ebx, esp, ebp, esi, edi
	push	ds
	push	es
	push	fs
	push	gs
	mov	ds, [ss:data_selector]
	mov	es, [ss:data_selector]
	mov	fs, [ss:percpu_selector]
%endmacro

; System calls by `int`.
; BOOK: syscall-entry
global syscall_entry
syscall_entry:
	push	eax				; trap_frame.error: the original eax
	push	dword SYSCALL
	SAVE
	CLAC
	cld
	jmp	system_call

; System calls by sysenter, from __kernel_vsyscall in the vDSO. The program's stack pointer is in ebp, and at the top of
; its stack lies the value that ebp is to have: the sixth argument. The CPU has turned interrupts off, and loaded cs, ss,
; eip and esp. esp is the address of this CPU's entry_stack.task_stack (kernel/cpu/segments.c).
;
; All other flags are the program's. With TF set, each instruction up to sysenter_flags_cleared ends in a debug trap,
; the first one on the small stack below task_stack. debug_trap() lets them pass. An NMI may use that stack, too.
; BOOK: sysenter-entry
global sysenter_entry, sysenter_flags_cleared
sysenter_entry:
	mov	esp, [esp]			; the task's own kernel stack
	push	dword USER_DATA
	push	ebp
	pushfd
	or	dword [esp], EFLAGS_IF
	push	dword USER_CODE
	push	dword [esp + FAST_RETURN - FRAME_CS]	; stack_top.fast_return, which lies above the frame
	push	dword EFLAGS_IF | EFLAGS_AC	; interrupts on, access to user memory, and TF, NT and DF off
	popfd
sysenter_flags_cleared:
	cmp	ebp, USER_END - 4
	ja	sysenter_bad_stack
sysenter_read:
	mov	ebp, [ebp]			; through ss, which is flat
	CLAC
	push	eax
	push	dword SYSCALL
	SAVE
; The frame is complete, and the registers still have the arguments: ebx, ecx, edx, esi, edi, ebp. C expects the first
; three in eax, edx and ecx, and the others on the stack.
system_call:
	push	ebp
	push	edi
	push	esi
	xor	ebp, ebp			; no caller beyond this
	mov	esi, [fs:CPU_CURRENT]
	test	dword [esi + TASK_WORK], WORK_TRACE
	jnz	.traced
	cmp	eax, NR_SYSCALLS
	jae	.unknown
	xchg	ecx, edx
	xchg	eax, ebx			; ebx: the number
	call	[syscall_table + ebx * 4]
.done:	add	esp, 12
.refused:
	mov	[esp + FRAME_EAX], eax
	cli					; esi is still the current task, because C preserves it
user_work:
	cmp	dword [fs:CPU_RESCHED], 0
	jne	.work
	test	dword [esi + TASK_WORK], WORK_SIGNAL
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

user_work.work:
	sti
	mov	eax, esp
	call	return_work
return_to_user:
	cli
	mov	esi, [fs:CPU_CURRENT]
	jmp	user_work

system_call.unknown:
	call	syscall_unknown
	jmp	system_call.done
system_call.traced:
	lea	eax, [esp + 12]			; the frame
	call	syscall_traced
	jmp	system_call.done

; The program's stack cannot be read. Where the call returns to, the program will find that out, too.
sysenter_bad_stack:
	CLAC
	push	eax
	push	dword SYSCALL
	SAVE
	xor	ebp, ebp
	mov	esi, [fs:CPU_CURRENT]
	mov	eax, -EFAULT
	jmp	system_call.refused
	EX_TABLE sysenter_read, sysenter_bad_stack

; Traps and interrupts. The CPU has pushed an error code for some; for all others the stub has pushed a zero.
trap_common:
	SAVE
	mov	gs, [ss:null_selector]
	CLAC
	cld
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
