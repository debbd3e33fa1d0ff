# gdb in this folder: symbols of the kernel; `sluice PORT` attaches to a waiting tools/guest --gdb.
set pagination off
set print pretty on
set disassembly-flavor intel
file build/sluice.elf

define sluice
	target remote :$arg0
	hbreak panic
end
document sluice
sluice PORT: attach to the guest that tools/guest --gdb has started.
end
