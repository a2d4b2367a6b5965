/* SPDX-License-Identifier: ISC */
/*
 * The stream of bytes to and from a server's SFTP subsystem, or a command that
 * runs there.  Nothing here blocks; a transport belongs to one thread at a
 * time.
 */
#ifndef TRANSFER_SFTP_TRANSPORT_H
#define TRANSFER_SFTP_TRANSPORT_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/err.h"

#define TRANSPORT_FDS 2

/* Where to and how.  Borrowed for the transport's life; NULL: the default. */
struct transport_target {
	const char *host;
	const char *user;
	unsigned port; /* 0: the default */
	const char *identity;
	const char *password_file; /* secret_read_path() takes both */
	const char *passphrase_file;
	const char *known_hosts;
	const char *ssh; /* command, split at spaces */
	const char *bind_address;
	const char *command; /* to run there, not SFTP */
	unsigned connect_timeout_ms;
};

struct transport;

struct transport_ops {
	/* 1 once bytes can be sent; 0: call again when an FD is ready. */
	int (*ready)(struct transport *t, struct err *e);
	/* How many of the bytes of the N were taken; 0: none now. */
	ssize_t (*write)(
	    struct transport *t, const struct iovec *iov, int n, struct err *e);
	/* How many came; 0: none now.  The end of the stream is an error that
	 * says why it ended, as far as that is known: ERR_UNSUPPORTED if
	 * the command did, and not the connection. */
	ssize_t (*read)(
	    struct transport *t, void *out, size_t size, struct err *e);
	/* What to wait for; returns how many.  SENDING: there is more to
	 * write. */
	nfds_t (*fds)(struct transport *t, bool sending,
	    struct pollfd out[TRANSPORT_FDS]);
	void (*close)(struct transport *t);
};

/* Each transport's struct begins with this. */
struct transport {
	const struct transport_ops *ops;
};

/* A child, ssh(1).  ERR_CONFIG, ERR_SYS. */
struct transport *transport_ssh_open(
    const struct transport_target *target, struct err *e);
/* libssh2. */
struct transport *transport_libssh2_open(
    const struct transport_target *target, struct err *e);
/* As "1.11.1". */
const char *transport_libssh2_version(void);

#endif
