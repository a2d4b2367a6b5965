/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/daemon/zone.h"
#include "agent/daemon/zone_in.h"
#include "base/text.h"

#define ZONE_DIR "/usr/share/zoneinfo"
#define NAME_MAX_BYTES 100

const char *
zone_name(const struct zone *z)
{
	return z->name;
}

void
zone_free(struct zone *z)
{
	if (z == NULL)
		return;
	free(z->name);
	free(z->changes);
	free(z);
}

/* A zone of one rule alone, "UTC0" for example */
static struct zone *
zone_of_rule(const char *name, const char *rule, struct err *e)
{
	AUTO(zone) struct zone *z = calloc(1, sizeof(*z));

	if (z == NULL || (z->name = strdup(name)) == NULL) {
		err_sys(e, "time zone %s", name);
		return NULL;
	}
	if (zone_rule_parse(rule, strlen(rule), &z->rule, e) == -1)
		return NULL;
	z->has_rule = true;
	return TAKE(z);
}

static struct zone *
no_zone(const char *name, struct err *e)
{
	char shown[160];

	err_set(e, ERR_CONFIG,
	    "no time zone \"%s\": UTC, or a name as Europe/Berlin "
	    "(\"timedatectl list-timezones\"; package tzdata)",
	    text_escaped(name, strlen(name), shown, sizeof(shown)));
	return NULL;
}

static struct zone *
zone_file(const char *name, const char *path, struct err *e)
{
	AUTO(close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	AUTO(free) char *data = NULL;
	struct stat st;
	size_t n = 0, room;

	if (fd == -1 || fstat(fd, &st) == -1 || !S_ISREG(st.st_mode))
		return no_zone(name, e);
	if (st.st_size > ZONE_FILE_MAX) {
		err_set(e, ERR_CONFIG, "%s: too big for a time zone", path);
		return NULL;
	}
	room = (size_t)st.st_size;
	data = malloc(room + 1);
	if (data == NULL) {
		err_sys(e, "time zone %s", name);
		return NULL;
	}
	while (n < room) {
		ssize_t r = read(fd, data + n, room - n);

		if (r == -1) {
			err_sys(e, "%s", path);
			return NULL;
		}
		if (r == 0)
			break;
		n += (size_t)r;
	}
	return zone_parse(name, data, n, e);
}

/* Names lead nowhere else: no absolute path, no "..", no odd bytes. */
static bool
is_name(const char *name)
{
	size_t n = strlen(name);

	return n > 0 && n <= NAME_MAX_BYTES && name[0] != '/' &&
	    name[n - 1] != '/' && strstr(name, "..") == NULL &&
	    strspn(name,
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"0123456789_+-/") == n;
}

struct zone *
zone_open(const char *name, struct err *e)
{
	const char *dir = getenv("TZDIR");
	char path[4096];

	if (strcmp(name, "UTC") == 0)
		return zone_of_rule(name, "UTC0", e);
	if (!is_name(name))
		return no_zone(name, e);
	snprintf(path, sizeof(path), "%s/%s",
	    dir != NULL && dir[0] == '/' ? dir : ZONE_DIR, name);
	return zone_file(name, path, e);
}

struct zone *
zone_local(struct err *e)
{
	const char *tz = getenv("TZ");
	struct err why = ERR_INIT;
	struct zone *zone;

	if (tz == NULL) {
		if (access("/etc/localtime", F_OK) == -1)
			return zone_open("UTC", e);
		return zone_file("local", "/etc/localtime", e);
	}
	if (tz[0] == ':')
		tz++;
	if (tz[0] == '\0')
		return zone_open("UTC", e);
	if (tz[0] == '/')
		return zone_file(tz, tz, e);
	if (strpbrk(tz, ",<") != NULL)
		return zone_of_rule(tz, tz, e);
	zone = zone_open(tz, e);
	/* As "UTC0"; what is wrong with it as a name says more. */
	return zone != NULL ? zone : zone_of_rule(tz, tz, &why);
}

/* How many of Z's changes are at or before T */
static size_t
changes_until(const struct zone *z, int64_t t)
{
	size_t low = 0, high = z->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (z->changes[mid].at <= t)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

int32_t
zone_offset(const struct zone *z, int64_t t)
{
	size_t n = changes_until(z, t);

	if (n == z->n && z->has_rule)
		return zone_rule_offset(&z->rule, t);
	return n == 0 ? z->before : z->changes[n - 1].offset;
}

int64_t
zone_next(const struct zone *z, int64_t t)
{
	size_t n = changes_until(z, t);

	if (n < z->n)
		return z->changes[n].at;
	return z->has_rule ? zone_rule_next(&z->rule, t) : INT64_MAX;
}

unsigned
zone_times(const struct zone *z, int64_t local, int64_t out[2])
{
	int64_t t = local - ZONE_OFFSET_MAX - 1;
	unsigned n = 0;

	/* each stretch of one offset in which it might be */
	while (t <= local + ZONE_OFFSET_MAX) {
		int64_t at = local - zone_offset(z, t), next = zone_next(z, t);

		if (n == 0 && at < t) {
			out[0] = t;
			return 0;
		}
		if (at >= t && at < next)
			out[n++] = at;
		if (n == 2)
			return 2;
		t = next;
	}
	return n;
}
