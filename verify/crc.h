/* SPDX-License-Identifier: ISC */
/*
 * The arithmetic behind the CRCs of digest.h: reflected polynomials up to 64
 * bits, by table anywhere and by carry-less multiplication where the CPU has
 * it.  Folding as in V. Gopal et al., "Fast CRC Computation for Generic
 * Polynomials Using PCLMULQDQ Instruction", Intel 2009.
 */
#ifndef VERIFY_CRC_H
#define VERIFY_CRC_H

#include <stddef.h>
#include <stdint.h>

/* Multipliers that move 128 bits D bits ahead: x^(D+63) and x^(D-1) mod P. */
struct crc_fold {
	uint64_t low;
	uint64_t high;
};

/* What a folding kernel needs of a polynomial. */
struct crc_folds {
	struct crc_fold by_128;
	struct crc_fold by_512;
	struct crc_fold by_1024;
	struct crc_fold by_4096;
};

/* Ways to do it, slowest first. */
enum crc_way { CRC_TABLE, CRC_PCLMUL, CRC_VPCLMUL };

/*
 * Folds N bytes at P into the 16 bytes at OUT, which have the same CRC (begun
 * with 0) as those N bytes with INIT xor'ed into the first 8 of them.  N is a
 * multiple of 16 and at least the MIN of the kernel.
 */
typedef void crc_fold_fn(const struct crc_folds *k, uint64_t init,
    const uint8_t *p, size_t n, uint8_t out[16]);

#define CRC_PCLMUL_MIN 128
#define CRC_VPCLMUL_MIN 512

/* The fastest kernel of this CPU, or NULL; *MIN becomes its least N. */
crc_fold_fn *crc_fold_kernel(enum crc_way most, size_t *min);
/* The fastest way that this CPU has. */
enum crc_way crc_way_of_cpu(void);

/* For tests: nothing faster than MOST from now on. */
void crc_limit(enum crc_way most);

#endif
