/*
 * The functions that the compiler's checks for undefined behaviour call, in the debug build. Each
 * panics with the file, the line and the kind of error. The records have the layout of GCC's ABI
 * (-fsanitize=undefined).
 */
#include "kernel/log.h"

struct location {
	const char *file;
	uint32_t line, column;
};

/* Every record begins with the location. The rest differs, and is not needed. */
static void report(const struct location *at, const char *what)
{
	panic("undefined behaviour: %s at %s:%u:%u", what, at->file, at->line, at->column);
}

#define HANDLER(name, text, ...)                                        \
	void __ubsan_handle_##name(struct location *at, ##__VA_ARGS__); \
	void __ubsan_handle_##name(struct location *at, ##__VA_ARGS__)  \
	{                                                               \
		report(at, text);                                       \
	}

HANDLER(add_overflow, "signed addition overflows", void *a, void *b)
HANDLER(sub_overflow, "signed subtraction overflows", void *a, void *b)
HANDLER(mul_overflow, "signed multiplication overflows", void *a, void *b)
HANDLER(negate_overflow, "negation overflows", void *a)
HANDLER(divrem_overflow, "division overflows or divides by zero", void *a, void *b)
HANDLER(shift_out_of_bounds, "shift out of bounds", void *a, void *b)
HANDLER(out_of_bounds, "array index out of bounds", void *index)
HANDLER(builtin_unreachable, "unreachable code reached")
HANDLER(missing_return, "function ends without return")
HANDLER(vla_bound_not_positive, "array of no length", void *bound)
HANDLER(load_invalid_value, "load of a value that its type does not have", void *value)
HANDLER(nonnull_arg, "NULL argument where none may be")
HANDLER(nonnull_return, "NULL returned where none may be", void *at2)
HANDLER(pointer_overflow, "pointer arithmetic overflows", void *base, void *result)
HANDLER(invalid_builtin, "invalid argument of a builtin")

/* All pointer checks share one record. `kind` is 0 for a load, 1 for a store, and so on. */
struct mismatch {
	struct location at;
	const void *type;
	uint8_t log_align, kind;
};

void __ubsan_handle_type_mismatch_v1(struct mismatch *data, uintptr_t pointer);
void __ubsan_handle_type_mismatch_v1(struct mismatch *data, uintptr_t pointer)
{
	if (!pointer)
		report(&data->at, "NULL pointer used");
	else if (data->log_align && pointer & ((1ul << data->log_align) - 1))
		report(&data->at, "misaligned pointer used");
	else
		report(&data->at, "pointer to too small an object");
}
