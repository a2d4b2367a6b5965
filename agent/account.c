/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <grp.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>

#include "agent/account.h"

#define ENTRY_MAX 16384 /* bytes of one; a larger one isn't found */

bool
account_user(const char *name, uid_t *uid, gid_t *gid)
{
	struct passwd entry, *found = NULL;
	char text[ENTRY_MAX];

	if (getpwnam_r(name, &entry, text, sizeof(text), &found) != 0 ||
	    found == NULL)
		return false;
	*uid = found->pw_uid;
	*gid = found->pw_gid;
	return true;
}

bool
account_group(const char *name, gid_t *gid)
{
	struct group entry, *found = NULL;
	char text[ENTRY_MAX];

	if (getgrnam_r(name, &entry, text, sizeof(text), &found) != 0 ||
	    found == NULL)
		return false;
	*gid = found->gr_gid;
	return true;
}

const char *
account_name(uid_t uid, char *out, size_t size)
{
	struct passwd entry, *found = NULL;
	char text[ENTRY_MAX];

	if (getpwuid_r(uid, &entry, text, sizeof(text), &found) == 0 &&
	    found != NULL)
		snprintf(out, size, "%s", found->pw_name);
	else
		snprintf(out, size, "%ju", (uintmax_t)uid);
	return out;
}
