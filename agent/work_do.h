/* SPDX-License-Identifier: ISC */
/* Inside of a worker: how each kind of job is done. */
#ifndef AGENT_WORK_DO_H
#define AGENT_WORK_DO_H

#include <pthread.h>

#include "agent/work.h"
#include "verify/digest.h"

/* Bytes are read and hashed in chunks of this size, so that each is hashed
 * while it is in the processor's cache. */
#define WORK_CHUNK_BYTES ((size_t)256 << 10)
/* What fits into a worker's own buffer needs none from the pool.  There may be
 * many workers, and this is beyond what --memory says. */
#define WORK_OWN_BYTES ((size_t)32 << 10)

struct worker {
	pthread_t thread;
	struct work work;
	struct session *session; /* to the target, NULL until the first job */
	struct session *from;	 /* to the source, likewise */
	/* The source of the upload that this worker sent a part of last. */
	struct store_file *held;
	uint64_t held_serial;
	struct digester *digester;
	unsigned char *own; /* WORK_OWN_BYTES */
};

static inline const struct store_driver *
work_source(const struct worker *me)
{
	return me->work.source->ops;
}

/* Whether the coordinator knows the names of each file. */
static inline bool
work_lists_links(const struct worker *me)
{
	return me->work.given ||
	    (work_source(me)->features & STORE_LIST_LINKS) != 0;
}

static inline int
work_changed(struct err *e)
{
	return err_set(e, ERR_CHANGED, "changed while it was read");
}

/* Digests that are to be taken of what is sent. */
static inline unsigned
work_algos(const struct worker *me)
{
	return DIGEST_XXH3 | DIGEST_CRC64NVME | me->work.algos |
	    me->work.target->ops->digests(me->work.target);
}

static inline void
auto_file(struct store_file **f)
{
	if (*f != NULL)
		(*f)->session->store->ops->close_file(*f);
}

/* Does J and fills in its answer. */
void work_do(struct worker *me, struct job *j);
/* Closes the file that ME holds. */
void work_release(struct worker *me);

/* work_read.c.  All: -1 with *E, or with J's err, set. */

/* Opens J's source; j->st becomes its state. */
struct store_file *work_open(struct worker *me, struct job *j);
/* Reads LEN bytes at OFFSET into OUT, taking the digests on the way. */
int work_read(struct worker *me, struct store_file *f, unsigned char *out,
    size_t len, uint64_t offset, unsigned algos, struct digest *digest,
    struct err *e);
/* Digest of LEN bytes at OFFSET: of F (of either store), or, if that is NULL,
 * of what the target has under J's path. */
int work_hash(struct worker *me, struct job *j, struct store_file *f,
    uint64_t offset, uint64_t len, unsigned algos, struct digest *out,
    struct err *e);
/* The digest of F, as work_hash, in the form that the ledger keeps: of the
 * whole, or of the list of its parts. */
int work_hash_like(struct worker *me, struct job *j, struct store_file *f,
    uint64_t part_bytes, struct digest *out);
/* The SHA-256 of the list of N parts' SHA-256, which are at LIST. */
void work_sha256_of_list(
    struct worker *me, const uint8_t *list, size_t n, struct digest *out);
/* Reads back LEN bytes of what was written and compares with WANT. */
int work_read_back(struct worker *me, struct job *j, uint64_t offset,
    uint64_t len, const struct digest *want, struct err *e);
/* What was read must be what the source store says it holds. */
int work_check_source(
    const struct digest *said, const struct digest *read, struct err *e);

/* work_attrs.c */

/*
 * J's item, of which the source says ST now: whether something is given for it
 * and fits; then that is in ST.  What doesn't fit any more is forgotten.
 */
bool work_given_still(struct job *j, struct item_stat *st);
/* F, of J, whose st is its state, carries what is given. */
int work_given(struct worker *me, struct job *j, struct store_file *f);

/* Takes from ST what the target has no place for, which is counted. */
void work_held(struct worker *me, struct item_stat *st);
/* Those of J's directory or symlink at the source: the caller's, or NULL; and
 * their mark into J.  -1 with J's err set. */
int work_attrs(
    struct worker *me, struct job *j, enum item_type type, struct attrs **out);
/* Whether J's file at the target has those of WANT, whose mark J has. */
int work_target_has(
    struct worker *me, struct job *j, const struct attrs *want, bool *has);
/* Compares those of J's item, a JOB_VERIFY, as far as the rules ask for it. */
int work_verify_attrs(struct worker *me, struct job *j);

/* work_expect.c */
/*
 * Whether J may write now, as far as looking tells; *X is for the store to
 * heed in the moment of writing: the session has it until work_written.
 */
int work_expect(struct worker *me, struct job *j, struct store_expect *x);
/* KEY, which is there, is kept in the backup directory, too. */
int work_set_aside(
    struct worker *me, const char *key, bool *keep, struct err *e);
/*
 * J was written (RC 0), or not.  A conflict with what is just what was to be
 * written (an answer was lost) is none: 0, with its receipt.
 */
int work_written(struct worker *me, struct job *j, int rc);

/* work_item.c */
int work_put(struct worker *me, struct job *j);
int work_link(struct worker *me, struct job *j);
int work_dir(struct worker *me, struct job *j);
int work_rehash(struct worker *me, struct job *j);
int work_look(struct worker *me, struct job *j);
int work_adopt(struct worker *me, struct job *j);

/* work_delete.c */
int work_delete(struct worker *me, struct job *j);
/* work_links.c */
int work_hardlink(struct worker *me, struct job *j);
/* Whether F, as only its metadata tells, has other names, and nobody knew: J's
 * finding says so then, and nothing more is to be done. */
bool work_is_grouped(
    struct worker *me, struct job *j, const struct store_file *f);
/* Whether THERE names the group that ST is of, or none, where copies do. */
bool work_marks_same(const struct worker *me, const struct store_stat *there,
    const struct item_stat *st);

/* work_upload.c */
int work_begin(struct worker *me, struct job *j);
int work_check(struct worker *me, struct job *j);
int work_part(struct worker *me, struct job *j);
int work_complete(struct worker *me, struct job *j);
int work_sweep(struct worker *me, struct job *j);

/* work_verify.c */
int work_verify(struct worker *me, struct job *j);
int work_verify_part(struct worker *me, struct job *j);

#endif
