/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "agent/account.h"
#include "agent/doctor/doctor.h"
#include "base/text.h"
#include "transfer/posix/posix.h"

#define WHAT "state directory"
#define FREE_LEAST (64ULL << 20)
#define FREE_FEW (1ULL << 30)
#define ITEM_BYTES 200 /* in a ledger with its journal, measured: 70 to 150 */

char *
doctor_nearest(const char *path)
{
	AUTO(free) char *up = strdup(path);
	char *cut;

	while (up != NULL && access(up, F_OK) == -1 && errno == ENOENT &&
	    (cut = strrchr(up, '/')) != NULL && up[1] != '\0')
		cut[cut == up] = '\0';
	return TAKE(up);
}

/* There is one, but something is wrong with it. */
static bool
complain(const struct doctor *d, const struct stat *st)
{
	struct findings *f = d->found;
	const char *dir = d->state_dir;
	char owner[64];

	account_name(st->st_uid, owner, sizeof(owner));
	if (!S_ISDIR(st->st_mode)) {
		findings_add(f, FINDING_FAIL, WHAT, "%s is no directory", dir);
		findings_next(f, "another --state-dir");
	} else if (access(dir, R_OK | W_OK | X_OK) == -1) {
		findings_add(f, FINDING_FAIL, WHAT,
		    "%s belongs to %s, and can't be written here", dir, owner);
		findings_next(f,
		    "as that user (sudo -u %s dray ...), or a --state-dir of "
		    "your own",
		    owner);
	} else if ((st->st_mode & S_IWOTH) != 0) {
		findings_add(f, FINDING_FAIL, WHAT,
		    "%s: anybody may change what dray knows there", dir);
		findings_next(f, "chmod o-w %s", dir);
	} else if (st->st_uid != geteuid() && geteuid() != 0) {
		findings_add(f, FINDING_WARN, WHAT,
		    "%s belongs to %s, who could not write what this user "
		    "makes there",
		    dir, owner);
		findings_next(f, "sudo -u %s dray ...", owner);
	} else {
		return false;
	}
	return true;
}

static void
directory(const struct doctor *d, const char *above)
{
	struct findings *f = d->found;
	struct stat st;

	if (posix_path_is_remote(d->state_dir)) {
		findings_add(f, FINDING_FAIL, WHAT,
		    "%s is on a file system of the network, where ledgers "
		    "can't be",
		    d->state_dir);
		findings_next(f, "a --state-dir on a local disk");
		return;
	}
	if (stat(d->state_dir, &st) == 0) {
		char owner[64];

		if (!complain(d, &st))
			findings_add(f, FINDING_OK, WHAT, "%s belongs to %s",
			    d->state_dir,
			    account_name(st.st_uid, owner, sizeof(owner)));
	} else if (errno == ENOENT && access(above, W_OK | X_OK) == 0) {
		findings_add(
		    f, FINDING_OK, WHAT, "%s will be made", d->state_dir);
	} else {
		findings_add(f, FINDING_FAIL, WHAT, "%s: %m", d->state_dir);
		findings_next(f,
		    "a --state-dir that this user can write, or "
		    "the user of the service");
	}
}

static void
space(const struct doctor *d, const char *above)
{
	struct findings *f = d->found;
	enum finding_level level = FINDING_OK;
	struct statvfs fs;
	uint64_t left;
	char size[16], items[32];

	if (statvfs(above, &fs) == -1)
		return;
	left = (uint64_t)fs.f_bavail * fs.f_frsize;
	if (left < FREE_LEAST || (fs.f_files > 0 && fs.f_favail == 0))
		level = FINDING_FAIL;
	else if (left < FREE_FEW)
		level = FINDING_WARN;
	findings_add(f, level, "free space",
	    "%s at %s: ledgers of about %s items%s",
	    text_size(left, size, sizeof(size)), above,
	    text_count(left / ITEM_BYTES, items, sizeof(items)),
	    fs.f_files > 0 && fs.f_favail == 0 ? ", but no free inode" : "");
	if (level != FINDING_OK)
		findings_next(f,
		    "make room there, or a --state-dir on a "
		    "larger disk");
}

void
doctor_state(const struct doctor *d)
{
	AUTO(free) char *above = doctor_nearest(d->state_dir);

	if (above == NULL)
		return;
	directory(d, above);
	space(d, above);
}
