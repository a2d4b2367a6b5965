/* SPDX-License-Identifier: ISC */
/*
 * How fast each digest is, as a ratio to memcpy in the same run: the best of
 * several rounds over 256 KiB pieces that stay in the second-level cache.
 */
#include "config.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "verify/crc.h"
#include "verify/digest.h"

#define PIECE ((size_t)256 << 10)
#define ROUNDS 15
#define TOTAL ((size_t)64 << 20)

static uint8_t from[PIECE], to[PIECE];
static struct digester *digester;

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void
copy(void)
{
	memcpy(to, from, PIECE);
	__asm__ volatile("" : : "r"(to) : "memory");
}

static void
digest(void)
{
	digester_update(digester, from, PIECE);
}

/* GB a second, the best round. */
static double
rate(void (*run)(void))
{
	double best = 0;
	size_t done;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		double start = now(), took;

		for (done = 0; done < TOTAL; done += PIECE)
			run();
		took = now() - start;
		if ((double)TOTAL / took / 1e9 > best)
			best = (double)TOTAL / took / 1e9;
	}
	return best;
}

static void
show(const char *name, unsigned algos, double base)
{
	double r;

	digester_start(digester, algos);
	r = rate(digest);
	printf("%-24s %6.2f GB/s  %5.2f of memcpy\n", name, r, r / base);
}

int
main(void)
{
	struct err e = ERR_INIT;
	double base;
	size_t i;

	for (i = 0; i < PIECE; i++)
		from[i] = (uint8_t)(i * 2654435761U >> 13);
	digester = digester_new(&e);
	if (digester == NULL)
		return 1;
	base = rate(copy);
	printf("%-24s %6.2f GB/s\n", "memcpy", base);
	show("xxh3", DIGEST_XXH3, base);
	crc_limit(CRC_TABLE);
	show("crc64nvme, table", DIGEST_CRC64NVME, base);
	show("crc32c, table", DIGEST_CRC32C, base);
	crc_limit(CRC_PCLMUL);
	show("crc64nvme, pclmul", DIGEST_CRC64NVME, base);
	show("crc32c, pclmul", DIGEST_CRC32C, base);
	crc_limit(CRC_VPCLMUL);
	show("crc64nvme, vpclmul", DIGEST_CRC64NVME, base);
	show("crc32c, vpclmul", DIGEST_CRC32C, base);
	show("md5", DIGEST_MD5, base);
	show("sha256", DIGEST_SHA256, base);
	show("xxh3 + crc64nvme", DIGEST_XXH3 | DIGEST_CRC64NVME, base);
	digester_free(digester);
	return 0;
}
