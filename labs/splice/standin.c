/*
 * The body with which the starter of the lab about splice boots. It finds out which function moves
 * the slots, and refuses next to nothing.
 */

static ssize_t splice(struct file *in, file_off_t __user *off_in, struct file *out,
		      file_off_t __user *off_out, size_t len, bool wait)
{
	/* A stand-in: it looks neither at the flags of the files nor at offsets of pipes. */
	struct ring *from = file_source_ring(in), *to = file_sink_ring(out);
	struct file *file = from ? out : in;
	file_off_t __user *offset = from ? off_out : off_in;
	file_off_t pos;
	ssize_t n;

	if (from && to && from != to)
		return splice_between(from, to, len, wait_until(wait), wait_until(wait), false);
	if (from == to)
		return -EINVAL;
	n = begin_at(file, offset, len, &pos);
	if (n == 0)
		n = from ? to_file(from, out, &pos, len, wait) : from_file(in, &pos, to, len, wait);
	if (n >= 0)
		file_set_position(file, offset, pos);
	return n;
}
