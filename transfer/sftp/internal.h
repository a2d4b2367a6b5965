/* SPDX-License-Identifier: ISC */
/*
 * What the files of the SFTP store share.
 *
 * ssh(1) is asked for AES-GCM first where ssh -G tells that nobody named
 * ciphers: it takes 0.7 times the CPU of its favourite, on both ends.
 *
 * SFTP symlinks are made under their own names where the server isn't a recent
 * OpenSSH: ProFTPD's RENAME follows links, and would move what the new link
 * leads to.
 *
 * SFTP reads back before it renames: no server tells a checksum. What it reads
 * may come from the server's memory. --sftp-checksum asks a shell there
 * instead: one beside each connection, fed line by line, so that many
 * questions are on their way at a time; whichever worker waits does its I/O
 * for all. Its answers are told from what logging in prints by a random word,
 * and which checksum the command takes is found by trying it. A shell that
 * ends, or a command that isn't there, stops the run before anything is sent.
 *
 * A packet that makes no sense drops the connection, and all that were under
 * way on it are tried again: most had no part in it. What logging in brings
 * that isn't SFTP is final.
 *
 * SFTP trusts a directory for a second at most, and looks what a name is
 * before it opens it: a server that opens a fifo waits for its writer and
 * answers nobody else. That is a round a file more when reading.
 */
#ifndef TRANSFER_SFTP_INTERNAL_H
#define TRANSFER_SFTP_INTERNAL_H

#include <pthread.h>

#include "transfer/sftp/conn.h"
#include "transfer/sftp/dirs.h"
#include "transfer/sftp/handles.h"
#include "transfer/sftp/sftp.h"
#include "transfer/sftp/sum.h"
#include "transfer/temp.h"

#define SFTP_CONNECTIONS_MAX 64

enum sftp_link_order {
	SFTP_ORDER_UNKNOWN,
	SFTP_ORDER_OPENSSH,
	SFTP_ORDER_DRAFT
};

/* A handle of an upload's file, kept from part to part. */
struct sftp_open {
	struct sftp_open *next;
	struct conn *conn;
	struct conn_handle handle;
	char path[];
};

struct sftp_store {
	struct store base;
	char *root; /* "." is the home directory */
	char *host, *user;
	struct store_config config;
	struct transport_target target;
	struct transport *(*transport_open)(
	    const struct transport_target *target, struct err *e);
	unsigned timeout_ms;
	uint32_t owner; /* temp_owner() */
	struct dirs dirs;
	struct handles handles;
	/* In which order SYMLINK has its arguments. */
	atomic_int link_order;
	atomic_bool owner_kept; /* it kept one, and will keep others */
	/* The last owner and group that were refused: they aren't tried again.
	 * -1: none. */
	atomic_llong refused_owner;
	atomic_uint sum_algo; /* what sftp_checksum prints; 0: unknown */

	pthread_mutex_t lock;
	/* Under the lock: */
	struct conn *conns[SFTP_CONNECTIONS_MAX];
	unsigned conns_n;			/* made so far */
	struct sum *sums[SFTP_CONNECTIONS_MAX]; /* beside each; or NULL */
	struct sftp_open *open;
};

struct sftp_session {
	struct session base;
	struct call call;
	struct digester *digester;
	struct buf body[2];
	struct buf path, path2;
	/* The directory in which the item is kept that is being replaced; "" if
	 * there is none. */
	char kept[TEMP_NAME_SIZE];
};

static inline struct sftp_store *
sftp_store_of(struct session *c)
{
	return (struct sftp_store *)(void *)c->store;
}

static inline struct sftp_session *
sftp_session_of(struct session *c)
{
	return (struct sftp_session *)(void *)c;
}

/*
 * Begins an item's work on the connection that has the least to do (made, if
 * need be): its call is empty.  To be paired with sftp_end, if it succeeds.
 */
int sftp_begin(struct session *c, struct err *e);
/* The same for many bytes: they are worth a connection of their own. */
int sftp_begin_bulk(struct session *c, struct err *e);
/* The same on CONN. */
int sftp_begin_on(struct session *c, struct conn *conn, struct err *e);
void sftp_end(struct session *c);

/* The server's name of KEY: "" is the root.  In *B, until it is used again;
 * NULL and ERR_NOMEM. */
const char *sftp_path(
    struct session *c, struct buf *b, const char *key, struct err *e);
/* The same of NAME in the directory that KEY is in. */
const char *sftp_beside(struct session *c, struct buf *b, const char *key,
    const char *name, struct err *e);

/*
 * *E for the request that ended with STATUS; FAILURE is looked into (is the
 * disk full?), which takes a round of the session's call.  Returns -1.
 */
int sftp_failed(
    struct session *c, uint32_t status, const char *what, struct err *e);

/*
 * KEY's directory is one, and so are those above it, none of them a symbolic
 * link: what is written there goes where it seems to.  MAKE: missing ones are
 * made.  ERR_NOTFOUND, or ERR_EXISTS naming what stands in the way.
 */
int sftp_parents(struct session *c, const char *key, bool make, struct err *e);
/* The directory of KEY wasn't there, or closed to us: once more. */
int sftp_parents_again(struct session *c, const char *key, struct err *e);

/* KEY's directory is opened up, if it is one that an earlier run gave a mode
 * that keeps us out.  Whoever writes sets it right later. */
int sftp_open_up(struct session *c, const char *key, struct err *e);

/* What a server tells as this store's. */
struct store_stat sftp_stat_of(const struct proto_attrs *a);
/* The name that the server sent may be one of a directory's. ERR_PROTOCOL */
int sftp_check_name(const char *name, size_t len, struct err *e);

/* Attributes as requests: owner; mode (with its type bits off, and without
 * those that make it run as its owner) and times, as far as they are known and
 * can be held. */
struct proto_attrs sftp_owner_attrs(const struct item_stat *st);
struct proto_attrs sftp_attrs(struct session *c, const struct item_stat *st);

/*
 * The metadata of ST for the open file H, as requests in the session's call:
 * before the last data is waited for; sftp_meta_check looks at the answers.
 */
struct sftp_meta {
	size_t owner, attrs, sync; /* requests; SIZE_MAX: none */
	bool both;		   /* the owner is among the attributes */
};
struct sftp_meta sftp_meta_ask(
    struct session *c, const struct conn_handle *h, const struct item_stat *st);
int sftp_meta_check(struct session *c, const struct sftp_meta *m,
    const struct item_stat *st, bool *set_id, struct err *e);

/* Another temporary name each time. */
void sftp_temp_name(struct session *c, char *out);
/* Makes a temporary file for KEY: its name in TEMP, open in *H.  What a failed
 * call may have made is to be dropped. */
int sftp_temp_file(struct session *c, const char *key,
    const struct item_stat *st, char *temp, struct conn_handle *h,
    struct err *e);
/*
 * Closes the N handles at H and gives TEMP its name, durably.  The session's
 * call may hold requests to go before.  ERR_EXISTS if KEY is a directory.
 */
int sftp_publish(struct session *c, const char *key, const char *temp,
    const struct conn_handle *h, struct err *e);
/* The same for another KEY than the one that FROM, a server's path, is beside:
 * FROM moves there. */
int sftp_rename_to(
    struct session *c, const char *from, const char *key, struct err *e);
/*
 * The call for KEY failed for *WHY: removes what it made, TEMP (NULL: nothing)
 * that is open in H (NULL: it isn't), or leaves that to later.
 */
void sftp_drop(struct session *c, const char *key, const char *temp,
    const struct conn_handle *h, const struct err *why);

/* left.c */
/*
 * PATH becomes KEY, where RENAME replaces nothing: what is there is kept
 * meanwhile, under its name in a directory with a temporary name.
 */
int sftp_replace(
    struct session *c, const char *path, const char *key, struct err *e);
int sftp_sweep(struct session *c, const char *key, struct err *e);

/* Reads LEN bytes into INTO, or compares them with EXPECT (ERR_MISMATCH if
 * they differ, or if there are fewer). */
int sftp_read_range(struct session *c, const struct conn_handle *h,
    uint64_t offset, size_t len, void *into, const void *expect, struct err *e);
/* The same in two steps: requests in the session's call from *FIRST on, and
 * what they came to. */
size_t sftp_read_ask(struct session *c, const struct conn_handle *h,
    uint64_t offset, size_t len, void *into, const void *expect);
int sftp_read_check(struct session *c, size_t first, size_t n,
    const struct conn_handle *h, struct err *e);
/* Likewise for writing; returns how many requests. */
size_t sftp_write_ask(struct session *c, const struct conn_handle *h,
    uint64_t offset, const void *data, size_t len);
int sftp_write_check(struct session *c, size_t first, size_t n, struct err *e);

/* proof.c */
/* Whether config.sftp_checksum can be run there.  ERR_CONFIG */
int sftp_prove_probe(struct session *c, struct err *e);
/*
 * The checksum of LEN bytes from OFFSET of the file PATH, taken there, is that
 * of DATA; WHOLE: the file has no others.  DIGEST saves taking it here, where
 * it has the right one.  ERR_MISMATCH; ERR_SERVER if it can't be read there.
 */
int sftp_prove(struct session *c, const char *path, uint64_t offset,
    const void *data, size_t len, bool whole, const struct digest *digest,
    struct err *e);

/* list.c */
typedef int sftp_name_fn(
    void *arg, const struct proto_name *name, struct err *e);
/* All names in the directory DIR, whatever they are, but "." and "..". */
int sftp_each_name(struct session *c, const char *dir, sftp_name_fn *fn,
    void *arg, struct err *e);
int sftp_list(struct session *c, const char *dir, bool recursive,
    store_list_fn *fn, void *arg, struct err *e);
/* read.c */
int sftp_stat(
    struct session *c, const char *key, struct store_stat *out, struct err *e);
int sftp_read(struct session *c, const char *key, uint64_t offset, void *data,
    size_t len, struct err *e);
struct store_file *sftp_open_file(
    struct session *c, const char *key, uint64_t size, struct err *e);
int sftp_read_file(struct store_file *f, uint64_t offset, void *data,
    size_t len, struct err *e);
int sftp_check_file(struct store_file *f, struct err *e);
void sftp_close_file(struct store_file *f);
int sftp_readlink(struct session *c, const char *key, struct item_stat *st,
    char *out, size_t size, size_t *len, struct err *e);
int sftp_set_aside(struct session *c, const char *key, const char *to,
    bool *keep, struct err *e);
/* write.c */
int sftp_put(struct session *c, const char *key, const struct item_stat *st,
    const void *data, size_t len, const struct digest *digest,
    struct store_receipt *out, struct err *e);
int sftp_mkdir(struct session *c, const char *key, const struct item_stat *st,
    struct err *e);
int sftp_symlink(struct session *c, const char *key, const struct item_stat *st,
    const char *target, size_t len, struct err *e);
/* What is at the server's PATH now, in a round of the session's call. */
int sftp_look(struct session *c, const char *path, struct proto_attrs *out,
    uint32_t *status, struct err *e);
/* link.c */
int sftp_link(struct session *c, const char *key, const char *existing,
    const struct item_stat *st, const struct store_stat *was,
    struct store_receipt *out, struct err *e);
/* write.c */
int sftp_set_metadata(struct session *c, const char *key,
    const struct item_stat *st, const struct store_stat *was,
    struct store_receipt *out, struct err *e);
int sftp_remove(struct session *c, const char *const *keys, size_t n,
    struct err *results, struct err *e);
/* upload.c */
int sftp_upload_begin(struct session *c, const char *key,
    const struct item_stat *st, const struct plan *plan, char *id,
    struct err *e);
int sftp_upload_part(struct session *c, const struct store_upload *u,
    uint32_t number, const void *data, size_t len, const struct digest *digest,
    struct store_receipt *out, struct err *e);
int sftp_upload_check(struct session *c, const struct store_upload *u,
    const struct store_part *parts, size_t n, bool *keep, struct err *e);
int sftp_upload_complete(struct session *c, const struct store_upload *u,
    const struct store_part *parts, size_t n, const struct digest *whole,
    struct store_receipt *out, struct err *e);
int sftp_upload_abort(
    struct session *c, const char *key, const char *id, struct err *e);
void sftp_forget_uploads(struct sftp_store *s);

#endif
