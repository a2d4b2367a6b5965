/* SPDX-License-Identifier: ISC */
#include "config.h"

#include "tests/unit/check.h"
#include "verify/plan.h"

#define KIB ((uint64_t)1 << 10)
#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)
#define TIB ((uint64_t)1 << 40)

/* What S3 allows. */
static const struct plan_limits s3 = {
    .threshold_bytes = 16 * MIB,
    .part_bytes = 8 * MIB,
    .part_min_bytes = 5 * MIB,
    .part_max_bytes = 5 * GIB,
    .parts_max = 10000,
    .put_max_bytes = 5 * GIB,
};

static void
check_cover(const struct plan *p, const struct plan_limits *l)
{
	uint64_t covered = 0;
	uint32_t i, step = p->parts > 5000 ? p->parts / 1000 : 1;

	CHECK(p->parts >= 1 && p->parts <= l->parts_max);
	CHECK(p->part_bytes <= l->part_max_bytes);
	CHECK(p->part_bytes >= l->part_min_bytes);
	CHECK(p->part_bytes >= l->part_bytes);
	for (i = 1; i <= p->parts; i++) {
		if (i % step == 0 || i == 1 || i == p->parts) {
			CHECK_UINT(plan_offset(p, i), covered);
			CHECK(i == p->parts ||
			    plan_length(p, i) == p->part_bytes);
		}
		covered += plan_length(p, i);
	}
	CHECK_UINT(covered, p->size);
	CHECK(p->size == 0 || plan_length(p, p->parts) > 0);
}

static void
small_files_go_in_one_put(void)
{
	struct err e = ERR_INIT;
	struct plan p;

	CHECK(plan_make(0, &s3, &p, &e) == 0 && p.parts == 0 && p.size == 0);
	CHECK(plan_make(16 * MIB - 1, &s3, &p, &e) == 0 && p.parts == 0);
	CHECK_UINT(p.size, 16 * MIB - 1);
	CHECK(plan_make(16 * MIB, &s3, &p, &e) == 0 && p.parts == 2);
}

static void
parts_cover_the_file_exactly(void)
{
	static const uint64_t sizes[] = {16 * MIB, 16 * MIB + 1, 24 * MIB - 1,
	    24 * MIB, 24 * MIB + 1, 10000 * 8 * MIB - 1, 10000 * 8 * MIB,
	    10000 * 8 * MIB + 1, TIB, 5 * TIB + 12345};
	struct err e = ERR_INIT;
	struct plan p;
	size_t i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		CHECK(plan_make(sizes[i], &s3, &p, &e) == 0);
		CHECK_UINT(p.size, sizes[i]);
		check_cover(&p, &s3);
	}
}

static void
the_wish_is_kept_while_it_fits(void)
{
	struct err e = ERR_INIT;
	struct plan p;

	CHECK(plan_make(10000 * 8 * MIB, &s3, &p, &e) == 0);
	CHECK_UINT(p.part_bytes, 8 * MIB);
	CHECK_UINT(p.parts, 10000);
	CHECK(plan_make(10000 * 8 * MIB + 1, &s3, &p, &e) == 0);
	CHECK_UINT(p.part_bytes, 9 * MIB);
}

static void
the_biggest_object_of_s3_fits(void)
{
	uint64_t size = 10000 * 5 * GIB; /* 48.8 TiB */
	struct err e = ERR_INIT;
	struct plan p;

	CHECK(plan_make(size, &s3, &p, &e) == 0);
	CHECK_UINT(p.parts, 10000);
	CHECK_UINT(p.part_bytes, 5 * GIB);
	check_cover(&p, &s3);
	CHECK(plan_make(size + 1, &s3, &p, &e) == -1 && e.kind == ERR_CONFIG);
	CHECK(plan_make(UINT64_MAX, &s3, &p, &e) == -1);
}

static void
limits_bind(void)
{
	struct plan_limits l = s3;
	struct err e = ERR_INIT;
	struct plan p;

	l.part_bytes = 1; /* under the store's least */
	CHECK(plan_make(16 * MIB, &l, &p, &e) == 0);
	CHECK_UINT(p.part_bytes, 5 * MIB);
	l = s3;
	l.threshold_bytes = UINT64_MAX; /* never cut, but where it must be */
	CHECK(plan_make(5 * GIB, &l, &p, &e) == 0 && p.parts == 0);
	CHECK(plan_make(5 * GIB + 1, &l, &p, &e) == 0 && p.parts == 641);
	l = s3;
	l.threshold_bytes = 0; /* always cut */
	CHECK(plan_make(0, &l, &p, &e) == 0 && p.parts == 1);
	CHECK_UINT(plan_length(&p, 1), 0);
	CHECK(plan_make(1, &l, &p, &e) == 0 && p.parts == 1);
	CHECK_UINT(plan_length(&p, 1), 1);
	l.parts_max = 1; /* rounding up must not wrap around */
	CHECK(plan_make(UINT64_MAX, &l, &p, &e) == -1 && e.kind == ERR_CONFIG);
	l.parts_max = 0;
	CHECK(plan_make(1, &l, &p, &e) == -1 && e.kind == ERR_CONFIG);
	l = s3;
	l.part_bytes = l.part_min_bytes = 0;
	CHECK(plan_make(GIB, &l, &p, &e) == -1 && e.kind == ERR_CONFIG);
	l = s3;
	l.part_bytes = 6 * GIB; /* wished bigger than a part can be */
	CHECK(plan_make(GIB, &l, &p, &e) == -1 && e.kind == ERR_CONFIG);
	l.parts_max = UINT32_MAX;
	l.part_bytes = 64 * KIB;
	l.part_min_bytes = 1;
	CHECK(plan_make(TIB, &l, &p, &e) == 0);
	CHECK_UINT(p.parts, TIB / (64 * KIB));
}

static void
any_size_and_limits_give_a_right_plan(void)
{
	uint64_t seed = 12345;
	struct err e = ERR_INIT;
	int i;

	for (i = 0; i < 20000; i++) {
		struct plan_limits l = {.put_max_bytes = 0};
		struct plan p, again;
		uint64_t size, r;

		seed = seed * 6364136223846793005U + 1442695040888963407U;
		r = seed >> 20;
		size = r >> r % 44;
		l.parts_max = (uint32_t)(r % 3000) + 1;
		l.part_min_bytes = r % MIB;
		l.part_bytes = (r >> 7) % (64 * MIB);
		l.part_max_bytes = 100 * MIB + r % GIB;
		l.threshold_bytes = r % GIB;
		if (plan_make(size, &l, &p, &e) == -1) {
			CHECK(e.kind == ERR_CONFIG);
			continue;
		}
		if (p.parts > 0)
			check_cover(&p, &l);
		else
			CHECK(size <= l.put_max_bytes);
		CHECK(plan_make(size, &l, &again, &e) == 0 &&
		    again.part_bytes == p.part_bytes && again.parts == p.parts);
	}
}

int
main(void)
{
	RUN(small_files_go_in_one_put);
	RUN(parts_cover_the_file_exactly);
	RUN(the_wish_is_kept_while_it_fits);
	RUN(the_biggest_object_of_s3_fits);
	RUN(limits_bind);
	RUN(any_size_and_limits_give_a_right_plan);
	return check_end();
}
