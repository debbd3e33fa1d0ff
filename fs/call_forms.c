/*
 * System calls that are another one with something given. See fs/call_forms.h.
 */
#include "kernel/syscalls.h"
#include "fs/vfs_internal.h"

#define FORM(name, parameters, call) \
	long sys_##name parameters   \
	{                            \
		return call;         \
	}
#include "fs/call_forms.h"
