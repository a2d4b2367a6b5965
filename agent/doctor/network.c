/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <netdb.h>
#include <string.h>

#include "agent/doctor/doctor.h"
#include "base/clock.h"

#define DAY_NS ((int64_t)86400 * 1000000000)
#define DAYS_FEW 21 /* those who renew by themselves have done it by then */

static bool
is_address(const char *host)
{
	unsigned char any[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, host, any) == 1 ||
	    inet_pton(AF_INET6, host, any) == 1;
}

void
doctor_name(const struct doctor *d, const char *host)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL, *a;
	uint64_t begun_ms = clock_mono_ms();
	size_t n = 0;
	int rc;

	if (is_address(host))
		return;
	rc = getaddrinfo(host, NULL, &hints, &found);
	/* RFC 6761: libcurl and others know it without a hosts file. */
	if (rc != 0 && strcmp(host, "localhost") == 0)
		return;
	if (rc != 0) {
		findings_add(d->found, FINDING_FAIL, "name", "%.200s: %s", host,
		    gai_strerror(rc));
		findings_next(d->found,
		    "is the name right? getent hosts %.200s; "
		    "/etc/resolv.conf names the servers",
		    host);
		return;
	}
	for (a = found; a != NULL; a = a->ai_next)
		n++;
	freeaddrinfo(found);
	findings_add(d->found, FINDING_OK, "name",
	    "%.200s has %zu address%s, known after %" PRIu64 " ms", host, n,
	    n == 1 ? "" : "es", clock_mono_ms() - begun_ms);
}

static void
certificate(const struct doctor *d, int64_t ends_ns)
{
	int64_t days = (ends_ns - clock_wall_ns()) / DAY_NS;
	char end[32];

	if (ends_ns == 0) {
		findings_add(
		    d->found, FINDING_OK, "TLS", "the certificate is trusted");
		return;
	}
	clock_iso8601(ends_ns, end, sizeof(end));
	findings_add(d->found, days < DAYS_FEW ? FINDING_WARN : FINDING_OK,
	    "TLS", "the certificate is trusted until %s (%" PRId64 " days)",
	    end, days);
	if (days < DAYS_FEW)
		findings_next(d->found,
		    "it is the server's to renew: all runs fail from then on");
}

/* Of "http://HOST..." */
static bool
is_this_machine(const char *endpoint)
{
	const char *host = strstr(endpoint, "://");

	return host != NULL &&
	    (strncmp(host + 3, "127.", 4) == 0 ||
		strncmp(host + 3, "localhost", 9) == 0 ||
		strncmp(host + 3, "[::1]", 5) == 0);
}

void
doctor_tls(const struct doctor *d, const char *endpoint,
    const struct store_config *config, const struct store_probe *probe)
{
	if (strncmp(endpoint, "https://", 8) != 0) {
		if (is_this_machine(endpoint))
			return;
		findings_add(d->found, FINDING_WARN, "TLS",
		    "%.200s is plain HTTP: what is moved can be read on the "
		    "way",
		    endpoint);
		findings_next(d->found,
		    "an https:// endpoint, if there is "
		    "one, or a line that is yours alone");
	} else if (config->no_verify_tls) {
		findings_add(d->found, FINDING_WARN, "TLS",
		    "any server is trusted, by --no-verify-ssl");
		findings_next(d->found,
		    "--ca-bundle FILE with the certificate of its authority");
	} else {
		certificate(d, probe->certificate_ends_ns);
	}
}
