/* SPDX-License-Identifier: ISC */
/* transfer/http.c against servers of bad manners, on loopback. */
#include "config.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/unit/check.h"
#include "transfer/http.h"

/* What the server does after it has read a request's header. */
struct script {
	const char *reply;   /* sent first; NULL: nothing */
	const char *forever; /* then this again and again */
	unsigned drip_us;    /* between two of these */
	size_t body;	     /* bytes of a body to read before */
	bool keep;	     /* the connection, for another request */
	bool drop_second;    /* close when the second request begins */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct script script; /* under lock */
static size_t body_seen;     /* under lock */
static int listener;
static char url[64];

static void
play(struct script s)
{
	pthread_mutex_lock(&lock);
	script = s;
	pthread_mutex_unlock(&lock);
}

static size_t
seen_body(void)
{
	size_t n;

	pthread_mutex_lock(&lock);
	n = body_seen;
	pthread_mutex_unlock(&lock);
	return n;
}

static size_t
read_header(int fd)
{
	char text[65536];
	size_t n = 0;
	char *end;

	for (;;) {
		ssize_t got = read(fd, text + n, sizeof(text) - 1 - n);

		if (got <= 0)
			return SIZE_MAX;
		n += (size_t)got;
		text[n] = '\0';
		end = strstr(text, "\r\n\r\n");
		if (end != NULL)
			return n - (size_t)(end + 4 - text);
	}
}

static void
serve(int fd)
{
	static char sink[65536];
	size_t seen = read_header(fd);
	struct script s;
	size_t n;

	if (seen == SIZE_MAX)
		return;
	pthread_mutex_lock(&lock);
	s = script; /* the next test sets another */
	pthread_mutex_unlock(&lock);
	n = s.forever != NULL ? strlen(s.forever) : 0;
	while (seen < s.body) {
		ssize_t got = read(fd, sink, sizeof(sink));

		if (got <= 0)
			return;
		seen += (size_t)got;
	}
	pthread_mutex_lock(&lock);
	body_seen = seen;
	pthread_mutex_unlock(&lock);
	if (s.reply != NULL &&
	    send(fd, s.reply, strlen(s.reply), MSG_NOSIGNAL) < 0)
		return;
	while (n > 0 && send(fd, s.forever, n, MSG_NOSIGNAL) > 0)
		if (s.drip_us > 0)
			usleep(s.drip_us);
	if (s.keep && !s.drop_second)
		serve(fd);
	else if (s.reply == NULL)
		(void)!read(fd, sink, 1);
	else if (s.drop_second)
		(void)!read(fd, sink, 1);
}

static void *
server(void *arg)
{
	int fd;

	(void)arg;
	while ((fd = accept(listener, NULL, NULL)) != -1) {
		serve(fd);
		close(fd);
	}
	return NULL;
}

static int
start(void)
{
	struct sockaddr_in a = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	pthread_t t;

	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(listener, (struct sockaddr *)&a, sizeof(a)) == -1 ||
	    listen(listener, 10) == -1 ||
	    getsockname(listener, (struct sockaddr *)&a, &len) == -1 ||
	    pthread_create(&t, NULL, server, NULL) != 0 ||
	    pthread_detach(t) != 0)
		return -1;
	snprintf(
	    url, sizeof(url), "http://127.0.0.1:%d/a/../b", ntohs(a.sin_port));
	return 0;
}

/* One request; the reply's text goes into TEXT. */
static int
ask(struct http *h, enum http_method method, const void *body, size_t n,
    struct buf *text, struct http_reply *reply, struct err *e)
{
	static const char *const headers[] = {"x-test: 1"};
	struct http_request r = {.method = method,
	    .url = url,
	    .headers = headers,
	    .header_count = 1,
	    .body = body,
	    .body_len = n,
	    .text = text};

	return http_do(h, &r, reply, e);
}

static enum err_kind
outcome(const atomic_bool *stop)
{
	struct http_config config = {
	    .proxy = "", .timeout_ms = 1500, .stop = stop};
	struct err e = ERR_INIT;
	AUTO(http) struct http *h = http_new(&config, &e);
	AUTO(buf) struct buf text = BUF_INIT(10000);
	struct http_reply reply;
	uint64_t begun = clock_mono_ms();

	if (ask(h, HTTP_GET, NULL, 0, &text, &reply, &e) == 0)
		return ERR_NONE;
	CHECK(clock_mono_ms() - begun < 6000);
	CHECK(text.cap <= 20000);
	printf("# %s\n", e.msg);
	return e.kind;
}

static void
endless_headers_end(void)
{
	play((struct script){.reply = "HTTP/1.1 200 OK\r\n",
	    .forever = "x-more: 0123456789012345678901234567890123456789\r\n"});
	CHECK(outcome(NULL) == ERR_PROTOCOL);
}

static void
an_endless_line_ends(void)
{
	play((struct script){.reply = "HTTP/1.1 200 OK\r\nx-more: ",
	    .forever = "0123456789012345678901234567890123456789"});
	CHECK(outcome(NULL) == ERR_PROTOCOL);
}

static void
endless_interim_replies_end(void)
{
	play((struct script){.forever = "HTTP/1.1 100 Continue\r\n\r\n"});
	CHECK(outcome(NULL) == ERR_PROTOCOL);
}

static void
an_endless_body_ends(void)
{
	play((struct script){.reply = "HTTP/1.1 200 OK\r\n\r\n",
	    .forever = "0123456789012345678901234567890123456789"});
	CHECK(outcome(NULL) == ERR_PROTOCOL);
	play((struct script){.forever = "4\r\nabcd\r\n",
	    .reply = "HTTP/1.1 200 OK\r\n"
		     "transfer-encoding: chunked\r\n\r\n"});
	CHECK(outcome(NULL) == ERR_PROTOCOL);
}

static void
silence_ends(void)
{
	play((struct script){.reply = NULL});
	CHECK(outcome(NULL) == ERR_NET);
	play((struct script){.keep = true,
	    .reply = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab"});
	CHECK(outcome(NULL) == ERR_NET);
}

static void
a_short_body_is_an_error(void)
{
	play((struct script){
	    .reply = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab"});
	CHECK(outcome(NULL) == ERR_NET);
}

static void
what_is_not_http_is_an_error(void)
{
	play((struct script){.reply = "SSH-2.0-OpenSSH_9.2\r\n"});
	CHECK(outcome(NULL) == ERR_PROTOCOL);
	play((struct script){.reply = "HTTP/1.1 999999\r\n\r\n"});
	CHECK(outcome(NULL) != ERR_NONE);
}

static void *
set_later(void *arg)
{
	usleep(200000);
	atomic_store((atomic_bool *)arg, true);
	return NULL;
}

static void
a_stop_is_obeyed_soon(void)
{
	static atomic_bool stop;
	pthread_t t;

	play((struct script){.reply = NULL});
	pthread_create(&t, NULL, set_later, &stop);
	CHECK(outcome(&stop) == ERR_STOPPED);
	pthread_join(t, NULL);
}

static void
a_closed_port_is_a_network_error(void)
{
	char was[sizeof(url)];

	memcpy(was, url, sizeof(was));
	snprintf(url, sizeof(url), "http://127.0.0.1:1/");
	CHECK(outcome(NULL) == ERR_NET);
	memcpy(url, was, sizeof(was));
}

static void
big_and_small_bodies_arrive_over_one_handle(void)
{
	struct http_config config = {.proxy = "", .timeout_ms = 5000};
	struct err e = ERR_INIT;
	AUTO(http) struct http *h = http_new(&config, &e);
	AUTO(buf) struct buf text = BUF_INIT(10000);
	AUTO(free) char *body = calloc(1, 4 << 20);
	struct http_reply reply = {0};
	size_t i, sizes[] = {4096, 4 << 20, 0, 65536, 1};

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		play((struct script){.body = sizes[i],
		    .keep = true,
		    .reply = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n"
			     "etag: \"x\"\r\n\r\nok"});
		CHECK(ask(h, HTTP_PUT, body, sizes[i], &text, &reply, &e) == 0);
		CHECK(reply.status == 200 && seen_body() == sizes[i]);
		CHECK_STR(buf_str(&text), "ok");
		CHECK_STR(http_header(reply.headers, "ETag"), "\"x\"");
	}
	play((struct script){.keep = true,
	    .reply = "HTTP/1.1 404 No\r\ncontent-length: 7\r\n\r\n"});
	CHECK(ask(h, HTTP_HEAD, NULL, 0, &text, &reply, &e) == 0);
	CHECK(reply.status == 404 && text.len == 0);
	play((struct script){.keep = true, .reply = "HTTP/1.1 204 No\r\n\r\n"});
	CHECK(ask(h, HTTP_DELETE, NULL, 0, &text, &reply, &e) == 0);
	CHECK(reply.status == 204);
}

static void
a_dropped_connection_is_taken_up_again(void)
{
	struct http_config config = {.proxy = "", .timeout_ms = 5000};
	struct err e = ERR_INIT;
	AUTO(http) struct http *h = http_new(&config, &e);
	AUTO(buf) struct buf text = BUF_INIT(10000);
	struct http_reply reply = {0};
	char body[4096] = "";
	int i, good = 0;

	play((struct script){.body = sizeof(body),
	    .drop_second = true,
	    .reply = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"});
	for (i = 0; i < 10; i++) {
		if (ask(h, HTTP_PUT, body, sizeof(body), &text, &reply, &e) ==
		    0)
			good++;
		else
			CHECK(e.kind == ERR_NET);
	}
	CHECK(good >= 5); /* a reset while sending can't be told apart */
}

int
main(void)
{
	if (start() == -1)
		return 77;
	RUN(endless_headers_end);
	RUN(an_endless_line_ends);
	RUN(endless_interim_replies_end);
	RUN(an_endless_body_ends);
	RUN(silence_ends);
	RUN(a_short_body_is_an_error);
	RUN(what_is_not_http_is_an_error);
	RUN(a_stop_is_obeyed_soon);
	RUN(a_closed_port_is_a_network_error);
	RUN(big_and_small_bodies_arrive_over_one_handle);
	RUN(a_dropped_connection_is_taken_up_again);
	return check_end();
}
