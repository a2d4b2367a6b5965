/* SPDX-License-Identifier: ISC */
#include "config.h"

#include "agent/events/subscription.h"
#include "tests/unit/check.h"
#include "tests/unit/tree.h"

/* The message that setting KEY to VALUE ends in; "" if it is taken. */
static const char *
refusal(const char *key, const char *value)
{
	static struct err e;
	AUTO(subscription) struct subscription *s = NULL;

	e = (struct err)ERR_INIT;
	s = subscription_new("x", &e);
	CHECK(s != NULL);
	if (subscription_set(s, key, value, &e) == 0)
		return "";
	return e.msg;
}

static void
urls_are_https_and_hold_no_password(void)
{
	CHECK_STR(refusal("url", "https://h"), "");
	CHECK_STR(refusal("url", "https://[::1]:80/x?y@z"), "");
	CHECK_STR(refusal("url", "http://h/"), "");
	CHECK_STR(refusal("url", "HTTPS://h/"),
	    "not a URL that begins with https://");
	CHECK_STR(refusal("url", "https://"), "no host in the URL");
	CHECK_STR(refusal("url", "https:///x"), "no host in the URL");
	CHECK(strstr(refusal("url", "https://u:p@h/"), "no user") != NULL);
	CHECK(strstr(refusal("url", "https://h/\r\nx: y"), "%XX") != NULL);
	CHECK(strstr(refusal("url", "https://h/\xc3\xa9"), "%XX") != NULL);
	CHECK(strstr(refusal("url", "https://[::1"), "no such host") != NULL);
	CHECK(strstr(refusal("url", "https://a\\b/"), "no such host") != NULL);
	CHECK_STR(refusal("url", "https://h:x/"), "no port number in the URL");
	CHECK_STR(
	    refusal("url", "https://h:99999/"), "no port number in the URL");
}

static void
values_have_their_limits(void)
{
	CHECK_STR(refusal("timeout", "1s"), "");
	CHECK_STR(refusal("timeout", "60s"), "");
	CHECK_STR(refusal("timeout", "61s"), "too long: \"61s\"");
	CHECK_STR(refusal("timeout", "999ms"), "too short: \"999ms\"");
	CHECK_STR(refusal("max-age", "1m"), "");
	CHECK_STR(refusal("max-age", "59s"), "too short: \"59s\"");
	CHECK_STR(refusal("concurrency", "256"), "");
	CHECK(strstr(refusal("concurrency", "257"), "1 to 256") != NULL);
	CHECK_STR(refusal("max-attempts", "0"), "");
	CHECK_STR(refusal("enabled", "yes"), "");
	CHECK_STR(refusal("enabled", "maybe"), "yes or no, not \"maybe\"");
	CHECK(strstr(refusal("colour", "red"), "there are url") != NULL);
}

static void
settings_must_agree(void)
{
	struct err e = ERR_INIT;
	AUTO(subscription) struct subscription *s = subscription_new("x", &e);

	CHECK(subscription_finish(s, &e) == -1);
	CHECK_STR(e.msg, "no url is set");
	CHECK(subscription_set(s, "url", "http://h/", &e) == 0);
	CHECK(subscription_finish(s, &e) == -1);
	CHECK(subscription_set(s, "allow", "10.0.0.0/8", &e) == 0);
	CHECK(subscription_finish(s, &e) == 0);
	/* The last one counts. */
	CHECK(subscription_set(s, "url", "https://g/", &e) == 0);
	CHECK(!s->guard.plain);
	CHECK_STR(s->url, "https://g/");
	CHECK(subscription_set(s, "filter", "{\"a\":[1]}", &e) == 0);
	CHECK(subscription_set(s, "filter", "{\"b\":[1]}", &e) == 0);
	CHECK(subscription_finish(s, &e) == 0);
}

static void
settings_of_order_and_retries_are_checked(void)
{
	struct err e = ERR_INIT;
	AUTO(subscription) struct subscription *s = subscription_new("x", &e);

	CHECK_STR(
	    refusal("ordering", "fifo"), "key or none or strict, not \"fifo\"");
	CHECK(strstr(refusal("schedule", "5s,soon"), "soon") != NULL);
	CHECK_STR(refusal("schedule", "0s, 5s 5m,30m"), "");
	CHECK(strstr(refusal("schedule", "31d"), "too long") != NULL);
	CHECK(strstr(refusal("permanent-status", "200"), "300 to 599") != NULL);
	CHECK_STR(refusal("permanent-status", "none"), "");
	CHECK_STR(refusal("disable-after", "never"), "");
	CHECK(strstr(refusal("disable-after", "59s"), "too short") != NULL);
	CHECK_STR(refusal("breaker-after", "0"), "");
	CHECK(strstr(refusal("burst", "0"), "1 to 100000") != NULL);
	CHECK(strstr(refusal("start", "soon"), "not \"soon\"") != NULL);
	CHECK_STR(refusal("start", "2026-11-23"), "");
	CHECK_STR(refusal("start", "2h"), "");
	CHECK(refusal("start", "9999-01-01")[0] != '\0');
	CHECK_STR(refusal("start", "evt_00001795409998000042"), "");
	CHECK_STR(refusal("start", "2200-01-01"), "not yet: \"2200-01-01\"");
	CHECK(subscription_set(s, "url", "https://h/", &e) == 0);
	CHECK(subscription_set(s, "on-exhausted", "skip", &e) == 0);
	CHECK(subscription_finish(s, &e) == -1);
	CHECK(strstr(e.msg, "on-exhausted goes with ordering") != NULL);
	CHECK(subscription_set(s, "ordering", "strict", &e) == 0);
	CHECK(subscription_set(s, "concurrency", "9", &e) == 0);
	CHECK(subscription_finish(s, &e) == 0);
	CHECK_UINT(s->concurrency, 1);
	CHECK(subscription_set(s, "burst", "3", &e) == 0);
	CHECK(subscription_finish(s, &e) == -1);
	CHECK_STR(e.msg, "burst goes with rate");
	CHECK(subscription_set(s, "schedule", "1s 2s", &e) == 0);
	CHECK(subscription_set(s, "schedule", "3s", &e) == 0);
	CHECK(s->policy.schedule_n == 1 && s->policy.schedule_ms[0] == 3000);
}

/* What another process is known by that has set KEY, too. */
static uint64_t
receiver_with(const char *key, const char *value)
{
	struct err e = ERR_INIT;
	AUTO(subscription) struct subscription *s = subscription_new("x", &e);

	CHECK(subscription_set(s, "url", "https://h/", &e) == 0);
	CHECK(key == NULL || subscription_set(s, key, value, &e) == 0);
	return s->receiver;
}

static void
whoever_wants_other_events_shares_the_same_receiver(void)
{
	static const char *const of_events[][2] = {{"filter", "{\"a\":[1]}"},
	    {"ordering", "none"}, {"start", "beginning"}, {"enabled", "no"},
	    {"max-age", "1h"}, {"retry-cap", "1m"}, {"format", "s3"}};
	static const char *const of_receivers[][2] = {{"url", "https://g/"},
	    {"rate", "5"}, {"concurrency", "2"}, {"breaker-after", "9"},
	    {"allow", "10.0.0.1"}, {"header", "a: b"}, {"timeout", "9s"}};
	uint64_t plain = receiver_with(NULL, NULL);
	size_t i;

	for (i = 0; i < sizeof(of_events) / sizeof(of_events[0]); i++)
		CHECK(receiver_with(of_events[i][0], of_events[i][1]) == plain);
	for (i = 0; i < sizeof(of_receivers) / sizeof(of_receivers[0]); i++)
		CHECK(receiver_with(of_receivers[i][0], of_receivers[i][1]) !=
		    plain);
}

static void
names_are_checked(void)
{
	static const char *const wrong[] = {"", ".x", "a b", "a/b",
	    "0123456789012345678901234567890123456789012345678901234567890"};
	struct err e = ERR_INIT;
	size_t i;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		CHECK(subscription_new(wrong[i], &e) == NULL);
}

static void
told(void *arg, const struct err *why)
{
	unsigned *n = arg;

	CHECK(why->kind == ERR_CONFIG);
	++*n;
}

static void
one_wrong_file_spoils_no_other(void)
{
	int fd = tree_begin();
	struct subscription **all;
	struct err e = ERR_INIT;
	unsigned bad = 0;
	size_t n, i;

	tree_file(fd, "b.conf", "url = https://b/\nmax-attempts = 3\n");
	tree_file(fd, "a.conf", "url = https://a/\nenabled = no\n");
	tree_file(fd, "c.conf", "url = gopher://c/\n");
	tree_file(fd, ".d.conf", "nonsense");
	tree_file(fd, "e.conf~", "nonsense");
	CHECK(subscription_load_all(tree_path, told, &bad, &all, &n, &e) == 0);
	CHECK(n == 2 && bad == 1);
	CHECK_STR(all[0]->name, "a");
	CHECK(all[0]->disabled && !all[1]->disabled);
	CHECK_UINT(all[1]->policy.max_attempts, 3);
	for (i = 0; i < n; i++)
		subscription_free(all[i]);
	free(all);
	tree_end(fd);
	CHECK(subscription_load_all("/nonexistent", told, &bad, &all, &n, &e) ==
	    0);
	CHECK(n == 0);
	free(all);
}

int
main(void)
{
	RUN(urls_are_https_and_hold_no_password);
	RUN(values_have_their_limits);
	RUN(settings_must_agree);
	RUN(settings_of_order_and_retries_are_checked);
	RUN(whoever_wants_other_events_shares_the_same_receiver);
	RUN(names_are_checked);
	RUN(one_wrong_file_spoils_no_other);
	return check_end();
}
