/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <endian.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "verify/crc.h"
#include "verify/digest.h"

/*
 * A reflected CRC of WIDTH bits in a 64-bit register: its high bits are 0, so
 * that one piece of code serves both widths.
 */
struct crc {
	unsigned width;
	uint64_t poly; /* reflected */
	uint64_t table[8][256];
	uint64_t power[67]; /* x^(2^k) mod P; 67 bits count any length */
	struct crc_folds folds;
};

static struct crc nvme = {.width = 64, .poly = 0x9a6c9329ac4bc9b5};
static struct crc castagnoli = {.width = 32, .poly = 0x82f63b78};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static _Atomic(crc_fold_fn *) kernel;
static atomic_size_t kernel_min;

/* A * B mod P; x^0 is the highest bit. */
static uint64_t
multiply(const struct crc *c, uint64_t a, uint64_t b)
{
	uint64_t m = (uint64_t)1 << (c->width - 1);
	uint64_t product = 0;

	for (; m != 0 && a != 0; m >>= 1) {
		if ((a & m) != 0) {
			product ^= b;
			a ^= m;
		}
		b = (b & 1) != 0 ? b >> 1 ^ c->poly : b >> 1;
	}
	return product;
}

/* x^(N * 2^SHIFT) mod P */
static uint64_t
power_of_x(const struct crc *c, uint64_t n, unsigned shift)
{
	uint64_t product = (uint64_t)1 << (c->width - 1);

	for (; n != 0; n >>= 1, shift++)
		if ((n & 1) != 0)
			product = multiply(c, product, c->power[shift]);
	return product;
}

/* The kernels work on 64-bit halves, where x^0 is bit 63. */
static struct crc_fold
fold_by(const struct crc *c, uint64_t bits)
{
	unsigned up = 64 - c->width;

	return (struct crc_fold){
	    .low = power_of_x(c, bits + 63, 0) << up,
	    .high = power_of_x(c, bits - 1, 0) << up,
	};
}

static void
prepare(struct crc *c)
{
	unsigned b, i;

	for (b = 0; b < 256; b++) {
		uint64_t r = b;

		for (i = 0; i < 8; i++)
			r = (r & 1) != 0 ? r >> 1 ^ c->poly : r >> 1;
		c->table[0][b] = r;
	}
	for (b = 0; b < 256; b++)
		for (i = 1; i < 8; i++)
			c->table[i][b] = c->table[i - 1][b] >> 8 ^
			    c->table[0][c->table[i - 1][b] & 0xff];
	c->power[0] = (uint64_t)1 << (c->width - 2);
	for (i = 1; i < 67; i++)
		c->power[i] = multiply(c, c->power[i - 1], c->power[i - 1]);
	c->folds.by_128 = fold_by(c, 128);
	c->folds.by_512 = fold_by(c, 512);
	c->folds.by_1024 = fold_by(c, 1024);
	c->folds.by_4096 = fold_by(c, 4096);
}

static void
set_kernel(enum crc_way most)
{
	size_t min = 0;

	atomic_store(&kernel, crc_fold_kernel(most, &min));
	atomic_store(&kernel_min, min);
}

static void
prepare_all(void)
{
	prepare(&nvme);
	prepare(&castagnoli);
	set_kernel(CRC_VPCLMUL);
}

void
crc_limit(enum crc_way most)
{
	pthread_once(&once, prepare_all);
	set_kernel(most);
}

static uint64_t
by_table(const struct crc *c, uint64_t r, const uint8_t *p, size_t n)
{
	for (; n >= 8; p += 8, n -= 8) {
		uint64_t v;

		memcpy(&v, p, 8);
		v = le64toh(v) ^ r;
		r = c->table[7][v & 0xff] ^ c->table[6][v >> 8 & 0xff] ^
		    c->table[5][v >> 16 & 0xff] ^ c->table[4][v >> 24 & 0xff] ^
		    c->table[3][v >> 32 & 0xff] ^ c->table[2][v >> 40 & 0xff] ^
		    c->table[1][v >> 48 & 0xff] ^ c->table[0][v >> 56];
	}
	for (; n > 0; p++, n--)
		r = r >> 8 ^ c->table[0][(r ^ *p) & 0xff];
	return r;
}

static uint64_t
update(const struct crc *c, uint64_t r, const uint8_t *p, size_t n)
{
	crc_fold_fn *fold = atomic_load_explicit(&kernel, memory_order_relaxed);
	size_t min = atomic_load_explicit(&kernel_min, memory_order_relaxed);

	if (fold != NULL && n >= min) {
		uint8_t folded[16];
		size_t whole = n & ~(size_t)15;

		fold(&c->folds, r, p, whole, folded);
		r = by_table(c, 0, folded, sizeof(folded));
		p += whole;
		n -= whole;
	}
	return by_table(c, r, p, n);
}

uint64_t
crc64nvme(uint64_t crc, const void *p, size_t n)
{
	pthread_once(&once, prepare_all);
	return ~update(&nvme, ~crc, p, n);
}

uint32_t
crc32c(uint32_t crc, const void *p, size_t n)
{
	pthread_once(&once, prepare_all);
	return ~(uint32_t)update(&castagnoli, (uint32_t)~crc, p, n);
}

uint64_t
crc64nvme_combine(uint64_t a, uint64_t b, uint64_t b_len)
{
	pthread_once(&once, prepare_all);
	return multiply(&nvme, power_of_x(&nvme, b_len, 3), a) ^ b;
}

uint32_t
crc32c_combine(uint32_t a, uint32_t b, uint64_t b_len)
{
	uint64_t shift;

	pthread_once(&once, prepare_all);
	shift = power_of_x(&castagnoli, b_len, 3);
	return (uint32_t)multiply(&castagnoli, shift, a) ^ b;
}
