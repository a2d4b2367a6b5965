/* SPDX-License-Identifier: ISC */
/*
 * A bounded set of paths of directories that were looked at, for a moment:
 * somebody may put a symbolic link in one's place.  Any thread.
 */
#ifndef TRANSFER_SFTP_DIRS_H
#define TRANSFER_SFTP_DIRS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dirs_path {
	uint64_t since_ms;
	char text[];
};

/* Somebody is looking at one; on their stack. */
struct dirs_look {
	struct dirs_look *next;
	const char *path;
	size_t len;
	uint64_t serial;
};

struct dirs {
	pthread_mutex_t lock;
	pthread_cond_t looked;
	/* Under the lock: */
	struct dirs_look *looks;
	uint64_t serial;
	struct dirs_path **paths; /* open addressing; a power of two */
	size_t cap, n;
};

void dirs_init(struct dirs *d);
void dirs_free(struct dirs *d);
bool dirs_has(struct dirs *d, const char *path, size_t len);
/*
 * The same, but if somebody is looking at it, what comes of that is awaited.
 * If false the caller is to look, and to say when that is over by dirs_looked;
 * MINE and PATH stay as they are until then.
 */
bool dirs_has_soon(
    struct dirs *d, const char *path, size_t len, struct dirs_look *mine);
void dirs_looked(struct dirs *d, struct dirs_look *mine);
/* Just now.  Without memory it is left out: it will be looked at again. */
void dirs_add(struct dirs *d, const char *path, size_t len);
void dirs_forget(struct dirs *d);

#endif
