/* SPDX-License-Identifier: ISC */
/* Inside of a scan.  For scan.c and scanbatch.c only. */
#ifndef TRANSFER_SCAN_IN_H
#define TRANSFER_SCAN_IN_H

#include <pthread.h>
#include <stdatomic.h>

#include "transfer/scan.h"
#include "transfer/scandir.h"
#include "transfer/scannode.h"

struct scan {
	int root_fd;	     /* or -1, and */
	struct store *store; /* what is walked */
	struct scan_options options;
	scan_deliver_fn *deliver;
	void (*done)(void *arg);
	void *arg;
	uint64_t root_dev;
	atomic_bool stop;
	struct walker *walkers;
	unsigned n; /* of them; those in front have a thread */
	unsigned started;

	pthread_mutex_t lock; /* of all below */
	pthread_cond_t work;
	struct scannode *stack; /* last in, first out: the stack stays short */
	unsigned busy;		/* walkers that may push more */
	unsigned alive;		/* walkers; the last one says done */
};

/* What a walker owns. */
struct walker {
	struct scan *scan;
	pthread_t thread;
	struct session *session;      /* to the store, once there is one */
	struct scandir dir;	      /* the names of the directory it reads */
	bool named;		      /* these are only those asked for */
	struct scan_trouble *refused; /* entries of its listing */
	struct scan_batch *spare;     /* to report that memory ran out */
	char *path;		      /* of the directory, then of an item */
	size_t path_cap;
};

/* scan.c */
/* The directories at NEWEST, in a list, wait to be read: this one next. */
void scan_push(struct scan *s, struct scannode *newest);
/* To the receiver, which may not want more. */
void scan_deliver(struct scan *s, struct scan_batch *b);

/* scanbatch.c */
/*
 * Delivers all batches of NODE's directory: w->dir has its names, w->path its
 * path and room for the longest name behind that, FD is open if it is a local
 * one.  *ERROR (or NULL) is why there are no more names.  False: out of memory.
 */
bool scan_deliver_dir(
    struct walker *w, struct scannode *node, int fd, const struct err *error);
/* Why NAME can't be looked at; NULL: out of memory. */
struct scan_trouble *scan_trouble_new(
    const char *name, size_t len, const struct err *why);
/* T and all behind it. */
void scan_troubles_free(struct scan_trouble *t);

#endif
