/* SPDX-License-Identifier: ISC */
#include "config.h"

#include "verify/crc.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

/* XOR of both halves of X, each multiplied by its constant in K. */
#define FOLD_128(x, k)                                  \
	_mm_xor_si128(_mm_clmulepi64_si128(x, k, 0x00), \
	    _mm_clmulepi64_si128(x, k, 0x11))

#define LOAD_128(p) _mm_loadu_si128((const __m128i *)(const void *)(p))

__attribute__((target("pclmul"))) static inline __m128i
constants_128(const struct crc_fold *f)
{
	return _mm_set_epi64x((long long)f->high, (long long)f->low);
}

/* Takes the rest of the bytes into X, 16 at a time. */
__attribute__((target("pclmul"))) static inline void
fold_rest(const struct crc_folds *k, __m128i x, const uint8_t *p, size_t n,
    uint8_t out[16])
{
	const __m128i by_128 = constants_128(&k->by_128);

	for (; n >= 16; p += 16, n -= 16)
		x = _mm_xor_si128(FOLD_128(x, by_128), LOAD_128(p));
	_mm_storeu_si128((__m128i *)(void *)out, x);
}

/* Eight accumulators hide the latency of the multiplier. */
__attribute__((target("pclmul"))) static void
fold_pclmul(const struct crc_folds *k, uint64_t init, const uint8_t *p,
    size_t n, uint8_t out[16])
{
	const __m128i by_1024 = constants_128(&k->by_1024);
	const __m128i by_128 = constants_128(&k->by_128);
	__m128i x[8];
	int i;

	for (i = 0; i < 8; i++)
		x[i] = LOAD_128(p + 16 * i);
	x[0] = _mm_xor_si128(x[0], _mm_cvtsi64_si128((long long)init));
	for (p += 128, n -= 128; n >= 128; p += 128, n -= 128)
		for (i = 0; i < 8; i++)
			x[i] = _mm_xor_si128(
			    FOLD_128(x[i], by_1024), LOAD_128(p + 16 * i));
	for (i = 1; i < 8; i++)
		x[i] = _mm_xor_si128(x[i], FOLD_128(x[i - 1], by_128));
	fold_rest(k, x[7], p, n, out);
}

#define VPCLMUL "avx512f,avx512vl,vpclmulqdq,pclmul"

/* As FOLD_128 for four lanes, and XOR with Y: 0x96 is a ^ b ^ c. */
#define FOLD_512(x, k, y)                                               \
	_mm512_ternarylogic_epi64(_mm512_clmulepi64_epi128(x, k, 0x00), \
	    _mm512_clmulepi64_epi128(x, k, 0x11), y, 0x96)

#define LOAD_512(p) _mm512_loadu_si512((const void *)(p))

__attribute__((target(VPCLMUL))) static inline __m512i
constants_512(const struct crc_fold *f)
{
	return _mm512_broadcast_i32x4(constants_128(f));
}

__attribute__((target(VPCLMUL))) static void
fold_vpclmul(const struct crc_folds *k, uint64_t init, const uint8_t *p,
    size_t n, uint8_t out[16])
{
	const __m512i by_4096 = constants_512(&k->by_4096);
	const __m512i by_512 = constants_512(&k->by_512);
	const __m128i by_128 = constants_128(&k->by_128);
	__m512i x[8];
	__m128i y[4];
	int i;

	for (i = 0; i < 8; i++)
		x[i] = LOAD_512(p + 64 * i);
	x[0] = _mm512_xor_si512(
	    x[0], _mm512_zextsi128_si512(_mm_cvtsi64_si128((long long)init)));
	for (p += 512, n -= 512; n >= 512; p += 512, n -= 512)
		for (i = 0; i < 8; i++)
			x[i] = FOLD_512(x[i], by_4096, LOAD_512(p + 64 * i));
	for (i = 1; i < 8; i++)
		x[i] = FOLD_512(x[i - 1], by_512, x[i]);
	for (; n >= 64; p += 64, n -= 64)
		x[7] = FOLD_512(x[7], by_512, LOAD_512(p));
	_mm512_storeu_si512(y, x[7]);
	/* SSE code that runs after dirty upper halves is slow (xxhash: 17 to
	 * 5 GiB/s), so they are cleared by us, whatever the compiler does. */
	_mm256_zeroupper();
	for (i = 1; i < 4; i++)
		y[i] = _mm_xor_si128(y[i], FOLD_128(y[i - 1], by_128));
	fold_rest(k, y[3], p, n, out);
}

enum crc_way
crc_way_of_cpu(void)
{
	__builtin_cpu_init();
	if (!__builtin_cpu_supports("pclmul"))
		return CRC_TABLE;
	if (__builtin_cpu_supports("avx512f") &&
	    __builtin_cpu_supports("avx512vl") &&
	    __builtin_cpu_supports("vpclmulqdq"))
		return CRC_VPCLMUL;
	return CRC_PCLMUL;
}

crc_fold_fn *
crc_fold_kernel(enum crc_way most, size_t *min)
{
	enum crc_way way = crc_way_of_cpu();

	if (way > most)
		way = most;
	if (way == CRC_TABLE)
		return NULL;
	*min = way == CRC_VPCLMUL ? CRC_VPCLMUL_MIN : CRC_PCLMUL_MIN;
	return way == CRC_VPCLMUL ? fold_vpclmul : fold_pclmul;
}

#else /* not x86-64 */

enum crc_way
crc_way_of_cpu(void)
{
	return CRC_TABLE;
}

crc_fold_fn *
crc_fold_kernel(enum crc_way most, size_t *min)
{
	(void)most;
	(void)min;
	return NULL;
}

#endif
