/* SPDX-License-Identifier: ISC */
/*
 * dray doctor: what a run needs, looked at before there is one.  Nothing is
 * changed, neither here nor at a store, but for what a probe tries.
 */
#ifndef AGENT_DOCTOR_DOCTOR_H
#define AGENT_DOCTOR_DOCTOR_H

#include "agent/daemon/conf.h"
#include "agent/doctor/findings.h"
#include "agent/options.h"
#include "transfer/store.h"
#include "transfer/url.h"

/* Borrowed by all checks. */
struct doctor {
	const struct options *o; /* of the run: those of its task, if any */
	const char *conf_path;	 /* dray.conf */
	const struct daemon_conf *conf; /* NULL: it makes no sense */
	const char *state_dir;
	const char *proc; /* "/proc", but in tests */
	bool by_daemon;	  /* what is looked at is a task of the daemon's */
	pid_t daemon;	  /* 0: none runs, or not known */
	uint64_t dirs; /* of the task, as its ledger has them; 0: not known */
	/* The run's two places; NULL: not named. */
	const struct store_url *source, *target;
	struct findings *found;
};

enum library {
	LIBRARY_CURL,
	LIBRARY_EXPAT,
	LIBRARY_SSH2,
	LIBRARY_NFS,
	LIBRARY_CRYPTO,
	LIBRARY_SQLITE,
	LIBRARY_XXHASH,
	LIBRARY_COUNT
};

/* limits.c: open files, inotify, memory. */
void doctor_limits(const struct doctor *d);
/* state.c: the state directory and what is free there. */
void doctor_state(const struct doctor *d);
/* state.c: PATH, or what there is above it; malloc'd, NULL: no memory. */
char *doctor_nearest(const char *path);
/* files.c: configuration and secrets, and who may read them. */
void doctor_files(const struct doctor *d);
/* libraries.c: their versions. */
void doctor_libraries(const struct doctor *d);
/* libraries.c: what is known of VERSIONS; NULL: that one isn't there. */
void doctor_versions(
    const struct doctor *d, const char *const versions[LIBRARY_COUNT]);
/* clock.c: whether anything keeps it right. */
void doctor_clock(const struct doctor *d);
/* service.c: whether the daemon may read the source and write the target. */
void doctor_service(const struct doctor *d);
/* store.c: name, TLS, clock and access of the source and the target. */
void doctor_stores(const struct doctor *d);

/* network.c: whether HOST has an address. */
void doctor_name(const struct doctor *d, const char *host);
/* network.c: what is to be said of the probe of an S3 ENDPOINT. */
void doctor_tls(const struct doctor *d, const char *endpoint,
    const struct store_config *config, const struct store_probe *probe);
/* clock.c: what is to be said of a server's. */
void doctor_skew(const struct doctor *d, int64_t skew_ms);

#endif
