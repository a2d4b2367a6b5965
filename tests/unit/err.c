/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <errno.h>

#include "base/buf.h"
#include "base/err.h"
#include "tests/unit/check.h"

static void
context_is_put_before_the_message(void)
{
	struct err e = ERR_INIT;

	CHECK(err_set(&e, ERR_THROTTLE, "HTTP %d SlowDown", 503) == -1);
	CHECK(err_context(&e, "part %d", 7) == -1);
	CHECK_STR(e.msg, "part 7: HTTP 503 SlowDown");
	CHECK(e.kind == ERR_THROTTLE);
}

static void
errno_decides_the_kind(void)
{
	struct err e = ERR_INIT;

	errno = ENOSPC;
	CHECK(err_sys(&e, "write %s", "x") == -1);
	CHECK(e.kind == ERR_NOSPACE && e.sys == ENOSPC);
	CHECK_STR(e.msg, "write x: No space left on device");
}

static void
a_long_message_is_cut_not_overrun(void)
{
	struct err e = ERR_INIT;
	int i;

	err_set(&e, ERR_SYS, "end");
	for (i = 0; i < 300; i++)
		err_context(&e, "level");
	CHECK(strlen(e.msg) == sizeof(e.msg) - 1);
}

static void
every_kind_has_a_name(void)
{
	int k;

	for (k = 0; k < ERR_KIND_COUNT; k++)
		CHECK(err_kind_name((enum err_kind)k) != NULL);
}

static void
a_buffer_never_passes_its_maximum(void)
{
	AUTO(buf) struct buf b = BUF_INIT(10);

	buf_adds(&b, "0123456789");
	CHECK(!buf_failed(&b));
	buf_addc(&b, 'x');
	CHECK(buf_failed(&b));
	CHECK_STR(buf_str(&b), "0123456789");
	buf_reset(&b);
	buf_addf(&b, "%d", 42);
	CHECK(!buf_failed(&b) && b.len == 2);
}

int
main(void)
{
	RUN(context_is_put_before_the_message);
	RUN(errno_decides_the_kind);
	RUN(a_long_message_is_cut_not_overrun);
	RUN(every_kind_has_a_name);
	RUN(a_buffer_never_passes_its_maximum);
	return check_end();
}
