/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "transfer/sftp/sum.h"
#include "verify/digest.h"

#define SLICE_MS 100 /* how long the stop flag may go unseen */
/* Logging in takes a while more than the connection. */
#define LOGIN_FACTOR 3
/* A part may have to come from a slow disk first. */
#define SILENCE_FACTOR 10
#define SENDING_BYTES ((size_t)64 << 10)
#define SENDING_MAX ((size_t)16 << 20)
#define ANSWER_MAX ((size_t)16 << 10)
#define NOISE_MAX ((size_t)1 << 20)
#define READ_BYTES ((size_t)4 << 10)
#define MARKER_MAX ((size_t)128)
#define SAID_MAX 120

/* Somebody who waits for an answer. */
struct ask {
	struct ask *next;
	const char *path;
	uint64_t offset, len;
	bool sent, done;
	pthread_cond_t woken; /* done, or it is their turn to read and write */
	struct sum_found found;
	struct err err;
};

struct sum {
	struct sum_config config;
	int event_fd; /* written to when there is news for who is at it */

	pthread_mutex_t lock;
	/* Under the lock: */
	bool busy; /* somebody reads and writes */
	struct ask *first, *last;

	/* Theirs who are at it: */
	struct transport *transport;
	char nonce[33];
	uint64_t asked, answered; /* serials */
	unsigned algo;		  /* 0: it hasn't said hello yet */
	struct buf sending, in;
	size_t sent;
	size_t noise;
	char said[SAID_MAX + 1]; /* before the first answer */
	uint64_t progress_ms;
};

struct sum *
sum_new(const struct sum_config *config, struct err *e)
{
	struct sum *s = calloc(1, sizeof(*s));

	if (s == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	s->config = *config;
	s->config.target.command = "sh";
	s->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->event_fd == -1) {
		err_sys(e, "eventfd");
		free(s);
		return NULL;
	}
	pthread_mutex_init(&s->lock, NULL);
	buf_init(&s->sending, SENDING_MAX);
	buf_init(&s->in, ANSWER_MAX + READ_BYTES);
	return s;
}

static void
hang_up(struct sum *s)
{
	if (s->transport != NULL)
		s->transport->ops->close(s->transport);
	s->transport = NULL;
	s->algo = 0;
	s->asked = s->answered = 0;
	s->sent = s->noise = 0;
	s->said[0] = '\0';
	buf_reset(&s->sending);
	buf_reset(&s->in);
}

void
sum_free(struct sum *s)
{
	if (s == NULL)
		return;
	hang_up(s);
	buf_free(&s->sending);
	buf_free(&s->in);
	pthread_mutex_destroy(&s->lock);
	close(s->event_fd);
	free(s);
}

static bool
is_stopped(const struct sum *s)
{
	return s->config.stop != NULL &&
	    atomic_load_explicit(s->config.stop, memory_order_relaxed);
}

static void
wait_io(struct sum *s, bool sending)
{
	struct pollfd p[1 + TRANSPORT_FDS] = {
	    {.fd = s->event_fd, .events = POLLIN},
	};
	nfds_t n = s->transport->ops->fds(s->transport, sending, p + 1);
	uint64_t count;

	if (poll(p, n + 1, SLICE_MS) > 0 && (p[0].revents & POLLIN) != 0 &&
	    read(s->event_fd, &count, sizeof(count)) == -1)
		return;
}

/* The lines of those who came since. */
static int
gather(struct sum *s, struct err *e)
{
	struct ask *a;

	pthread_mutex_lock(&s->lock);
	for (a = s->first; a != NULL && s->sending.len < SENDING_BYTES;
	     a = a->next) {
		if (a->sent)
			continue;
		a->sent = true;
		sumtext_ask(&s->sending, s->nonce, s->asked++, a->path,
		    a->offset, a->len);
	}
	pthread_mutex_unlock(&s->lock);
	if (buf_failed(&s->sending))
		return err_set(e, ERR_NOMEM, "out of memory");
	return 0;
}

/* How much went out; 0: nothing, -1. */
static ssize_t
flush(struct sum *s, struct err *e)
{
	struct iovec v;
	ssize_t n;

	if (s->sent == s->sending.len)
		return 0;
	v.iov_base = s->sending.data + s->sent;
	v.iov_len = s->sending.len - s->sent;
	n = s->transport->ops->write(s->transport, &v, 1, e);
	if (n <= 0)
		return n;
	s->progress_ms = clock_mono_ms();
	s->sent += (size_t)n;
	if (s->sent == s->sending.len) {
		buf_reset(&s->sending);
		s->sent = 0;
	}
	return n;
}

/* Its answer to hello: which checksum it is. */
static int
take_hello(struct sum *s, const struct sumtext_answer *a, struct err *e)
{
	static const enum digest_algo algos[] = {
	    DIGEST_SHA256, DIGEST_MD5, DIGEST_XXH3};
	AUTO(digester) struct digester *digester = digester_new(e);
	struct digest want;
	uint8_t got[32];
	char said[SAID_MAX];
	size_t line = 0;
	size_t i;

	if (digester == NULL)
		return -1;
	digester_start(digester, DIGEST_SHA256 | DIGEST_MD5 | DIGEST_XXH3);
	digester_update(digester, SUMTEXT_TRIAL, 1);
	digester_finish(digester, &want);
	for (i = 0; i < sizeof(algos) / sizeof(*algos); i++) {
		const uint8_t *bytes = algos[i] == DIGEST_SHA256 ? want.sha256
		    : algos[i] == DIGEST_MD5			 ? want.md5
								 : want.xxh3;
		size_t size = algos[i] == DIGEST_SHA256 ? 32 : 16;

		if (a->status == 0 && (want.have & algos[i]) != 0 &&
		    sumtext_digest(a->text, a->len, got, size) &&
		    memcmp(got, bytes, size) == 0) {
			s->algo = algos[i];
			return 0;
		}
	}
	while (line < a->len && a->text[line] != '\n')
		line++;
	return err_set(e, ERR_CONFIG,
	    "%s: \"%s\" there gives no SHA-256, MD5 or XXH3-128 (exit %u: %s): "
	    "name a command that does by --sftp-checksum, or leave it out: "
	    "then what is sent is read back",
	    s->config.target.host, s->config.command, a->status,
	    text_escaped(a->text, line, said, sizeof(said)));
}

/* The answer to the one who has waited longest. */
static void
take_sum(struct sum *s, const struct sumtext_answer *answer)
{
	size_t size = s->algo == DIGEST_SHA256 ? 32 : 16;
	struct ask *a;

	pthread_mutex_lock(&s->lock);
	a = s->first;
	s->first = a->next;
	if (s->first == NULL)
		s->last = NULL;
	a->found.algo = s->algo;
	a->found.size = size;
	if (answer->status != 0 ||
	    !sumtext_digest(answer->text, answer->len, a->found.bytes, size))
		err_set(&a->err, ERR_SERVER,
		    "\"%s\" gives no checksum of what was sent (exit %u); does "
		    "the shell there see the directories that SFTP shows? "
		    "Without --sftp-checksum it is read back",
		    s->config.command, answer->status);
	a->done = true;
	pthread_cond_signal(&a->woken);
	pthread_mutex_unlock(&s->lock);
}

static int
take_answer(struct sum *s, const struct sumtext_answer *a, struct err *e)
{
	/* No more than was asked, and in that order. */
	if (a->serial != s->answered || s->answered >= s->asked)
		return err_set(
		    e, ERR_PROTOCOL, "the shell answered what it wasn't asked");
	s->answered++;
	if (a->serial == 1)
		return take_hello(s, a, e);
	if (a->serial > 1)
		take_sum(s, a);
	return 0;
}

/* What logging in says is not for us; the beginning is kept for errors. */
static int
skip_noise(struct sum *s, struct err *e)
{
	/* It may be a marker that has half come. */
	size_t keep = MARKER_MAX, n = s->in.len;

	if (s->noise == 0)
		text_escaped(s->in.data, strcspn(s->in.data, "\r\n"), s->said,
		    sizeof(s->said));
	if (n <= ANSWER_MAX / 2)
		return 0;
	s->noise += n - keep;
	if (s->noise > NOISE_MAX)
		return err_set(
		    e, ERR_PROTOCOL, "the shell says too much before it works");
	memmove(s->in.data, s->in.data + n - keep, keep);
	s->in.len = keep;
	s->in.data[keep] = '\0';
	return 0;
}

/* Reads what there is and hands out the answers: bytes read. */
static ssize_t
receive(struct sum *s, struct err *e)
{
	struct sumtext_answer a;
	char bytes[READ_BYTES];
	size_t at = 0;
	ssize_t n;
	int rc;

	n = s->transport->ops->read(s->transport, bytes, sizeof(bytes), e);
	if (n <= 0)
		return n;
	s->progress_ms = clock_mono_ms();
	buf_add(&s->in, bytes, (size_t)n);
	if (buf_failed(&s->in))
		return err_set(e, ERR_PROTOCOL, "the shell says too much");
	while ((rc = sumtext_next(
		    s->in.data + at, s->in.len - at, s->nonce, &a, e)) == 1) {
		if (take_answer(s, &a, e) == -1)
			return -1;
		at += a.used;
	}
	memmove(s->in.data, s->in.data + at, s->in.len - at);
	s->in.len -= at;
	s->in.data[s->in.len] = '\0';
	if (rc == 0 && s->answered == 0)
		rc = skip_noise(s, e);
	return rc == -1 ? -1 : n;
}

/* A round of reading and writing; SILENCE_MS is the most that may pass. */
static int
turn(struct sum *s, uint64_t silence_ms, struct err *e)
{
	ssize_t sent = flush(s, e);
	ssize_t got = sent == -1 ? -1 : receive(s, e);

	if (got == -1)
		return -1;
	if (is_stopped(s))
		return err_set(e, ERR_STOPPED, "stopped");
	if (clock_mono_ms() - s->progress_ms > silence_ms)
		return err_set(e, ERR_NET, "%s: no answer of the shell in time",
		    s->config.target.host);
	if (sent == 0 && got == 0)
		wait_io(s, s->sent < s->sending.len);
	return 0;
}

static int
await_transport(struct sum *s, uint64_t most_ms, struct err *e)
{
	int rc;

	while ((rc = s->transport->ops->ready(s->transport, e)) == 0) {
		if (is_stopped(s))
			return err_set(e, ERR_STOPPED, "stopped");
		if (clock_mono_ms() - s->progress_ms > most_ms)
			return err_set(e, ERR_NET, "%s: no connection in time",
			    s->config.target.host);
		wait_io(s, false);
	}
	return rc == 1 ? 0 : -1;
}

static int
make_nonce(struct sum *s, struct err *e)
{
	uint8_t random[(sizeof(s->nonce) - 1) / 2];

	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return err_sys(e, "getrandom");
	text_hex(random, sizeof(random), s->nonce);
	return 0;
}

/* What *E says is why no shell was had. */
static int
no_commands(const struct sum *s, struct err *e)
{
	char why[200];

	snprintf(
	    why, sizeof(why), "%.199s", s->said[0] != '\0' ? s->said : e->msg);
	return err_set(e, ERR_CONFIG,
	    "%s lets us run no commands (%s): leave --sftp-checksum out: then "
	    "what is sent is read back",
	    s->config.target.host, why);
}

static int
dial(struct sum *s, struct err *e)
{
	uint64_t most_ms =
	    (uint64_t)LOGIN_FACTOR * s->config.connect_timeout_ms;
	int rc = make_nonce(s, e);

	s->progress_ms = clock_mono_ms();
	if (rc == 0)
		s->transport = s->config.open(&s->config.target, e);
	if (s->transport == NULL || await_transport(s, most_ms, e) == -1)
		return -1;
	sumtext_hello(&s->sending, s->nonce, s->config.command);
	s->asked = 2;
	while (rc == 0 && s->algo == 0)
		rc = turn(s, most_ms, e);
	if (rc == -1 && e->kind == ERR_UNSUPPORTED)
		return no_commands(s, e);
	return rc;
}

static bool
is_done(struct sum *s, const struct ask *mine)
{
	bool done;

	pthread_mutex_lock(&s->lock);
	done = mine->done;
	pthread_mutex_unlock(&s->lock);
	return done;
}

/* Reads and writes until MINE is answered. */
static int
serve(struct sum *s, const struct ask *mine, struct err *e)
{
	uint64_t most_ms = (uint64_t)SILENCE_FACTOR * s->config.timeout_ms;

	if (s->transport == NULL && dial(s, e) == -1)
		return -1;
	s->progress_ms = clock_mono_ms();
	while (!is_done(s, mine))
		if (gather(s, e) == -1 || turn(s, most_ms, e) == -1)
			return -1;
	return 0;
}

/* All who wait get *E; the lock is held. */
static void
fail_all(struct sum *s, const struct err *e)
{
	struct ask *a;

	while ((a = s->first) != NULL) {
		s->first = a->next;
		a->err = *e;
		a->done = true;
		pthread_cond_signal(&a->woken);
	}
	s->last = NULL;
}

/* The lock is held. */
static void
lead(struct sum *s, const struct ask *mine)
{
	struct err e = ERR_INIT;
	int rc;

	s->busy = true;
	pthread_mutex_unlock(&s->lock);
	rc = serve(s, mine, &e);
	if (rc == -1) {
		hang_up(s);
		/* It worked before, and would again. */
		if (e.kind == ERR_UNSUPPORTED || e.kind == ERR_PROTOCOL)
			e.kind = ERR_NET;
		err_context(&e, "checksum");
	}
	pthread_mutex_lock(&s->lock);
	s->busy = false;
	if (rc == -1)
		fail_all(s, &e);
	else if (s->first != NULL)
		pthread_cond_signal(&s->first->woken);
}

int
sum_ask(struct sum *s, const char *path, uint64_t offset, uint64_t len,
    struct sum_found *out, struct err *e)
{
	struct ask mine = {.path = path, .offset = offset, .len = len};
	uint64_t one = 1;

	pthread_cond_init(&mine.woken, NULL);
	pthread_mutex_lock(&s->lock);
	if (s->last != NULL)
		s->last->next = &mine;
	else
		s->first = &mine;
	s->last = &mine;
	/* Full is as good as written. */
	if (s->busy && write(s->event_fd, &one, sizeof(one)) == -1)
		one = 0;
	while (!mine.done) {
		if (s->busy)
			pthread_cond_wait(&mine.woken, &s->lock);
		else
			lead(s, &mine);
	}
	pthread_mutex_unlock(&s->lock);
	pthread_cond_destroy(&mine.woken);
	if (mine.err.kind != ERR_NONE) {
		*e = mine.err;
		return -1;
	}
	*out = mine.found;
	return 0;
}
