/* SPDX-License-Identifier: ISC */
/* Internet addresses and networks, as text and as bytes.  Pure. */
#ifndef AGENT_EVENTS_NETADDR_H
#define AGENT_EVENTS_NETADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct netaddr {
	unsigned bits; /* 32 or 128 */
	uint8_t bytes[16];
};

struct netblock {
	struct netaddr base;
	unsigned prefix; /* bits that count */
};

/*
 * "10.0.0.1" (decimal, leading zeros or not) or "2001:db8::1".  An IPv4
 * address that is written as IPv6 ("::ffff:a00:1") is taken as IPv4.
 */
bool netaddr_parse(const char *s, size_t n, struct netaddr *out);
bool netaddr_same(const struct netaddr *a, const struct netaddr *b);

/* "10.0.0.0/8"; bits behind the prefix may be set, and don't count. */
bool netblock_parse(const char *s, size_t n, struct netblock *out);
/* An IPv4 address is in no IPv6 network, and the other way round. */
bool netblock_has(const struct netblock *b, const struct netaddr *a);

#endif
