/* SPDX-License-Identifier: ISC */
/*
 * Which addresses events may be sent to.  Asked with the very address that is
 * about to be connected to, so that no name, redirect or odd spelling leads
 * into a network that was not opened on purpose.  Pure.
 */
#ifndef AGENT_EVENTS_NETGUARD_H
#define AGENT_EVENTS_NETGUARD_H

#include <sys/socket.h>

#include "agent/events/netaddr.h"
#include "base/err.h"

#define NETGUARD_NETWORKS_MAX 16

struct netguard {
	struct netblock allowed[NETGUARD_NETWORKS_MAX];
	size_t n;
	bool plain; /* no TLS: none but allowed addresses */
};

/* Opens a network, "10.0.0.0/8", or an address; ERR_USAGE if TEXT is none. */
int netguard_allow(struct netguard *g, const char *text, struct err *e);

/*
 * Public addresses are open, private, local and reserved ones only where they
 * are in an allowed network.  Link-local ones and those where clouds keep their
 * metadata need a network that has nothing else.
 */
bool netguard_passes(const struct netguard *g, const struct sockaddr *addr);

#endif
