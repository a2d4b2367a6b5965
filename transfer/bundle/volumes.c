/* SPDX-License-Identifier: ISC */
/* Which volume is whose. */
#include "config.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "transfer/bundle/internal.h"

static int
add_volume(struct bundle_target *s, struct volume *v, struct err *e)
{
	struct volume **more = realloc(s->volumes, (s->n + 1) * sizeof(*more));

	if (more == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	s->volumes = more;
	s->volumes[s->n++] = v;
	if (s->newest == NULL || s->newest->number < v->number)
		s->newest = v;
	return 0;
}

static struct volume *
make_volume(struct bundle_target *s, struct err *e)
{
	struct volume *v;
	uint64_t number;
	int rc;

	if (bundle_has_room(s, VOLUME_OVERHEAD, e) == -1)
		return NULL;
	pthread_mutex_lock(&s->lock);
	number = ++s->number;
	pthread_mutex_unlock(&s->lock);
	v = volume_new(
	    atomic_load(&s->dir_fd), number, s->order->id, s->order->level, e);
	if (v == NULL)
		return NULL;
	v->state = VOLUME_TAKEN;
	pthread_mutex_lock(&s->lock);
	rc = add_volume(s, v, e);
	pthread_mutex_unlock(&s->lock);
	if (rc == 0)
		return v;
	volume_free(v);
	return NULL;
}

/* With the lock. */
static void
take_from_free(struct bundle_target *s, struct volume *v)
{
	struct volume **at = &s->free;

	while (*at != v)
		at = &(*at)->next_free;
	*at = v->next_free;
	v->next_free = NULL;
	v->state = VOLUME_TAKEN;
}

static bool
has_room(const struct bundle_target *s, const struct volume *v, uint64_t bytes)
{
	return v->at <= s->volume_bytes && bytes <= s->volume_bytes - v->at;
}

int
bundle_full(struct bundle_target *s, struct volume *v, struct err *e)
{
	if (volume_seal(v, e) == -1) {
		atomic_store(&s->unsure, true);
		bundle_give(s, v);
		return -1;
	}
	pthread_mutex_lock(&s->lock);
	v->state = VOLUME_SEALED;
	pthread_cond_broadcast(&s->given);
	pthread_mutex_unlock(&s->lock);
	return 0;
}

struct volume *
bundle_take(struct bundle_target *s, uint64_t bytes, struct err *e)
{
	struct volume *v;

	for (;;) {
		pthread_mutex_lock(&s->lock);
		v = s->free;
		if (v != NULL)
			take_from_free(s, v);
		pthread_mutex_unlock(&s->lock);
		if (v == NULL)
			return make_volume(s, e);
		if (has_room(s, v, bytes))
			return v;
		if (bundle_full(s, v, e) == -1)
			return NULL;
	}
}

/* The newest if it can be had, or soon; NULL: another one is to be made. */
static struct volume *
wait_for_newest(struct bundle_target *s, bool for_directory)
{
	struct volume *v;

	pthread_mutex_lock(&s->lock);
	while ((v = s->newest) != NULL && v->state == VOLUME_TAKEN)
		pthread_cond_wait(&s->given, &s->lock);
	if (v != NULL && v->state == VOLUME_FREE &&
	    !(for_directory && v->has_symlinks))
		take_from_free(s, v);
	else
		v = NULL;
	pthread_mutex_unlock(&s->lock);
	return v;
}

struct volume *
bundle_take_newest(struct bundle_target *s, bool for_directory, struct err *e)
{
	struct volume *v = wait_for_newest(s, for_directory);

	if (v == NULL)
		return make_volume(s, e);
	if (has_room(s, v, VOLUME_OVERHEAD))
		return v;
	return bundle_full(s, v, e) == -1 ? NULL : make_volume(s, e);
}

void
bundle_give(struct bundle_target *s, struct volume *v)
{
	pthread_mutex_lock(&s->lock);
	v->state = VOLUME_FREE;
	v->next_free = s->free;
	s->free = v;
	pthread_cond_broadcast(&s->given);
	pthread_mutex_unlock(&s->lock);
}

static int
found_member(void *arg, const struct pack_record *m, struct err *e)
{
	struct bundle_target *s = arg;

	if (rows_add(s->rows, m, NULL, e) == -1)
		return -1;
	return m->st.nlink > 1 && m->same_as == NULL
	    ? bundle_leader_add(s, m->path, m->path_len, m->pieces_n > 1, e)
	    : 0;
}

static int
recover_one(struct bundle_target *s, int dir_fd, uint64_t number, struct err *e)
{
	struct volume_found found;
	struct volume *v = volume_again(dir_fd, number, s->order->id,
	    s->order->level, found_member, s, &found, e);

	if (v == NULL)
		return -1;
	if (found.order > atomic_load(&s->members))
		atomic_store(&s->members, found.order);
	atomic_fetch_add(&s->index_bytes, v->index_bytes);
	if (number > s->number)
		s->number = number;
	if (add_volume(s, v, e) == -1) {
		volume_free(v);
		return -1;
	}
	v->has_symlinks = found.has_symlinks;
	/* What is open waits for its upload, or the end. */
	if (found.sealed)
		v->state = VOLUME_SEALED;
	else if (v->open.id[0] != '\0')
		v->state = VOLUME_HELD;
	else
		bundle_give(s, v);
	return 0;
}

/* 0 if NAME is no volume's. */
static uint64_t
number_of(const struct bundle_target *s, const char *name)
{
	char again[VOLUME_NAME_MAX], *end;
	unsigned long long n = strtoull(name, &end, 10);

	volume_name(n, volume_end(s->order->level > 0), again);
	return strcmp(name, again) == 0 ? n : 0;
}

static int
compare_numbers(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

int
bundle_recover(struct bundle_target *s, int dir_fd, struct err *e)
{
	int fd = dup(dir_fd), rc = 0;
	DIR *d = fd != -1 ? fdopendir(fd) : NULL;
	AUTO(free) uint64_t *numbers = NULL;
	const struct dirent *entry;
	size_t n = 0, i;

	if (d == NULL) {
		err_sys(e, "%s", s->path);
		if (fd != -1)
			close(fd);
		return -1;
	}
	rewinddir(d);
	while ((entry = readdir(d)) != NULL && rc == 0) {
		uint64_t *more;

		if (number_of(s, entry->d_name) == 0)
			continue;
		more = realloc(numbers, (n + 1) * sizeof(*more));
		if (more == NULL) {
			rc = err_set(e, ERR_NOMEM, "out of memory");
			break;
		}
		numbers = more;
		numbers[n++] = number_of(s, entry->d_name);
	}
	closedir(d);
	if (n > 0)
		qsort(numbers, n, sizeof(*numbers), compare_numbers);
	for (i = 0; i < n && rc == 0; i++)
		rc = recover_one(s, dir_fd, numbers[i], e);
	return rc;
}
