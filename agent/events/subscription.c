/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "agent/events/cloudevent.h"
#include "agent/events/subscription_in.h"
#include "base/buf.h"
#include "base/ini.h"
#include "base/secret.h"
#include "base/text.h"

#define NAME_CHARS                                   \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnop" \
	"qrstuvwxyz0123456789._-"
#define TIMEOUT_MAX_MS 60000
#define CONNECT_MS 10000 /* for a connection to come about */

struct subscription *
subscription_new(const char *name, struct err *e)
{
	AUTO(subscription) struct subscription *s = calloc(1, sizeof(*s));
	size_t n = strlen(name);

	if (n == 0 || n > SUBSCRIPTION_NAME_MAX || name[0] == '.' ||
	    strspn(name, NAME_CHARS) != n) {
		err_set(e, ERR_USAGE,
		    "not a subscription's name: \"%.100s\" (letters, digits, "
		    "'.', '_' and '-', not beginning with '.', at most %d of "
		    "them)",
		    name, SUBSCRIPTION_NAME_MAX);
		return NULL;
	}
	if (s == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	memcpy(s->name, name, n + 1);
	s->policy = policy_default;
	s->timeout_ms = 15000;
	s->receiver = UINT64_C(14695981039346656037);
	s->concurrency = 16;
	format_init(&s->format);
	s->keys = signature_keys_new(e);
	s->access = access_new(e);
	return s->keys != NULL && s->access != NULL ? TAKE(s) : NULL;
}

void
subscription_free(struct subscription *s)
{
	if (s == NULL)
		return;
	signature_keys_free(s->keys);
	access_free(s->access);
	pattern_free(s->pattern);
	format_clear(&s->format);
	free(s->url);
	free(s->ca);
	free(s);
}

static int
keep(char **to, const char *value, struct err *e)
{
	free(*to);
	*to = strdup(value);
	return *to != NULL ? 0 : err_set(e, ERR_NOMEM, "out of memory");
}

/* An absolute URL of printable characters, without user and password. */
static int
set_url(struct subscription *s, const char *url, struct err *e)
{
	bool plain = strncmp(url, "http://", 7) == 0;
	const char *host = url + (plain ? 7 : 8);

	if (!plain && strncmp(url, "https://", 8) != 0)
		return err_set(
		    e, ERR_USAGE, "not a URL that begins with https://");
	if (host[0] == '\0' || strchr("/?#", host[0]) != NULL)
		return err_set(e, ERR_USAGE, "no host in the URL");
	if (memchr(host, '@', strcspn(host, "/?#")) != NULL)
		return err_set(e, ERR_USAGE,
		    "no user and password in the URL, where everybody can "
		    "read them: sign with a secret");
	if (http_many_check_url(url, e) == -1)
		return -1;
	s->guard.plain = plain;
	return keep(&s->url, url, e);
}

static int
set_pattern(struct subscription *s, const char *text, struct err *e)
{
	struct pattern *p = pattern_new(text, strlen(text), e);

	if (p == NULL)
		return -1;
	pattern_free(s->pattern);
	s->pattern = p;
	return 0;
}

static int
add_secret(struct subscription *s, const char *ref, struct err *e)
{
	char secret[SECRET_MAX];
	int rc;

	if (secret_read(ref, secret, e) == -1)
		return -1;
	rc = signature_keys_add(s->keys, secret, e);
	secret_wipe(secret, sizeof(secret));
	return rc == -1 ? err_context(e, "%s", ref) : 0;
}

static int
add_network(struct subscription *s, const char *text, struct err *e)
{
	return netguard_allow(&s->guard, text, e);
}

static int
set_ca(struct subscription *s, const char *path, struct err *e)
{
	return keep(&s->ca, path, e);
}

int
subscription_duration(
    uint64_t *out, const char *value, uint64_t min, uint64_t max, struct err *e)
{
	uint64_t ms;

	if (text_parse_duration(value, &ms, e) == -1)
		return -1;
	if (ms < min || ms > max)
		return err_set(e, ERR_USAGE, "too %s: \"%s\"",
		    ms < min ? "short" : "long", value);
	*out = ms;
	return 0;
}

static int
set_timeout(struct subscription *s, const char *value, struct err *e)
{
	return subscription_duration(
	    &s->timeout_ms, value, 1000, TIMEOUT_MAX_MS, e);
}

static int
set_concurrency(struct subscription *s, const char *value, struct err *e)
{
	return text_parse_uint(
	    value, 1, SUBSCRIPTION_CONCURRENCY_MAX, &s->concurrency, e);
}

static int
set_rate(struct subscription *s, const char *value, struct err *e)
{
	return text_parse_uint(value, 0, SUBSCRIPTION_RATE_MAX, &s->rate, e);
}

static int
set_enabled(struct subscription *s, const char *value, struct err *e)
{
	bool yes = strcmp(value, "yes") == 0;

	if (!yes && strcmp(value, "no") != 0)
		return err_set(
		    e, ERR_USAGE, "yes or no, not \"%.100s\"", value);
	s->disabled = !yes;
	return 0;
}

static const struct subscription_setting settings[] = {
    {"url", set_url, true},
    {"filter", set_pattern, false},
    {"secret", add_secret, true},
    {"allow", add_network, true},
    {"ca", set_ca, true},
    {"timeout", set_timeout, true},
    {"concurrency", set_concurrency, true},
    {"rate", set_rate, true},
    {"enabled", set_enabled, false},
};

static const struct {
	const struct subscription_setting *rows;
	size_t n;
} tables[] = {
    {settings, sizeof(settings) / sizeof(settings[0])},
    {subscription_policy_settings, SUBSCRIPTION_POLICY_SETTINGS},
};

/* FNV-1a, with its NUL; http://www.isthe.com/chongo/tech/comp/fnv/ */
static uint64_t
digest_text(uint64_t h, const char *text)
{
	do
		h = (h ^ (unsigned char)*text) * UINT64_C(1099511628211);
	while (*text++ != '\0');
	return h;
}

/* Who has the same settings of these shares rate, places and breaker with us,
 * whichever events it wants. */
static void
digest_setting(struct subscription *s, const char *key, const char *value)
{
	s->receiver = digest_text(digest_text(s->receiver, key), value);
}

int
subscription_set(
    struct subscription *s, const char *key, const char *value, struct err *e)
{
	AUTO(buf) struct buf known = BUF_INIT(1000);
	size_t t, i;
	int rc;

	for (t = 0; t < sizeof(tables) / sizeof(tables[0]); t++)
		for (i = 0; i < tables[t].n; i++) {
			const struct subscription_setting *row =
			    &tables[t].rows[i];

			if (strcmp(row->key, key) == 0) {
				if (row->of_receiver)
					digest_setting(s, key, value);
				return row->set(s, value, e);
			}
			buf_addf(&known, " %s", row->key);
		}
	format_add_keys(&known);
	rc = format_set(&s->format, key, value, e);
	if (rc != 1)
		return rc;
	digest_setting(s, key, value);
	rc = access_set(s->access, key, value, &known, e);
	if (rc != 1)
		return rc;
	return err_set(e, ERR_USAGE, "no setting \"%.100s\"; there are%s", key,
	    buf_str(&known));
}

int
subscription_finish(struct subscription *s, struct err *e)
{
	s->misfit = NULL;
	if (s->url == NULL)
		return err_set(e, ERR_USAGE, "no url is set");
	if (s->guard.plain && s->guard.n == 0)
		return err_set(e, ERR_USAGE,
		    "http:// protects nothing: use https://, or allow the "
		    "network that it may be used in");
	if (s->access->token_plain && s->guard.n == 0)
		return err_set(e, ERR_USAGE,
		    "token-url: http:// protects no secret: use https://, or "
		    "allow the network that it may be used in");
	if (subscription_policy_finish(s, e) == -1 ||
	    access_finish(s->access, e) == -1)
		return -1;
	return format_finish(&s->format, &s->misfit, e);
}

int
subscription_wants(const struct subscription *s, const struct pattern *also,
    const char *body, size_t len, struct err *e)
{
	const struct pattern *const patterns[] = {s->pattern, also};
	AUTO(jdoc) struct jdoc *doc = NULL;
	int rc;
	size_t i;

	if (s->pattern == NULL && also == NULL && format_takes_all(&s->format))
		return 1;
	doc = jdoc_parse(body, len, e);
	rc = doc != NULL ? format_takes(&s->format, jdoc_root(doc)) : -1;
	for (i = 0; rc == 1 && i < 2; i++)
		if (patterns[i] != NULL)
			rc = pattern_match(patterns[i], jdoc_root(doc), e);
	return rc == -1 && e->kind != ERR_NOMEM ? 1 : rc;
}

static bool
may_connect(const void *arg, const struct sockaddr *addr)
{
	const struct subscription *s = arg;

	return netguard_passes(&s->guard, addr);
}

struct http_many_config
subscription_http(const struct subscription *s)
{
	struct http_many_config config = {
	    .ca_bundle = s->ca,
	    .plain = s->guard.plain,
	    .timeout_ms = (unsigned)s->timeout_ms,
	    .connect_timeout_ms = CONNECT_MS,
	    .may_connect = may_connect,
	    .arg = s,
	};

	access_http(s->access, &config);
	return config;
}

int
subscription_headers(const struct subscription *s, const char *id,
    int64_t unix_s, const void *body, size_t len, struct buf *out,
    struct err *e)
{
	size_t count;

	buf_addf(out, "content-type: %s", format_content_type(&s->format));
	buf_addc(out, '\0');
	return signature_headers(
	    s->keys, id, unix_s, body, len, out, &count, e);
}

/* A file that is being read. */
struct reading {
	struct subscription *s;
	struct buf keys; /* that it has, each with a NUL behind */
};

static void
auto_reading(struct reading *r)
{
	buf_free(&r->keys);
}

/* Most settings have one value: of two, one would be passed over. */
static int
check_once(struct reading *r, const char *key, struct err *e)
{
	static const char *const lists[] = {
	    "allow", "header", "secret", "secret-header"};
	size_t i;

	for (i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		if (strcmp(key, lists[i]) == 0)
			return 0;
	for (i = 0; i < r->keys.len; i += strlen(r->keys.data + i) + 1)
		if (strcmp(r->keys.data + i, key) == 0)
			return err_set(e, ERR_CONFIG,
			    "it stands further up already: one of them only");
	buf_add(&r->keys, key, strlen(key) + 1);
	return buf_failed(&r->keys) ? err_set(e, ERR_NOMEM, "out of memory")
				    : 0;
}

static int
on_line(void *arg, const struct ini_line *line, struct err *e)
{
	struct reading *r = arg;
	int rc;

	if (line->section[0] != '\0')
		rc = err_set(e, ERR_CONFIG,
		    "a subscription has no sections, but [%.100s]",
		    line->section);
	else
		rc = check_once(r, line->key, e);
	if (rc == 0)
		rc = subscription_set(r->s, line->key, line->value, e);
	if (rc == 0)
		return 0;
	if (e->kind != ERR_NOMEM)
		e->kind = ERR_CONFIG;
	return err_context(e, "%s:%u: %s", line->file, line->number, line->key);
}

/* The name of the file at PATH without ".conf" into OUT. */
static int
name_of(const char *path, char *out, struct err *e)
{
	const char *slash = strrchr(path, '/');
	const char *base = slash != NULL ? slash + 1 : path;
	size_t n = strlen(base);

	if (n <= 5 || strcmp(base + n - 5, ".conf") != 0 ||
	    n - 5 > SUBSCRIPTION_NAME_MAX)
		return err_set(e, ERR_CONFIG,
		    "%s: a subscription's file is called NAME.conf, with %d "
		    "bytes of NAME at most",
		    path, SUBSCRIPTION_NAME_MAX);
	memcpy(out, base, n - 5);
	out[n - 5] = '\0';
	return 0;
}

/* A setting that doesn't go with the others. */
struct misfit {
	const char *key;
	const struct err *why;
};

static int
blame(void *arg, const struct ini_line *line, struct err *e)
{
	const struct misfit *m = arg;

	if (strcmp(line->key, m->key) != 0)
		return 0;
	return err_set(e, ERR_CONFIG, "%s:%u: %s: %s", line->file, line->number,
	    line->key, m->why->msg);
}

/* Puts before *E where in the file at PATH it is, by KEY, or NULL. */
static void
locate(const char *path, const char *key, struct err *e)
{
	struct misfit m = {.key = key, .why = e};
	struct err found = ERR_INIT;

	e->kind = ERR_CONFIG;
	if (key != NULL && ini_file(path, blame, &m, &found) == -1)
		*e = found;
	else
		err_context(e, "%s", path);
}

struct subscription *
subscription_load(const char *path, struct err *e)
{
	AUTO(subscription) struct subscription *s = NULL;
	AUTO(reading) struct reading r = {.keys = BUF_INIT(1 << 16)};
	char name[SUBSCRIPTION_NAME_MAX + 1];

	if (name_of(path, name, e) == -1)
		return NULL;
	s = r.s = subscription_new(name, e);
	if (s == NULL || ini_whole_file(path, on_line, &r, e) == -1)
		return NULL;
	if (subscription_finish(s, e) == -1) {
		locate(path, s->misfit, e);
		return NULL;
	}
	return TAKE(s);
}

static int
is_conf(const struct dirent *de)
{
	size_t n = strlen(de->d_name);

	return de->d_name[0] != '.' && n > 5 &&
	    strcmp(de->d_name + n - 5, ".conf") == 0;
}

static struct subscription *
load_in(const char *dir, const char *file, struct err *e)
{
	AUTO(buf) struct buf path = BUF_INIT(1 << 16);

	buf_addf(&path, "%s/%s", dir, file);
	if (buf_failed(&path)) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	return subscription_load(buf_str(&path), e);
}

int
subscription_load_all(const char *dir, subscription_bad_fn *bad, void *arg,
    struct subscription ***out, size_t *n, struct err *e)
{
	struct dirent **names = NULL;
	int count = scandir(dir, &names, is_conf, alphasort), i;

	*n = 0;
	*out = NULL;
	if (count == -1 && errno == ENOENT)
		return 0;
	if (count == -1)
		return err_sys(e, "%s", dir);
	*out = calloc((size_t)count + 1, sizeof(**out));
	for (i = 0; i < count; i++) {
		struct err why = ERR_INIT;
		struct subscription *s =
		    *out != NULL ? load_in(dir, names[i]->d_name, &why) : NULL;

		if (s != NULL)
			(*out)[(*n)++] = s;
		else if (*out != NULL)
			bad(arg, &why);
		free(names[i]);
	}
	free(names);
	return *out != NULL ? 0 : err_set(e, ERR_NOMEM, "out of memory");
}
