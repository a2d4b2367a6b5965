/* SPDX-License-Identifier: ISC */
/*
 * What we say of calendar expressions, for a comparison with what systemd says:
 * each line of the input is "ZONE<tab>SECONDS<tab>COUNT<tab>EXPRESSION", each
 * of the output the normalised form and COUNT next times, or "!" and the error.
 */
#include "config.h"

#include <err.h>
#include <inttypes.h>
#include <string.h>

#include "agent/daemon/calendar.h"

static void
answer(
    const struct zone *zone, int64_t after_us, unsigned count, const char *text)
{
	struct err e = ERR_INIT;
	AUTO(calendar) struct calendar *c = calendar_new(text, &e);
	AUTO(buf) struct buf out = BUF_INIT(8192);

	if (c == NULL) {
		printf("!%s\n", e.msg);
		return;
	}
	calendar_text(c, &out);
	for (; count > 0 && after_us != CALENDAR_NEVER; count--) {
		after_us = calendar_next(c, zone, after_us);
		if (after_us == CALENDAR_NEVER)
			buf_adds(&out, "\tnever");
		else
			buf_addf(&out, "\t%" PRId64, after_us / 1000000);
	}
	printf("%s\n", buf_str(&out));
}

int
main(void)
{
	char line[8192], name[100], text[4096];
	struct err e = ERR_INIT;
	int64_t after;
	unsigned count;

	while (fgets(line, sizeof(line), stdin) != NULL) {
		AUTO(zone) struct zone *zone = NULL;

		if (sscanf(line, "%99[^\t]\t%" SCNd64 "\t%u\t%4095[^\n]", name,
			&after, &count, text) != 4)
			errx(2, "what is this: %s", line);
		zone = zone_open(name, &e);
		if (zone == NULL)
			errx(1, "%s", e.msg);
		answer(zone, after * 1000000, count, text);
	}
	return 0;
}
