/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <stddef.h>
#include <stdlib.h>

#include "agent/doctor/version.h"

/* The number that *V begins with; moves it behind that and a dot. */
static unsigned long
next_number(const char **v)
{
	char *end;
	unsigned long n;

	if (**v < '0' || **v > '9')
		return 0;
	n = strtoul(*v, &end, 10);
	*v = *end == '.' ? end + 1 : "";
	return n;
}

int
version_compare(const char *a, const char *b)
{
	while (*a != '\0' || *b != '\0') {
		unsigned long x = next_number(&a), y = next_number(&b);

		if (x != y)
			return x < y ? -1 : 1;
		/* What is no number ends it, too. */
		if (*a < '0' || *a > '9')
			a = "";
		if (*b < '0' || *b > '9')
			b = "";
	}
	return 0;
}

bool
version_in(const char *v, const char *from, const char *below)
{
	return (from == NULL || version_compare(v, from) >= 0) &&
	    (below == NULL || version_compare(v, below) < 0);
}
