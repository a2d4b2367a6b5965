/* SPDX-License-Identifier: ISC */
/*
 * Who runs the daemon's tasks, and being that one for a while: a process of its
 * own takes its root directory (so its mounts), user and groups.  proc(5),
 * systemd.exec(5).
 */
#ifndef AGENT_DOCTOR_BECOME_H
#define AGENT_DOCTOR_BECOME_H

#include "agent/doctor/doctor.h"

#define SERVICE_GROUPS_MAX 256

struct service {
	const struct doctor *d;
	bool runs;
	uid_t uid;
	gid_t gid;
	gid_t groups[SERVICE_GROUPS_MAX];
	size_t groups_n;
	uint64_t caps; /* a bit for each of capabilities(7) */
};

/* That of D, as it runs, or as the package would have it run; false where there
 * is none, it is root, we can't be it, or it has made itself what it is. */
bool service_find(struct service *s, const struct doctor *d);

/* Credentials, proxies and HOME are, from then on, those of D's daemon. */
void service_take_environment(const struct doctor *d);

/* To be called in a process of its own, which is no root any more, and keeps
 * the capability CAP (-1: none) if the service has it. */
bool service_become(const struct service *s, int cap);

#endif
