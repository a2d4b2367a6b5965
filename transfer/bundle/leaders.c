/* SPDX-License-Identifier: ISC */
/*
 * Files that have several names: only what is on this disk can be given
 * another one.  By the CRC of their paths, whose lowest bit tells whether they
 * are cut, in a table that is half empty at least.  Two paths of one CRC would
 * make a link to what isn't there, which whoever reads the bundle tells of.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "transfer/bundle/internal.h"
#include "verify/digest.h"

#define FIRST_SLOTS 1024

#define CUT ((uint64_t)1)

/* 0 is an empty slot. */
static uint64_t
name_of(const char *path, size_t len)
{
	uint64_t crc = crc64nvme(0, path, len) & ~CUT;

	return crc != 0 ? crc : 2;
}

static uint64_t *
slot_of(uint64_t *slots, size_t cap, uint64_t name)
{
	size_t i = (size_t)name & (cap - 1);

	while (slots[i] != 0 && (slots[i] & ~CUT) != name)
		i = (i + 1) & (cap - 1);
	return &slots[i];
}

static int
grow(struct bundle_target *s, struct err *e)
{
	size_t cap = s->leaders_cap > 0 ? 2 * s->leaders_cap : FIRST_SLOTS, i;
	uint64_t *slots = calloc(cap, sizeof(*slots));

	if (slots == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	for (i = 0; i < s->leaders_cap; i++)
		if (s->leaders[i] != 0)
			*slot_of(slots, cap, s->leaders[i] & ~CUT) =
			    s->leaders[i];
	free(s->leaders);
	s->leaders = slots;
	s->leaders_cap = cap;
	return 0;
}

int
bundle_leader_add(struct bundle_target *s, const char *path, size_t len,
    bool cut, struct err *e)
{
	uint64_t name = name_of(path, len), *slot;
	int rc = 0;

	pthread_mutex_lock(&s->lock);
	if (2 * s->leaders_n >= s->leaders_cap)
		rc = grow(s, e);
	if (rc == 0) {
		slot = slot_of(s->leaders, s->leaders_cap, name);
		s->leaders_n += *slot == 0;
		*slot = name | (cut ? CUT : 0);
	}
	pthread_mutex_unlock(&s->lock);
	return rc;
}

enum bundle_leader
bundle_leader_of(struct bundle_target *s, const char *path, size_t len)
{
	uint64_t is = 0;

	pthread_mutex_lock(&s->lock);
	if (s->leaders_cap > 0)
		is = *slot_of(s->leaders, s->leaders_cap, name_of(path, len));
	pthread_mutex_unlock(&s->lock);
	if (is == 0)
		return LEADER_NONE;
	return (is & CUT) != 0 ? LEADER_CUT : LEADER_WHOLE;
}
