/* SPDX-License-Identifier: ISC */
/* adjtimex(2): what the kernel knows of whoever sets its clock. */
#include "config.h"

#include <stdlib.h>
#include <sys/timex.h>

#include "agent/doctor/doctor.h"
#include "base/text.h"

/* S3 refuses requests that are older than a quarter of an hour. */
#define SKEW_BAD_MS 300000
#define SKEW_TOLD_MS 5000
#define SET_IT "timedatectl set-ntp true, or install chrony"

void
doctor_clock(const struct doctor *d)
{
	struct timex t = {.modes = 0};

	if (adjtimex(&t) == -1)
		return;
	if ((t.status & STA_UNSYNC) == 0) {
		findings_add(d->found, FINDING_OK, "clock",
		    "is kept right by a time server");
		return;
	}
	findings_add(d->found, FINDING_WARN, "clock",
	    "nothing keeps this machine's clock right, as far as the kernel "
	    "knows");
	findings_next(d->found, SET_IT);
}

void
doctor_skew(const struct doctor *d, int64_t skew_ms)
{
	uint64_t ms = (uint64_t)llabs(skew_ms);
	char time[32];

	if (ms < SKEW_TOLD_MS) {
		findings_add(d->found, FINDING_OK, "clock skew",
		    "the store's clock agrees with ours");
		return;
	}
	findings_add(d->found, ms < SKEW_BAD_MS ? FINDING_WARN : FINDING_FAIL,
	    "clock skew",
	    "the store's clock is %s %s ours; S3 refuses what is 15 minutes "
	    "off",
	    text_duration(ms, time, sizeof(time)),
	    skew_ms > 0 ? "ahead of" : "behind");
	findings_next(d->found, SET_IT);
}
