/* SPDX-License-Identifier: ISC */
/* The source and the target, by the same drivers that a run has. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/cli/pair.h"
#include "agent/doctor/doctor.h"
#include "transfer/sftp/sftp.h"

struct visit {
	const struct doctor *d;
	const struct store_url *url;
	const struct store_config *config;
	const char *role; /* "source" */
	bool is_target;
	char endpoint[PAIR_PLACE_MAX]; /* of S3 */
};

/* What can be done about KIND, where the message doesn't say it; or NULL. */
static const char *
next_step(enum err_kind kind)
{
	switch ((int)kind) {
	case ERR_NET:
		return "is the address right, and does a firewall or proxy "
		       "stand between? --endpoint-url, --proxy, "
		       "--bind-address";
	case ERR_DENIED:
	case ERR_EXPIRED:
		return "other credentials (the environment, --profile, "
		       "--sftp-identity), or rights for these";
	case ERR_NOTFOUND:
		return "is the path right, and is what it is on mounted?";
	case ERR_SKEW:
		return "timedatectl set-ntp true, or install chrony";
	case ERR_SERVER:
	case ERR_THROTTLE:
		return "the server has trouble of its own: later again";
	default:
		return NULL;
	}
}

static void
failed(const struct visit *v, const struct err *e)
{
	const char *next = next_step(e->kind);

	findings_add(
	    v->d->found, FINDING_FAIL, v->role, "%s: %s", v->url->text, e->msg);
	if (next != NULL)
		findings_next(v->d->found, "%s", next);
}

/* The host of "https://HOST:PORT/..." into OUT. */
static void
host_of(const char *endpoint, char *out, size_t size)
{
	const char *at = strstr(endpoint, "://");
	size_t n;

	at = at != NULL ? at + 3 : endpoint;
	if (*at == '[') {
		at++;
		n = strcspn(at, "]");
	} else {
		n = strcspn(at, ":/");
	}
	snprintf(out, size, "%.*s", (int)n, at);
}

static bool
has_proxy(const struct visit *v)
{
	return v->config->proxy != NULL || getenv("https_proxy") != NULL ||
	    getenv("HTTPS_PROXY") != NULL || getenv("all_proxy") != NULL ||
	    getenv("ALL_PROXY") != NULL || getenv("http_proxy") != NULL;
}

/* Names that a proxy or ssh(1) looks up are theirs. */
static void
name(const struct visit *v)
{
	char host[PAIR_PLACE_MAX];

	if (v->url->scheme == STORE_S3 && !has_proxy(v)) {
		host_of(v->endpoint, host, sizeof(host));
		doctor_name(v->d, host);
	} else if (v->url->scheme == STORE_NFS ||
	    (v->url->scheme == STORE_SFTP && sftp_uses_libssh2(v->config))) {
		doctor_name(v->d, v->url->host);
	}
}

/* A directory that a run would make. */
static bool
can_be_made(const char *path)
{
	AUTO(free) char *above = doctor_nearest(path);

	return access(path, F_OK) == -1 && errno == ENOENT && above != NULL &&
	    access(above, W_OK | X_OK) == 0;
}

/* Whether what is said of a local target differs from what a probe finds. */
static bool
local_target(const struct visit *v)
{
	const char *path = v->url->path;

	if (v->url->scheme != STORE_POSIX || !v->is_target ||
	    access(path, W_OK | X_OK) == 0)
		return false;
	if (can_be_made(path)) {
		findings_add(v->d->found, FINDING_OK, v->role,
		    "%s will be made", v->url->text);
		return true;
	}
	findings_add(
	    v->d->found, FINDING_FAIL, v->role, "%s: %m", v->url->text);
	findings_next(v->d->found,
	    "let this user write there; the service "
	    "needs ReadWritePaths=, dray-daemon(8)");
	return true;
}

static void
visit(struct visit *v)
{
	struct err e = ERR_INIT;
	AUTO(store) struct store *s = store_open(v->url, v->config, &e);
	AUTO(session) struct session *c = NULL;
	struct store_probe probe = {0};

	if (s == NULL) {
		failed(v, &e);
		return;
	}
	if (v->url->scheme == STORE_S3)
		s->ops->place(s, v->endpoint, sizeof(v->endpoint));
	name(v);
	if (local_target(v))
		return;
	c = store_connect(s, &e);
	if (c == NULL ||
	    s->ops->probe(c, false, v->is_target, &probe, &e) == -1) {
		failed(v, &e);
		return;
	}
	findings_add(v->d->found, FINDING_OK, v->role, "%s", probe.text);
	if (v->url->scheme != STORE_S3)
		return;
	doctor_tls(v->d, v->endpoint, v->config, &probe);
	doctor_skew(v->d, probe.clock_skew_ms);
}

void
doctor_stores(const struct doctor *d)
{
	struct store_config config = pair_source_config(d->o);

	if (d->source != NULL)
		visit(&(struct visit){.d = d,
		    .url = d->source,
		    .config = &config,
		    .role = "source"});
	if (d->target != NULL)
		visit(&(struct visit){.d = d,
		    .url = d->target,
		    .config = &d->o->store,
		    .role = "target",
		    .is_target = true});
}
