/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/nsfs.h>
#include <linux/securebits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/account.h"
#include "agent/doctor/become.h"

static bool
has_cap(const struct service *s, int cap)
{
	return cap >= 0 && (s->caps >> cap & 1) != 0;
}

static void
read_groups(struct service *s, const char *text)
{
	char *end;

	while (s->groups_n < SERVICE_GROUPS_MAX) {
		unsigned long gid = strtoul(text, &end, 10);

		if (end == text)
			break;
		s->groups[s->groups_n++] = (gid_t)gid;
		text = end;
	}
}

/* The number behind LABEL, if LINE begins with it. */
static bool
number_of(const char *line, const char *label, int base, uint64_t *out)
{
	size_t n = strlen(label);

	if (strncmp(line, label, n) != 0)
		return false;
	*out = strtoull(line + n, NULL, base);
	return true;
}

/* /proc/PID/status */
static bool
read_status(struct service *s)
{
	char path[64], line[4096];
	AUTO(fclose) FILE *f = NULL;
	uint64_t uid = 0, gid = 0;
	unsigned found = 0;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)s->d->daemon);
	f = fopen(path, "re");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		found += number_of(line, "Uid:", 10, &uid);
		found += number_of(line, "Gid:", 10, &gid);
		found += number_of(line, "CapEff:", 16, &s->caps);
		if (strncmp(line, "Groups:", 7) == 0)
			read_groups(s, line + 7);
	}
	s->uid = (uid_t)uid;
	s->gid = (gid_t)gid;
	return found == 3;
}

/*
 * Whether all that /proc says of it is so because root wanted it so.  In a user
 * namespace of its own anybody has a root directory as he likes and all
 * capabilities, which are none outside; systemd makes one for PrivateUsers=.
 */
static bool
is_ours(struct service *s)
{
	struct stat own, its;
	AUTO(close) int fd = -1;
	char path[64];
	uid_t maker;

	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)s->d->daemon);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd == -1 || fstat(fd, &its) == -1 ||
	    stat("/proc/self/ns/user", &own) == -1)
		return false;
	if (its.st_ino == own.st_ino)
		return true;
	s->caps = 0;
	return ioctl(fd, NS_GET_OWNER_UID, &maker) == 0 && maker == 0;
}

/* Before it runs: what the package's user may do, and no more. */
static bool
assume(struct service *s)
{
	int n = SERVICE_GROUPS_MAX;

	if (strncmp(s->d->conf_path, "/etc/dray/", 10) != 0 ||
	    !account_user(ACCOUNT_SERVICE, &s->uid, &s->gid) ||
	    getgrouplist(ACCOUNT_SERVICE, s->gid, s->groups, &n) == -1)
		return false;
	s->groups_n = (size_t)n;
	return true;
}

bool
service_find(struct service *s, const struct doctor *d)
{
	*s = (struct service){.d = d, .runs = d->daemon > 0};
	/* Only root can be another; who else asks is the daemon's user. */
	return geteuid() == 0 &&
	    (s->runs ? read_status(s) && is_ours(s) : assume(s)) && s->uid != 0;
}

/* What a run looks for there. */
static bool
is_of_runs(const char *name)
{
	size_t n = strcspn(name, "=");

	return strncmp(name, "AWS_", 4) == 0 ||
	    strncmp(name, "HOME=", 5) == 0 ||
	    (n > 6 && strncasecmp(name + n - 6, "_proxy", 6) == 0);
}

/* The first of them in our own; NULL: none. */
static char *
first_of_runs(void)
{
	char **own;

	for (own = environ; *own != NULL; own++)
		if (is_of_runs(*own))
			return strndup(*own, strcspn(*own, "="));
	return NULL;
}

void
service_take_environment(const struct doctor *d)
{
	char path[64], *name;
	AUTO(fclose) FILE *f = NULL;
	AUTO(free) char *entry = NULL;
	size_t size = 0;

	snprintf(path, sizeof(path), "/proc/%d/environ", (int)d->daemon);
	if (d->daemon <= 0 || (f = fopen(path, "re")) == NULL)
		return;
	while ((name = first_of_runs()) != NULL) {
		unsetenv(name);
		free(name);
	}
	while (getdelim(&entry, &size, '\0', f) > 0) {
		char *value = strchr(entry, '=');

		if (value == NULL || !is_of_runs(entry))
			continue;
		*value++ = '\0';
		setenv(entry, value, 1);
	}
}

/* CAP (-1: none) is all that it can do but what its user may. */
static bool
keep_only(int cap)
{
	struct __user_cap_header_struct head = {
	    .version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {
	    {.effective = 0},
	};

	if (cap >= 0)
		sets[CAP_TO_INDEX(cap)].effective =
		    sets[CAP_TO_INDEX(cap)].permitted = CAP_TO_MASK(cap);
	return syscall(SYS_capset, &head, sets) == 0;
}

bool
service_become(const struct service *s, int cap)
{
	char root[64];

	snprintf(root, sizeof(root), "/proc/%d/root", (int)s->d->daemon);
	if (s->runs && (chroot(root) == -1 || chdir("/") == -1))
		return false;
	/* Capabilities count for access(2), too. */
	return prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP) == 0 &&
	    setgroups(s->groups_n, s->groups) == 0 &&
	    setresgid(s->gid, s->gid, s->gid) == 0 &&
	    setresuid(s->uid, s->uid, s->uid) == 0 &&
	    keep_only(has_cap(s, cap) ? cap : -1);
}
