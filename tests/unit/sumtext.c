/* SPDX-License-Identifier: ISC */
#include "config.h"

#include "tests/unit/check.h"
#include "transfer/sftp/sumtext.h"

#define NONCE "0123456789abcdef"
#define OF_NOTHING "d41d8cd98f00b204e9800998ecf8427e"

static struct err e;

static int
next(const char *text, struct sumtext_answer *out)
{
	return sumtext_next(text, strlen(text), NONCE, out, &e);
}

static void
any_name_is_one_word(void)
{
	AUTO(buf) struct buf b = BUF_INIT(1000);

	sumtext_ask(&b, NONCE, 7, "-a'b\n$(c)\\\x81", 0, SUMTEXT_WHOLE);
	CHECK_STR(buf_str(&b),
	    "{ dray_sum; } <'-a'\\''b\n$(c)\\\x81'; r=$?; echo; echo " NONCE
	    " 7 $r\n");
}

static void
offsets_count_from_one(void)
{
	AUTO(buf) struct buf b = BUF_INIT(1000);

	sumtext_ask(&b, NONCE, 8, "a", 1048576, 42);
	CHECK_STR(buf_str(&b),
	    "{ tail -c +1048577 | head -c 42 | dray_sum; } <'a'; r=$?; echo; "
	    "echo " NONCE " 8 $r\n");
}

static void
noise_comes_before_the_first_answer(void)
{
	struct sumtext_answer a;
	const char *text = "Welcome!\nfortune: 0123 0\n\n" NONCE
			   " 0 0\nabc  -\n\n" NONCE " 1 127\nrest";

	CHECK(next(text, &a) == 1);
	CHECK_UINT(a.serial, 0);
	text += a.used;
	CHECK(next(text, &a) == 1);
	CHECK_UINT(a.serial, 1);
	CHECK_UINT(a.status, 127);
	CHECK(a.len == 8 && memcmp(a.text, "abc  -\n\n", 8) == 0);
	CHECK_STR(text + a.used, "rest");
}

static void
half_an_answer_is_none(void)
{
	const char *text = "abc\n" NONCE " 1 0\n";
	struct sumtext_answer a;
	size_t n;

	for (n = 0; n < strlen(text); n++)
		CHECK(sumtext_next(text, n, NONCE, &a, &e) == 0);
	CHECK(next(text, &a) == 1);
}

static void
what_is_no_marker_is_refused(void)
{
	static const char *const bad[] = {
	    NONCE " 1 0\n",
	    "x" NONCE " 1 0\n",
	    "\n" NONCE "\n",
	    "\n" NONCE " 1\n",
	    "\n" NONCE " 1 \n",
	    "\n" NONCE " -1 0\n",
	    "\n" NONCE " 1 0 x\n",
	    "\n" NONCE " 1 0000000000000000000000000000000000000000000000",
	};
	struct sumtext_answer a;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		e = (struct err)ERR_INIT;
		CHECK(next(bad[i], &a) == -1 && e.kind == ERR_PROTOCOL);
	}
}

static bool
finds(const char *text)
{
	uint8_t out[16];

	return sumtext_digest(text, strlen(text), out, sizeof(out)) &&
	    out[0] == 0xd4 && out[15] == 0x7e;
}

static void
a_digest_is_a_word_of_its_length(void)
{
	CHECK(finds(OF_NOTHING "  -\n"));
	CHECK(finds("MD5 (stdin) = " OF_NOTHING "\n\n"));
	CHECK(finds(OF_NOTHING));
	CHECK(!finds(""));
	CHECK(!finds("\n\n"));
	CHECK(!finds(OF_NOTHING "0"));
	CHECK(!finds(OF_NOTHING OF_NOTHING));
	CHECK(!finds("x" OF_NOTHING));
}

int
main(void)
{
	RUN(any_name_is_one_word);
	RUN(offsets_count_from_one);
	RUN(noise_comes_before_the_first_answer);
	RUN(half_an_answer_is_none);
	RUN(what_is_no_marker_is_refused);
	RUN(a_digest_is_a_word_of_its_length);
	return check_end();
}
