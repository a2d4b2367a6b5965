/* SPDX-License-Identifier: ISC */
/* Settings of a subscription about order, pace and retries. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "agent/events/cloudevent.h"
#include "agent/events/subscription_in.h"
#include "base/clock.h"
#include "base/text.h"

#define DAY_MS UINT64_C(86400000)
#define AGE_MAX_MS (366 * DAY_MS)
#define WAIT_MAX_MS (30 * DAY_MS)
#define BREAKER_MAX_MS DAY_MS
#define DISABLE_MIN_MS 60000

/* The index of VALUE among WORDS, which a NULL ends; -1. */
static int
choose(const char *value, const char *const words[], struct err *e)
{
	AUTO(buf) struct buf known = BUF_INIT(200);
	int i;

	for (i = 0; words[i] != NULL; i++) {
		if (strcmp(value, words[i]) == 0)
			return i;
		buf_addf(&known, "%s%s", i > 0 ? " or " : "", words[i]);
	}
	return err_set(
	    e, ERR_USAGE, "%s, not \"%.100s\"", buf_str(&known), value);
}

static int
set_ordering(struct subscription *s, const char *value, struct err *e)
{
	static const char *const words[] = {
	    [ORDERING_KEY] = "key",
	    [ORDERING_NONE] = "none",
	    [ORDERING_STRICT] = "strict",
	    NULL,
	};
	int i = choose(value, words, e);

	if (i >= 0)
		s->ordering = (enum subscription_ordering)i;
	return i >= 0 ? 0 : -1;
}

static int
set_on_exhausted(struct subscription *s, const char *value, struct err *e)
{
	static const char *const words[] = {"pause", "skip", NULL};
	int i = choose(value, words, e);

	if (i >= 0)
		s->skips = i == 1;
	return i >= 0 ? 0 : -1;
}

static int
set_start(struct subscription *s, const char *value, struct err *e)
{
	struct subscription_start *start = &s->start;
	int64_t now_ms = clock_wall_ns() / 1000000;

	*start = (struct subscription_start){.with = START_NOW};
	if (strcmp(value, "now") == 0)
		return 0;
	start->with = START_BEGINNING;
	if (strcmp(value, "beginning") == 0)
		return 0;
	start->with = START_SEQ;
	start->seq = cloudevent_seq(value);
	if (start->seq != 0)
		return 0;
	start->with = START_TIME;
	if (text_parse_when(value, now_ms, &start->time_ms, e) == -1)
		return err_set(e, ERR_USAGE,
		    "now, beginning, an event's id, a time as 2026-11-23 or "
		    "2026-11-23T08:00:00Z, or how long ago as 2h, not "
		    "\"%.100s\"",
		    value);
	if (start->time_ms > now_ms)
		return err_set(e, ERR_USAGE, "not yet: \"%s\"", value);
	return 0;
}

static int
set_burst(struct subscription *s, const char *value, struct err *e)
{
	return text_parse_uint(value, 1, SUBSCRIPTION_RATE_MAX, &s->burst, e);
}

static int
set_max_age(struct subscription *s, const char *value, struct err *e)
{
	return subscription_duration(
	    &s->policy.max_age_ms, value, 60000, AGE_MAX_MS, e);
}

static int
set_count(unsigned *out, const char *value, struct err *e)
{
	uint64_t n;

	if (text_parse_uint(value, 0, 1000000, &n, e) == -1)
		return -1;
	*out = (unsigned)n;
	return 0;
}

static int
set_max_attempts(struct subscription *s, const char *value, struct err *e)
{
	return set_count(&s->policy.max_attempts, value, e);
}

static int
set_retry_base(struct subscription *s, const char *value, struct err *e)
{
	return subscription_duration(
	    &s->policy.base_ms, value, 100, WAIT_MAX_MS, e);
}

static int
set_retry_cap(struct subscription *s, const char *value, struct err *e)
{
	return subscription_duration(
	    &s->policy.cap_ms, value, 100, WAIT_MAX_MS, e);
}

/* Calls FN with each of the words of VALUE, MAX of them at most; what is
 * between them is spaces or a comma. */
static int
each_word(const char *value, unsigned max,
    int (*fn)(struct subscription *s, const char *word, struct err *e),
    struct subscription *s, struct err *e)
{
	static const char between[] = " ,";
	char word[40];
	unsigned n = 0;
	size_t len;

	for (value += strspn(value, between); *value != '\0';
	     value += strspn(value, between)) {
		len = strcspn(value, between);
		if (len >= sizeof(word))
			return err_set(
			    e, ERR_USAGE, "too long: \"%.100s\"", value);
		if (n++ == max)
			return err_set(e, ERR_USAGE, "more than %u", max);
		snprintf(word, sizeof(word), "%.*s", (int)len, value);
		if (fn(s, word, e) == -1)
			return -1;
		value += len;
	}
	return 0;
}

static int
add_wait(struct subscription *s, const char *word, struct err *e)
{
	struct policy *p = &s->policy;

	return subscription_duration(
	    &p->schedule_ms[p->schedule_n++], word, 0, WAIT_MAX_MS, e);
}

static int
set_schedule(struct subscription *s, const char *value, struct err *e)
{
	s->policy.schedule_n = 0;
	return each_word(value, POLICY_SCHEDULE_MAX, add_wait, s, e);
}

static int
add_permanent(struct subscription *s, const char *word, struct err *e)
{
	struct policy *p = &s->policy;
	uint64_t status;

	if (text_parse_uint(word, 300, 599, &status, e) == -1)
		return -1;
	p->permanent[p->permanent_n++] = (uint16_t)status;
	return 0;
}

static int
set_permanent(struct subscription *s, const char *value, struct err *e)
{
	s->policy.permanent_n = 0;
	if (strcmp(value, "none") == 0)
		return 0;
	return each_word(value, POLICY_PERMANENT_MAX, add_permanent, s, e);
}

static int
set_disable_after(struct subscription *s, const char *value, struct err *e)
{
	s->policy.disable_after_ms = 0;
	if (strcmp(value, "never") == 0)
		return 0;
	return subscription_duration(
	    &s->policy.disable_after_ms, value, DISABLE_MIN_MS, AGE_MAX_MS, e);
}

static int
set_breaker_after(struct subscription *s, const char *value, struct err *e)
{
	return set_count(&s->policy.breaker_after, value, e);
}

static int
set_breaker_base(struct subscription *s, const char *value, struct err *e)
{
	return subscription_duration(
	    &s->policy.breaker_base_ms, value, 100, BREAKER_MAX_MS, e);
}

static int
set_breaker_cap(struct subscription *s, const char *value, struct err *e)
{
	return subscription_duration(
	    &s->policy.breaker_cap_ms, value, 100, BREAKER_MAX_MS, e);
}

const struct subscription_setting
    subscription_policy_settings[SUBSCRIPTION_POLICY_SETTINGS] = {
	{"ordering", set_ordering, false},
	{"on-exhausted", set_on_exhausted, false},
	{"start", set_start, false},
	{"burst", set_burst, true},
	{"max-age", set_max_age, false},
	{"max-attempts", set_max_attempts, false},
	{"retry-base", set_retry_base, false},
	{"retry-cap", set_retry_cap, false},
	{"schedule", set_schedule, false},
	{"permanent-status", set_permanent, false},
	{"disable-after", set_disable_after, false},
	{"breaker-after", set_breaker_after, true},
	{"breaker-base", set_breaker_base, true},
	{"breaker-cap", set_breaker_cap, true},
};

int
subscription_policy_finish(struct subscription *s, struct err *e)
{
	if (s->skips && s->ordering != ORDERING_STRICT)
		return err_set(e, ERR_USAGE,
		    "on-exhausted goes with ordering = strict: in any other "
		    "order nothing waits for what can't be delivered");
	if (s->burst > 0 && s->rate == 0)
		return err_set(e, ERR_USAGE, "burst goes with rate");
	if (s->ordering == ORDERING_STRICT)
		s->concurrency = 1;
	return 0;
}
