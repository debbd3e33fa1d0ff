/* Tests fs/names/path.c: compares it with a plain splitter, and checks limits and hashes. */
#include "tests/unit/shim.h"
#include "tests/unit/cases.h"
#include "fs/names/path.c"

#define ROUNDS 200000

/* FNV-1a, 32 bits. */
static unsigned int model_hash(const char *text, unsigned int len)
{
	unsigned int hash = 2166136261u;

	while (len--)
		hash = (hash ^ (unsigned char)*text++) * 16777619u;
	return hash;
}

/* The n-th component of path by strtok's rules, or NULL. */
static const char *model_component(const char *path, int n, unsigned int *len)
{
	for (;; n--) {
		path += strspn(path, "/");
		if (!*path)
			return NULL;
		*len = strcspn(path, "/");
		if (n == 0)
			return path;
		path += *len;
	}
}

static bool splits_like_the_model(const char *path)
{
	const char *rest = path;
	struct name name;
	unsigned int len;
	int n = 0;

	for (; path_component(&rest, &name) > 0; n++) {
		const char *want = model_component(path, n, &len);
		bool slash, at_end;

		if (!want || name.text != want || name.len != len)
			return false;
		if (name.hash != model_hash(want, len) || rest != want + len)
			return false;
		at_end = path_at_end(rest, &slash);
		if (at_end != !model_component(path, n + 1, &len) || slash != (*rest == '/'))
			return false;
	}
	return !model_component(path, n, &len);
}

/* Makes paths of few different characters, in memory that ends with the path. */
CASE(random)
{
	static const char letters[] = "//.ab";

	for (int round = 0; round < ROUNDS; round++) {
		unsigned int len = random_u32() % 20;
		char *path = malloc(len + 1);
		bool good;

		for (unsigned int i = 0; i < len; i++)
			path[i] = letters[random_u32() % 5];
		path[len] = '\0';
		good = splits_like_the_model(path);
		if (!good)
			printf("# path \"%s\"\n", path);
		free(path);
		if (!good) {
			ok(false, "random paths are split at their slashes");
			return;
		}
	}
	ok(true, "random paths are split at their slashes");
}

CASE(special)
{
	const char *rest = "..";
	struct name name;

	ok(path_component(&rest, &name) == 1 && name_is_dotdot(&name) && !name_is_dot(&name), "..");
	rest = "./x";
	ok(path_component(&rest, &name) == 1 && name_is_dot(&name) && !name_is_dotdot(&name), ".");
	rest = "...";
	ok(path_component(&rest, &name) == 1 && !name_is_dot(&name) && !name_is_dotdot(&name),
	   "three dots are a name");
	rest = "";
	ok(path_component(&rest, &name) == 0 && name.len == 0, "an empty path has no component");
	rest = "////";
	ok(path_component(&rest, &name) == 0 && !*rest, "neither has a path of slashes");
}

CASE(limits)
{
	char path[300];
	const char *rest = path;
	struct name name;

	memset(path, 'x', sizeof(path));
	path[255] = '\0';
	ok(path_component(&rest, &name) == 1 && name.len == 255, "255 bytes are a name");
	path[255] = 'x';
	path[256] = '/';
	path[257] = '\0';
	rest = path;
	ok(path_component(&rest, &name) == -ENAMETOOLONG, "256 bytes are too long");
}

CASE(hash)
{
	enum { NAMES = 4096, BUCKETS = 1024 };
	static unsigned int counts[BUCKETS];
	unsigned int longest = 0;
	struct name component;
	const char *rest;
	char name[32];

	for (int i = 0; i < NAMES; i++) {
		unsigned int hash, *count;

		snprintf(name, sizeof(name), "file%d.txt", i);
		rest = name;
		path_component(&rest, &component);
		hash = component.hash;
		count = &counts[(hash ^ hash >> 16) % BUCKETS];

		if (++*count > longest)
			longest = *count;
	}
	ok(longest < 20, "similar names are spread over the buckets");
	ok(model_hash("ab", 2) != model_hash("ba", 2), "the order of letters counts");
}
