/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <dirent.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "transfer/scandir.h"
#include "transfer/temp.h"

#define IO_SIZE ((size_t)64 << 10)
#define KEEP_MAX ((size_t)8 << 20)
#define NFS_MAGIC 0x6969

void
scandir_init(struct scandir *d)
{
	*d = (struct scandir){.n = 0};
}

void
scandir_free(struct scandir *d)
{
	free(d->names);
	free(d->arena);
	free(d->io);
	scandir_init(d);
}

void
scandir_reset(struct scandir *d)
{
	if (d->arena_cap > KEEP_MAX || d->names_cap > KEEP_MAX / 16)
		scandir_free(d);
	d->n = 0;
	d->arena_len = 0;
	d->longest = 0;
	d->has_stats = false;
}

static int
no_memory(struct err *e)
{
	return err_set(e, ERR_NOMEM, "out of memory");
}

/* The record of a name: its stat, if any, its type, itself, a NUL. */
static int
add(struct scandir *d, const char *name, size_t len, unsigned char type,
    const struct item_stat *st, struct err *e)
{
	size_t extra = st != NULL ? sizeof(*st) : 0;
	char *p;

	if (d->arena_len + extra + len + 2 > d->arena_cap) {
		size_t cap = d->arena_cap > 0 ? 2 * d->arena_cap : 16384;

		while (cap < d->arena_len + extra + len + 2)
			cap *= 2;
		p = realloc(d->arena, cap);
		if (p == NULL)
			return no_memory(e);
		d->arena = p;
		d->arena_cap = cap;
	}
	p = d->arena + d->arena_len;
	if (st != NULL)
		memcpy(p, st, sizeof(*st));
	p += extra;
	*p = (char)type;
	memcpy(p + 1, name, len);
	p[1 + len] = '\0';
	d->arena_len += extra + len + 2;
	if (len > d->longest)
		d->longest = len;
	d->n++;
	return 0;
}

int
scandir_add(struct scandir *d, const char *name, size_t len,
    const struct item_stat *st, struct err *e)
{
	static const unsigned char types[] = {
	    [ITEM_FILE] = DT_REG,
	    [ITEM_DIR] = DT_DIR,
	    [ITEM_SYMLINK] = DT_LNK,
	    [ITEM_SPECIAL] = DT_CHR,
	};

	d->has_stats = true;
	return add(d, name, len, types[st->type], st, e);
}

struct item_stat
scandir_stat(const struct scandir *d, size_t i)
{
	struct item_stat st;

	memcpy(&st, d->names[i].name - 1 - sizeof(st), sizeof(st));
	return st;
}

static bool
on_nfs(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && fs.f_type == NFS_MAGIC;
}

/* Adds the names of N bytes of directory records in d->io. */
bool
scandir_is_temporary(const char *name, const char *prefix)
{
	size_t n = strlen(prefix);

	return strncmp(name, prefix, n) == 0 &&
	    strspn(name + n, "0123456789abcdef") == 16 && name[n + 16] == '\0';
}

static bool
is_left_out(const char *name, int fd, const char *skip_prefix)
{
	if (name[0] == '.' &&
	    (name[1] == '\0' || (name[1] == '.' && name[2] == '\0')))
		return true;
	if (skip_prefix != NULL && scandir_is_temporary(name, skip_prefix))
		return true;
	/* What an NFS client keeps of files deleted while open. */
	return temp_is_nameless(name) && on_nfs(fd);
}

static int
add_records(
    struct scandir *d, size_t n, int fd, const char *skip_prefix, struct err *e)
{
	size_t at = 0;

	while (at < n) {
		struct dirent *de = (struct dirent *)(void *)(d->io + at);
		const char *name = de->d_name;

		at += de->d_reclen;
		if (is_left_out(name, fd, skip_prefix))
			continue;
		if (add(d, name, strlen(name), de->d_type, NULL, e) == -1)
			return -1;
	}
	return 0;
}

static int
compare(const void *a, const void *b)
{
	const struct scandir_name *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return strcmp(x->name, y->name);
}

/* The first 8 bytes at S, the first one highest, NULs behind its end. */
static uint64_t
key_of(const char *s)
{
	uint64_t key = 0;

	memccpy(&key, s, '\0', sizeof(key));
	return be64toh(key);
}

/* Length of the beginning that all names share: keys begin behind it. */
static size_t
common_length(const struct scandir *d)
{
	const char *first = d->names[0].name;
	size_t common = strlen(first), i, k;

	for (i = 1; i < d->n && common > 0; i++) {
		for (k = 0; k < common && d->names[i].name[k] == first[k];)
			k++;
		common = k;
	}
	return common;
}

/* Keeps each name once. */
static void
unique(struct scandir *d, void (*twice)(void *arg, const char *name), void *arg)
{
	size_t i, kept;

	for (i = kept = 1; i < d->n; i++) {
		struct scandir_name *last = &d->names[kept - 1];

		if (compare(last, &d->names[i]) != 0) {
			d->names[kept++] = d->names[i];
			continue;
		}
		if (d->names[i].name[-1] == last->name[-1])
			continue; /* the directory changed meanwhile */
		if (d->names[i].name[-1] == DT_DIR)
			*last = d->names[i];
		if (twice != NULL)
			twice(arg, last->name);
	}
	d->n = kept;
}

static int
sort(struct scandir *d, void (*twice)(void *arg, const char *name), void *arg,
    struct err *e)
{
	size_t extra = d->has_stats ? sizeof(struct item_stat) : 0;
	const char *p = d->arena;
	bool sorted = true;
	size_t i, common;

	if (d->n == 0)
		return 0;
	if (d->n > d->names_cap) {
		free(d->names);
		d->names_cap = 0;
		d->names = malloc(d->n * sizeof(d->names[0]));
		if (d->names == NULL)
			return no_memory(e);
		d->names_cap = d->n;
	}
	for (i = 0; i < d->n; i++) {
		d->names[i].name = p + extra + 1;
		p += extra + strlen(p + extra + 1) + 2;
	}
	common = common_length(d);
	for (i = 0; i < d->n; i++) {
		d->names[i].key = key_of(d->names[i].name + common);
		sorted = sorted &&
		    (i == 0 || compare(&d->names[i - 1], &d->names[i]) < 0);
	}
	if (sorted)
		return 0;
	qsort(d->names, d->n, sizeof(d->names[0]), compare);
	unique(d, twice, arg);
	return 0;
}

int
scandir_end(struct scandir *d, void (*twice)(void *arg, const char *name),
    void *arg, struct err *e)
{
	return sort(d, twice, arg, e);
}

int
scandir_read(struct scandir *d, int fd, const char *skip_prefix,
    const atomic_bool *stop, struct err *e)
{
	struct err sort_error = ERR_INIT;
	int rc = 0;

	if (d->io == NULL && (d->io = malloc(IO_SIZE)) == NULL)
		return no_memory(e);
	while (!atomic_load(stop)) {
		long n = syscall(SYS_getdents64, fd, d->io, IO_SIZE);

		if (n <= 0) {
			if (n < 0)
				rc = err_sys(e, "read directory");
			break;
		}
		rc = add_records(d, (size_t)n, fd, skip_prefix, e);
		if (rc == -1)
			return -1;
	}
	/* A name may come twice where the directory changes meanwhile. */
	if (sort(d, NULL, NULL, &sort_error) == -1) {
		*e = sort_error;
		return -1;
	}
	return rc;
}

int
scandir_named(struct scandir *d, int fd, const struct pathset *only,
    const char *path, size_t len, const char *skip_prefix, struct err *e)
{
	char name[NAME_MAX + 1];
	const char *at;
	size_t i = 0, n;

	while (pathset_next_in(only, path, len, &i, &at, &n)) {
		/* No directory has it. */
		if (n == 0 || n > NAME_MAX)
			continue;
		memcpy(name, at, n);
		name[n] = '\0';
		if (!is_left_out(name, fd, skip_prefix) &&
		    add(d, name, n, DT_UNKNOWN, NULL, e) == -1)
			return -1;
	}
	return sort(d, NULL, NULL, e);
}
