; The vDSO as it is in memory: one page, which begins with an ELF header (vdso/vdso.ld).
; It can be written because some CPUs need another __kernel_vsyscall (mm/vm/vdso.c).

section .data
global vdso_image
	align	4096, db 0
vdso_image:
	incbin	"vdso/vdso.so"
	align	4096, db 0
