/* SPDX-License-Identifier: ISC */
/* A Unix socket that others can find: where it lies, and whose it is. */
#ifndef AGENT_DAEMON_LISTENER_H
#define AGENT_DAEMON_LISTENER_H

#include <sys/types.h>

#include "base/err.h"

/* Who is at the other end of a socket. */
struct peer {
	pid_t pid;
	uid_t uid;
};

struct peer listener_peer(int fd);

struct listener {
	int fd; /* -1: closed */
	char *path;
	dev_t dev; /* of what is at the path, if it is ours */
	ino_t ino;
};

#define LISTENER_INIT    \
	{                \
		.fd = -1 \
	}

/*
 * Listens at PATH, which is made anew, for its owner and the group GROUP
 * (NULL: as it comes).  ERR_BUSY names the process that answers there; what is
 * no socket is left alone.  *L is to be closed in any case.
 */
int listener_open(
    struct listener *l, const char *path, const char *group, struct err *e);
/* The path is free again, if it is still ours. */
void listener_close(struct listener *l);

#endif
