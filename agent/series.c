/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "agent/series.h"

static void
thin_out(struct series *s)
{
	unsigned i;

	for (i = 0; i < SERIES_MAX / 2; i++)
		s->at[i] = s->at[2 * i + 1];
	s->n = SERIES_MAX / 2;
	s->step_ms *= 2;
}

void
series_add(struct series *s, uint64_t now_ms, struct series_point now)
{
	if (s->step_ms == 0)
		s->step_ms = SERIES_FIRST_STEP_MS;
	while (now_ms / s->step_ms > s->n) {
		if (s->n == SERIES_MAX)
			thin_out(s);
		else
			s->at[s->n++] = now;
	}
}

/* "STEP BYTES ITEMS BYTES ITEMS ...", each but the step as what was added. */
void
series_to_text(const struct series *s, struct buf *out)
{
	struct series_point last = {0, 0};
	unsigned i;

	buf_addf(out, "%" PRIu64, s->step_ms);
	for (i = 0; i < s->n; i++) {
		buf_addf(out, " %" PRIu64 " %" PRIu64,
		    s->at[i].bytes - last.bytes, s->at[i].items - last.items);
		last = s->at[i];
	}
}

static bool
number(const char **text, uint64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoull(*text, &end, 10);
	if (end == *text || errno != 0)
		return false;
	*text = end;
	return true;
}

void
series_from_text(const char *text, struct series *s)
{
	struct series_point last = {0, 0}, more;

	memset(s, 0, sizeof(*s));
	if (!number(&text, &s->step_ms) || s->step_ms == 0)
		return;
	while (s->n < SERIES_MAX && number(&text, &more.bytes) &&
	    number(&text, &more.items)) {
		last.bytes += more.bytes;
		last.items += more.items;
		s->at[s->n++] = last;
	}
}
