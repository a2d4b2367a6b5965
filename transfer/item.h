/* SPDX-License-Identifier: ISC */
/* What a source or target holds: a file, directory, symlink.  Plain data. */
#ifndef TRANSFER_ITEM_H
#define TRANSFER_ITEM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

struct attrs;

enum item_type { ITEM_FILE = 1, ITEM_DIR, ITEM_SYMLINK, ITEM_SPECIAL };

#define ITEM_TIME_UNKNOWN INT64_MIN

/* A stable word, for JSON and reports. */
static inline const char *
item_type_name(enum item_type type)
{
	switch (type) {
	case ITEM_FILE:
		return "file";
	case ITEM_DIR:
		return "directory";
	case ITEM_SYMLINK:
		return "symlink";
	case ITEM_SPECIAL:
		break;
	}
	return "special";
}

struct item_stat {
	enum item_type type;
	uint32_t mode; /* st_mode with the type bits; 0: owner, mode unknown */
	uint32_t uid;
	uint32_t gid;
	uint64_t size;
	uint64_t ino;
	uint64_t dev;
	int64_t mtime_ns; /* since 1970; negative before; or unknown */
	int64_t ctime_ns;
	bool sparse; /* it takes less space than its size: holes, if known */
	/* Names that the file (DEV, INO) has; 0: not known, or not asked for */
	uint32_t nlink;
	bool has_atime;
	int64_t atime_ns; /* where has_atime */
	/* Extended attributes and ACLs; borrowed, of whoever gave the struct.
	 * NULL: nothing is known of them. */
	const struct attrs *attrs;
};

/* Which file a name leads to, and how many names that has.  DEV and INO are
 * the source's, or stand for what it says of them. */
struct item_link {
	uint32_t nlink;
	uint64_t dev, ino;
	uint64_t id; /* one for names that are linked at the target; or 0 */
};

static inline int64_t
item_time_ns(struct timespec ts)
{
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static inline enum item_type
item_type_of_mode(mode_t mode)
{
	if (S_ISREG(mode))
		return ITEM_FILE;
	if (S_ISDIR(mode))
		return ITEM_DIR;
	return S_ISLNK(mode) ? ITEM_SYMLINK : ITEM_SPECIAL;
}

static inline struct item_stat
item_of_stat(const struct stat *st)
{
	return (struct item_stat){
	    .type = item_type_of_mode(st->st_mode),
	    .mode = st->st_mode,
	    .uid = st->st_uid,
	    .gid = st->st_gid,
	    .size = (uint64_t)st->st_size,
	    .ino = st->st_ino,
	    .dev = st->st_dev,
	    .mtime_ns = item_time_ns(st->st_mtim),
	    .ctime_ns = item_time_ns(st->st_ctim),
	    .atime_ns = item_time_ns(st->st_atim),
	    .sparse = S_ISREG(st->st_mode) &&
		st->st_blocks < (st->st_size + 511) / 512,
	    .nlink = S_ISREG(st->st_mode) ? (uint32_t)st->st_nlink : 0,
	};
}

/* Whether A and B are the same state of the same thing: nothing touched it. */
static inline int
item_same(const struct item_stat *a, const struct item_stat *b)
{
	return a->type == b->type && a->size == b->size &&
	    a->mtime_ns == b->mtime_ns && a->ctime_ns == b->ctime_ns &&
	    a->ino == b->ino && a->dev == b->dev;
}

/*
 * Whether a change of the file that ST was asked of, made after READ_NS (by
 * this machine's clock), might leave the same ST: file systems stamp with a
 * tick of the kernel's, some with 2 s.  Where mtime is all that moves (SFTP: in
 * whole seconds), the far clock may be behind ours, too.  A time that is hours
 * ahead belongs to no clock of now.
 */
static inline int
item_is_racy(const struct item_stat *st, int64_t read_ns)
{
	const int64_t second = 1000000000;
	bool timed = st->ctime_ns != 0 || st->ino != 0;
	int64_t at = timed ? st->ctime_ns : st->mtime_ns;

	return at > read_ns - (timed ? 2 : 60) * second &&
	    at < read_ns + 3600 * second;
}

/* Whether what stores keep of A and B beside the content is the same. */
static inline int
item_same_metadata(const struct item_stat *a, const struct item_stat *b)
{
	return a->mode == b->mode && a->uid == b->uid && a->gid == b->gid &&
	    a->mtime_ns == b->mtime_ns;
}

#endif
