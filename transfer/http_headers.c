/* SPDX-License-Identifier: ISC */
/* Headers of replies, and the dates in them.  Pure. */
#include "config.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "transfer/http.h"

void
http_headers_init(struct http_headers *h)
{
	buf_init(&h->lines, HTTP_HEADERS_MAX);
	h->seen = 0;
	h->status = 0;
}

static int
status_line(struct http_headers *h, const char *line, size_t n)
{
	const char *p = memchr(line, ' ', n);
	size_t i;

	buf_reset(&h->lines);
	h->status = 0;
	if (p == NULL || (size_t)(line + n - p) < 4)
		return -1;
	for (i = 1; i <= 3; i++) {
		if (!isdigit((unsigned char)p[i]))
			return -1;
		h->status = h->status * 10 + (p[i] - '0');
	}
	return 0;
}

int
http_headers_add(struct http_headers *h, const char *line, size_t n)
{
	const char *colon;
	size_t name;

	if (n > HTTP_HEADERS_MAX || h->seen > HTTP_HEADERS_MAX - n)
		return -1;
	h->seen += n;
	while (n > 0 && strchr("\r\n \t", line[n - 1]) != NULL)
		n--;
	if (n == 0)
		return 0;
	if (n >= 5 && strncasecmp(line, "HTTP/", 5) == 0)
		return status_line(h, line, n);
	colon = memchr(line, ':', n);
	if (colon == NULL || colon == line || memchr(line, '\0', n) != NULL)
		return 0; /* nothing that anybody asks for */
	name = (size_t)(colon - line);
	buf_add(&h->lines, line, name);
	buf_adds(&h->lines, ": ");
	for (n -= name + 1, colon++; n > 0 && (*colon == ' ' || *colon == '\t');
	     n--)
		colon++;
	buf_add(&h->lines, colon, n);
	buf_addc(&h->lines, '\0');
	return buf_failed(&h->lines) ? -1 : 0;
}

const char *
http_header_next(const struct http_headers *h, const char *prefix, size_t *pos,
    const char **name, size_t *name_len)
{
	size_t n = strlen(prefix);

	while (*pos < h->lines.len) {
		const char *line = h->lines.data + *pos;
		const char *colon = strchr(line, ':');

		*pos += strlen(line) + 1;
		if (strncasecmp(line, prefix, n) != 0 || colon < line + n)
			continue;
		*name = line + n;
		*name_len = (size_t)(colon - *name);
		return colon + 2;
	}
	return NULL;
}

const char *
http_header(const struct http_headers *h, const char *name)
{
	const char *rest, *value;
	size_t pos = 0, rest_len;

	while (
	    (value = http_header_next(h, name, &pos, &rest, &rest_len)) != NULL)
		if (rest_len == 0)
			return value;
	return NULL;
}

/* N digits at *S, which moves behind them; -1 if there are none. */
static int
digits(const char **s, int n)
{
	int v = 0;

	while (n-- > 0) {
		if (!isdigit((unsigned char)**s))
			return -1;
		v = v * 10 + (*(*s)++ - '0');
	}
	return v;
}

static bool
skip(const char **s, const char *what)
{
	size_t n = strlen(what);

	if (strncmp(*s, what, n) != 0)
		return false;
	*s += n;
	return true;
}

static bool
parse_clock(const char **s, struct tm *tm)
{
	return (tm->tm_hour = digits(s, 2)) >= 0 && skip(s, ":") &&
	    (tm->tm_min = digits(s, 2)) >= 0 && skip(s, ":") &&
	    (tm->tm_sec = digits(s, 2)) >= 0;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" */
static bool
parse_http(const char *s, struct tm *tm)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	int i;

	if (strlen(s) < 29 || s[3] != ',' || s[4] != ' ')
		return false;
	s += 5;
	if ((tm->tm_mday = digits(&s, 2)) < 1 || !skip(&s, " "))
		return false;
	for (i = 0; i < 12 && strncmp(s, months + (size_t)i * 3, 3) != 0;)
		i++;
	tm->tm_mon = i;
	s += 3;
	if (i == 12 || !skip(&s, " ") || (tm->tm_year = digits(&s, 4)) < 1900)
		return false;
	tm->tm_year -= 1900;
	return skip(&s, " ") && parse_clock(&s, tm);
}

/* "+02:00", where rclone writes local time. */
static bool
parse_offset(const char *s, struct tm *tm)
{
	int sign = *s == '-' ? 1 : -1, hours, minutes;

	if (*s != '+' && *s != '-')
		return false;
	s++;
	if ((hours = digits(&s, 2)) < 0 || !skip(&s, ":") ||
	    (minutes = digits(&s, 2)) < 0)
		return false;
	tm->tm_min += sign * (hours * 60 + minutes); /* timegm() takes that */
	return *s == '\0';
}

static bool
parse_iso(const char *s, struct tm *tm, int64_t *fraction_ns)
{
	int64_t unit = 100000000;

	if ((tm->tm_year = digits(&s, 4)) < 1900 || !skip(&s, "-") ||
	    (tm->tm_mon = digits(&s, 2)) < 1 || tm->tm_mon > 12 ||
	    !skip(&s, "-") || (tm->tm_mday = digits(&s, 2)) < 1 ||
	    !skip(&s, "T") || !parse_clock(&s, tm))
		return false;
	tm->tm_year -= 1900;
	tm->tm_mon--;
	if (*s == '.')
		for (s++; isdigit((unsigned char)*s); s++, unit /= 10)
			*fraction_ns += (*s - '0') * unit;
	return *s == 'Z' || parse_offset(s, tm);
}

bool
http_parse_date(const char *s, int64_t *ns)
{
	int64_t fraction_ns = 0;
	struct tm tm = {0};

	if (!parse_http(s, &tm) &&
	    (memset(&tm, 0, sizeof(tm)), !parse_iso(s, &tm, &fraction_ns)))
		return false;
	if (tm.tm_year > 350) /* what int64_t holds of nanoseconds */
		return false;
	*ns = (int64_t)timegm(&tm) * 1000000000 + fraction_ns;
	return true;
}

unsigned
http_retry_after_ms(const struct http_headers *h, int64_t now_ns)
{
	const char *s = http_header(h, "retry-after");
	int64_t ns, ms = 0;

	if (s == NULL)
		return 0;
	if (isdigit((unsigned char)*s))
		ms = strlen(s) > 6 ? 3600000 : strtol(s, NULL, 10) * 1000;
	else if (http_parse_date(s, &ns))
		ms = (ns - now_ns) / 1000000;
	if (ms < 0)
		return 0;
	return ms > 3600000 ? 3600000 : (unsigned)ms;
}
