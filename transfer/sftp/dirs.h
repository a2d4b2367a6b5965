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

struct dirs {
	pthread_mutex_t lock;
	struct dirs_path **paths; /* open addressing; a power of two */
	size_t cap, n;
};

void dirs_init(struct dirs *d);
void dirs_free(struct dirs *d);
bool dirs_has(struct dirs *d, const char *path, size_t len);
/* Just now.  Without memory it is left out: it will be looked at again. */
void dirs_add(struct dirs *d, const char *path, size_t len);
void dirs_forget(struct dirs *d);

#endif
