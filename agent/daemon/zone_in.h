/* SPDX-License-Identifier: ISC */
/* What zone*.c share; nobody else includes it. */
#ifndef AGENT_DAEMON_ZONE_IN_H
#define AGENT_DAEMON_ZONE_IN_H

#include "agent/daemon/zone.h"
#include "agent/daemon/zone_rule.h"

struct zone_change {
	int64_t at;
	int32_t offset; /* from then on */
};

struct zone {
	char *name;
	int32_t before; /* the first change */
	size_t n;
	struct zone_change *changes; /* ascending */
	bool has_rule;
	struct zone_rule rule; /* after the last change */
};

#endif
