/* SPDX-License-Identifier: ISC */
/*
 * S3's error codes as our error kinds: one table.  Pure.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
 */
#ifndef TRANSFER_S3_ERROR_H
#define TRANSFER_S3_ERROR_H

#include "base/err.h"
#include "transfer/http.h"
#include "transfer/s3/reply.h"

/* The kind for HTTP STATUS with error CODE ("" if the reply named none). */
enum err_kind s3_error_kind(int status, const char *code);

/*
 * Sets *E for a reply that refuses OP: "PUT: HTTP 503 SlowDown: Please reduce
 * your request rate (request id X)", with retry_after_ms.  Returns -1.
 */
int s3_error(const char *op, int status, const struct reply_error *error,
    const struct http_headers *headers, struct err *e);

#endif
