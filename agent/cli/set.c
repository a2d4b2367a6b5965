/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "agent/bwlimit.h"
#include "agent/cli/set.h"
#include "agent/daemon/timetable.h"
#include "base/clock.h"
#include "base/text.h"
#include "transfer/pack/frame.h"

int
option_set_compare(
    struct options *o, char letter, const char *arg, struct err *e)
{
	enum compare_mode mode = letter == 'c' ? COMPARE_CHECKSUM
	    : letter == 'I'		       ? COMPARE_NOTHING
					       : COMPARE_SIZE;

	(void)arg;
	if (o->compare != COMPARE_TIMES && o->compare != mode)
		return err_set(e, ERR_USAGE,
		    "-c, -I and --size-only exclude each other: compare "
		    "contents, nothing, or sizes");
	o->compare = mode;
	return 0;
}

int
option_set_if_none_match(
    struct options *o, char letter, const char *arg, struct err *e)
{
	(void)letter;
	(void)arg;
	(void)e;
	o->overwrite = OVERWRITE_UNCHANGED;
	return 0;
}

int
option_set_lock_until(
    struct options *o, char letter, const char *arg, struct err *e)
{
	size_t n = strlen(arg);
	uint64_t ms;

	(void)letter;
	if (arg[0] == '+') {
		if (text_parse_duration(arg + 1, &ms, e) == -1)
			return -1;
		if (ms > (uint64_t)100 * 366 * 86400 * 1000)
			return err_set(e, ERR_USAGE, "too long: \"%s\"", arg);
		clock_iso8601(clock_wall_ns() + (int64_t)ms * 1000000,
		    o->lock_until, sizeof(o->lock_until));
	} else if (n == 10 || n == 20) {
		snprintf(o->lock_until, sizeof(o->lock_until), "%s%s", arg,
		    n == 10 ? "T00:00:00Z" : "");
	}
	if (!clock_is_iso8601(o->lock_until))
		return err_set(e, ERR_USAGE,
		    "\"%s\" is no time: write +30d, 2030-01-31 or "
		    "2030-01-31T12:00:00Z",
		    arg);
	o->store.lock_until = o->lock_until;
	return 0;
}

int
option_set_min_size(
    struct options *o, char letter, const char *arg, struct err *e)
{
	(void)letter;
	return text_parse_size(arg, 1, &o->min_size, e);
}

int
option_set_max_size(
    struct options *o, char letter, const char *arg, struct err *e)
{
	(void)letter;
	o->max_size_set = true;
	return text_parse_size(arg, 1, &o->max_size, e);
}

int
option_set_bwlimit(
    struct options *o, char letter, const char *arg, struct err *e)
{
	AUTO(timetable) struct timetable *table = NULL;

	(void)letter;
	o->bwlimit_table = NULL;
	if (strpbrk(arg, ",: ") == NULL)
		return bwlimit_parse(arg, &o->bwlimit, e);
	table = timetable_new(arg, e);
	if (table == NULL) {
		e->kind = ERR_USAGE;
		return -1;
	}
	o->bwlimit_table = arg;
	return 0;
}

int
option_set_max_delete(
    struct options *o, char letter, const char *arg, struct err *e)
{
	size_t n = strlen(arg);
	bool percent = n > 0 && arg[n - 1] == '%';
	char number[24];

	(void)letter;
	if (n >= sizeof(number))
		return err_set(e, ERR_USAGE, "not a number: \"%s\"", arg);
	memcpy(number, arg, n - percent);
	number[n - percent] = '\0';
	if (text_parse_uint(
		number, 0, percent ? 100 : UINT64_MAX, &o->max_delete, e) == -1)
		return -1;
	o->max_delete_set = true;
	o->max_delete_percent = percent;
	return 0;
}

int
option_set_compress(
    struct options *o, char letter, const char *arg, struct err *e)
{
	uint64_t level = FRAME_LEVEL;

	(void)letter;
	if (strncmp(arg, "zstd", 4) != 0 || (arg[4] != '\0' && arg[4] != ':'))
		return err_set(e, ERR_USAGE, "there is zstd, and zstd:LEVEL");
	if (!frame_is_built_in())
		return err_set(
		    e, ERR_USAGE, "this dray was built without libzstd");
	if (arg[4] == ':' &&
	    text_parse_uint(arg + 5, 1, FRAME_LEVEL_MAX, &level, e) == -1)
		return -1;
	o->compress_level = (uint32_t)level;
	return 0;
}

int
option_set_since(struct options *o, char letter, const char *arg, struct err *e)
{
	(void)letter;
	return text_parse_when(arg, clock_wall_ns() / 1000000, &o->since_ms, e);
}

int
option_set_from(struct options *o, char letter, const char *arg, struct err *e)
{
	(void)letter;
	return text_parse_when(arg, clock_wall_ns() / 1000000, &o->from_ms, e);
}

int
option_set_to(struct options *o, char letter, const char *arg, struct err *e)
{
	(void)letter;
	return text_parse_when(arg, clock_wall_ns() / 1000000, &o->to_ms, e);
}

int
option_add_setting(
    struct options *o, char letter, const char *arg, struct err *e)
{
	const char *equals = strchr(arg, '=');

	(void)letter;
	if (equals == NULL || equals == arg)
		return err_set(e, ERR_USAGE, "not KEY=VALUE: \"%.100s\"", arg);
	if (o->settings_n == OPTIONS_SETTINGS_MAX)
		return err_set(e, ERR_USAGE, "more than %d settings",
		    OPTIONS_SETTINGS_MAX);
	o->settings[o->settings_n++] = arg;
	return 0;
}
