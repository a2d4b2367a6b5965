/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "agent/events/netguard.h"
#include "tests/unit/check.h"

static bool
passes(const struct netguard *g, const char *address)
{
	struct sockaddr_storage ss = {0};
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

	if (inet_pton(AF_INET, address, &v4.sin_addr) == 1)
		memcpy(&ss, &v4, sizeof(v4));
	else if (inet_pton(AF_INET6, address, &v6.sin6_addr) == 1)
		memcpy(&ss, &v6, sizeof(v6));
	else
		CHECK(false);
	return netguard_passes(g, (const struct sockaddr *)&ss);
}

static void
public_addresses_are_open(void)
{
	static const char *const open[] = {"8.8.8.8", "1.1.1.1", "172.15.0.1",
	    "172.32.0.1", "100.63.255.255", "223.255.255.255", "::ffff:8.8.8.8",
	    "2606:4700::1111", "2001:4860:4860::8888", "2001:200::1", "2003::1",
	    "3ffe::1", "5f01::1", "fbff::1", "64:ff9b:2::1"};
	struct netguard g = {.n = 0};
	size_t i;

	for (i = 0; i < sizeof(open) / sizeof(open[0]); i++)
		if (!passes(&g, open[i])) {
			fprintf(stderr, "closed: %s\n", open[i]);
			check_failures++;
		}
}

static const char *const closed[] = {"0.0.0.0", "10.1.2.3", "100.64.0.1",
    "127.0.0.1", "127.255.255.254", "169.254.169.254", "172.16.0.1",
    "172.31.255.255", "192.0.0.8", "192.0.2.1", "192.88.99.1", "192.168.0.1",
    "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1",
    "255.255.255.255", "::", "::1", "::ffff:127.0.0.1",
    "::ffff:169.254.169.254", "fc00::1", "fdff::1", "fe80::1", "ff02::1",
    "2001:db8::1", "100::1", "2002:7f00:1::", "64:ff9b::7f00:1", "64:ff9b:1::1",
    "240.0.0.1", "::10.0.0.1", "::8.8.8.8", "::ffff:0:127.0.0.1",
    "2001::7f00:1", "2001:2::1", "2001:1ff:ffff::1", "100:0:0:1::1", "3fff::1",
    "5f00::1", "fec0::1", "feff::1", "192.0.0.170"};

static void
private_and_reserved_ones_are_closed(void)
{
	struct netguard g = {.n = 0};
	size_t i;

	for (i = 0; i < sizeof(closed) / sizeof(closed[0]); i++)
		if (passes(&g, closed[i])) {
			fprintf(stderr, "open: %s\n", closed[i]);
			check_failures++;
		}
}

static void
a_network_is_opened_alone(void)
{
	struct netguard g = {.n = 0};
	struct err e = ERR_INIT;

	CHECK(netguard_allow(&g, "10.1.0.0/16", &e) == 0);
	CHECK(netguard_allow(&g, "fd00::/8", &e) == 0);
	CHECK(netguard_allow(&g, "127.0.0.1", &e) == 0);
	CHECK(passes(&g, "10.1.255.1") && !passes(&g, "10.2.0.1"));
	CHECK(passes(&g, "fd12::1") && !passes(&g, "fc12::1"));
	CHECK(passes(&g, "127.0.0.1") && !passes(&g, "127.0.0.2"));
	CHECK(passes(&g, "::ffff:127.0.0.1") && !passes(&g, "::1"));
	CHECK(passes(&g, "8.8.8.8"));
	CHECK(netguard_allow(&g, "10.1.0.0/33", &e) == -1);
	CHECK(netguard_allow(&g, "localhost", &e) == -1);
	CHECK(e.kind == ERR_USAGE);
}

/* Where clouds keep their credentials. */
static void
link_local_ones_need_a_network_of_their_own(void)
{
	struct netguard g = {.n = 0};
	struct err e = ERR_INIT;

	CHECK(netguard_allow(&g, "0.0.0.0/0", &e) == 0);
	CHECK(netguard_allow(&g, "169.0.0.0/8", &e) == 0);
	CHECK(netguard_allow(&g, "::/0", &e) == 0);
	CHECK(passes(&g, "10.0.0.1") && passes(&g, "::1"));
	CHECK(!passes(&g, "169.254.169.254") && !passes(&g, "fe80::1"));
	CHECK(netguard_allow(&g, "169.254.169.0/24", &e) == 0);
	CHECK(passes(&g, "169.254.169.254") && !passes(&g, "169.254.1.1"));
	CHECK(passes(&g, "fd00::1") && !passes(&g, "fd00:ec2::254"));
	CHECK(passes(&g, "100.100.100.1") && !passes(&g, "100.100.100.200"));
	CHECK(netguard_allow(&g, "fd00:ec2::254", &e) == 0);
	CHECK(passes(&g, "fd00:ec2::254"));
	/* No name for more than that. */
	CHECK(netguard_allow(&g, "100.100.100.200/10", &e) == 0);
	CHECK(!passes(&g, "100.100.100.200"));
}

static void
without_tls_only_what_was_opened(void)
{
	struct netguard g = {.plain = true};
	struct err e = ERR_INIT;

	CHECK(!passes(&g, "8.8.8.8"));
	CHECK(netguard_allow(&g, "8.8.8.0/24", &e) == 0);
	CHECK(passes(&g, "8.8.8.8") && !passes(&g, "9.9.9.9"));
}

static void
other_families_are_closed(void)
{
	struct sockaddr sa = {.sa_family = AF_UNIX};
	struct netguard g = {.n = 0};

	CHECK(!netguard_passes(&g, &sa));
}

int
main(void)
{
	RUN(public_addresses_are_open);
	RUN(private_and_reserved_ones_are_closed);
	RUN(a_network_is_opened_alone);
	RUN(link_local_ones_need_a_network_of_their_own);
	RUN(without_tls_only_what_was_opened);
	RUN(other_families_are_closed);
	return check_end();
}
