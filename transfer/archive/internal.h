/* SPDX-License-Identifier: ISC */
/*
 * Inside of the archive driver.
 *
 * The stream of an archive is what offsets in its index are of: the bytes of
 * the file itself (tar, cpio), these decoded (where they are compressed), or
 * the contents of the members one after the other (zip, 7z, ISO 9660), of which
 * only libarchive knows where they are.  The first is read anywhere; the others
 * forwards only, so what was decoded last is kept for readers that are not
 * quite in order, and whoever goes back further begins anew.
 *
 * libarchive converts names to the locale's character set, so it is called in
 * one of UTF-8 (archive_locale_*).
 */
#ifndef TRANSFER_ARCHIVE_INTERNAL_H
#define TRANSFER_ARCHIVE_INTERNAL_H

#include <archive.h>
#include <archive_entry.h>
#include <locale.h>
#include <pthread.h>
#include <sys/stat.h>

#include "transfer/archive/archive.h"
#include "transfer/pack/index.h"

/* Decoded bytes that are kept. */
#define WINDOW_BYTES ((size_t)64 << 20)
/* Members refused under names that no item can have; more are counted. */
#define REFUSED_MAX 1000
/* Archives that expand to less are no bombs, whatever their ratio. */
#define BOMB_BYTES ((uint64_t)1 << 30)
#define RATIO_MAX 1000
#define ITEMS_MAX ((uint64_t)100000000)

enum archive_kind {
	ARCHIVE_PLAIN,	 /* tar or cpio */
	ARCHIVE_DECODED, /* the same, compressed */
	ARCHIVE_MEMBERS, /* anything else */
};

/* A name that no item can have, and why it is refused. */
struct refused {
	struct refused *next;
	char *why;
	size_t len;
	char name[];
};

/* A file's bytes for libarchive, and what libarchive makes of them. */
struct feed {
	struct archive_source *source;
	uint64_t at;	  /* in the file */
	uint64_t decoded; /* bytes that came out of RAW */
	char *buffer;
	struct archive *raw;  /* decodes them; or NULL */
	struct archive *read; /* the members; or NULL */
	struct err why; /* it is to end, whatever libarchive makes of that */
};

/* Decoded bytes; one thread at a time. */
struct stream {
	struct feed feed;
	char *ring; /* WINDOW_BYTES: bytes BEGIN to END of the stream */
	uint64_t begin, end;
	/* MEMBERS: the one at hand, its stretch of the stream. */
	uint64_t member_begin, member_end;
	bool started;
	bool broken; /* it has to begin anew */
	/* Members that end before this are not read to get to others. */
	uint64_t skip_to;
	/* From here on nothing can be read, and why. */
	uint64_t dead;
	struct err why;
};

struct archive_file {
	struct store_file base;
	struct pack_entry entry; /* whose bytes these are */
	/* While it is read: in the list of those, and where it is. */
	struct archive_file *next;
	uint64_t floor;
	bool reading;
};

struct archive_source {
	struct store base;
	char *path;
	int fd;
	struct stat is; /* when it was opened */
	enum archive_kind kind;
	unsigned attrs; /* kinds of them that are kept */
	bool keep_atimes, unsafe_links;
	uint64_t max_ratio, max_items;
	const atomic_bool *stop;
	struct limit *limit;
	locale_t utf8;

	pthread_mutex_t lock;	  /* of all below */
	pthread_cond_t moved;	  /* a reader went on, or away */
	struct pack_index *index; /* NULL before the first pass */
	struct item_stat root;	  /* type 0: nothing is known of it */
	struct refused *refused;
	uint64_t refused_n;
	uint64_t items;
	struct stream stream;
	struct archive_file *reading;
};

static inline struct archive_source *
archive_of(struct store *s)
{
	return (struct archive_source *)(void *)s;
}

/* feed.c */
/* Between these, the thread is in a locale of UTF-8. */
locale_t archive_locale_begin(const struct archive_source *s);
void archive_locale_end(locale_t was);
/* What kind of archive it is; ERR_CONFIG if it is none. */
int archive_look(struct archive_source *s, struct err *e);
/* From the beginning: the members, or (DECODED and not MEMBERS) the bytes. */
int feed_open(
    struct feed *f, struct archive_source *s, bool members, struct err *e);
void feed_close(struct feed *f);
/* ERR_UNSUPPORTED if SIZE bytes are more than such an archive may have. */
int archive_check_size(
    const struct archive_source *s, uint64_t size, struct err *e);
/* Bytes of the stream that a member has, which libarchive tells of. */
uint64_t archive_entry_bytes(struct archive_entry *entry);

/* member.c */
/* A member as a record: what it points to is in OUT.  1; 0 if it is the root
 * (*st); -1. */
struct member {
	struct pack_record record;
	char *path, *target, *same_as;
	char *raw; /* its name as it is in the archive */
	struct attrs *attrs;
	struct pack_extent *extents;
	struct pack_piece piece;
	bool root;
	bool odd; /* refused, and RAW can't be an item's path */
};
int member_read(const struct archive_source *s, struct archive_entry *entry,
    struct member *out, struct err *e);
void member_clear(struct member *m);

/* scan.c */
/* The first pass, once. */
int archive_scan(struct archive_source *s, struct err *e);

/* stream.c */
/* LEN bytes at OFFSET of the stream, for F. */
int bytes_read(struct archive_source *s, struct archive_file *f,
    uint64_t offset, void *data, size_t len, struct err *e);
/* F is read no more. */
void bytes_leave(struct archive_source *s, struct archive_file *f);
void bytes_free(struct stream *t);

#endif
