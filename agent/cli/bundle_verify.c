/* SPDX-License-Identifier: ISC */
/* dray bundle verify: whether what a disk holds is what was written. */
#include "config.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/cli/bundle_verbs.h"
#include "agent/cli/cmd.h"
#include "agent/stop.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "transfer/bundle/bundle.h"

#define THREADS_MAX 8

struct verification {
	const struct options *o;
	struct store *store;
	size_t volumes;
	pthread_mutex_t lock;
	/* Under lock: */
	size_t next; /* volume to be read */
	struct bundle_checked checked;
	uint64_t bad;
	struct err failed; /* nothing can go on, for this; or ERR_NONE */
};

static void
say_bad(void *arg, const char *path, size_t len, const struct err *why)
{
	struct verification *v = arg;
	AUTO(buf) struct buf name = BUF_INIT(1 << 20);
	struct json j;

	pthread_mutex_lock(&v->lock);
	v->bad++;
	if (v->o->json) {
		json_begin(&j, &name);
		json_object(&j, NULL);
		json_str(&j, "type", "bad");
		json_name(&j, "path", path, len);
		json_str(&j, "message", why->msg);
		json_object_end(&j);
		printf("%s\n", buf_str(&name));
	} else {
		text_escape(&name, path, len);
		log_error("%s: %s", buf_str(&name), why->msg);
	}
	pthread_mutex_unlock(&v->lock);
}

/* The next volume, or -1. */
static long
take(struct verification *v)
{
	long n = -1;

	pthread_mutex_lock(&v->lock);
	if (v->next < v->volumes && v->failed.kind == ERR_NONE)
		n = (long)v->next++;
	pthread_mutex_unlock(&v->lock);
	return n;
}

static void *
read_volumes(void *arg)
{
	struct verification *v = arg;
	long n;

	while ((n = take(v)) != -1) {
		struct bundle_checked checked = {0};
		struct err e = ERR_INIT;
		int rc = bundle_check_volume(v->store, (size_t)n,
		    v->o->sample_slices, say_bad, v, &checked, &e);

		pthread_mutex_lock(&v->lock);
		v->checked.items += checked.items;
		v->checked.bytes += checked.bytes;
		v->checked.elsewhere += checked.elsewhere;
		if (rc == -1 && v->failed.kind == ERR_NONE)
			v->failed = e;
		pthread_mutex_unlock(&v->lock);
	}
	return NULL;
}

static void
read_all(struct verification *v)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	pthread_t threads[THREADS_MAX];
	size_t n = 0, most = cpus > 1 ? (size_t)cpus : 1;

	if (most > THREADS_MAX)
		most = THREADS_MAX;
	/* This thread is one of them. */
	while (n + 1 < most && n + 1 < v->volumes &&
	    pthread_create(&threads[n], NULL, read_volumes, v) == 0)
		n++;
	read_volumes(v);
	while (n > 0)
		pthread_join(threads[--n], NULL);
}

static void
print_summary(const struct verification *v, const struct bundle_manifest *m)
{
	AUTO(buf) struct buf line = BUF_INIT(1 << 16);
	char items[32], size[16];
	struct json j;

	if (v->o->json) {
		json_begin(&j, &line);
		json_object(&j, NULL);
		json_str(&j, "type", "bundle_verified");
		json_str(&j, "id", m->id);
		json_uint(&j, "disk", m->disk);
		json_uint(&j, "read_items", v->checked.items);
		json_uint(&j, "read_bytes", v->checked.bytes);
		json_uint(&j, "elsewhere_items", v->checked.elsewhere);
		json_uint(&j, "bad", v->bad);
		json_str(&j, "manifest_sha256", m->digest);
		json_object_end(&j);
		printf("%s\n", buf_str(&line));
		return;
	}
	if (v->o->verbosity < 0)
		return;
	printf("bundle %s, disk %u: %s files read, %s: %s\n", m->id, m->disk,
	    text_count(v->checked.items, items, sizeof(items)),
	    text_size(v->checked.bytes, size, sizeof(size)),
	    v->bad == 0 ? "all as they were written" : "damaged");
	if (v->checked.elsewhere > 0)
		printf("%s files lie on other disks, too, and were not read\n",
		    text_count(v->checked.elsewhere, items, sizeof(items)));
	printf("manifest sha256 %s\n", m->digest);
}

/* The index of the whole is made of those of the volumes, which are named. */
static void
say_complaints(struct verification *v)
{
	const char *p = bundle_complaints(v->store);

	while (*p != '\0') {
		int n = (int)strcspn(p, "\n");

		log_error("%.*s", n, p);
		v->bad++;
		p += n + (p[n] != '\0');
	}
}

static int
verify(struct verification *v, const char *where, struct err *e)
{
	AUTO(store_url) struct store_url *url = store_url_parse(where, e);
	AUTO(store) struct store *store = NULL;
	AUTO(session) struct session *session = NULL;
	struct store_probe probe;

	if (url == NULL)
		return -1;
	store = store_open(url, &v->o->store, e);
	if (store == NULL)
		return -1;
	session = store_connect(store, e);
	if (session == NULL ||
	    store->ops->probe(session, false, false, &probe, e) == -1)
		return -1;
	v->store = store;
	v->volumes = bundle_manifest_of(store)->n;
	say_complaints(v);
	read_all(v);
	if (v->failed.kind != ERR_NONE) {
		*e = v->failed;
		return -1;
	}
	print_summary(v, bundle_manifest_of(store));
	return 0;
}

int
bundle_verify(const struct options *o, char **argv)
{
	struct verification v = {
	    .o = o,
	    .lock = PTHREAD_MUTEX_INITIALIZER,
	};
	struct err e = ERR_INIT;
	AUTO(free) char *url = bundle_url(argv[0], &e);

	if (url == NULL || verify(&v, url, &e) == -1)
		return cmd_fail(&e);
	return v.bad > 0 ? 1 : 0;
}
