/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <netinet/in.h>
#include <string.h>

#include "agent/events/netguard.h"

/*
 * What is not global, or leads to what isn't by way of IPv4: by the IANA
 * special-purpose registries (RFC 6890) and those of multicast and of addresses
 * that are no longer given out.  Mapped IPv4 addresses are taken as IPv4.
 */
static const char *const closed[] = {"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10",
    "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
    "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",
    "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3",
    "::/96",	       /* "::", "::1", IPv4-compatible */
    "::ffff:0:0:0/96", /* translated (RFC 2765) */
    "64:ff9b::/96",    /* translated */
    "64:ff9b:1::/48", "100::/64", "100:0:0:1::/64",
    "2001::/23", /* protocols: Teredo, benchmarks, ORCHID */
    "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16", "fc00::/7",
    "fe80::/10", "fec0::/10", "ff00::/8"};
/* Link-local ones, and where clouds keep secrets outside of these. */
static const char *const guarded[] = {
    "169.254.0.0/16", "fe80::/10", "fd00:ec2::254/128", "100.100.100.200/32"};

static bool
is_in(const char *const *blocks, size_t n, const struct netaddr *a)
{
	struct netblock b;
	size_t i;

	for (i = 0; i < n; i++)
		if (netblock_parse(blocks[i], strlen(blocks[i]), &b) &&
		    netblock_has(&b, a))
			return true;
	return false;
}

#define IS_IN(blocks, a) is_in(blocks, sizeof(blocks) / sizeof((blocks)[0]), a)

/* Whether all of B is in one of them: it was meant. */
static bool
is_guarded(const struct netblock *b)
{
	struct netblock of;
	size_t i;

	for (i = 0; i < sizeof(guarded) / sizeof(guarded[0]); i++)
		if (netblock_parse(guarded[i], strlen(guarded[i]), &of) &&
		    netblock_has(&of, &b->base) && b->prefix >= of.prefix)
			return true;
	return false;
}

int
netguard_allow(struct netguard *g, const char *text, struct err *e)
{
	struct netblock *b = &g->allowed[g->n];

	if (g->n == NETGUARD_NETWORKS_MAX)
		return err_set(e, ERR_USAGE, "more than %d networks",
		    NETGUARD_NETWORKS_MAX);
	if (netaddr_parse(text, strlen(text), &b->base))
		b->prefix = b->base.bits;
	else if (!netblock_parse(text, strlen(text), b))
		return err_set(e, ERR_USAGE,
		    "not a network such as 10.0.0.0/8 or 2001:db8::/32: "
		    "\"%.100s\"",
		    text);
	g->n++;
	return 0;
}

static bool
address_of(const struct sockaddr *sa, struct netaddr *out)
{
	static const uint8_t mapped[12] = {
	    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	*out = (struct netaddr){.bits = 32};
	if (sa->sa_family == AF_INET) {
		memcpy(&v4, sa, sizeof(v4));
		memcpy(out->bytes, &v4.sin_addr, 4);
		return true;
	}
	if (sa->sa_family != AF_INET6)
		return false;
	memcpy(&v6, sa, sizeof(v6));
	if (memcmp(&v6.sin6_addr, mapped, sizeof(mapped)) == 0) {
		memcpy(out->bytes, (const char *)&v6.sin6_addr + 12, 4);
		return true;
	}
	out->bits = 128;
	memcpy(out->bytes, &v6.sin6_addr, 16);
	return true;
}

bool
netguard_passes(const struct netguard *g, const struct sockaddr *addr)
{
	struct netaddr a;
	size_t i;

	if (!address_of(addr, &a))
		return false;
	if (!g->plain && !IS_IN(closed, &a))
		return true;
	for (i = 0; i < g->n; i++)
		if (netblock_has(&g->allowed[i], &a) &&
		    (!IS_IN(guarded, &a) || is_guarded(&g->allowed[i])))
			return true;
	return false;
}
