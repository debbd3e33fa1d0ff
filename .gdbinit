# gdb reads this file when it is started in this folder (if your gdb allows it, see auto-load safe-path).
# It loads the kernel's symbols. `sluice PORT` attaches to a tools/guest --gdb that waits. The commands
# pipe, page, task and bt-all are in tools/gdb.
set pagination off
set print pretty on
set disassembly-flavor intel
file build/sluice.elf
source tools/gdb/sluice.py

define sluice
	target remote :$arg0
	hbreak panic
	hbreak panic_at
end
document sluice
sluice PORT: attach to the guest that tools/guest --gdb has started.
end
