/* SPDX-License-Identifier: ISC */
/* The keys. */
#include "config.h"

#include <string.h>

#include "agent/daemon/schedule.h"
#include "base/text.h"

#define EVERY "every"
#define EVERY_MIN_MS 1000
#define EVERY_MAX_MS ((uint64_t)366 * 86400 * 1000)
#define DELAY_MAX_MS ((uint64_t)366 * 86400 * 1000)
#define HOLD_AFTER_MAX 1000000

/* FNV-1a, 64 bits; the NUL counts, so that names don't run into each other */
static uint64_t
hash(uint64_t h, const char *s)
{
	do {
		h = (h ^ (unsigned char)*s) * 0x100000001b3U;
	} while (*s++ != '\0');
	return h;
}

int
schedule_init(
    struct schedule *c, const char *task, const char *machine, struct err *e)
{
	struct zone *zone = zone_local(e);

	if (zone == NULL)
		return err_context(e, "the machine's time zone");
	*c = (struct schedule){.zone = zone,
	    .hold_after = SCHEDULE_HOLD_AFTER,
	    .seed = hash(hash(0xcbf29ce484222325U, machine), task)};
	/* FNV mixes upwards only */
	c->seed ^= c->seed >> 32;
	return 0;
}

void
schedule_free(struct schedule *c)
{
	size_t i;

	for (i = 0; i < c->n; i++)
		calendar_free(c->calendars[i]);
	free(c->calendars);
	windows_free(&c->windows);
	zone_free(c->zone);
	*c = (struct schedule){0};
}

static int
set_duration(const char *value, uint64_t min_ms, uint64_t max_ms, int64_t *us,
    struct err *e)
{
	uint64_t ms;

	if (text_parse_duration(value, &ms, e) == -1) {
		e->kind = ERR_CONFIG;
		return -1;
	}
	if (ms < min_ms || ms > max_ms)
		return err_set(e, ERR_CONFIG,
		    "%s is not between %llus and 366d", value,
		    (unsigned long long)(min_ms / 1000));
	*us = (int64_t)ms * 1000;
	return 0;
}

static int
set_schedule(struct schedule *c, const char *value, struct err *e)
{
	size_t n = strlen(EVERY);
	struct calendar **v;

	if (strncmp(value, EVERY, n) == 0 && value[n] == ' ') {
		if (c->every_us != 0)
			return err_set(e, ERR_CONFIG,
			    "\"every\" is there already: once is enough");
		value += n + strspn(value + n, " ");
		return set_duration(
		    value, EVERY_MIN_MS, EVERY_MAX_MS, &c->every_us, e);
	}
	if (c->n == SCHEDULE_LINES_MAX)
		return err_set(e, ERR_CONFIG,
		    "more than %d lines; one expression may have lists",
		    SCHEDULE_LINES_MAX);
	v = realloc(c->calendars, (c->n + 1) * sizeof(struct calendar *));
	if (v == NULL)
		return err_sys(e, "schedule");
	c->calendars = v;
	v[c->n] = calendar_new(value, e);
	if (v[c->n] == NULL)
		return -1;
	c->n++;
	return 0;
}

static int
set_random_delay(struct schedule *c, const char *value, struct err *e)
{
	return set_duration(value, 0, DELAY_MAX_MS, &c->random_delay_us, e);
}

static int
set_window(struct schedule *c, const char *value, struct err *e)
{
	return windows_add(&c->windows, value, e);
}

static int
set_timezone(struct schedule *c, const char *value, struct err *e)
{
	struct zone *zone = zone_open(value, e);

	if (zone == NULL)
		return -1;
	zone_free(c->zone);
	c->zone = zone;
	return 0;
}

static int
set_hold_after(struct schedule *c, const char *value, struct err *e)
{
	uint64_t n;

	if (text_parse_uint(value, 0, HOLD_AFTER_MAX, &n, e) == -1) {
		e->kind = ERR_CONFIG;
		return -1;
	}
	c->hold_after = (unsigned)n;
	return 0;
}

static const struct key {
	const char *name;
	int (*set)(struct schedule *c, const char *value, struct err *e);
} keys[] = {
    {"schedule", set_schedule},
    {"random-delay", set_random_delay},
    {"window", set_window},
    {"timezone", set_timezone},
    {"hold-after", set_hold_after},
};

static const struct key *
key_of(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (strcmp(keys[i].name, name) == 0)
			return &keys[i];
	}
	return NULL;
}

bool
schedule_has_key(const char *key)
{
	return key_of(key) != NULL;
}

int
schedule_set(
    struct schedule *c, const char *key, const char *value, struct err *e)
{
	const struct key *k = key_of(key);

	if (k == NULL)
		return err_set(e, ERR_CONFIG, "no key \"%s\"", key);
	return k->set(c, value, e);
}
