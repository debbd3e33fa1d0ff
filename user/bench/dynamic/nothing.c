/*
 * The program of the row "vfork + exec + wait, dynamic": linked with Debian's C library, which it
 * does not use.
 */
int main(void)
{
	return 0;
}
