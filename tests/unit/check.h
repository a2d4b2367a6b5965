/* SPDX-License-Identifier: ISC */
/*
 * The smallest test frame that does the job.  A test file has functions that
 * state claims (parts_cover_the_file_exactly) and a main() that runs them:
 *
 *	int main(void) { RUN(parts_cover_the_file_exactly); return check_end();
 *}
 */
#ifndef TESTS_UNIT_CHECK_H
#define TESTS_UNIT_CHECK_H

#include <stdio.h>
#include <string.h>

static int check_failures; /* in the test that runs */
static int check_passed;
static int check_failed;

#define CHECK(claim)                                                     \
	do {                                                             \
		if (!(claim)) {                                          \
			check_failures++;                                \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, \
			    __LINE__, #claim);                           \
		}                                                        \
	} while (0)

#define CHECK_STR(got, want)                                                 \
	do {                                                                 \
		const char *got_ = (got), *want_ = (want);                   \
		if (got_ == NULL || strcmp(got_, want_) != 0) {              \
			check_failures++;                                    \
			fprintf(stderr, "%s:%d: %s is \"%s\", not \"%s\"\n", \
			    __FILE__, __LINE__, #got,                        \
			    got_ != NULL ? got_ : "(null)", want_);          \
		}                                                            \
	} while (0)

#define CHECK_UINT(got, want)                                            \
	do {                                                             \
		unsigned long long got_ = (unsigned long long)(got);     \
		unsigned long long want_ = (unsigned long long)(want);   \
		if (got_ != want_) {                                     \
			check_failures++;                                \
			fprintf(stderr, "%s:%d: %s is %llu, not %llu\n", \
			    __FILE__, __LINE__, #got, got_, want_);      \
		}                                                        \
	} while (0)

#define RUN(test)                                                              \
	do {                                                                   \
		check_failures = 0;                                            \
		test();                                                        \
		if (check_failures == 0)                                       \
			check_passed++;                                        \
		else                                                           \
			check_failed++;                                        \
		printf("%s %s\n", check_failures == 0 ? "ok" : "FAIL", #test); \
	} while (0)

static inline int
check_end(void)
{
	printf("%d passed, %d failed\n", check_passed, check_failed);
	return check_failed == 0 && check_passed > 0 ? 0 : 1;
}

#endif
