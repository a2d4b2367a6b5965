/* SPDX-License-Identifier: ISC */
/* Inside of a connection.  For conn.c, io.c, packets.c and greet.c only. */
#ifndef TRANSFER_SFTP_CONN_IN_H
#define TRANSFER_SFTP_CONN_IN_H

#include <pthread.h>

#include "transfer/limit.h"
#include "transfer/sftp/conn.h"

/* Requests without an answer, and bytes of their data, at a time. */
#define CONN_REQUESTS_MAX 4096u
#define CONN_FLYING_MAX ((uint64_t)8 << 20)
#define CONN_RING 256
/* How long the stop flag may go unseen. */
#define CONN_SLICE_MS 100
/* Room for what was read: a packet, and what came behind it. */
#define CONN_IN_BYTES (2 * PROTO_PACKET_MAX)

enum conn_state { CONN_DOWN, CONN_DIALING, CONN_UP };

/* A list of calls, first to last. */
struct call_list {
	struct call *first, *last;
};

struct conn_slot {
	struct request *request; /* NULL: free */
	uint32_t id;
};

struct conn {
	struct conn_config config;
	atomic_int users;
	_Atomic uint64_t backlog;
	int event_fd; /* written to when there is news and it sleeps */

	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* Under the lock: */
	pthread_t thread;
	bool has_thread;
	bool closing;
	bool sleeping;
	bool wanted; /* to be up */
	enum conn_state state;
	unsigned attempts; /* to connect, that are over */
	struct err why;	   /* the last one failed */
	uint32_t generation;
	struct conn_caps caps;
	uint64_t dial_ms, up_since_ms;
	uint64_t
	    failed_ms; /* when connecting did last; 0: not since it was up */
	struct call_list inbox;

	/* The I/O thread's: */
	struct transport *transport;
	struct call_list small, bulk; /* not all of them admitted yet */
	struct call_list parked;      /* they wait for a file to be closed */
	unsigned opening, open;	      /* handles: asked for; had */
	bool bulk_next;
	struct conn_slot *slots; /* CONN_REQUESTS_MAX of them */
	uint16_t *free_slots;
	unsigned outstanding; /* requests */
	unsigned fsyncs;      /* of these */
	uint64_t flying;      /* bytes */
	struct limit_turn turn;
	unsigned held_up_ms; /* the limit lets nothing go for so long */
	uint32_t serial;
	struct iovec ring[CONN_RING];	 /* to be sent */
	struct request *ends[CONN_RING]; /* whose last bytes they are */
	unsigned ring_at, ring_n;
	uint8_t *in;
	size_t in_at, in_len;
	uint64_t progress_ms;
};

/* The I/O thread. */
void *conn_io_main(void *arg);

/* packets.c, on that thread */
/* Until something can be read (or written, if SENDING), is handed over, or
 * TIMEOUT_MS (-1: none) are over. */
void conn_wait_io(struct conn *c, bool sending, int timeout_ms);
/* More bytes into the buffer: how many. */
ssize_t conn_fill(struct conn *c, struct err *e);
/* The next whole packet in the buffer, valid until it is filled again: 1, 0 if
 * there is none, -1. */
int conn_next_packet(
    struct conn *c, const uint8_t **packet, size_t *len, struct err *e);

/* greet.c, on that thread */
/* Over a transport that was just opened: what the server is able to do.
 * ERR_NET if that takes too long. */
int conn_greet(struct conn *c, struct conn_caps *caps, struct err *e);

/* A call is over: its caller is woken, or it is freed. */
void conn_call_done(struct call *call);

static inline bool
conn_is_stopped(const struct conn *c)
{
	return c->config.stop != NULL &&
	    atomic_load_explicit(c->config.stop, memory_order_relaxed);
}

/* All its requests are to be sent. */
static inline void
call_rewind(struct call *call)
{
	call->admitted = 0;
	call->pending = call->n;
}

static inline void
call_list_add(struct call_list *l, struct call *call)
{
	call->next = NULL;
	if (l->last != NULL)
		l->last->next = call;
	else
		l->first = call;
	l->last = call;
}

static inline struct call *
call_list_take(struct call_list *l)
{
	struct call *call = l->first;

	if (call != NULL) {
		l->first = call->next;
		if (l->first == NULL)
			l->last = NULL;
	}
	return call;
}

#endif
