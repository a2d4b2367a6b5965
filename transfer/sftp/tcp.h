/* SPDX-License-Identifier: ISC */
/* A TCP connection being made: to whichever address of a host takes it first.
 */
#ifndef TRANSFER_SFTP_TCP_H
#define TRANSFER_SFTP_TCP_H

#include <netdb.h>

#include "base/err.h"

struct tcp {
	const char *host; /* borrowed, and so is bind_address */
	int port;
	const char *bind_address; /* or an interface; NULL: any */
	int fd;			  /* -1: none; does not block */
	/* tcp.c's: */
	struct addrinfo *addresses, *address;
	int address_error; /* why the last one could not be had */
};

/* 1 once there is a connection; 0: call again when FD can be written to.
 * Blocks while the host's addresses are looked up.  ERR_NET. */
int tcp_connect(struct tcp *t, struct err *e);
void tcp_close(struct tcp *t);

#endif
