/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <stdlib.h>

#include "agent/delay.h"

int
delay_push(struct delay *d, struct job *j)
{
	size_t i;

	if (d->n == d->room) {
		size_t room = d->room > 0 ? 2 * d->room : 64;
		struct job **heap = realloc(d->heap, room * sizeof(*heap));

		if (heap == NULL)
			return -1;
		d->heap = heap;
		d->room = room;
	}
	for (i = d->n++; i > 0; i = (i - 1) / 2) {
		if (d->heap[(i - 1) / 2]->due_ms <= j->due_ms)
			break;
		d->heap[i] = d->heap[(i - 1) / 2];
	}
	d->heap[i] = j;
	return 0;
}

struct job *
delay_pop(struct delay *d, uint64_t now_ms)
{
	struct job *first, *last;
	size_t i, child;

	if (d->n == 0 || d->heap[0]->due_ms > now_ms)
		return NULL;
	first = d->heap[0];
	last = d->heap[--d->n];
	for (i = 0; (child = 2 * i + 1) < d->n; i = child) {
		if (child + 1 < d->n &&
		    d->heap[child + 1]->due_ms < d->heap[child]->due_ms)
			child++;
		if (last->due_ms <= d->heap[child]->due_ms)
			break;
		d->heap[i] = d->heap[child];
	}
	if (d->n > 0)
		d->heap[i] = last;
	return first;
}

uint64_t
delay_wait_ms(const struct delay *d, uint64_t now_ms, uint64_t most)
{
	uint64_t due;

	if (d->n == 0)
		return most;
	due = d->heap[0]->due_ms;
	if (due <= now_ms)
		return 0;
	return due - now_ms < most ? due - now_ms : most;
}

void
delay_free(struct delay *d)
{
	free(d->heap);
	d->heap = NULL;
	d->room = 0;
}
