/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "transfer/http_curl.h"
#include "transfer/http_many.h"

struct call {
	struct call *next; /* among the idle */
	struct call *prev_busy, *next_busy;
	struct http_profile *profile;
	CURL *curl;
	struct curl_slist *list;
	struct http_headers headers;
	char error[CURL_ERROR_SIZE];
	char *text; /* of its profile's text_max bytes */
	size_t text_len;
	size_t seen;   /* of the reply's body */
	bool answered; /* all headers are there */
	bool refused;
	bool cut; /* we stopped reading */
	uint64_t begun_ms;
	void *tag;
};

struct http_profile {
	struct http_profile *next;
	struct http_many *many;
	struct http_many_config config;
	struct call *idle;
};

struct http_many {
	CURLM *multi;
	struct http_profile *profiles;
	struct call *busy;
	int busy_n;
	struct call *last; /* the reply that was handed out */
};

static size_t
on_header(char *p, size_t size, size_t n, void *arg)
{
	struct call *c = arg;

	n *= size;
	if (http_headers_add(&c->headers, p, n) == -1)
		return 0;
	/* The empty line; 1xx is no answer, however often it is said. */
	if (n > 0 && (p[0] == '\r' || p[0] == '\n'))
		c->answered = c->headers.status >= 200;
	return n;
}

static size_t
on_body(char *p, size_t size, size_t n, void *arg)
{
	struct call *c = arg;
	size_t keep = c->profile->config.text_max - c->text_len;

	n *= size;
	if (keep > n)
		keep = n;
	memcpy(c->text + c->text_len, p, keep);
	c->text_len += keep;
	c->seen += n;
	c->cut = c->seen > HTTP_MANY_REPLY_MAX;
	return c->cut ? 0 : n;
}

static curl_socket_t
on_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *addr)
{
	struct call *c = arg;
	const struct http_many_config *config = &c->profile->config;

	(void)purpose;
	if (config->may_connect != NULL &&
	    !config->may_connect(config->arg, &addr->addr)) {
		c->refused = true;
		return CURL_SOCKET_BAD;
	}
	return socket(
	    addr->family, addr->socktype | SOCK_CLOEXEC, addr->protocol);
}

#if LIBCURL_VERSION_NUM >= 0x075000
/* A kept connection may have been made for a profile that allows more. */
static int
on_request(
    void *arg, char *remote, char *local, int remote_port, int local_port)
{
	struct call *c = arg;
	const struct http_many_config *config = &c->profile->config;
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	const struct sockaddr *addr = NULL;

	(void)local;
	(void)remote_port;
	(void)local_port;
	if (inet_pton(AF_INET, remote, &v4.sin_addr) == 1)
		addr = (const struct sockaddr *)&v4;
	else if (inet_pton(AF_INET6, remote, &v6.sin6_addr) == 1)
		addr = (const struct sockaddr *)&v6;
	c->refused = config->may_connect != NULL &&
	    (addr == NULL || !config->may_connect(config->arg, addr));
	return c->refused ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}
#endif

static bool
set_blob(CURL *c, CURLoption option, const struct buf *text)
{
	struct curl_blob blob = {
	    .data = text->data, .len = text->len, .flags = CURL_BLOB_NOCOPY};

	return curl_easy_setopt(c, option, &blob) == CURLE_OK;
}

/* False if libcurl's TLS library can't do that. */
static bool
set_tls(CURL *c, const struct http_many_config *config)
{
	curl_easy_setopt(c, CURLOPT_SSLVERSION,
	    config->tls13 ? (long)CURL_SSLVERSION_TLSv1_3
			  : (long)CURL_SSLVERSION_TLSv1_2);
	if (config->ca_bundle != NULL) {
		curl_easy_setopt(c, CURLOPT_CAINFO, config->ca_bundle);
		curl_easy_setopt(c, CURLOPT_PROXY_CAINFO, config->ca_bundle);
	}
	return config->client_cert == NULL ||
	    (set_blob(c, CURLOPT_SSLCERT_BLOB, config->client_cert) &&
		set_blob(c, CURLOPT_SSLKEY_BLOB, config->client_key));
}

/* The environment has no say, and a proxy is shown none of our headers. */
static void
set_proxy(CURL *c, const struct http_many_config *config)
{
	curl_easy_setopt(
	    c, CURLOPT_PROXY, config->proxy != NULL ? config->proxy : "");
	curl_easy_setopt(c, CURLOPT_NOPROXY, "");
	curl_easy_setopt(c, CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE);
	curl_easy_setopt(c, CURLOPT_PROXYUSERNAME, config->proxy_user);
	curl_easy_setopt(c, CURLOPT_PROXYPASSWORD, config->proxy_password);
}

/* Options that stay for the life of the handle. */
static int
set_options(
    struct call *call, const struct http_many_config *config, struct err *e)
{
	CURL *c = call->curl;

	if (!set_tls(c, config))
		return err_set(e, ERR_UNSUPPORTED,
		    "this libcurl takes no client-cert: it needs one made "
		    "with OpenSSL");

	http_curl_common(
	    c, call->error, config->plain, config->connect_timeout_ms);
	curl_easy_setopt(c, CURLOPT_PRIVATE, call);
#if LIBCURL_VERSION_NUM >= 0x075700
	curl_easy_setopt(c, CURLOPT_QUICK_EXIT, 1L);
#endif
	curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
	curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)config->timeout_ms);
	set_proxy(c, config);
	curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, call);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, call);
	curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, on_socket);
	curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, call);
#if LIBCURL_VERSION_NUM >= 0x075000
	curl_easy_setopt(c, CURLOPT_PREREQFUNCTION, on_request);
	curl_easy_setopt(c, CURLOPT_PREREQDATA, call);
#endif
	return 0;
}

int
http_many_check_url(const char *url, struct err *e)
{
	CURLU *u = curl_url();
	char *port = NULL;
	const char *p;
	CURLUcode rc;

	for (p = url; *p != '\0'; p++)
		if (*p <= ' ' || *p > '~') {
			curl_url_cleanup(u);
			return err_set(e, ERR_USAGE,
			    "spaces, control and non-ASCII characters are "
			    "written as %%XX in a URL");
		}
	rc = u != NULL
	    ? curl_url_set(u, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME)
	    : CURLUE_OUT_OF_MEMORY;
	/* To libcurl port 0 is one, to servers it is none. */
	if (rc == CURLUE_OK &&
	    curl_url_get(u, CURLUPART_PORT, &port, 0) == CURLUE_OK &&
	    strtoul(port, NULL, 10) == 0)
		rc = CURLUE_BAD_PORT_NUMBER;
	curl_free(port);
	curl_url_cleanup(u);
	if (rc == CURLUE_OUT_OF_MEMORY)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (rc == CURLUE_BAD_PORT_NUMBER)
		return err_set(e, ERR_USAGE, "no port number in the URL");
	return rc == CURLUE_OK
	    ? 0
	    : err_set(e, ERR_USAGE, "no such host in the URL, or no URL");
}

struct http_many *
http_many_new(unsigned connections, struct err *e)
{
	AUTO(http_many) struct http_many *m = calloc(1, sizeof(*m));

	if (http_library(e) == -1)
		return NULL;
	if (m == NULL || (m->multi = curl_multi_init()) == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	curl_multi_setopt(m->multi, CURLMOPT_MAXCONNECTS, (long)connections);
	return TAKE(m);
}

struct http_profile *
http_profile_new(
    struct http_many *m, const struct http_many_config *config, struct err *e)
{
	struct http_profile *p = calloc(1, sizeof(*p));

	if (p == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	p->many = m;
	p->config = *config;
	if (p->config.text_max == 0)
		p->config.text_max = HTTP_MANY_TEXT_MAX;
	p->next = m->profiles;
	m->profiles = p;
	return p;
}

/* What was sent and what came may be secret. */
static void
wipe(struct call *c)
{
	struct curl_slist *l;

	for (l = c->list; l != NULL; l = l->next)
		explicit_bzero(l->data, strlen(l->data));
	curl_slist_free_all(c->list);
	c->list = NULL;
	if (c->text != NULL)
		explicit_bzero(c->text, c->text_len);
}

static void
call_free(struct call *c)
{
	curl_easy_cleanup(c->curl);
	wipe(c);
	buf_free(&c->headers.lines);
	free(c->text);
	free(c);
}

void
http_many_free(struct http_many *m)
{
	struct http_profile *p;
	struct call *c;

	if (m == NULL)
		return;
	while ((c = m->busy) != NULL) {
		m->busy = c->next_busy;
		curl_multi_remove_handle(m->multi, c->curl);
		call_free(c);
	}
	if (m->last != NULL)
		call_free(m->last);
	while ((p = m->profiles) != NULL) {
		while ((c = p->idle) != NULL) {
			p->idle = c->next;
			call_free(c);
		}
		m->profiles = p->next;
		free(p);
	}
	curl_multi_cleanup(m->multi);
	free(m);
}

static struct call *
take_call(struct http_profile *p, struct err *e)
{
	struct call *c = p->idle;

	if (c != NULL) {
		p->idle = c->next;
		return c;
	}
	c = calloc(1, sizeof(*c));
	if (c == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	c->profile = p;
	http_headers_init(&c->headers);
	if ((c->text = malloc(p->config.text_max)) == NULL ||
	    (c->curl = curl_easy_init()) == NULL)
		err_set(e, ERR_NOMEM, "out of memory");
	else if (set_options(c, &p->config, e) == 0)
		return c;
	call_free(c);
	return NULL;
}

static void
give_back(struct call *c)
{
	wipe(c);
	c->next = c->profile->idle;
	c->profile->idle = c;
}

/* libcurl's own headers that nobody asked for are left out. */
static int
set_headers(struct call *c, const char *headers, size_t len)
{
	struct curl_slist *more = curl_slist_append(NULL, "Expect:");
	size_t at;

	for (at = 0; more != NULL && at < len; at += strlen(headers + at) + 1) {
		c->list = more;
		more = curl_slist_append(c->list, headers + at);
	}
	if (more == NULL)
		return -1;
	c->list = more;
	curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, c->list);
	return 0;
}

static void
link_busy(struct http_many *m, struct call *c)
{
	c->prev_busy = NULL;
	c->next_busy = m->busy;
	if (m->busy != NULL)
		m->busy->prev_busy = c;
	m->busy = c;
	m->busy_n++;
}

/* BODY is NULL for OPTIONS. */
static void
set_body(CURL *c, const void *body, size_t len)
{
	if (body == NULL) {
		curl_easy_setopt(c, CURLOPT_HTTPGET, 1L);
		curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, "OPTIONS");
		return;
	}
	curl_easy_setopt(c, CURLOPT_POST, 1L);
	curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, NULL);
	curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)len);
	curl_easy_setopt(c, CURLOPT_POSTFIELDS, body);
}

static int
begin(struct http_profile *p, const char *url, const char *headers,
    size_t headers_len, const void *body, size_t body_len, void *tag,
    struct err *e)
{
	struct http_many *m = p->many;
	struct call *c = take_call(p, e);
	CURLcode code;

	if (c == NULL)
		return -1;
	buf_reset(&c->headers.lines);
	c->headers.seen = 0;
	c->headers.status = 0;
	c->error[0] = '\0';
	c->text_len = c->seen = 0;
	c->answered = c->refused = c->cut = false;
	c->begun_ms = clock_mono_ms();
	c->tag = tag;
	code = curl_easy_setopt(c->curl, CURLOPT_URL, url);
	set_body(c->curl, body, body_len);
	if (code != CURLE_OK || set_headers(c, headers, headers_len) == -1 ||
	    curl_multi_add_handle(m->multi, c->curl) != CURLM_OK) {
		give_back(c);
		return err_set(e, ERR_NOMEM, "out of memory");
	}
	link_busy(m, c);
	return 0;
}

int
http_many_post(struct http_profile *p, const char *url, const char *headers,
    size_t headers_len, const void *body, size_t body_len, void *tag,
    struct err *e)
{
	return begin(p, url, headers, headers_len, body, body_len, tag, e);
}

int
http_many_options(struct http_profile *p, const char *url, const char *headers,
    size_t headers_len, void *tag, struct err *e)
{
	return begin(p, url, headers, headers_len, NULL, 0, tag, e);
}

static void
unlink_busy(struct http_many *m, struct call *c)
{
	if (c->prev_busy != NULL)
		c->prev_busy->next_busy = c->next_busy;
	else
		m->busy = c->next_busy;
	if (c->next_busy != NULL)
		c->next_busy->prev_busy = c->prev_busy;
	m->busy_n--;
}

static void
fill(struct call *c, CURLcode code, struct http_many_reply *out)
{
	bool whole = code == CURLE_OK || c->cut;

	*out = (struct http_many_reply){
	    .tag = c->tag,
	    .refused = c->refused,
	    .headers = &c->headers,
	    .text = c->text,
	    .text_len = c->text_len,
	    .took_ms = clock_mono_ms() - c->begun_ms,
	};
	if (c->answered && (whole || c->headers.status / 100 == 2))
		out->status = c->headers.status;
	else
		err_set(&out->err, ERR_NET, "%s",
		    c->error[0] != '\0' ? c->error : curl_easy_strerror(code));
}

bool
http_many_next(struct http_many *m, struct http_many_reply *out)
{
	CURLMsg *msg;
	int left;

	if (m->last != NULL)
		give_back(TAKE(m->last));
	while ((msg = curl_multi_info_read(m->multi, &left)) != NULL) {
		CURLcode code = msg->data.result;
		char *p = NULL;

		if (msg->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &p);
		curl_multi_remove_handle(m->multi, msg->easy_handle);
		m->last = (struct call *)(void *)p;
		unlink_busy(m, m->last);
		fill(m->last, code, out);
		return true;
	}
	return false;
}

void
http_many_wait(struct http_many *m, unsigned ms)
{
	int running;

	curl_multi_perform(m->multi, &running);
	if (running < m->busy_n) /* some are complete: nothing to wait for */
		return;
	curl_multi_poll(m->multi, NULL, 0, (int)ms, NULL);
	curl_multi_perform(m->multi, &running);
}

void
http_many_wake(struct http_many *m)
{
	curl_multi_wakeup(m->multi);
}
