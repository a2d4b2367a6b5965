/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"

void
text_percent(struct buf *out, const char *s, size_t n, const char *keep)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnop"
				    "qrstuvwxyz0123456789-._~";
	size_t i;

	for (i = 0; i < n; i++)
		if (s[i] != '\0' &&
		    (strchr(plain, s[i]) != NULL || strchr(keep, s[i]) != NULL))
			buf_addc(out, s[i]);
		else
			buf_addf(out, "%%%02X", (unsigned char)s[i]);
}

int
text_compare(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t n = a_len < b_len ? a_len : b_len;
	int c = n > 0 ? memcmp(a, b, n) : 0;

	return c != 0 ? c : (a_len > b_len) - (a_len < b_len);
}

size_t
text_utf8_length(const char *s, size_t n)
{
	const unsigned char *u = (const unsigned char *)s;
	unsigned char low = 0x80, high = 0xbf;
	size_t len, i;

	if (n == 0)
		return 0;
	if (u[0] < 0x80)
		return 1;
	if (u[0] >= 0xc2 && u[0] <= 0xdf)
		len = 2;
	else if (u[0] >= 0xe0 && u[0] <= 0xef)
		len = 3;
	else if (u[0] >= 0xf0 && u[0] <= 0xf4)
		len = 4;
	else
		return 0;
	if (u[0] == 0xe0)
		low = 0xa0; /* else overlong */
	else if (u[0] == 0xed)
		high = 0x9f; /* else a surrogate */
	else if (u[0] == 0xf0)
		low = 0x90;
	else if (u[0] == 0xf4)
		high = 0x8f;
	if (n < len || u[1] < low || u[1] > high)
		return 0;
	for (i = 2; i < len; i++)
		if (u[i] < 0x80 || u[i] > 0xbf)
			return 0;
	return len;
}

bool
text_is_utf8(const char *s, size_t n)
{
	size_t i = 0;

	while (i < n) {
		size_t len = text_utf8_length(s + i, n - i);

		if (len == 0)
			return false;
		i += len;
	}
	return true;
}

/* C1 controls (U+0080..U+009F) drive terminals too. */
static bool
printable(const char *s, size_t len)
{
	unsigned char c = (unsigned char)s[0];

	if (len == 1)
		return c >= 0x20 && c != 0x7f && c != '\\';
	return !(len == 2 && c == 0xc2 && (unsigned char)s[1] < 0xa0);
}

void
text_escape(struct buf *out, const char *name, size_t n)
{
	size_t i = 0;

	while (i < n) {
		size_t len = text_utf8_length(name + i, n - i);

		if (len > 0 && printable(name + i, len)) {
			buf_add(out, name + i, len);
			i += len;
			continue;
		}
		switch (name[i]) {
		case '\n':
			buf_adds(out, "\\n");
			break;
		case '\t':
			buf_adds(out, "\\t");
			break;
		case '\\':
			buf_adds(out, "\\\\");
			break;
		default:
			buf_addf(out, "\\x%02x", (unsigned char)name[i]);
			break;
		}
		i++;
	}
}

const char *
text_escaped(const char *name, size_t n, char *out, size_t size)
{
	AUTO(buf) struct buf b = BUF_INIT(1 << 20);

	text_escape(&b, name, n);
	if (b.len < size)
		snprintf(out, size, "%s", buf_str(&b));
	else
		snprintf(out, size, "%.*s...", (int)size - 4, buf_str(&b));
	return out;
}

static int
bad(struct err *e, const char *what, const char *s)
{
	return err_set(e, ERR_USAGE, "%s: \"%s\"", what, s);
}

int
text_parse_size(const char *s, uint64_t unit, uint64_t *out, struct err *e)
{
	static const char suffixes[] = "KMGTP";
	const char *what = "not a size (like 64M or 1.5G)";
	const char *found;
	double v, bytes;
	char *end;

	if (!isdigit((unsigned char)s[0]))
		return bad(e, what, s);
	v = strtod(s, &end);
	found = *end != '\0' ? strchr(suffixes, toupper((unsigned char)*end))
			     : NULL;
	if (found != NULL) {
		bytes = ldexp(v, 10 * (int)(found - suffixes + 1));
		end++;
		if (strcmp(end, "iB") == 0 || strcmp(end, "B") == 0)
			end += strlen(end);
	} else if (strcmp(end, "B") == 0) {
		bytes = v;
		end++;
	} else {
		bytes = v * (double)unit;
	}
	if (*end != '\0' || !isfinite(bytes) || bytes >= 9.2e18)
		return bad(e, what, s);
	*out = (uint64_t)bytes;
	return 0;
}

int
text_parse_duration(const char *s, uint64_t *ms, struct err *e)
{
	static const struct {
		const char *name;
		double ms;
	} units[] = {
	    {"ms", 1}, {"s", 1e3}, {"m", 6e4}, {"h", 3.6e6}, {"d", 8.64e7}};
	const char *what = "not a duration (like 90s, 15m or 1h30m)";
	const char *p = s;
	double total = 0;

	if (*p == '\0')
		return bad(e, what, s);
	while (*p != '\0') {
		double v, factor = 0;
		size_t n, i;
		char *end;

		if (!isdigit((unsigned char)*p))
			return bad(e, what, s);
		v = strtod(p, &end);
		n = strspn(end, "msdh");
		if (*end == '\0' && p == s)
			factor = 1e3;
		for (i = 0; i < sizeof(units) / sizeof(units[0]); i++)
			if (n == strlen(units[i].name) &&
			    strncmp(end, units[i].name, n) == 0)
				factor = units[i].ms;
		total += v * factor;
		p = end + n;
		if (factor == 0 || !isfinite(total) || total > 1e17)
			return bad(e, what, s);
	}
	*ms = (uint64_t)total;
	return 0;
}

int
text_parse_when(const char *s, int64_t now_ms, int64_t *wall_ms, struct err *e)
{
	char text[32];
	size_t n = strlen(s);
	uint64_t ago = 0;
	int64_t ns;

	snprintf(text, sizeof(text), "%s%s", n <= 20 ? s : "",
	    n == 10 ? "T00:00:00Z" : "");
	if (clock_parse_iso8601(text, &ns)) {
		*wall_ms = ns / 1000000;
		return 0;
	}
	if (strcmp(s, "now") != 0 &&
	    (text_parse_duration(s, &ago, e) == -1 || ago > INT64_MAX / 4))
		return err_set(e, ERR_USAGE,
		    "\"%.100s\" is no time: write 2026-11-23, "
		    "2026-11-23T08:00:00Z, now, or how long ago: 2h, 3d",
		    s);
	*wall_ms = now_ms - (int64_t)ago;
	return 0;
}

int
text_parse_uint(
    const char *s, uint64_t min, uint64_t max, uint64_t *out, struct err *e)
{
	unsigned long long v;
	char *end;

	errno = 0;
	v = isdigit((unsigned char)s[0]) ? strtoull(s, &end, 10) : 0;
	if (!isdigit((unsigned char)s[0]) || *end != '\0' || errno != 0 ||
	    v < min || v > max)
		return err_set(e, ERR_USAGE,
		    "not a number from %" PRIu64 " to %" PRIu64 ": \"%s\"", min,
		    max, s);
	*out = v;
	return 0;
}

const char *
text_size(uint64_t bytes, char *out, size_t size)
{
	static const char *const units[] = {
	    "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double v = (double)bytes / 1024;
	size_t i = 0;

	if (bytes < 1024) {
		snprintf(out, size, "%" PRIu64 " B", bytes);
		return out;
	}
	while (v >= 1023.95 && i + 1 < sizeof(units) / sizeof(units[0])) {
		v /= 1024;
		i++;
	}
	snprintf(out, size, "%.1f %s", v, units[i]);
	return out;
}

const char *
text_duration(uint64_t ms, char *out, size_t size)
{
	uint64_t s = (ms + 500) / 1000;

	if (ms < 60000 - 50)
		snprintf(out, size, "%.1fs", (double)ms / 1000);
	else if (s < 3600)
		snprintf(
		    out, size, "%" PRIu64 "m%02us", s / 60, (unsigned)(s % 60));
	else
		snprintf(out, size, "%" PRIu64 "h%02um%02us", s / 3600,
		    (unsigned)(s / 60 % 60), (unsigned)(s % 60));
	return out;
}

const char *
text_count(uint64_t n, char *out, size_t size)
{
	char digits[24];
	size_t len, i, o = 0;

	len = (size_t)snprintf(digits, sizeof(digits), "%" PRIu64, n);
	for (i = 0; i < len && o + 2 < size; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			out[o++] = ',';
		out[o++] = digits[i];
	}
	out[o] = '\0';
	return out;
}

void
text_hex(const void *p, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *u = p;
	size_t i;

	for (i = 0; i < n; i++) {
		*out++ = digits[u[i] >> 4];
		*out++ = digits[u[i] & 15];
	}
	*out = '\0';
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool
text_unhex(const char *hex, size_t len, void *out, size_t n)
{
	unsigned char *u = out;
	size_t i;

	if (len != 2 * n)
		return false;
	for (i = 0; i < n; i++) {
		int high = hex_value(hex[2 * i]);
		int low = hex_value(hex[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		u[i] = (unsigned char)(high << 4 | low);
	}
	return true;
}

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void
text_base64(const void *p, size_t n, char *out)
{
	const unsigned char *u = p;
	size_t i;

	for (i = 0; i < n; i += 3) {
		unsigned v = (unsigned)u[i] << 16;

		if (i + 1 < n)
			v |= (unsigned)u[i + 1] << 8;
		if (i + 2 < n)
			v |= u[i + 2];
		*out++ = base64_digits[v >> 18];
		*out++ = base64_digits[v >> 12 & 63];
		*out++ = i + 1 < n ? base64_digits[v >> 6 & 63] : '=';
		*out++ = i + 2 < n ? base64_digits[v & 63] : '=';
	}
	*out = '\0';
}

bool
text_unbase64(const char *s, size_t len, void *out, size_t n)
{
	unsigned char *u = out;
	unsigned v = 0, bits = 0;
	size_t i, o = 0;

	if (len != 4 * ((n + 2) / 3))
		return false;
	for (i = 0; i < len && s[i] != '='; i++) {
		const char *at =
		    s[i] != '\0' ? strchr(base64_digits, s[i]) : NULL;

		if (at == NULL)
			return false;
		v = (v << 6 | (unsigned)(at - base64_digits)) & 0xffffff;
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			if (o == n)
				return false;
			u[o++] = (unsigned char)(v >> bits);
		}
	}
	for (; i < len; i++)
		if (s[i] != '=')
			return false;
	return o == n;
}
