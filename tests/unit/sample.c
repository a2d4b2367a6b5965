/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <stdio.h>

#include "agent/sample.h"
#include "tests/unit/check.h"

static void
a_percentage_is_never_exceeded(void)
{
	static const struct {
		const char *text;
		uint32_t slices;
	} good[] = {{"5%", 20}, {"5", 20}, {"100%", 1}, {"50", 2}, {"3%", 34},
	    {"99%", 2}, {"33.4", 3}, {"0.1%", 1000}, {"10", 10}, {"7%", 15}};
	static const char *const bad[] = {"", "%", "0", "0%", "101", "-5", "+5",
	    "5%%", "5 %", "nan", "inf", "0x5", "1e1", "0.0001", "five"};
	struct err e = ERR_INIT;
	uint32_t n;
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		n = 0;
		CHECK(sample_parse(good[i].text, &n, &e) == 0);
		CHECK_UINT(n, good[i].slices);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK(
		    sample_parse(bad[i], &n, &e) == -1 && e.kind == ERR_USAGE);
}

/* After as many runs as there are slices, each item was in one of them. */
static void
all_items_have_their_turn_once(void)
{
	struct sample s = {.slices = 20};
	unsigned seen[2000] = {0}, in, least = 2000, most = 0;
	char path[40];
	size_t i, run;

	for (run = 0; run < 20; run++) {
		in = 0;
		for (i = 0; i < 2000; i++) {
			int n = snprintf(
			    path, sizeof(path), "dir%zu/file%zu", i % 7, i);

			if (sample_has(&s, path, (size_t)n)) {
				seen[i]++;
				in++;
			}
		}
		least = in < least ? in : least;
		most = in > most ? in : most;
		s = sample_next(&s);
	}
	CHECK_UINT(s.slice, 0);
	for (i = 0; i < 2000; i++)
		CHECK_UINT(seen[i], 1);
	CHECK(least > 50 && most < 150);
}

static void
without_a_sample_all_are_in(void)
{
	const struct sample none = {0}, one = {.slices = 1};

	CHECK(sample_has(&none, "a", 1) && sample_has(&one, "a", 1));
	CHECK_UINT(sample_next(&none).slice, 0);
}

static void
the_next_turn_survives_as_text(void)
{
	const struct sample s = {.slices = 34, .slice = 12};
	char text[SAMPLE_TEXT_MAX];

	sample_to_text(&s, text);
	CHECK_UINT(sample_from_text(text, 34), 12);
	CHECK_UINT(sample_from_text(text, 20), 0);
	CHECK_UINT(sample_from_text("34/34", 34), 0);
	CHECK_UINT(sample_from_text("", 34), 0);
	CHECK_UINT(sample_from_text("5/34x", 34), 0);
	CHECK_UINT(sample_from_text("5", 34), 0);
}

int
main(void)
{
	RUN(a_percentage_is_never_exceeded);
	RUN(all_items_have_their_turn_once);
	RUN(without_a_sample_all_are_in);
	RUN(the_next_turn_survives_as_text);
	return check_end();
}
