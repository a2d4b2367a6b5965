/* SPDX-License-Identifier: ISC */
/*
 * The store contract: what a place that holds files or objects must do for
 * the engine.  A driver is a struct of functions plus feature flags.
 *
 * - A store is opened once and shared by all threads; a session is one
 *   worker's connection to it and belongs to one thread at a time.
 * - A driver never retries, sleeps, logs or prints: the engine does, by
 *   err.kind (ERR_NET, ERR_THROTTLE, ERR_SERVER: again later; ERR_EXPIRED:
 *   refresh(), then again; anything else is final for that item).
 * - A key is the item's path relative to the store's root: bytes, components
 *   separated by '/', no leading or trailing slash, no "." or "..", no NUL.
 *   The driver turns it into its own form (S3: prefix and percent-encoding)
 *   at one place.
 * - A session whose connection broke connects again at its next call.
 * - put and complete are atomic: whoever reads the target sees the old item
 *   or the new one, whole.  When they return 0, the item is durable; whether
 *   the store has checked its bytes, the receipt tells (proved).
 * - What writes an item makes the directories above it, where there are any.
 *   Files and symlinks replace each other; a directory replaces nothing and
 *   is replaced by nothing, nor is anything written through a symlink:
 *   ERR_EXISTS, naming what stands in the way.
 * - In metadata, a mode of 0 (of owner, too), ITEM_TIME_UNKNOWN, no has_atime
 *   and attrs of NULL (or kinds that attrs doesn't know) mean nothing is known:
 *   a new item gets what the store makes of it, one that is there keeps its
 *   own.  What attrs does know, but hasn't, is taken away.
 * - A call that broke off may still be carried out, by a server that hung: it
 *   must do no harm then, whatever was done since.  A temporary name is used
 *   once, nothing but it is removed on the way to an item's name, and what a
 *   call couldn't remove goes to store_leave(): the next call for that key
 *   sweeps it first (store_sweep_left), and what comes late fails.
 * - A name that the store can't hold is refused by ERR_NAME, by check_key
 *   where it can tell, else by whoever writes: never held as another name.
 * - Outputs are written only on success.
 *
 * tests/conformance runs all of this against any URL: ARCHITECTURE.md, "A new
 * driver".
 */
#ifndef TRANSFER_STORE_H
#define TRANSFER_STORE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "transfer/attrs.h"
#include "transfer/item.h"
#include "transfer/limit.h"
#include "transfer/url.h"
#include "verify/digest.h"
#include "verify/plan.h"

#define STORE_ETAG_MAX 128
#define STORE_ID_MAX 1024 /* upload ids; AWS's have about 130 bytes */

enum store_feature {
	STORE_HAS_DIRS = 1 << 0,   /* directories exist by themselves */
	STORE_HAS_MODES = 1 << 1,  /* keeps owner and mode */
	STORE_LIST_MTIME = 1 << 2, /* list() tells the source's mtime_ns */
	/* list() tells symlinks, owners and modes; else open_file and stat */
	STORE_LIST_META = 1 << 3,
	STORE_IS_LOCAL = 1 << 4, /* small reads cost a system call, no more */
	/* list() tells how many names a file has, and which (dev, ino); else,
	 * where list() tells no metadata, open_file does, of what link() or
	 * such metadata made. */
	STORE_LIST_LINKS = 1 << 5,
	/* link() makes another name of the same file; else (where there is one)
	 * a copy that names its group. */
	STORE_HAS_LINKS = 1 << 6,
	STORE_HAS_ATTRS = 1 << 7, /* keeps extended attributes and ACLs */
	/* As a target it is written from its beginning to its end: parts of a
	 * file come in order, one at a time; once it is full nothing else fits,
	 * either; and what it has is not looked at (stat is NULL): the ledger
	 * alone knows. */
	STORE_SERIAL = 1 << 8,
};

struct bundle_order;

/* Settings of all drivers; a driver reads its own.  Strings are borrowed for
 * the life of the store; NULL or 0 means the default. */
struct store_config {
	const char *endpoint_url;
	const char *region;
	const char *profile;
	/*
	 * Names the task and the machine: temporary names at the store are made
	 * from it, so that a run finds what a killed one left, whatever became
	 * of its ledger, and no other task's.  One process at a time.  NULL:
	 * they are random.
	 */
	const char *owner;
	const char *ca_bundle;
	const char *proxy;
	const char *bind_address; /* source address or interface */
	const char *storage_class;
	/* S3, of what is written: GOVERNANCE or COMPLIANCE, until when (ISO
	 * 8601), and a legal hold. */
	const char *lock_mode;
	const char *lock_until;
	bool legal_hold;
	const char *content_type; /* S3, of what is written; NULL: any bytes */
	const char *checksum;	  /* auto crc64nvme crc32c md5 none */
	const char *addressing;	  /* auto path virtual */
	bool no_verify_tls;
	bool payload_unsigned; /* plain HTTP: don't sign the payload */
	bool no_fsync;	       /* posix: leave durability to the system */
	bool defer_sync;       /* posix: the engine calls flush() */
	bool follow_links; /* as a source: symlinks are what they point to */
	/* As a source: tell of them; as a target: set what the source tells. */
	bool keep_xattrs, keep_acls, keep_atimes;
	bool sparse; /* as a target: zeros become holes, whatever the source */
	/*
	 * What put and upload_part sent is to be read back before it is seen
	 * under its name, where the driver can do that cheaper than by read().
	 */
	bool read_back;
	/* sftp */
	const char *sftp_transport; /* auto libssh2 openssh */
	unsigned sftp_connections;
	const char *sftp_identity;
	const char *sftp_password_file;
	const char *sftp_passphrase_file;
	const char *sftp_known_hosts;
	const char *sftp_ssh; /* the command, split at spaces */
	/* A command that prints the checksum of its input, run at the server:
	 * read_back by it.  NULL: the bytes are read. */
	const char *sftp_checksum;
	unsigned timeout_ms; /* a silent connection is dead after it */
	unsigned connect_timeout_ms;
	/* Set when the run must stop at once: calls under way give up. */
	const atomic_bool *stop;
	/*
	 * What goes over the network asks it first: contents, read and written;
	 * or NULL.  A directory of a local disk doesn't, unless limit_local.
	 */
	struct limit *limit;
	bool limit_local;
	/* bundle: what is to be written; NULL: it is a source. */
	const struct bundle_order *bundle;
};

/* What the store says of an item. */
struct store_stat {
	enum item_type type;
	uint64_t size;
	bool has_source_mtime; /* mtime_ns is the source's, else the store's */
	int64_t mtime_ns;
	int64_t modified_ns;	 /* S3, by stat(): when it was stored */
	uint32_t mode, uid, gid; /* where has_owner */
	bool has_owner;
	bool has_atime;
	bool sparse; /* S3, by stat(): it had holes */
	int64_t atime_ns;
	/* Where the store has them, else 0: they move when the item does. */
	uint64_t ino, dev;
	int64_t ctime_ns;
	uint32_t nlink; /* names of the file (DEV, INO); 0: not known */
	char etag[STORE_ETAG_MAX];    /* without quotes; "" if there is none */
	char version[STORE_ETAG_MAX]; /* by stat(): version id, or "" */
	struct digest digest;	      /* checksums of the whole item, if any */
};

/* What the store answered to bytes sent. */
struct store_receipt {
	char etag[STORE_ETAG_MAX];    /* without quotes; "" if there is none */
	char version[STORE_ETAG_MAX]; /* version id, or "" */
	/* A checksum that the store itself took of the bytes is that of what
	 * was sent, or they were read back and compared.  If not, only reading
	 * can prove them. */
	bool proved;
	bool was_there; /* link(): nothing was to be done, as can be seen */
};

struct store_part {
	uint32_t number; /* from 1 */
	uint64_t size;
	struct digest digest; /* of what was sent: XXH3, CRC64NVME at least */
	char etag[STORE_ETAG_MAX];
	bool proved; /* by its receipt */
};

/* An upload under way.  Borrowed. */
struct store_upload {
	const char *key;
	const char *id; /* from upload_begin */
	struct plan plan;
	struct item_stat st; /* metadata that the item is to carry */
};

struct store_list_entry {
	const char *key; /* relative to the root; a directory has no slash */
	size_t key_len;
	struct store_stat st;
	bool leftover; /* for sweep(), and no item: session.tells_leftovers */
};

/* Return -1 (with *e set) to end the listing with that error. */
typedef int store_list_fn(
    void *arg, const struct store_list_entry *entry, struct err *e);

/* An unfinished upload at the store. begun_ns is the store's own clock. */
typedef int store_upload_fn(void *arg, const char *key, const char *id,
    int64_t begun_ns, struct err *e);

struct store;
struct session;

/*
 * A file that is open for reading, as a source.  It belongs to its session's
 * thread.  Each driver's struct begins with this.
 */
struct store_file {
	struct session *session;
	/*
	 * What tells this state of the file from any other, as list() gave it:
	 * item_of_listed().  read_file and check_file fail once it moved.
	 */
	struct item_stat state;
	/* What the target's item is to carry, and its type: the bytes of a
	 * store without symlinks may be a symlink's target. */
	struct item_stat meta;
	struct digest digest; /* of the whole, as far as the store tells */
	struct attrs *attrs;  /* what meta.attrs is; close_file() frees it */
};

/* What the store was found to be. text is one line for people. */
struct store_probe {
	unsigned checksum;     /* DIGEST_CRC64NVME, _CRC32C, _MD5 or 0 */
	int64_t clock_skew_ms; /* the store's clock less ours */
	/* When its TLS certificate does; 0: it has none, or that isn't known */
	int64_t certificate_ends_ns;
	char text[200];
};

struct store_driver {
	const char *scheme;
	unsigned features;
	/* What it keeps of a time: two are the same if they differ only below
	 * it.  0: all of it. */
	int64_t mtime_unit_ns;
	/* Items to be under way at a time, where each waits for the server
	 * more often than most, reading or writing; 0: as the engine likes. */
	unsigned transfers;
	/* Parts to be under way at a time to begin with, where one connection
	 * doesn't fill the line; 0: as the engine likes. */
	unsigned parts;

	/* Takes no connection yet: ERR_CONFIG for what can be seen wrong. */
	struct store *(*open)(const struct store_url *url,
	    const struct store_config *config, struct err *e);
	void (*close)(struct store *s);

	/*
	 * What tells this store from others of the same URL, for the ledger
	 * that is kept of it: S3, the endpoint; a directory, its file system
	 * and inode.  "" if it isn't there yet, or nothing tells.
	 */
	void (*place)(const struct store *s, char *out, size_t size);

	/* threshold and part_bytes are left as they are: they're the user's */
	void (*limits)(const struct store *s, struct plan_limits *limits);

	/* Digests that put and upload_part need, after probe or set_checksum.
	 */
	unsigned (*digests)(const struct store *s);

	/* ERR_NAME, naming the reason, if no item of that KEY can be held. */
	int (*check_key)(const struct store *s, const char *key,
	    enum item_type type, struct err *e);

	struct session *(*connect)(struct store *s, struct err *e);
	void (*disconnect)(struct session *c);

	/*
	 * Reach the store, check credentials and the bucket or directory
	 * (made if missing where the store has directories and CREATE), and,
	 * if CHECKSUM, find out which checksum it verifies.
	 */
	int (*probe)(struct session *c, bool create, bool checksum,
	    struct store_probe *out, struct err *e);
	/*
	 * What an earlier probe found (saves asking again).  Taken only if
	 * digests() has it afterwards: else the settings have changed since.
	 */
	void (*set_checksum)(struct store *s, unsigned algo);
	/* Load the credentials anew (after ERR_EXPIRED).  May be NULL. */
	int (*refresh)(struct store *s, struct err *e);

	/*
	 * All items under directory DIR ("" is the root), each passed to FN;
	 * with RECURSIVE all below, else its children only; in any order,
	 * each once.  Temporary names are left out, but those that
	 * session.tells_leftovers asks for.  What is no file,
	 * directory or symlink is an ITEM_SPECIAL; with RECURSIVE it may be
	 * left out.  A DIR that isn't there, or is none, is ERR_NOTFOUND; with
	 * RECURSIVE, or where directories don't exist by themselves, it has no
	 * items, nor has one further down that vanishes meanwhile.
	 */
	int (*list)(struct session *c, const char *dir, bool recursive,
	    store_list_fn *fn, void *arg, struct err *e);
	/* ERR_NOTFOUND if there is none.  A directory's key ends in '/' (the
	 * root is ""). */
	int (*stat)(struct session *c, const char *key, struct store_stat *out,
	    struct err *e);
	/* LEN bytes from OFFSET; ERR_MISMATCH if there are fewer. */
	int (*read)(struct session *c, const char *key, uint64_t offset,
	    void *data, size_t len, struct err *e);

	/*
	 * As a source.  NULL and ERR_VANISHED if there is none, ERR_CHANGED if
	 * it is no file any more.  SIZE, as listed, is a hint: what is small
	 * may be fetched at once.
	 */
	struct store_file *(*open_file)(
	    struct session *c, const char *key, uint64_t size, struct err *e);
	/*
	 * Exactly LEN bytes from OFFSET; ERR_CHANGED if there are fewer, or if
	 * it isn't the file any more that was opened; ERR_VANISHED.  What was
	 * replaced or removed may be read on as it was.
	 */
	int (*read_file)(struct store_file *f, uint64_t offset, void *data,
	    size_t len, struct err *e);
	/* ERR_CHANGED unless all that read_file gave is of the state that was
	 * opened; if nothing of it was read from elsewhere, that it was
	 * replaced meanwhile need not be noticed. */
	int (*check_file)(struct store_file *f, struct err *e);
	void (*close_file)(struct store_file *f);
	/* NULL where symlinks are none of the store's own (see meta above).
	 * The symlink's state and its target, of which OUT takes SIZE bytes
	 * (ERR_NAME if that is too few); not NUL-terminated. */
	int (*readlink)(struct session *c, const char *key,
	    struct item_stat *st, char *out, size_t size, size_t *len,
	    struct err *e);

	/*
	 * Extended attributes and ACLs, of the kinds that config keeps, of the
	 * item KEY of that type (a directory's key has no slash), as it is now:
	 * the caller's.  *OUT is NULL where nothing is known of them.  NULL: of
	 * none ever.
	 */
	int (*attrs)(struct session *c, const char *key, enum item_type type,
	    struct attrs **out, struct err *e);

	/* A whole file.  DIGEST has at least digests().  NULL, as is all below:
	 * it can only be read. */
	int (*put)(struct session *c, const char *key,
	    const struct item_stat *st, const void *data, size_t len,
	    const struct digest *digest, struct store_receipt *out,
	    struct err *e);
	/* A directory with its metadata; one that is there is set right. */
	int (*mkdir)(struct session *c, const char *key,
	    const struct item_stat *st, struct err *e);
	/* A symbolic link whose target is TARGET (LEN bytes). */
	int (*symlink)(struct session *c, const char *key,
	    const struct item_stat *st, const char *target, size_t len,
	    struct err *e);
	/*
	 * KEY becomes another name of the file EXISTING, or a copy that the
	 * store makes by itself with the metadata ST; no bytes moved.  What
	 * had that name is replaced.  WAS is what the caller knows of EXISTING,
	 * as in set_metadata.  The receipt's proved: KEY surely has EXISTING's
	 * content.  ERR_UNSUPPORTED (and it was given to store_lacks) where
	 * that can't be; if e->sys is EMLINK, only EXISTING has no room for
	 * more names.  NULL: never.
	 */
	int (*link)(struct session *c, const char *key, const char *existing,
	    const struct item_stat *st, const struct store_stat *was,
	    struct store_receipt *out, struct err *e);
	/*
	 * All that ST says of an item that is there; no bytes moved.
	 * WAS is what the caller knows of it: where the store keeps ETags (and
	 * WAS has one) the ETag must be the same, else type, size and the
	 * source's mtime.  ERR_MISMATCH, and nothing is set, if somebody else
	 * put another item there.  NULL: whatever is there.
	 */
	int (*set_metadata)(struct session *c, const char *key,
	    const struct item_stat *st, const struct store_stat *was,
	    struct store_receipt *out, struct err *e);

	/*
	 * With config.defer_sync, put, mkdir, symlink, link and set_metadata
	 * may leave it to this to make durable what they did, for all sessions
	 * at once: nothing counts as done before.  If it fails, nothing since
	 * the last time that it succeeded is durable.  NULL: there is no need.
	 */
	int (*flush)(struct session *c, struct err *e);

	/* Multipart.  ID takes STORE_ID_MAX bytes. */
	int (*upload_begin)(struct session *c, const char *key,
	    const struct item_stat *st, const struct plan *plan, char *id,
	    struct err *e);
	int (*upload_part)(struct session *c, const struct store_upload *u,
	    uint32_t number, const void *data, size_t len,
	    const struct digest *digest, struct store_receipt *out,
	    struct err *e);
	/*
	 * F, of a source of the same driver, without its bytes passing through
	 * here: no digest of them is known then.  ERR_UNSUPPORTED where that
	 * can't be, and the bytes have to be sent.  NULL: never.
	 * clone() is as put(), of any size in no time: the new file shares its
	 * blocks with F.  copy_part() is as upload_part().
	 */
	int (*clone)(struct session *c, const char *key, struct store_file *f,
	    struct store_receipt *out, struct err *e);
	int (*copy_part)(struct session *c, const struct store_upload *u,
	    uint32_t number, struct store_file *f, struct store_receipt *out,
	    struct err *e);
	/*
	 * KEEP[i] becomes true if the store still holds PARTS[i] intact.
	 * ERR_GONE if it doesn't know the upload any more.
	 */
	int (*upload_check)(struct session *c, const struct store_upload *u,
	    const struct store_part *parts, size_t n, bool *keep,
	    struct err *e);
	/* All parts of the plan, in order.  WHOLE: digest of all, as far as it
	 * combines (CRC64NVME, CRC32C).  ERR_GONE as above. */
	int (*upload_complete)(struct session *c, const struct store_upload *u,
	    const struct store_part *parts, size_t n,
	    const struct digest *whole, struct store_receipt *out,
	    struct err *e);
	/* An upload that is not known is no error. */
	int (*upload_abort)(
	    struct session *c, const char *key, const char *id, struct err *e);
	/* Unfinished uploads of KEY; with those of keys that begin with KEY,
	 * where the store can't tell.  NULL: list() tells them as leftovers. */
	int (*uploads)(struct session *c, const char *key, store_upload_fn *fn,
	    void *arg, struct err *e);

	/*
	 * Removes the leftover KEY (a temporary name, as list() told it, or as
	 * it went to store_leave); what it holds in place of an item that is
	 * missing goes back to its name.  One that isn't there is no error.
	 * NULL: there are none.
	 */
	int (*sweep)(struct session *c, const char *key, struct err *e);

	/*
	 * The file or symlink KEY, with its metadata, is under TO from now on,
	 * in the place of what was there (no directory).  *KEEP: it is to stay
	 * under KEY, too; becomes false if it is no longer there.  NULL:
	 * never.
	 */
	int (*set_aside)(struct session *c, const char *key, const char *to,
	    bool *keep, struct err *e);
	/*
	 * Remove N items, in order; a directory's key ends in '/' here, and
	 * goes only if it is empty (S3: its marker).  What is not there, or as
	 * another kind of item, is no error, and stays.
	 * RESULTS[i] tells each; returns -1 if any of them failed.
	 */
	int (*remove)(struct session *c, const char *const *keys, size_t n,
	    struct err *results, struct err *e);
};

/* What an item has that a store may not be able to hold. */
enum store_lack {
	STORE_LACK_OWNER, /* owner and group: not root there, or squashed */
	STORE_LACK_MODE,
	STORE_LACK_TIME,  /* out of range, or finer than what it keeps */
	STORE_LACK_XATTR, /* some extended attribute, or all */
	STORE_LACK_ACL,
	STORE_LACK_LINKS, /* several names of one file */
	STORE_LACK_COUNT
};

/* Each driver's struct begins with this. */
struct store {
	const struct store_driver *ops;
	struct {
		atomic_uint_fast64_t items;
		_Atomic(const char *) why;
	} lacks[STORE_LACK_COUNT];
	/* left.c's: what broken calls left, and how much is there still. */
	_Atomic(struct store_left *) left;
	atomic_size_t left_open;
};

/*
 * A call for KEY broke off, and may have left TEMP, a temporary name, beside
 * it.  Any thread.
 */
void store_leave(struct store *s, const char *key, const char *temp);
/*
 * Sweeps what such calls for KEY (NULL: for any) left.  -1 if something could
 * not be: it is remembered.  No other call for KEY may be under way.
 */
int store_sweep_left(struct session *c, const char *key, struct err *e);
/* Whether there is something left. */
bool store_has_left(const struct store *s);
/* Forgets it: the store is to be closed. */
void store_forget_left(struct store *s);

/*
 * An item is there, but without WHAT, which is no error: said once a run, with
 * the count.  WHY is a literal.  Any thread.
 */
void store_lacks(struct store *s, enum store_lack what, const char *why);

/* The kinds (attrs_kind) that CONFIG asks to keep. */
unsigned store_attrs_kinds(const struct store_config *config);

/* What must be there for a call to write. */
struct store_expect {
	/* It must be this still, by its ETag if it has one; NULL: nothing must
	 * be there.  Borrowed. */
	const struct store_stat *was;
};

struct session {
	struct store *store;
	/*
	 * Set by the caller around put, clone, symlink and upload_complete;
	 * NULL: anything may be there.  ERR_CONFLICT, and nothing is written,
	 * where the store itself can tell in the moment of writing (S3 by
	 * If-None-Match and If-Match, a directory as far as its renames can);
	 * elsewhere it is ignored: the caller has looked before.
	 */
	const struct store_expect *expect;
	/* Set by the caller around list(): what config.owner left there is
	 * told, too; if that is NULL, what anybody left. */
	bool tells_leftovers;
};

/* Whether A and B are one time to a store that keeps it in units of D's. */
bool store_same_time(const struct store_driver *d, int64_t a_ns, int64_t b_ns);
/* For check_key, where directories are some: ERR_NAME if the N bytes at NAME
 * can't be a component of a key, or are a temporary name. */
int store_check_component(const char *name, size_t n, struct err *e);
/*
 * ERR_MISMATCH unless the item, as it is NOW, still is WAS (NULL: any): type
 * and mtime (as far as every store holds it), and size of a file.  For
 * set_metadata and link.
 */
int store_check_still(const struct store_driver *d,
    const struct store_stat *now, const struct store_stat *was, struct err *e);

/* What a source's scan says of an item that list() told of. */
struct item_stat item_of_listed(const struct store_stat *st);

/* The driver of URL's scheme; NULL if it wasn't built in. */
const struct store_driver *store_driver_of(const struct store_url *url);
/* Opens by URL; NULL and *e if that can't be. */
struct store *store_open(const struct store_url *url,
    const struct store_config *config, struct err *e);
void store_close(struct store *s);
AUTO_DEFINE(store, struct store, store_close)

struct session *store_connect(struct store *s, struct err *e);
void store_disconnect(struct session *c);
AUTO_DEFINE(session, struct session, store_disconnect)

#endif
