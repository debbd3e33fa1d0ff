# Sluice. `make help` says what each target does.
#
# All output goes to build/, and the kernel's debug build to build/debug/. `make clean` keeps only
# build/deb/, the fetched Debian packages, so that a machine without a network can still build.
# `make distclean` removes those too.

MAKEFLAGS += --no-builtin-rules --no-print-directory
.SUFFIXES:
.DELETE_ON_ERROR:
.SECONDARY:

CROSS   ?= i686-linux-gnu-
CC      := $(CROSS)gcc
LD      := $(CROSS)ld
NM      := $(CROSS)nm
NASM    := nasm

B       := build
DEB     := $(B)/deb
K       := $(if $(DEBUG),$(B)/debug,$(B))
Q       := $(if $(V),,@)
say      = $(if $(V),@:,@printf '  %-6s %s\n' "$(1)" "$(2)")

.PHONY: all kernel user root programs programs-long oracle debug run test bench iso microvm web help clean distclean compile_commands.json
all: $(if $(wildcard linker.ld),kernel) user root docs/syscalls.md

help:
	@echo 'make            builds the kernel, the guest programs and the root image'
	@echo 'make run        builds all of this and starts a shell in the guest'
	@echo 'make test       builds all of this and runs every test'
	@echo 'make bench      measures calls and moves on Sluice and Linux; ROW=pipe only rows with that word'
	@echo 'make iso        makes build/sluice.iso, for a CD, a USB stick or an emulator'
	@echo 'make iso APP=F  makes build/F.iso, which runs only the i386 program F (docs/image.md), and'
	@echo '                make microvm APP=F the same for QEMU'\''s machine microvm'
	@echo 'make web        makes build/web/, a folder that boots Sluice in a browser'
	@echo 'make kernel     builds build/sluice.elf; with DEBUG=1 build/debug/sluice.elf, which checks itself'
	@echo 'make debug      the same as make DEBUG=1 kernel'
	@echo 'make programs   makes a root with Debian'\''s programs; make programs-long one with compilers'
	@echo 'make oracle     prepares the Linux kernel that the tests are compared with'
	@echo 'make compile_commands.json   makes the list of compilations that editors read'
	@echo 'make clean      removes all output; make distclean also removes the fetched packages'
	@echo 'Add V=1 to see the commands that make runs.'

# --- Debian's i386 packages ---

$(DEB)/.packages: | tools/setup
	$(Q)tools/setup packages
$(DEB)/.oracle: | $(DEB)/.packages tools/setup
	$(Q)tools/setup oracle

# --- the kernel ---

KDIRS   := boot kernel mm fs drivers net lib
KSRC    := $(wildcard $(KDIRS:=/*.c) $(KDIRS:=/*/*.c))
KASM    := $(wildcard boot/*.asm kernel/*.asm kernel/*/*.asm mm/*/*.asm)
KSRC    := $(filter-out %/offsets.c,$(KSRC))
# UBSan's handlers and the order of locks are in the debug build only.
KSRC    := $(if $(DEBUG),$(KSRC),$(filter-out %/ubsan.c %/lockorder.c,$(KSRC)))
KOBJ    := $(KASM:%.asm=$(K)/%.asm.o) $(KSRC:%.c=$(K)/%.o)
CINC    := $(shell $(CC) -print-file-name=include 2>/dev/null)
LIBGCC  := $(shell $(CROSS)gcc -print-libgcc-file-name 2>/dev/null)
# The stack is aligned to 4 bytes. gcc and clang have different options for this.
STACK4  := $(if $(findstring clang,$(CC)),-mstack-alignment=4,-mpreferred-stack-boundary=2)

# Most loops of a kernel run once or twice. gcc's preparations for a loop, and computing conditions without branches, cost
# more instructions than they save.
SHORT   := $(if $(findstring clang,$(CC)),,-fno-align-loops -fno-move-loop-invariants -mbranch-cost=1)

# Arguments are passed in eax, edx and ecx (-mregparm=3). Assembly that calls C, or is called by it, must do the same.
KCFLAGS := -std=gnu11 -m32 -march=i686 -mtune=generic -mregparm=3 $(STACK4) \
	-mno-sse -mno-mmx -mno-80387 \
	-freg-struct-return -ffreestanding -fno-pic -fno-pie -fno-stack-protector -fno-strict-aliasing \
	-fno-omit-frame-pointer -fno-asynchronous-unwind-tables -fno-common -g \
	-Wall -Wextra -Wno-unused-parameter -Wno-sign-compare -Wmissing-declarations \
	-Wstrict-prototypes -Wvla $(if $(CI),-Werror) -nostdinc -isystem $(CINC) -I. \
	$(if $(DEBUG),-DDEBUG=1 -fsanitize=undefined)
# The kernel does not link libgcc, which takes its arguments on the stack. lib/div64.h has the 64-bit division.
KOPT    := $(if $(DEBUG),-O1,-O2 $(SHORT))
KLDFLAGS := -m elf_i386 -T linker.ld --build-id=none --no-warn-rwx-segments \
	-z noexecstack -z max-page-size=4096

# When a source file is removed, everything that contained it must be made again. So the list of names is
# a prerequisite of its own. $(call keep,FILE,NAMES) rewrites FILE only when the list has changed.
keep     = $(shell mkdir -p $(dir $(1)); echo '$(strip $(2))' | cmp -s - $(1) || echo '$(strip $(2))' >$(1))
$(call keep,$(K)/objects,$(KOBJ))

# The starter of a lab has this file.
-include lab.mk

kernel: $(K)/sluice.elf

$(K)/%.o: %.c Makefile
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(KCFLAGS) $(KOPT) -MMD -MP -c -o $@ $<

# The names that trace=syscalls prints: those of calls come from the C library's header, those of errors from the kernel's.
CALLS   := $(DEB)/musl/usr/include/i386-linux-musl/bits/syscall.h
$(K)/kernel/process/trace.o: $(K)/names/kernel/syscall_names.h $(K)/names/kernel/errno_names.h
$(K)/kernel/process/trace.o: KCFLAGS += -I$(K)/names
$(K)/names/kernel/syscall_names.h: $(DEB)/.packages Makefile
	@mkdir -p $(@D)
	$(Q)sed -n 's/^#define __NR_\([a-z0-9_]*\)[ \t]*\([0-9]*\)$$/[\2] = "\1",/p' $(CALLS) >$@
$(K)/names/kernel/errno_names.h: lib/errno.h Makefile
	@mkdir -p $(@D)
	$(Q)sed -n 's/^#define \(E[A-Z0-9_]*\)[ \t]*\([0-9].*\)$$/[\1] = "\1",/p' lib/errno.h >$@

# The glyphs of the screen, from GRUB's font.
$(K)/drivers/video/fbcon.o: $(K)/names/drivers/video/font.h
$(K)/drivers/video/fbcon.o: KCFLAGS += -I$(K)/names
$(K)/names/drivers/video/font.h: tools/font
	@mkdir -p $(@D)
	$(Q)tools/font /usr/share/grub/unicode.pf2 >$@.new && mv $@.new $@

# The offsets of C structures, for assembly.
OFFSETS := $(K)/names/kernel/cpu/offsets.inc
$(K)/kernel/cpu/entry.asm.o $(K)/boot/trampoline.asm.o: $(OFFSETS)
$(OFFSETS): kernel/cpu/offsets.c Makefile
	@mkdir -p $(@D)
	$(Q)$(CC) $(filter-out -g,$(KCFLAGS)) -MMD -MP -MF $@.d -MT $@ -S -o $@.s $<
	$(Q)sed -n 's/^[ \t]*# define/%define/p' $@.s >$@
-include $(OFFSETS).d

# The vDSO: a library of the kernel's that every program has mapped. So it is compiled like a library, and not like
# the kernel. The kernel contains it, and knows where some of its functions are.
VDSO    := $(K)/vdso/vdso.so
$(K)/vdso/%.o: KCFLAGS := -std=gnu11 -m32 -march=i686 -mtune=generic -mno-sse -mno-mmx -mno-80387 \
	-fpic -fvisibility=hidden -ffreestanding -fno-stack-protector -fasynchronous-unwind-tables \
	-Wall -Wextra -Wstrict-prototypes $(if $(CI),-Werror) -nostdinc -isystem $(CINC) -I.
$(VDSO): $(K)/vdso/entry.asm.o $(K)/vdso/clock.o vdso/vdso.ld
	$(call say,LD,$@)
	$(Q)$(LD) -m elf_i386 -shared -T vdso/vdso.ld -soname linux-gate.so.1 --hash-style=both --eh-frame-hdr \
		-Bsymbolic --no-undefined --build-id=none -z noexecstack -z max-page-size=4096 -o $@.all $(filter %.o,$^)
	$(Q)$(CROSS)strip -o $@ $@.all
-include $(K)/vdso/entry.asm.d $(K)/vdso/clock.d

$(K)/mm/vm/vdso_image.asm.o: $(VDSO)
USES_VDSO := $(K)/kernel/signals/frame.o $(K)/kernel/process/exec_stack.o $(K)/mm/vm/vdso.o
$(USES_VDSO): $(K)/names/kernel/vdso_symbols.h
$(USES_VDSO): KCFLAGS += -I$(K)/names
$(K)/names/kernel/vdso_symbols.h: $(VDSO)
	@mkdir -p $(@D)
	$(Q)$(NM) $<.all | sed -n 's/^\([0-9a-f]*\) [Tt] __kernel_\([a-z_]*\)$$/#define VDSO_\U\2 0x\1u/p' >$@

# UBSan's handlers must not call themselves.
$(K)/kernel/ubsan.o $(K)/lib/ubsan.o: KCFLAGS += -fno-sanitize=all

$(K)/%.asm.o: %.asm Makefile
	$(call say,NASM,$<)
	@mkdir -p $(@D)
	$(Q)$(NASM) -f elf32 -g -F dwarf -I. -I$(K)/ -I$(K)/names/ -MD $(@:.o=.d) -MP -o $@ $<

# The kernel is linked twice, as tools/ksyms explains.
$(K)/sluice.elf: $(KOBJ) $(K)/objects linker.ld tools/ksyms
	$(call say,LD,$@)
	$(Q)tools/ksyms </dev/null >$(K)/ksyms0.c
	$(Q)$(CC) $(KCFLAGS) -c -o $(K)/ksyms0.o $(K)/ksyms0.c
	$(Q)$(LD) $(KLDFLAGS) -o $(K)/pass1.elf $(KOBJ) $(K)/ksyms0.o
	$(Q)$(NM) -n $(K)/pass1.elf | tools/ksyms >$(K)/ksyms.c
	$(Q)$(CC) $(KCFLAGS) -c -o $(K)/ksyms.o $(K)/ksyms.c
	$(Q)$(LD) $(KLDFLAGS) -Map $(K)/sluice.map -o $@.new $(KOBJ) $(K)/ksyms.o
	$(Q)$(NM) -n $@.new | tools/ksyms --check $(K)/ksyms.c
	$(Q)mv $@.new $@

debug:
	$(Q)$(MAKE) DEBUG=1 kernel

-include $(KOBJ:.o=.d)

docs/syscalls.md: kernel/process/syscall_list.h tools/syscalls
	$(call say,DOCS,$@)
	$(Q)tools/syscalls

# --- guest programs: each source file is one static program against musl ---

U       := $(B)/user
USRC    := $(wildcard user/*.c user/test/*.c user/bench/*.c user/init/*.c)
UPROG   := $(USRC:%.c=$(B)/%)
MUSL    := $(DEB)/musl/usr
MUSLLIB := $(MUSL)/lib/i386-linux-musl
UCFLAGS := -std=gnu11 -m32 -march=i686 -O2 -g -fno-pic -fno-pie -fno-stack-protector \
	-fno-asynchronous-unwind-tables -D_GNU_SOURCE= -Wall -Wextra -Wno-unused-parameter \
	-Wno-sign-compare -Wno-unused-result -Wstrict-prototypes $(if $(CI),-Werror) \
	-nostdinc -isystem $(MUSL)/include/i386-linux-musl -isystem $(CINC) -I.
# Text and data are on separate pages, because an emulator is slow when a program writes to a page with code.
ULDFLAGS := -m32 -static -no-pie -nostdlib -Wl,-z,noexecstack,-z,separate-code,-z,max-page-size=4096 \
	-Wl,--build-id=none
ULIBS   := -Wl,--start-group $(MUSLLIB)/libc.a $(LIBGCC) \
	$(LIBGCC:libgcc.a=libgcc_eh.a) -Wl,--end-group $(MUSLLIB)/crtn.o

user: $(UPROG)

$(B)/user/%: user/%.c Makefile | $(DEB)/.packages
	$(call say,USER,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(UCFLAGS) -MMD -MP -MF $@.d -MT $@ -c -o $@.o $<
	$(Q)$(CC) $(ULDFLAGS) -o $@ $(MUSLLIB)/crt1.o $(MUSLLIB)/crti.o $@.o $(ULIBS)

-include $(UPROG:=.d)

# --- the root image ---

OVERLAY := $(shell find user/root)
INSTALL := $(filter-out %/linux-init %/app-init,$(UPROG))
# build/user/test/x=/test/x, build/user/init/x=/sbin/x, build/user/x=/bin/x
install  = $(1)=$(patsubst /init/%,/sbin/%,$(if $(findstring /,$(1:$(U)/%=%)),,/bin)$(1:$(U)%=%))

root: $(B)/root.ext2

$(call keep,$(B)/programs,$(INSTALL))

# The picture that fbsplice shows.
PICTURE := $(B)/images/ring.bmp

$(PICTURE): tools/picture
	$(call say,PICTURE,$@)
	@mkdir -p $(@D)
	$(Q)tools/picture $@

# The images that the guest tests of ext2 mount. One rule makes all of them together.
IMAGES  := $(addprefix $(B)/images/,damage ext2-1k ext2-2k ext2-4k blank-1k blank-2k blank-4k journal-1k)

$(IMAGES) &: tests/images
	$(call say,IMAGES,$(B)/images)
	$(Q)tests/images $(B)/images

$(B)/root.ext2: $(INSTALL) $(OVERLAY) $(B)/programs $(IMAGES) $(PICTURE) tools/mkroot | $(DEB)/.packages
	$(call say,ROOT,$@)
	$(Q)tools/mkroot $@ --overlay user/root --busybox $(DEB)/busybox/bin/busybox \
		$(foreach p,$(INSTALL),$(call install,$(p))) $(foreach i,$(IMAGES),$(i)=/test/data/$(notdir $(i))) \
		$(PICTURE)=/etc/ring.bmp

# --- Debian's programs, for tests/programs ---

programs: $(B)/programs.ext2

$(DEB)/programs: tests/programs/packages | $(DEB)/.packages
	$(Q)tools/setup unpack $(DEB)/programs $(shell sed 's/#.*//' $<)
	@touch $@

# Those that need a lot of room or time have a root of their own.
programs-long: $(B)/programs-long.ext2

$(DEB)/programs-long: tests/programs/packages-long | $(DEB)/.packages
	$(Q)tools/setup unpack $(DEB)/programs-long $(shell sed 's/#.*//' $<)
	@touch $@

$(B)/programs-long.ext2: $(INSTALL) $(OVERLAY) $(DEB)/programs-long tools/mkroot
	$(call say,ROOT,$@)
	$(Q)tools/mkroot $@ --overlay user/root --busybox $(DEB)/busybox/bin/busybox --over $(DEB)/programs-long \
		$(foreach p,$(INSTALL),$(call install,$(p)))

# A program for the debugger's job, against the shared library of the guest.
DEBUGGED := tests/programs/debugged.c

$(DEB)/libc-dev: | $(DEB)/.packages
	$(Q)tools/setup unpack $@ libc6-dev

$(B)/debugged: $(DEBUGGED) Makefile | $(DEB)/libc-dev
	$(call say,USER,$<)
	$(Q)$(CROSS)gcc --sysroot=$(DEB)/libc-dev -g -O0 -no-pie -fno-pie -ffile-prefix-map=$(dir $<)=/usr/src/ -o $@ $<

# The dynamic program of the benchmarks, with its libraries, in folders as in the guest. tools/bench puts them there.
$(B)/bench-dynamic: user/bench/dynamic/nothing.c Makefile | $(DEB)/libc-dev
	$(call say,USER,$<)
	@mkdir -p $@/bench $@/lib/i386-linux-gnu
	$(Q)$(CROSS)gcc --sysroot=$(DEB)/libc-dev -O2 -no-pie -fno-pie -o $@/bench/nothing $<
	$(Q)cp -L $(DEB)/libc-dev/lib/ld-linux.so.2 $@/lib
	$(Q)cp -L $(DEB)/libc-dev/lib/i386-linux-gnu/libc.so.6 $@/lib/i386-linux-gnu
	@touch $@

$(B)/programs.ext2: $(INSTALL) $(OVERLAY) $(DEB)/programs $(B)/debugged tools/mkroot
	$(call say,ROOT,$@)
	$(Q)tools/mkroot $@ --overlay user/root --busybox $(DEB)/busybox/bin/busybox --over $(DEB)/programs \
		$(foreach p,$(INSTALL),$(call install,$(p))) $(B)/debugged=/usr/bin/debugged \
		$(DEBUGGED)=/usr/src/debugged.c

# --- the oracle ---

oracle: $(B)/linux.cpio $(B)/vmlinuz

$(B)/linux.cpio: $(U)/init/linux-init tools/mkinitramfs | $(DEB)/.oracle
	$(call say,CPIO,$@)
	$(Q)tools/mkinitramfs $@ $< $(DEB)/linux

$(B)/vmlinuz: | $(DEB)/.oracle
	$(Q)cp $(DEB)/linux/boot/vmlinuz-* $@

# --- boot images ---

$(B)/sluice.iso: $(B)/sluice.elf $(B)/root.ext2 iso/boot/grub/grub.cfg tools/mkiso
	$(call say,ISO,$@)
	$(Q)tools/mkiso $@ $(B)/sluice.elf $(B)/root.ext2

# With APP=F an image is made that runs only the program F (docs/image.md). It is made again each time, because it depends on
# files that make does not know. The words of the user reach tools/mkapp as they are, with every quote and dollar sign.
SETTINGS := APP ARGS ENVIRONMENT FILES DATA SYSROOT
$(foreach s,$(SETTINGS),$(eval override $(s) := $$(value $(s))))
export $(SETTINGS)

ifeq ($(APP),)
iso: $(B)/sluice.iso
else
iso: $(B)/sluice.elf $(U)/init/app-init
	$(Q)tools/mkapp iso $(B)/sluice.elf $(U)/init/app-init $(B)
endif
microvm: $(B)/sluice.elf $(U)/init/app-init
	$(Q)tools/mkapp microvm $(B)/sluice.elf $(U)/init/app-init $(B)

# --- the page that runs Sluice in a browser: a folder of files, for any web server ---

web: $(B)/web/.done

NPM     := $(DEB)/npm
WEBSRC  := $(wildcard web/*.html web/*.css web/*.svg web/*.js)
# The root of the page's machine has the programs that the tour uses.
WEBPROG := $(addprefix $(U)/,splice ring snapshot cold-splice fbsplice init/console-init)

$(NPM)/.web: web/package.json web/package-lock.json web/.npmrc
	$(Q)tools/setup web

$(B)/web.ext2: $(WEBPROG) $(OVERLAY) $(wildcard web/root/*/*) $(PICTURE) tools/mkroot | $(DEB)/.packages
	$(call say,ROOT,$@)
	$(Q)tools/mkroot $@ --overlay user/root --busybox $(DEB)/busybox/bin/busybox --over web/root --free 2 \
		$(foreach p,$(WEBPROG),$(call install,$(p))) $(PICTURE)=/etc/ring.bmp

$(B)/layout.json: $(B)/sluice.elf tools/layout
	$(call say,LAYOUT,$@)
	$(Q)tools/layout $< $@

$(B)/web/.done: $(B)/sluice.elf $(B)/web.ext2 $(B)/layout.json $(WEBSRC) $(NPM)/.web tools/mkweb
	$(call say,WEB,$(B)/web)
	$(Q)tools/mkweb $(B)/web $(B)/sluice.elf $(B)/web.ext2 $(B)/layout.json $(NPM)/node_modules $(WEBSRC)

# --- running ---

run: all
	$(Q)tools/guest

test: all
	$(Q)tests/run

# ROW=WORDS selects the rows with these words in their names. BENCH='--instructions' passes options to tools/bench.
bench: all oracle $(B)/bench-dynamic
	$(Q)tools/bench $(BENCH) $(if $(ROW),'$(ROW)')

compile_commands.json:
	$(Q)$(MAKE) -Bn V=1 kernel user | tools/compdb >$@

clean:
	rm -rf compile_commands.json
	[ ! -d $(B) ] || find $(B) -mindepth 1 -maxdepth 1 ! -name deb -exec rm -rf {} +

distclean: clean
	rm -rf $(B)
