/* SPDX-License-Identifier: ISC */
#include "config.h"

#include "transfer/pack/frame.h"

#ifdef HAVE_LIBZSTD
#include <zstd.h>

bool
frame_is_built_in(void)
{
	return true;
}

size_t
frame_bound(size_t n)
{
	return ZSTD_compressBound(n);
}

int
frame_pack(
    void *out, const void *in, size_t n, int level, size_t *len, struct err *e)
{
	ZSTD_CCtx *c = ZSTD_createCCtx();
	size_t rc;

	if (c == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	ZSTD_CCtx_setParameter(c, ZSTD_c_compressionLevel, level);
	ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 1);
	rc = ZSTD_compress2(c, out, frame_bound(n), in, n);
	ZSTD_freeCCtx(c);
	if (ZSTD_isError(rc))
		return err_set(e, ERR_NOMEM, "zstd: %s", ZSTD_getErrorName(rc));
	*len = rc;
	return 0;
}

int
frame_unpack(void *out, size_t n, const void *in, size_t len, struct err *e)
{
	size_t rc = ZSTD_decompress(out, n, in, len);

	if (ZSTD_isError(rc))
		return err_set(e, ERR_MISMATCH,
		    "what is compressed is damaged: %s", ZSTD_getErrorName(rc));
	return rc == n ? 0
		       : err_set(e, ERR_MISMATCH,
			     "what is compressed is damaged: it is too short");
}

#else

bool
frame_is_built_in(void)
{
	return false;
}

size_t
frame_bound(size_t n)
{
	return n;
}

static int
lacking(struct err *e)
{
	return err_set(
	    e, ERR_UNSUPPORTED, "this dray was built without libzstd");
}

int
frame_pack(
    void *out, const void *in, size_t n, int level, size_t *len, struct err *e)
{
	(void)out;
	(void)in;
	(void)n;
	(void)level;
	(void)len;
	return lacking(e);
}

int
frame_unpack(void *out, size_t n, const void *in, size_t len, struct err *e)
{
	(void)out;
	(void)n;
	(void)in;
	(void)len;
	return lacking(e);
}
#endif
