/* SPDX-License-Identifier: ISC */
/* Which directories are reached over a network: by their file system. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>

#include "transfer/posix/internal.h"

/*
 * https://man7.org/linux/man-pages/man2/statfs.2.html, linux/magic.h; Lustre,
 * GPFS and BeeGFS have theirs in their own sources.  FUSE may be anything; what
 * is mounted by it is mostly far away.
 */
static const unsigned long remote_types[] = {
    0x6969UL,	  /* NFS */
    0xff534d42UL, /* CIFS */
    0xfe534d42UL, /* SMB2 */
    0x517bUL,	  /* SMB */
    0x00c36400UL, /* Ceph */
    0x0bd00bd0UL, /* Lustre */
    0x47504653UL, /* GPFS */
    0x19830326UL, /* BeeGFS */
    0x5346414fUL, /* AFS */
    0x6b414653UL, /* kAFS */
    0x01021997UL, /* 9P */
    0x65735546UL, /* FUSE */
};

/* Of PATH, or of what there is above it. */
static int
stat_above(const char *path, struct statfs *fs)
{
	AUTO(free) char *up = strdup(path);
	char *cut;

	if (up == NULL)
		return -1;
	while (statfs(up, fs) == -1) {
		cut = strrchr(up, '/');
		if (errno != ENOENT || cut == NULL || up[1] == '\0')
			return -1;
		cut[cut == up] = '\0';
	}
	return 0;
}

bool
posix_path_is_remote(const char *path)
{
	struct statfs fs;
	unsigned long type;
	size_t i;

	if (stat_above(path, &fs) == -1)
		return false;
	type = (unsigned long)fs.f_type & 0xffffffffUL;
	for (i = 0; i < sizeof(remote_types) / sizeof(remote_types[0]); i++)
		if (type == remote_types[i])
			return true;
	return false;
}

bool
posix_is_remote(const struct store *s)
{
	return posix_path_is_remote(((const struct posix_store *)s)->path);
}
