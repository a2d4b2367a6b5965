/* SPDX-License-Identifier: ISC */
#include "config.h"

#include "tests/unit/check.h"
#include "transfer/temp.h"

static void
an_owner_knows_his_own_names_which_are_used_once(void)
{
	uint32_t us = temp_owner("host:/state task"), them = temp_owner("x");
	char a[TEMP_NAME_SIZE], b[TEMP_NAME_SIZE];

	CHECK(us != 0 && us != them && temp_owner(NULL) == 0);
	temp_name(us, a);
	temp_name(us, b);
	CHECK(strcmp(a, b) != 0);
	CHECK_UINT(strlen(a), 22);
	CHECK(temp_is_of(us, a, 22) && temp_is_of(us, b, 22));
	CHECK(!temp_is_of(them, a, 22) && temp_is_of(0, a, 22));
	CHECK(!temp_is_of(us, a, 21));
	temp_fixed_name(us, a);
	temp_fixed_name(us, b);
	CHECK_STR(a, b);
	CHECK(temp_is_of(us, a, 22));
}

static void
without_an_owner_names_are_random(void)
{
	char a[TEMP_NAME_SIZE], b[TEMP_NAME_SIZE];

	temp_name(0, a);
	temp_name(0, b);
	CHECK(strcmp(a, b) != 0);
	CHECK(memcmp(a, b, 14) != 0);
	CHECK(temp_is_name(a, 22));
	temp_fixed_name(0, a);
	temp_fixed_name(0, b);
	CHECK(strcmp(a, b) != 0);
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

static void
only_files_without_a_name_are_called_so(void)
{
	CHECK(temp_is_nameless(".nfs000000000123456700000001"));
	CHECK(temp_is_nameless(".nfs0000000001234567"));
	CHECK(!temp_is_nameless(".nfs000000000123456"));
	CHECK(!temp_is_nameless(".nfs0000000001234567000000012"));
	CHECK(!temp_is_nameless(".nfsrc"));
	CHECK(!temp_is_nameless(".nfs"));
	CHECK(!temp_is_nameless(".nfsbadcafe"));
}

int
main(void)
{
	RUN(an_owner_knows_his_own_names_which_are_used_once);
	RUN(without_an_owner_names_are_random);
	RUN(temporary_names_are_told_from_others);
	RUN(only_files_without_a_name_are_called_so);
	return check_end();
}
