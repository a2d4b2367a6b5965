/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <limits.h>

#include "tests/unit/check.h"
#include "transfer/sftp/handles.h"

#define MINUTE 60000u

static struct handles h;

static void
any_number_may_be_open(void)
{
	CHECK_UINT(handles_most(&h, 0), UINT_MAX);
	/* That is not why it broke. */
	handles_broke(&h, 0, 1000);
	handles_broke(&h, 1, 1000);
	CHECK_UINT(handles_most(&h, 1000), UINT_MAX);
}

static void
half_of_what_was_open_is_the_most(void)
{
	handles_broke(&h, 21, 1000);
	CHECK_UINT(handles_most(&h, 1000), 10);
	/* Another connection of the same time. */
	handles_broke(&h, 40, 1100);
	CHECK_UINT(handles_most(&h, 1100), 10);
	handles_broke(&h, 2, 1200);
	CHECK_UINT(handles_most(&h, 1200), 1);
}

static void
it_grows_while_all_goes_well(void)
{
	CHECK_UINT(handles_most(&h, 1200 + MINUTE - 1), 1);
	CHECK_UINT(handles_most(&h, 1200 + MINUTE), 2);
	CHECK_UINT(handles_most(&h, 1200 + 3 * MINUTE), 7);
	handles_broke(&h, 6, 1200 + 4 * MINUTE);
	CHECK_UINT(handles_most(&h, 1200 + 4 * MINUTE), 3);
	CHECK_UINT(handles_most(&h, 1200 + 4 * MINUTE + MINUTE - 1), 3);
	CHECK_UINT(handles_most(&h, 1200 + 100 * MINUTE), UINT_MAX);
}

int
main(void)
{
	handles_init(&h);
	RUN(any_number_may_be_open);
	RUN(half_of_what_was_open_is_the_most);
	RUN(it_grows_while_all_goes_well);
	handles_destroy(&h);
	return check_end();
}
