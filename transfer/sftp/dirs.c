/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "transfer/sftp/dirs.h"
#include "verify/digest.h"

#define DIRS_MAX 65536 /* paths; then it begins anew */
/* One may be added on the word of those above it: twice this in all. */
#define TRUST_MS 500

void
dirs_init(struct dirs *d)
{
	memset(d, 0, sizeof(*d));
	pthread_mutex_init(&d->lock, NULL);
	pthread_cond_init(&d->looked, NULL);
}

static void
empty(struct dirs *d)
{
	size_t i;

	for (i = 0; i < d->cap; i++) {
		free(d->paths[i]);
		d->paths[i] = NULL;
	}
	d->n = 0;
}

void
dirs_free(struct dirs *d)
{
	empty(d);
	free(d->paths);
	pthread_cond_destroy(&d->looked);
	pthread_mutex_destroy(&d->lock);
}

/* Where PATH is, or would be. */
static struct dirs_path **
find(const struct dirs *d, const char *path, size_t len)
{
	size_t i = (size_t)crc64nvme(0, path, len) & (d->cap - 1);

	while (d->paths[i] != NULL &&
	    (strncmp(d->paths[i]->text, path, len) != 0 ||
		d->paths[i]->text[len] != '\0'))
		i = (i + 1) & (d->cap - 1);
	return &d->paths[i];
}

/* The lock is held. */
static bool
is_known(const struct dirs *d, const char *path, size_t len)
{
	const struct dirs_path *p = d->cap > 0 ? *find(d, path, len) : NULL;

	return p != NULL && clock_mono_ms() - p->since_ms <= TRUST_MS;
}

bool
dirs_has(struct dirs *d, const char *path, size_t len)
{
	bool has;

	pthread_mutex_lock(&d->lock);
	has = is_known(d, path, len);
	pthread_mutex_unlock(&d->lock);
	return has;
}

static const struct dirs_look *
find_look(const struct dirs *d, const char *path, size_t len)
{
	const struct dirs_look *l;

	for (l = d->looks; l != NULL; l = l->next)
		if (l->len == len && memcmp(l->path, path, len) == 0)
			break;
	return l;
}

static bool
is_under_way(const struct dirs *d, uint64_t serial)
{
	const struct dirs_look *l;

	for (l = d->looks; l != NULL; l = l->next)
		if (l->serial == serial)
			return true;
	return false;
}

bool
dirs_has_soon(
    struct dirs *d, const char *path, size_t len, struct dirs_look *mine)
{
	const struct dirs_look *l;
	uint64_t serial;
	bool has;

	pthread_mutex_lock(&d->lock);
	has = is_known(d, path, len);
	l = has ? NULL : find_look(d, path, len);
	if (l != NULL) {
		/* For that one only: what fails doesn't fail one by one. */
		serial = l->serial;
		while (is_under_way(d, serial))
			pthread_cond_wait(&d->looked, &d->lock);
		has = is_known(d, path, len);
	}
	if (!has) {
		*mine = (struct dirs_look){
		    .next = d->looks,
		    .path = path,
		    .len = len,
		    .serial = d->serial++,
		};
		d->looks = mine;
	}
	pthread_mutex_unlock(&d->lock);
	return has;
}

void
dirs_looked(struct dirs *d, struct dirs_look *mine)
{
	struct dirs_look **at = &d->looks;

	pthread_mutex_lock(&d->lock);
	while (*at != mine)
		at = &(*at)->next;
	*at = mine->next;
	pthread_cond_broadcast(&d->looked);
	pthread_mutex_unlock(&d->lock);
}

static bool
grow(struct dirs *d)
{
	size_t cap = d->cap == 0 ? 64 : d->cap * 2, old_cap = d->cap, i;
	struct dirs_path **old = d->paths;
	struct dirs_path **paths = calloc(cap, sizeof(*paths));

	if (paths == NULL)
		return false;
	d->paths = paths;
	d->cap = cap;
	for (i = 0; i < old_cap; i++)
		if (old[i] != NULL)
			*find(d, old[i]->text, strlen(old[i]->text)) = old[i];
	free(old);
	return true;
}

void
dirs_add(struct dirs *d, const char *path, size_t len)
{
	struct dirs_path **at;

	pthread_mutex_lock(&d->lock);
	if (d->n >= DIRS_MAX)
		empty(d);
	if (d->n * 2 < d->cap || grow(d)) {
		at = find(d, path, len);
		if (*at == NULL &&
		    (*at = calloc(1, sizeof(**at) + len + 1)) != NULL) {
			memcpy((*at)->text, path, len);
			d->n++;
		}
		if (*at != NULL)
			(*at)->since_ms = clock_mono_ms();
	}
	pthread_mutex_unlock(&d->lock);
}

void
dirs_forget(struct dirs *d)
{
	pthread_mutex_lock(&d->lock);
	empty(d);
	pthread_mutex_unlock(&d->lock);
}
