/* SPDX-License-Identifier: ISC */
/*
 * A store in memory that does what a test tells it to: fail, lose its answer,
 * take its time, forget uploads.  Thread-safe.
 */
#ifndef TESTS_FAKES_FAKESTORE_H
#define TESTS_FAKES_FAKESTORE_H

#include "transfer/store.h"

enum fake_op {
	FAKE_PROBE,
	FAKE_LIST,
	FAKE_STAT,
	FAKE_READ,
	FAKE_PUT,
	FAKE_MKDIR,
	FAKE_SYMLINK,
	FAKE_LINK,
	FAKE_SET_METADATA,
	FAKE_BEGIN,
	FAKE_PART,
	FAKE_CHECK,
	FAKE_COMPLETE,
	FAKE_ABORT,
	FAKE_UPLOADS,
	FAKE_REMOVE, /* of each key */
	FAKE_OPS
};

struct fake_fault {
	enum fake_op op;
	const char *key;    /* NULL: any; else must live on */
	unsigned after;	    /* so many calls go well first */
	unsigned times;	    /* so many fail then */
	enum err_kind kind; /* ERR_NONE: only the delay */
	bool lost;	    /* it is done, only the answer says otherwise */
	unsigned delay_ms;
};

struct fake_object {
	struct fake_object *next;
	char *key;
	struct item_stat st;
	unsigned char *data;
	size_t len;
	unsigned puts;	    /* times it was written */
	uint64_t crc64nvme; /* of what was written */
	unsigned file;	    /* the same in all names that link() made of it */
	char etag[STORE_ETAG_MAX];
};

struct store *fake_open(void);
/* One whose link() makes copies. */
struct store *fake_open_copying(void);
/* How many links a file can have, from now on; 0: as many as you like. */
void fake_names_max(struct store *s, unsigned n);
/* From now on it checks no checksum, and tells none. */
void fake_prove_nothing(struct store *s);

void fake_fault(struct store *s, const struct fake_fault *fault);
void fake_forget_faults(struct store *s);
/* Called at the beginning of each call, from the worker's thread. */
void fake_on_call(struct store *s,
    void (*fn)(void *arg, enum fake_op op, const char *key), void *arg);

unsigned fake_calls(struct store *s, enum fake_op op);
void fake_forget_calls(struct store *s);
/* NULL if there is none; only while no run is going on. */
struct fake_object *fake_find(struct store *s, const char *key);
/* Without the root. */
size_t fake_objects(struct store *s);
/* Unfinished uploads. */
unsigned fake_uploads(struct store *s);
/* The store loses them all. */
void fake_forget_uploads(struct store *s);
/* An upload of somebody else. */
void fake_begin_upload(struct store *s, const char *key);
/* Overwrites, as somebody else would. */
void fake_put(struct store *s, const char *key, const void *data, size_t len,
    int64_t mtime_ns);

#endif
