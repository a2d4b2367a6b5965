/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "agent/daemon/weekday.h"

static const char *const names[] = {"Monday", "Tuesday", "Wednesday",
    "Thursday", "Friday", "Saturday", "Sunday"};

static const char *const short_names[] = {
    "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};

int
weekday_of(const char *s, size_t n)
{
	int d;

	for (d = 0; d < 7; d++) {
		if ((n == 3 || n == strlen(names[d])) &&
		    strncasecmp(s, names[d], n) == 0)
			return d;
	}
	return -1;
}

const char *
weekday_name(int day)
{
	return short_names[day];
}

static int
take_day(const char **at)
{
	size_t n = 0;
	int d;

	while (isalpha((unsigned char)(*at)[n]))
		n++;
	d = weekday_of(*at, n);
	if (d >= 0)
		*at += n;
	return d;
}

/* ".." or, as systemd had it once, "-" */
static bool
take_range(const char **at)
{
	size_t n = strncmp(*at, "..", 2) == 0 ? 2 : **at == '-';

	*at += n;
	return n > 0;
}

const char *
weekday_list(const char **at, unsigned *days)
{
	unsigned set = 0;

	do {
		const char *from = *at;
		int first, last;

		/* a comma may end the list */
		if (set != 0 && (*from == ' ' || *from == '\0'))
			break;
		first = last = take_day(at);
		if (first == -1)
			return "no weekday: Mon, Tue, Wed, Thu, Fri, Sat, Sun";
		if (take_range(at)) {
			from = *at;
			last = take_day(at);
			if (last == -1)
				return "a range of weekdays ends with a "
				       "weekday, as in Mon..Fri";
		}
		if (last < first) {
			*at = from;
			return "a range of weekdays goes from Mon to Sun: "
			       "Fri..Mon is Fri..Sun,Mon";
		}
		for (; first <= last; first++)
			set |= 1U << first;
	} while (**at == ',' && (*at)++);
	if (**at != ' ' && **at != '\0')
		return "after weekdays comes a blank";
	*at += strspn(*at, " ");
	*days = set;
	return NULL;
}
