/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <string.h>

#include "agent/bwlimit.h"
#include "base/text.h"

int
bwlimit_parse(const char *text, uint64_t *rate, struct err *e)
{
	if (strcmp(text, "off") == 0) {
		*rate = 0;
		return 0;
	}
	return text_parse_size(text, 1024, rate, e);
}
