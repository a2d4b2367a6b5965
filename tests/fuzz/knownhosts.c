/* SPDX-License-Identifier: ISC */
/* The lines of a known_hosts file; the first names the host. */
#include "config.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "transfer/sftp/knownhosts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
ask(const struct knownhosts *k)
{
	static const char blob[] = "\0\0\0\3abc";
	struct knownhosts_where where = {NULL, 0};
	enum knownhosts_verdict v =
	    knownhosts_check(k, blob, sizeof(blob) - 1, &where);

	assert((v == KNOWNHOSTS_UNKNOWN) == (where.file == NULL));
	assert(v != KNOWNHOSTS_REVOKED || !knownhosts_has(k, "none"));
	assert(!knownhosts_authority(k, &where) || where.line > 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(free) char *text = strndup((const char *)data, size);
	struct knownhosts *k;
	struct err e = ERR_INIT;
	char *line, *at = text;
	unsigned number = 0;

	if (text == NULL)
		return 0;
	line = strsep(&at, "\n");
	k = knownhosts_new(line, size % 2 == 0 ? 22 : 2222, &e);
	if (k == NULL)
		return 0;
	while ((line = strsep(&at, "\n")) != NULL)
		if (knownhosts_line(k, "file", ++number, line, &e) == -1)
			break;
	ask(k);
	knownhosts_free(k);
	return 0;
}
