/* SPDX-License-Identifier: ISC */
/*
 * One connection to an SFTP server, shared by many threads.  A thread puts
 * requests into a call and hands it over; a thread of the connection's own,
 * the only one that touches the transport, sends what all calls ask, as much
 * at once as it may, matches the answers by their id, and wakes a caller when
 * its last one has come.  Bytes to be written are taken from where the caller
 * has them, bytes that were read are put where it wants them: they stay
 * untouched until call_run() returns.
 *
 * No more files are open on a connection than the server says that it takes, or
 * is known to take: who wants one more waits until another is closed, or gets
 * PROTO_FAILURE if nothing else goes on meanwhile.
 *
 * Nothing waits for ever: silence longer than the timeout while answers are
 * due breaks the connection, and so does the store's stop flag.  A broken
 * connection fails all calls under way; the next one connects again.  Handles
 * don't survive that: each knows its connection's generation.
 */
#ifndef TRANSFER_SFTP_CONN_H
#define TRANSFER_SFTP_CONN_H

#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "transfer/sftp/proto.h"
#include "transfer/sftp/transport.h"

struct conn;
struct handles;
struct limit;

struct conn_config {
	struct transport *(*open)(
	    const struct transport_target *target, struct err *e);
	struct transport_target target;
	uint32_t number; /* tells it from the store's others; below 256 */
	unsigned timeout_ms;
	unsigned connect_timeout_ms;
	const atomic_bool *stop; /* or NULL */
	struct limit *limit;	 /* of data asked for and sent, or NULL */
	struct handles *handles; /* what was learned of the server */
};

/* What the server is able to do; known once it was reached. */
struct conn_caps {
	unsigned features;		  /* enum proto_feature bits */
	uint32_t read_bytes, write_bytes; /* the most in one request */
	uint64_t handles;		  /* 0: not told */
};

struct conn_handle {
	uint32_t generation;
	uint32_t len; /* 0: none */
	uint8_t bytes[PROTO_HANDLE_MAX];
};

/* One request and its answer. */
struct request {
	struct call *call;
	size_t head; /* where it begins in the call's heads */
	uint32_t head_len;
	uint8_t type;
	bool is_fsync;
	bool sent;
	bool differs;		    /* what was read is not what was expected */
	uint32_t status;	    /* enum proto_status */
	uint32_t len, got;	    /* bytes to be written or read; read */
	uint64_t offset;	    /* READ */
	const void *data;	    /* WRITE */
	void *into;		    /* READ: where to, or */
	const void *expect;	    /* what to compare with */
	struct conn_handle *handle; /* where an answer goes */
	struct proto_attrs *attrs;
	struct buf *body; /* NAME: its count and all names; extensions */
};

/*
 * On the connection's thread: all answers to CALL are there.  True if it holds
 * the requests of one more round now; false to wake its caller.  It must not
 * wait for anything.
 */
typedef bool call_next_fn(struct call *call, void *arg);

/*
 * Requests that are sent without waiting for each other's answers, in order.
 * Belongs to one thread.  Its memory is kept from one use to the next.
 */
struct call {
	struct conn *conn;
	uint32_t generation;
	struct conn_caps caps;
	struct request *requests;
	size_t n, cap;
	struct buf heads;
	uint64_t bytes;		  /* of data in all requests */
	struct request nowhere;	  /* takes what there is no memory for */
	bool stale;		  /* a handle is of a connection that is gone */
	bool detached;		  /* nobody waits: the connection frees it */
	bool crowded;		  /* a file wasn't opened: too many are */
	call_next_fn *next_round; /* of call_run_rounds() */
	void *next_arg;
	char message[160]; /* what the server said of the first failure */
	/* From here on the connection's, until done. */
	struct call *next;
	size_t admitted, pending;
	struct err err;
	sem_t done;
};

struct conn *conn_new(const struct conn_config *config, struct err *e);
/* No call may be under way. */
void conn_free(struct conn *c);
/* Whether a call could be sent at once. */
bool conn_is_up(struct conn *c);
/* Whether it is being connected, or failed to be in the last MS. */
bool conn_is_dialing(struct conn *c);
bool conn_failed_within(struct conn *c, unsigned ms);
/* Connects it while its caller does other things. */
void conn_wish(struct conn *c);
/* How long it took to get connected, the last time, and when that was. */
uint64_t conn_dial_ms(struct conn *c);
uint64_t conn_up_since_ms(struct conn *c);
/* Bytes that wait to be sent or asked for. */
uint64_t conn_backlog(struct conn *c);
/* Calls that use it; the caller's to keep. */
atomic_int *conn_users(struct conn *c);

void call_init(struct call *call);
void call_free(struct call *call);
/* An empty call on C, which is connected first if it isn't. */
int call_start(struct call *call, struct conn *c, struct err *e);
/* The next round on the same connection: what handles rely on. */
void call_again(struct call *call);
/*
 * Sends all, waits for all answers.  -1 if the connection broke (ERR_NET,
 * ERR_PROTOCOL, ERR_STOPPED...): nothing is known then; 0 otherwise, whatever
 * each request's status is.
 */
int call_run(struct call *call, struct err *e);
/*
 * The same, but NEXT may go on with further rounds before the caller is woken:
 * what was asked and answered is that of the last one then.
 */
int call_run_rounds(
    struct call *call, call_next_fn *next, void *arg, struct err *e);

/*
 * Requests; each returns its index.  Outputs are filled by call_run() where
 * the status is PROTO_OK; they and DATA stay the caller's.
 */
size_t call_path(struct call *call, enum proto_type type, const char *path);
size_t call_stat(struct call *call, enum proto_type type, const char *path,
    struct proto_attrs *out);
size_t call_open(struct call *call, const char *path, unsigned flags,
    const struct proto_attrs *attrs, struct conn_handle *out);
size_t call_opendir(
    struct call *call, const char *path, struct conn_handle *out);
size_t call_readdir(
    struct call *call, const struct conn_handle *h, struct buf *out);
size_t call_close(struct call *call, const struct conn_handle *h);
size_t call_fstat(
    struct call *call, const struct conn_handle *h, struct proto_attrs *out);
size_t call_write(struct call *call, const struct conn_handle *h,
    uint64_t offset, const void *data, uint32_t len);
/* Into INTO, or compared with EXPECT.  Fewer bytes may come. */
size_t call_read(struct call *call, const struct conn_handle *h,
    uint64_t offset, uint32_t len, void *into, const void *expect);
/* MKDIR, SETSTAT. */
size_t call_setstat(struct call *call, enum proto_type type, const char *path,
    const struct proto_attrs *attrs);
size_t call_lsetstat(
    struct call *call, const char *path, const struct proto_attrs *attrs);
size_t call_fsetstat(struct call *call, const struct conn_handle *h,
    const struct proto_attrs *attrs);
size_t call_fsync(struct call *call, const struct conn_handle *h);
size_t call_rename(
    struct call *call, bool posix, const char *from, const char *to);
/* PATH becomes another name of the file EXISTING. */
size_t call_hardlink(struct call *call, const char *existing, const char *path);
/* DRAFT: arguments in the draft's order, not in OpenSSH's. */
size_t call_symlink(struct call *call, const char *target, size_t len,
    const char *path, bool draft);
/* READLINK, REALPATH: one name. */
size_t call_names(
    struct call *call, enum proto_type type, const char *path, struct buf *out);
size_t call_statvfs(struct call *call, const char *path, struct buf *out);

/* The names that a request's body has.  ERR_PROTOCOL */
struct proto_in call_body(const struct buf *body);
/* The one name of READLINK or REALPATH.  ERR_PROTOCOL */
int call_one_name(
    const struct buf *body, struct proto_name *out, struct err *e);

/* The status of request I: PROTO_OK is 0. */
static inline uint32_t
call_status(const struct call *call, size_t i)
{
	return call->requests[i].status;
}

/* Closes H when there is time; nobody learns how that went. */
void conn_close_later(struct conn *c, const struct conn_handle *h);

#endif
