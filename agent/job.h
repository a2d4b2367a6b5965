/* SPDX-License-Identifier: ISC */
/*
 * Jobs: what the coordinator asks of a worker, and the answer.  A job belongs
 * to whoever holds it: coordinator, lane, worker, inbox, in turn.
 */
#ifndef AGENT_JOB_H
#define AGENT_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "agent/check.h"
#include "agent/given.h"
#include "agent/ledger.h"
#include "agent/outcome.h"
#include "base/err.h"
#include "transfer/item.h"
#include "transfer/store.h"
#include "verify/digest.h"
#include "verify/plan.h"

enum job_kind {
	JOB_PUT,	 /* a whole file */
	JOB_LINK,	 /* a symlink */
	JOB_HARDLINK,	 /* another name of a file that was sent */
	JOB_DIR,	 /* a directory and its metadata */
	JOB_ADOPT,	 /* is what the target has the same? */
	JOB_REHASH,	 /* has the content changed, or only the metadata? */
	JOB_BEGIN,	 /* begin a multipart upload */
	JOB_CHECK,	 /* which parts of an earlier upload are still good? */
	JOB_PART,	 /* send a part */
	JOB_COMPLETE,	 /* make one object of the parts */
	JOB_ABORT,	 /* give up an upload at the store */
	JOB_SWEEP,	 /* find and abort what an intent may have begun */
	JOB_LOOK,	 /* may what is at the target be replaced? */
	JOB_DELETE,	 /* delete items at the target */
	JOB_VERIFY,	 /* is what the target has what it should be? */
	JOB_VERIFY_PART, /* the same of a part of a file, by reading it */
};

/* What JOB_ADOPT, JOB_REHASH and JOB_HARDLINK found; JOB_SWEEP: OTHER, or
 * NOTHING; JOB_PUT: GROUP, or NOTHING. */
enum job_finding {
	FOUND_NOTHING,
	FOUND_EXISTING, /* LOOK: it stays, as it is there */
	FOUND_NEWER,	/* LOOK: it stays, as it is newer */
	FOUND_SAME,	/* content and metadata are right; it is linked */
	FOUND_METADATA, /* content is right, metadata was set */
	FOUND_OTHER,	/* content differs, or the item at the target isn't
			   the one that is known: send it */
	FOUND_GROUP,	/* nothing was done: by its metadata the file has other
			   names */
	FOUND_FULL,	/* HARDLINK: its leader can't have more names */
	FOUND_ALONE,	/* HARDLINK: it can't be linked there */
};

/* What must be at the target for J to write. */
enum job_expect {
	EXPECT_ANYTHING,
	EXPECT_NOTHING,
	EXPECT_WAS, /* what expected says */
};

enum upload_state {
	UPLOAD_STARTING, /* intent written, or parts being checked */
	UPLOAD_SENDING,
	UPLOAD_COMPLETING,
	UPLOAD_ENDED, /* completed, or given up for good */
	UPLOAD_DYING, /* waits for its last part, then ends with its error */
};

/*
 * A big file on its way.  The coordinator's; workers only read it, but for
 * the fields that a BEGIN, CHECK or COMPLETE job alone touches.
 */
struct upload {
	enum upload_state state;
	uint64_t serial; /* no other upload of this run has it */
	int64_t ledger_id;
	struct item_stat st;   /* the state of the source that is sent */
	struct item_stat meta; /* what the target's item gets; BEGIN, CHECK */
	struct attrs *attrs;   /* what meta.attrs is; owned */
	uint64_t attrs_mark;   /* of these; BEGIN, CHECK */
	uint64_t attrs_begun;  /* of those that it was begun with */
	struct given *given;   /* as of a job; only read */
	struct digest source;  /* what the source store says of its bytes */
	int64_t begun_ns;      /* nothing was read of it before */
	struct plan plan;
	char id[STORE_ID_MAX];	  /* "" until begun */
	struct store_part *parts; /* plan.parts; number 0: not sent yet */
	bool *keep;		  /* CHECK's answer, one for each part */
	uint32_t parts_done;
	uint32_t next; /* parts before this one are sent or on their way */
	unsigned jobs; /* alive, of any kind */
	enum job_expect expect;
	struct store_stat expected;
	struct err err; /* why it is dying */
	bool from_source;
};

/* An item to be deleted, and what became of it. */
struct victim {
	char *key;		 /* malloc'd; a directory's ends in a slash */
	size_t path_len;	 /* without it */
	struct ledger_target is; /* what is to go, and nothing else */
	bool known;		 /* the ledger has it */
	bool excluded;		 /* filters hide it at the source */
	bool asked;		 /* the store was asked to remove it */
	enum ledger_fate fate;
	struct err err; /* FATE_FAILED */
};

struct job {
	struct job *next;
	enum job_kind kind;
	bool refreshed;	    /* credentials were renewed for it once */
	enum job_kind then; /* LOOK: what it is then, if it may */
	bool looked;	    /* dry run: a LOOK found what is expected */
	bool believed;	    /* the content was not looked at */
	bool local;	    /* REHASH: metadata is as the target has it */
	bool unmoved;	    /* REHASH: only its attributes are looked for */
	bool again;	    /* DIR: was done, and isn't counted once more */
	bool leads;	    /* other names of its file wait for it */
	bool asked;	    /* the source was asked for its metadata's group */
	bool doubt;	    /* HARDLINK: read it first, and compare with was */
	bool unchanged;	    /* nothing was moved, and nobody is told */
	bool unsettled;	   /* HARDLINK: the leader was recorded without ctime */
	bool fresh;	   /* HARDLINK: the leader was recorded by this run */
	unsigned attempts; /* that failed */
	unsigned changes;  /* times the source changed under it */
	uint64_t due_ms;   /* not before (clock_mono_ms) */
	int64_t dir_id;
	/* As scanned; a worker replaces it by the state that it read. */
	struct item_stat st;
	struct upload *up;   /* BEGIN CHECK PART COMPLETE */
	struct check *check; /* VERIFY: its own; VERIFY_PART: of its file */
	uint32_t part;	     /* PART, VERIFY_PART: from 1 */

	enum job_expect expect;
	struct store_stat expected; /* EXPECT_WAS */

	struct item_link link; /* as its row is to have it */
	struct item_stat meta; /* HARDLINK: what the item is to carry */
	/* Instead of what the source says, if it still is so; owned. */
	struct given *given;
	char *leader; /* HARDLINK: malloc'd path of the other name, of was */

	/* REHASH, VERIFY: what the ledger knows of the item at the target: as
	 * it was sent; nlink, dev and ino are its link's.  ABORT, SWEEP: the
	 * upload's row. */
	struct store_stat was;
	uint64_t known_part_bytes;
	uint64_t was_attrs; /* REHASH, VERIFY: the mark of what was sent */
	int64_t ledger_id;
	int64_t begun_ns; /* SWEEP: nothing older is ours */
	/* REHASH, DIR done again: what its row says was done with it before;
	 * else all 0. */
	struct outcome before;
	char *upload_id; /* ABORT: malloc'd; SWEEP: the one to spare, or "" */
	struct victim *victims; /* DELETE: malloc'd; path is the first one's */
	size_t victim_count;

	/* The answer */
	struct err err; /* ERR_NONE: done */
	enum job_finding finding;
	int64_t read_ns;  /* when the source began to be read, or 0 */
	bool from_source; /* err is of what was asked of the source */
	bool proved; /* the store checked the bytes, or they were read back */
	bool read_back; /* proved by our own reading, not by the receipt */
	bool grown;	/* PUT: it is to be sent in parts now; st is fresh */
	bool skipped; /* PUT: the object is a symlink, and those are left out */
	struct digest digest;
	struct store_receipt receipt;
	uint64_t attrs;	       /* the mark of the source's; 0: not asked for */
	struct attrs *carried; /* these; owned; NULL: not known */
	uint64_t sent_bytes;

	size_t path_len;
	size_t name_len; /* the path's last component */
	char path[];	 /* NUL-terminated */
};

struct job *job_new(enum job_kind kind, const char *dir, size_t dir_len,
    const char *name, size_t name_len, struct err *e);
/* Closes nothing and frees no upload; of JOB_VERIFY, the check. */
void job_free(struct job *j);

/* What is there as ST says stays: that is the receipt. */
static inline void
job_finds(struct job *j, const struct store_stat *st)
{
	memcpy(j->receipt.etag, st->etag, sizeof(st->etag));
	memcpy(j->receipt.version, st->version, sizeof(st->version));
}

static inline const char *
job_name(const struct job *j)
{
	return j->path + j->path_len - j->name_len;
}

/* A first-in first-out list of jobs. */
struct job_list {
	struct job *head, **tail;
	size_t n;
};

void job_list_init(struct job_list *l);
void job_list_push(struct job_list *l, struct job *j);
struct job *job_list_pop(struct job_list *l);

#endif
