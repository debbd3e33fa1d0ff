/*
 * The body with which the starter of the lab about splice boots. It finds out which function moves the slots,
 * and refuses next to nothing.
 */

static ssize_t splice(struct file *in, file_off_t __user *off_in, struct file *out,
		      file_off_t __user *off_out, size_t len, bool nonblock)
{
	/* A stand-in: it looks neither at the flags of the files nor at offsets. */
	struct ring *from = file_source_ring(in), *to = file_sink_ring(out);
	uint64_t until = nonblock ? WAIT_NOT : WAIT_FOREVER;

	if (from && to && from != to)
		return splice_between(from, to, len, until, until, false);
	if (to && !from)
		return from_file(in, off_in, to, len, until);
	return from && !to ? to_file(from, out, off_out, len, until) : -EINVAL;
}
