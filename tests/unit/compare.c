/* SPDX-License-Identifier: ISC */
#include "config.h"

#include "agent/compare.h"
#include "tests/unit/check.h"

#define SECOND ((int64_t)1000000000)

static const struct ledger_file sent = {
    .state = LEDGER_DONE,
    .st = {.type = ITEM_FILE,
	.mode = 0100644,
	.size = 9,
	.mtime_ns = 5,
	.ctime_ns = 6,
	.ino = 7},
    .digest_have = DIGEST_XXH3,
};

/* By each mode, in the order of enum compare_mode: one letter a verdict. */
static bool
is(const struct item_stat *now, const struct ledger_file *row, const char *want)
{
	static const char letters[] = {
	    [VERDICT_SAME] = '=',
	    [VERDICT_LOOK] = 'l',
	    [VERDICT_SEND] = '>',
	    [VERDICT_KEEP] = '.',
	};
	struct options o = {.compare = COMPARE_TIMES};
	bool right = true;
	int i;

	for (i = 0; i < 4; i++) {
		o.compare = (enum compare_mode)i;
		right &= letters[compare_known(&o, now, row)] == want[i];
	}
	return right;
}

static void
each_mode_looks_at_what_it_is_named_after(void)
{
	struct item_stat now = sent.st;
	struct ledger_file row = sent;

	CHECK(is(&now, &row, "=l=>"));
	now.ctime_ns++;
	CHECK(is(&now, &row, "ll=>"));
	now.mtime_ns++;
	CHECK(is(&now, &row, "lll>"));
	now.size++;
	CHECK(is(&now, &row, ">>>>"));
	now = sent.st;
	now.ino++;
	row.digest_have = 0; /* nothing to compare the content with */
	CHECK(is(&now, &row, ">l=>"));
}

static void
what_is_not_done_or_of_another_kind_is_sent(void)
{
	struct item_stat now = sent.st;
	struct ledger_file row = sent;

	row.state = LEDGER_PENDING;
	CHECK(is(&now, &row, ">>>>"));
	row = sent;
	now.type = ITEM_SYMLINK;
	CHECK(is(&now, &row, ">>>>"));
	row.st.type = ITEM_SYMLINK;
	CHECK(is(&now, &row, "===="));
	now.ctime_ns++;
	CHECK(is(&now, &row, ">>>>"));
	row.st.type = now.type = ITEM_DIR;
	CHECK(is(&now, &row, "===="));
	now.mode++;
	CHECK(is(&now, &row, ">>>>"));
}

static void
what_exists_stays_but_directories(void)
{
	struct options o = {.ignore_existing = true};
	struct item_stat now = sent.st;
	struct ledger_file row = sent;

	CHECK(compare_known(&o, &now, &row) == VERDICT_SAME);
	now.size++;
	CHECK(compare_known(&o, &now, &row) == VERDICT_KEEP);
	o.compare = COMPARE_NOTHING;
	now.size--;
	CHECK(compare_known(&o, &now, &row) == VERDICT_KEEP);
	row.state = LEDGER_PENDING;
	CHECK(compare_known(&o, &now, &row) == VERDICT_SEND);
	row = sent;
	row.st.type = now.type = ITEM_DIR;
	now.mode++;
	CHECK(compare_known(&o, &now, &row) == VERDICT_SEND);
}

static void
sizes_and_ages_are_inclusive(void)
{
	struct options o = {.min_size = 9, .max_size = 9, .max_size_set = true};
	struct item_stat now = sent.st;

	CHECK(compare_is_wanted(&o, &now, 0));
	now.size = 8;
	CHECK(!compare_is_wanted(&o, &now, 0));
	now.size = 10;
	CHECK(!compare_is_wanted(&o, &now, 0));
	now.type = ITEM_DIR;
	CHECK(compare_is_wanted(&o, &now, 0));
	o = (struct options){.min_age_ms = 1000, .max_age_ms = 2000};
	now.type = ITEM_FILE;
	CHECK(!compare_is_wanted(&o, &now, now.mtime_ns + SECOND - 1000000));
	CHECK(compare_is_wanted(&o, &now, now.mtime_ns + SECOND));
	CHECK(compare_is_wanted(&o, &now, now.mtime_ns + 2 * SECOND));
	CHECK(!compare_is_wanted(&o, &now, now.mtime_ns + 3 * SECOND));
	now.mtime_ns = ITEM_TIME_UNKNOWN;
	CHECK(compare_is_wanted(&o, &now, SECOND));
	now.mtime_ns = INT64_MAX; /* in the future */
	CHECK(!compare_is_wanted(&o, &now, SECOND));
}

int
main(void)
{
	RUN(each_mode_looks_at_what_it_is_named_after);
	RUN(what_is_not_done_or_of_another_kind_is_sent);
	RUN(what_exists_stays_but_directories);
	RUN(sizes_and_ages_are_inclusive);
	return check_end();
}
