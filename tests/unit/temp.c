/* SPDX-License-Identifier: ISC */
#include "config.h"

#include "tests/unit/check.h"
#include "transfer/temp.h"

static void
a_run_finds_what_a_killed_one_left(void)
{
	uint64_t us = temp_owner("host:/state task"), them = temp_owner("x");
	char a[TEMP_NAME_SIZE], b[TEMP_NAME_SIZE];

	CHECK(us != 0 && us != them && temp_owner(NULL) == 0);
	temp_name(us, "file", false, a);
	temp_name(us, "file", false, b);
	CHECK_STR(a, b);
	temp_name(them, "file", false, b);
	CHECK(strcmp(a, b) != 0);
	temp_name(us, "another", false, b);
	CHECK(strcmp(a, b) != 0);
	temp_name(us, "file", true, b);
	CHECK(strcmp(a, b) != 0);
	CHECK_UINT(temp_common(us, "file", a), 14);
	CHECK(memcmp(a, b, 14) == 0);
}

static void
without_an_owner_names_are_random(void)
{
	char a[TEMP_NAME_SIZE], b[TEMP_NAME_SIZE];

	temp_name(0, "file", false, a);
	temp_name(0, "file", false, b);
	CHECK(strcmp(a, b) != 0);
	CHECK_UINT(temp_common(0, "file", a), 0);
}

static void
temporary_names_are_told_from_others(void)
{
	struct err e;

	CHECK(temp_is_name(".dray-0123456789abcdef", 22));
	CHECK(!temp_is_name(".dray-0123456789abcdeF", 22));
	CHECK(!temp_is_name(".dray-0123456789abcdef0", 23));
	CHECK(!temp_is_name(".dray-0123456789abcde", 21));
	CHECK(!temp_is_name("", 0));
	CHECK(temp_check_id(".dray-0123456789abcdef", &e) == 0);
	CHECK(temp_check_id("../../etc/passwd", &e) == -1);
	CHECK(e.kind == ERR_GONE);
}

int
main(void)
{
	RUN(a_run_finds_what_a_killed_one_left);
	RUN(without_an_owner_names_are_random);
	RUN(temporary_names_are_told_from_others);
	return check_end();
}
