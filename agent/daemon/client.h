/* SPDX-License-Identifier: ISC */
/* The control socket, the other end. */
#ifndef AGENT_DAEMON_CLIENT_H
#define AGENT_DAEMON_CLIENT_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/*
 * Sends REQUEST, a line of JSON without its end, to the daemon at PATH; its
 * answer, likewise, into *REPLY.  ERR_NOTFOUND: there is no daemon; ERR_DENIED:
 * one that doesn't listen to this user; ERR_NET: one that doesn't answer.
 */
int client_ask(
    const char *path, const char *request, struct buf *reply, struct err *e);

/* The process that listens at PATH; 0: none that can be seen. */
pid_t client_daemon(const char *path);

#endif
