/*
 * For tests of the vDSO: its symbols, its places in memory, and system calls that do not use it.
 */
#ifndef USER_TEST_VDSO_H
#define USER_TEST_VDSO_H

#include "user/test/test.h"

#include <elf.h>
#include <sys/auxv.h>

struct area { /* a line of /proc/self/maps */
	uintptr_t start, end;
	char access[8];
};

/* Finds a mapping by its name. Returns false if there is none. */
__attribute__((unused)) static bool find_area(const char *name, struct area *area)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512], found[256];
	unsigned long start, end;
	bool there = false;

	CHECK(maps);
	while (!there && fgets(line, sizeof(line), maps)) {
		found[0] = 0;
		there = sscanf(line, "%lx-%lx %7s %*s %*s %*s %255s", &start, &end, area->access,
			       found) == 4 &&
			!strcmp(found, name);
	}
	fclose(maps);
	*area = (struct area){ start, end, { 0 } };
	if (there)
		sscanf(line, "%*s %7s", area->access);
	return there;
}

__attribute__((unused)) static const Elf32_Dyn *vdso_dynamic(uintptr_t *bias)
{
	uintptr_t at = getauxval(AT_SYSINFO_EHDR);
	const Elf32_Ehdr *image = (const Elf32_Ehdr *)at;
	const Elf32_Phdr *phdr = (const Elf32_Phdr *)(at + image->e_phoff);
	const Elf32_Dyn *dynamic = NULL;

	for (int i = 0; i < image->e_phnum; i++) {
		if (phdr[i].p_type == PT_LOAD)
			*bias = at + phdr[i].p_offset - phdr[i].p_vaddr;
		if (phdr[i].p_type == PT_DYNAMIC)
			dynamic = (const Elf32_Dyn *)(at + phdr[i].p_offset);
	}
	CHECK(dynamic);
	return dynamic;
}

/* Returns an entry of the library's dynamic section. */
__attribute__((unused)) static uintptr_t vdso_entry(int tag)
{
	uintptr_t bias = 0;

	for (const Elf32_Dyn *entry = vdso_dynamic(&bias); entry->d_tag != DT_NULL; entry++)
		if (entry->d_tag == tag)
			return tag == DT_SONAME ? entry->d_un.d_val : entry->d_un.d_ptr + bias;
	test_fail(__FILE__, __LINE__, "the vDSO has no dynamic entry %d", tag);
}

/* Returns the name of the version that a symbol has. */
__attribute__((unused)) static const char *vdso_version(unsigned int symbol)
{
	unsigned int number = ((const Elf32_Half *)vdso_entry(DT_VERSYM))[symbol] & 0x7fff;
	uintptr_t at = vdso_entry(DT_VERDEF);
	const Elf32_Verdef *version;

	for (;;) {
		version = (const Elf32_Verdef *)at;
		if (version->vd_ndx == number || !version->vd_next)
			break;
		at += version->vd_next;
	}
	CHECK_EQ(version->vd_ndx, number);
	return (const char *)vdso_entry(DT_STRTAB) +
	       ((const Elf32_Verdaux *)(at + version->vd_aux))->vda_name;
}

/* Returns the address of a function of the vDSO. */
__attribute__((unused)) static void *vdso_symbol(const char *name, const char *version)
{
	unsigned int nr = ((const Elf32_Word *)vdso_entry(DT_HASH))[1];
	const Elf32_Sym *symbols = (const Elf32_Sym *)vdso_entry(DT_SYMTAB);
	const char *names = (const char *)vdso_entry(DT_STRTAB);
	uintptr_t bias = 0;

	vdso_dynamic(&bias);
	for (unsigned int i = 1; i < nr; i++)
		if (symbols[i].st_shndx != SHN_UNDEF && symbols[i].st_shndx != SHN_ABS &&
		    !strcmp(names + symbols[i].st_name, name)) {
			CHECK(!strcmp(vdso_version(i), version));
			return (void *)(symbols[i].st_value + bias);
		}
	test_fail(__FILE__, __LINE__, "the vDSO has no %s", name);
}

/* A system call by `int`. The C library may use the vDSO for its own. */
__attribute__((unused)) static long direct_call(long number, long a, long b, long c, long d, long e)
{
	long result;

	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(number), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
			 : "memory");
	return result;
}

struct kernel_action { /* as rt_sigaction(2) takes it */
	void *handler;
	unsigned long flags;
	void *restorer;
	unsigned long mask[2];
};

#endif
