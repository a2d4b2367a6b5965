/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <arpa/inet.h>
#include <string.h>

#include "agent/events/netaddr.h"

#define TEXT_MAX 64 /* no address is as long */

static bool
parse_v4(const char *s, size_t n, struct netaddr *out)
{
	unsigned octets = 0, value = 0, digits = 0;
	size_t i;

	for (i = 0; i <= n; i++) {
		if (i < n && s[i] >= '0' && s[i] <= '9') {
			value = value * 10 + (unsigned)(s[i] - '0');
			digits++;
			if (value > 255)
				return false;
		} else if ((i == n || s[i] == '.') && digits > 0 &&
		    octets < 4) {
			out->bytes[octets++] = (uint8_t)value;
			value = digits = 0;
		} else {
			return false;
		}
	}
	out->bits = 32;
	return octets == 4;
}

static bool
parse_v6(const char *s, size_t n, struct netaddr *out)
{
	static const uint8_t mapped[12] = {
	    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
	char text[TEXT_MAX];

	if (n >= sizeof(text) || memchr(s, '.', n) != NULL ||
	    memchr(s, '\0', n) != NULL)
		return false;
	memcpy(text, s, n);
	text[n] = '\0';
	if (inet_pton(AF_INET6, text, out->bytes) != 1)
		return false;
	out->bits = 128;
	if (memcmp(out->bytes, mapped, sizeof(mapped)) == 0) {
		memmove(out->bytes, out->bytes + 12, 4);
		memset(out->bytes + 4, 0, 12);
		out->bits = 32;
	}
	return true;
}

bool
netaddr_parse(const char *s, size_t n, struct netaddr *out)
{
	struct netaddr a = {0};

	if (n == 0 || n >= TEXT_MAX ||
	    !(parse_v4(s, n, &a) || parse_v6(s, n, &a)))
		return false;
	*out = a;
	return true;
}

bool
netaddr_same(const struct netaddr *a, const struct netaddr *b)
{
	return a->bits == b->bits &&
	    memcmp(a->bytes, b->bytes, a->bits / 8) == 0;
}

bool
netblock_parse(const char *s, size_t n, struct netblock *out)
{
	const char *slash = n > 0 ? memchr(s, '/', n) : NULL;
	struct netblock b = {0};
	size_t i, digits;

	if (slash == NULL || !netaddr_parse(s, (size_t)(slash - s), &b.base))
		return false;
	digits = n - (size_t)(slash + 1 - s);
	if (digits == 0 || digits > 3)
		return false;
	for (i = 0; i < digits; i++) {
		if (slash[1 + i] < '0' || slash[1 + i] > '9')
			return false;
		b.prefix = b.prefix * 10 + (unsigned)(slash[1 + i] - '0');
	}
	if (b.prefix > b.base.bits)
		return false;
	*out = b;
	return true;
}

bool
netblock_has(const struct netblock *b, const struct netaddr *a)
{
	size_t whole = b->prefix / 8;
	unsigned rest = b->prefix % 8;

	if (a->bits != b->base.bits ||
	    memcmp(a->bytes, b->base.bytes, whole) != 0)
		return false;
	return rest == 0 ||
	    (a->bytes[whole] ^ b->base.bytes[whole]) >> (8 - rest) == 0;
}
