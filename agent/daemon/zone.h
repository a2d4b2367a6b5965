/* SPDX-License-Identifier: ISC */
/*
 * Time zones, any number at a time.  libc knows one, that of TZ, which can't
 * be changed while other threads run; so the files of the time zone database
 * are read here (TZif, RFC 9636).  A zone is immutable: threads may share it.
 * Times are seconds since 1970, UTC; local times are what the clock on the
 * wall shows, counted as if it were UTC.
 */
#ifndef AGENT_DAEMON_ZONE_H
#define AGENT_DAEMON_ZONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/auto.h"
#include "base/err.h"

#define ZONE_FILE_MAX 262144 /* bytes; the biggest known has under 4 KiB */

struct zone;

/*
 * NAME is "UTC" or a name of the database, as "Europe/Berlin", found in $TZDIR
 * or /usr/share/zoneinfo.  ERR_CONFIG if there is none, or its file is broken.
 */
struct zone *zone_open(const char *name, struct err *e);
/* The machine's: $TZ (a name, a path or a rule), else /etc/localtime, else
 * UTC. */
struct zone *zone_local(struct err *e);
/* The N bytes of a TZif file, which messages call NAME. */
struct zone *zone_parse(
    const char *name, const void *data, size_t n, struct err *e);
void zone_free(struct zone *z);
AUTO_DEFINE(zone, struct zone, zone_free)

const char *zone_name(const struct zone *z);

/* Seconds east of UTC at T. */
int32_t zone_offset(const struct zone *z, int64_t t);
/* The first time after T at which the offset may be another; INT64_MAX: none */
int64_t zone_next(const struct zone *z, int64_t t);
/*
 * When the clock shows LOCAL: once, as a rule.  Where clocks are put forward it
 * may be 0 times: OUT[0] is the time of that change then.  Where they are put
 * back it is twice: OUT[0] is before OUT[1].
 */
unsigned zone_times(const struct zone *z, int64_t local, int64_t out[2]);

#endif
