# gdb in this folder: symbols of the kernel; `sluice PORT` attaches to a waiting tools/guest --gdb;
# pipe, page, task and bt-all come from tools/gdb.
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
