/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <limits.h>

#include "transfer/sftp/handles.h"

#define GROW_EVERY_MS 60000
#define MOST_MAX 4096

void
handles_init(struct handles *h)
{
	pthread_mutex_init(&h->lock, NULL);
	h->most = 0;
	h->since_ms = 0;
}

void
handles_destroy(struct handles *h)
{
	pthread_mutex_destroy(&h->lock);
}

/* The lock is held. */
static void
grow(struct handles *h, uint64_t now_ms)
{
	while (h->most != 0 && now_ms - h->since_ms >= GROW_EVERY_MS) {
		h->most += h->most / 2 + 1;
		h->since_ms += GROW_EVERY_MS;
		if (h->most > MOST_MAX)
			h->most = 0;
	}
}

unsigned
handles_most(struct handles *h, uint64_t now_ms)
{
	unsigned most;

	pthread_mutex_lock(&h->lock);
	grow(h, now_ms);
	most = h->most;
	pthread_mutex_unlock(&h->lock);
	return most != 0 ? most : UINT_MAX;
}

void
handles_broke(struct handles *h, unsigned open, uint64_t now_ms)
{
	/* One that is open alone isn't why. */
	if (open < 2)
		return;
	pthread_mutex_lock(&h->lock);
	grow(h, now_ms);
	if (h->most == 0 || open / 2 < h->most)
		h->most = open / 2;
	h->since_ms = now_ms;
	pthread_mutex_unlock(&h->lock);
}
