/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/text.h"
#include "tests/unit/check.h"
#include "verify/crc.h"
#include "verify/digest.h"

#define ALL                                                            \
	(DIGEST_XXH3 | DIGEST_CRC64NVME | DIGEST_CRC32C | DIGEST_MD5 | \
	    DIGEST_SHA256)

static uint64_t seed = 88172645463325252U;

static uint64_t
random64(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static void
fill(uint8_t *p, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		p[i] = (uint8_t)(random64() >> 32);
}

/* Bit by bit, as the definition says. */
static uint64_t
slow(uint64_t poly, uint64_t mask, const uint8_t *p, size_t n)
{
	uint64_t r = mask;
	size_t i;
	int bit;

	for (i = 0; i < n; i++) {
		r ^= p[i];
		for (bit = 0; bit < 8; bit++)
			r = (r & 1) != 0 ? r >> 1 ^ poly : r >> 1;
	}
	return r ^ mask;
}

static struct digest
digest_of(const void *p, size_t n, unsigned algos)
{
	struct err e = ERR_INIT;
	AUTO(digester) struct digester *d = digester_new(&e);
	struct digest out;

	digester_start(d, algos);
	digester_update(d, p, n);
	digester_finish(d, &out);
	return out;
}

static const char *
hex(const void *p, size_t n)
{
	static char text[65];

	text_hex(p, n, text);
	return text;
}

static void
the_check_values_come_out(void)
{
	struct digest d = digest_of("123456789", 9, ALL);

	CHECK_UINT(d.have, digest_available());
	CHECK_UINT(d.crc64nvme, 0xae8b14860a799888);
	CHECK_UINT(d.crc32c, 0xe3069283);
	CHECK_STR(hex(d.md5, 16), "25f9e794323b453885f5181f1b624d0b");
	CHECK_STR(hex(d.sha256, 32),
	    "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225");
}

static void
crcs_are_written_big_endian_in_base64(void)
{
	const struct digest d = {
	    .crc64nvme = UINT64_C(0xae8b14860a799888), .crc32c = 0xe3069283};
	char text[DIGEST_CRC_TEXT_MAX];

	CHECK_STR(digest_crc_text(DIGEST_CRC64NVME, &d, text), "rosUhgp5mIg=");
	CHECK_STR(digest_crc_text(DIGEST_CRC32C, &d, text), "4waSgw==");
}

static void
nothing_has_a_digest_too(void)
{
	struct digest d = digest_of("", 0, ALL);

	CHECK_UINT(d.crc64nvme, 0);
	CHECK_UINT(d.crc32c, 0);
	CHECK_STR(hex(d.xxh3, 16), "99aa06d3014798d86001c324468d497f");
	CHECK_STR(hex(d.md5, 16), "d41d8cd98f00b204e9800998ecf8427e");
}

/* RFC 3720 B.4 */
static void
crc32c_agrees_with_the_rfc(void)
{
	uint8_t b[32];
	int i;

	memset(b, 0, sizeof(b));
	CHECK_UINT(crc32c(0, b, 32), 0x8a9136aa);
	memset(b, 0xff, sizeof(b));
	CHECK_UINT(crc32c(0, b, 32), 0x62a8ab43);
	for (i = 0; i < 32; i++)
		b[i] = (uint8_t)i;
	CHECK_UINT(crc32c(0, b, 32), 0x46dd794e);
}

/* Every way, at every alignment, with every length of head and tail. */
static void
every_way_gives_the_same_crc(void)
{
	AUTO(free) uint8_t *b = malloc(4096 + 64);
	size_t offset, n;
	int way;

	fill(b, 4096 + 64);
	for (n = 0; n <= 4096; n += n < 1200 ? 1 : 61) {
		const uint8_t *p = b + n % 64;
		uint64_t want64 = slow(0x9a6c9329ac4bc9b5, UINT64_MAX, p, n);
		uint64_t want32 = slow(0x82f63b78, UINT32_MAX, p, n);

		for (way = CRC_TABLE; way <= CRC_VPCLMUL; way++) {
			crc_limit((enum crc_way)way);
			CHECK_UINT(crc64nvme(0, p, n), want64);
			CHECK_UINT(crc32c(0, p, n), (uint32_t)want32);
		}
	}
	for (offset = 0; offset < 64; offset++) {
		uint64_t want =
		    slow(0x9a6c9329ac4bc9b5, UINT64_MAX, b + offset, 2000);

		for (way = CRC_TABLE; way <= CRC_VPCLMUL; way++) {
			crc_limit((enum crc_way)way);
			CHECK_UINT(crc64nvme(0, b + offset, 2000), want);
		}
	}
	crc_limit(CRC_VPCLMUL);
}

/* Fast, portable, in pieces and combined. */
static void
pieces_make_up_the_whole(void)
{
	const size_t size = 20000;
	AUTO(free) uint8_t *b = malloc(size);
	struct err e = ERR_INIT;
	AUTO(digester) struct digester *d = digester_new(&e);
	int i;

	for (i = 0; i < 2000; i++) {
		size_t n = random64() % (i % 8 == 0 ? size : 2000);
		size_t cut = n > 0 ? random64() % n : 0;
		struct digest portable, whole, rest, streamed;

		fill(b, n);
		crc_limit(CRC_TABLE);
		portable = digest_of(b, n, ALL);
		crc_limit(i % 2 == 0 ? CRC_PCLMUL : CRC_VPCLMUL);
		whole = digest_of(b, n, ALL);
		CHECK(memcmp(&whole, &portable, sizeof(whole)) == 0);
		digester_start(d, ALL);
		digester_update(d, b, cut);
		digester_update(d, b + cut, n - cut);
		digester_finish(d, &streamed);
		CHECK(memcmp(&whole, &streamed, sizeof(whole)) == 0);
		rest = digest_of(b + cut, n - cut, ALL);
		CHECK_UINT(crc64nvme_combine(
			       crc64nvme(0, b, cut), rest.crc64nvme, n - cut),
		    whole.crc64nvme);
		CHECK_UINT(
		    crc32c_combine(crc32c(0, b, cut), rest.crc32c, n - cut),
		    whole.crc32c);
	}
	crc_limit(CRC_VPCLMUL);
}

static void
combining_takes_any_length(void)
{
	/* zeros in steps, against combining with their own CRC */
	uint64_t a = crc64nvme(0, "dray", 4), z = 0, len = 1;
	uint32_t a32 = crc32c(0, "dray", 4), z32 = 0;
	int i;

	z = crc64nvme(0, "", 1);
	z32 = crc32c(0, "", 1);
	for (i = 0; i < 50; i++) { /* len = 2^i zeros */
		uint64_t two = crc64nvme_combine(z, z, len);
		uint32_t two32 = crc32c_combine(z32, z32, len);

		CHECK_UINT(
		    crc64nvme_combine(crc64nvme_combine(a, z, len), z, len),
		    crc64nvme_combine(a, two, 2 * len));
		CHECK_UINT(
		    crc32c_combine(crc32c_combine(a32, z32, len), z32, len),
		    crc32c_combine(a32, two32, 2 * len));
		z = two;
		z32 = two32;
		len *= 2;
	}
	CHECK_UINT(crc64nvme_combine(a, 0, 0), a);
	CHECK_UINT(crc32c_combine(a32, 0, 0), a32);
}

static void
a_big_update_equals_many_small_ones(void)
{
	const size_t size = 1 << 20;
	AUTO(free) uint8_t *b = malloc(size);
	struct err e = ERR_INIT;
	AUTO(digester) struct digester *d = digester_new(&e);
	struct digest whole, pieces;
	size_t at, n;

	fill(b, size);
	whole = digest_of(b, size, ALL);
	digester_start(d, ALL);
	for (at = 0; at < size; at += n) {
		n = 1 + random64() % 50000;
		if (n > size - at)
			n = size - at;
		digester_update(d, b + at, n);
	}
	digester_finish(d, &pieces);
	CHECK(memcmp(&whole, &pieces, sizeof(whole)) == 0);
}

static void
only_what_was_asked_for_is_had(void)
{
	struct digest d = digest_of("x", 1, DIGEST_XXH3 | DIGEST_CRC32C);
	uint8_t list[16];

	CHECK_UINT(d.have, DIGEST_XXH3 | DIGEST_CRC32C);
	CHECK_UINT(d.crc64nvme, 0);
	digest_of_list((const uint8_t *)"0123456789abcdef", 1, list);
	CHECK(
	    memcmp(list, digest_of("0123456789abcdef", 16, ALL).xxh3, 16) == 0);
}

static void
names_lead_there_and_back(void)
{
	unsigned bit;

	for (bit = 1; bit <= DIGEST_SHA256; bit <<= 1)
		CHECK_UINT(
		    digest_by_name(digest_name((enum digest_algo)bit)), bit);
	CHECK_UINT(digest_by_name("crc16"), 0);
}

int
main(void)
{
	RUN(the_check_values_come_out);
	RUN(crcs_are_written_big_endian_in_base64);
	RUN(nothing_has_a_digest_too);
	RUN(crc32c_agrees_with_the_rfc);
	RUN(every_way_gives_the_same_crc);
	RUN(pieces_make_up_the_whole);
	RUN(combining_takes_any_length);
	RUN(a_big_update_equals_many_small_ones);
	RUN(only_what_was_asked_for_is_had);
	RUN(names_lead_there_and_back);
	return check_end();
}
