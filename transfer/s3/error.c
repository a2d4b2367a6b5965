/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "transfer/s3/error.h"

static const struct {
	const char *code;
	enum err_kind kind;
} codes[] = {
    {"AccessDenied", ERR_DENIED},
    {"AccountProblem", ERR_DENIED},
    {"AllAccessDisabled", ERR_DENIED},
    {"AuthorizationHeaderMalformed", ERR_CONFIG},
    {"BadDigest", ERR_MISMATCH},
    {"BandwidthLimitExceeded", ERR_THROTTLE},
    {"BucketRegionError", ERR_CONFIG},
    {"ConditionalRequestConflict", ERR_SERVER},
    {"EntityTooLarge", ERR_NOSPACE},
    {"ExpiredToken", ERR_EXPIRED},
    {"IllegalLocationConstraintException", ERR_CONFIG},
    {"IncompleteBody", ERR_NET},
    {"InternalError", ERR_SERVER},
    {"InvalidAccessKeyId", ERR_DENIED},
    {"InvalidBucketName", ERR_CONFIG},
    {"InvalidDigest", ERR_MISMATCH},
    {"InvalidObjectName", ERR_NAME},
    {"InvalidObjectState", ERR_DENIED},
    {"InvalidPart", ERR_MISMATCH},
    {"InvalidRange", ERR_MISMATCH},
    {"InvalidStorageClass", ERR_CONFIG},
    {"InvalidToken", ERR_DENIED},
    {"InvalidURI", ERR_NAME},
    {"KMS.ThrottlingException", ERR_THROTTLE},
    {"KeyTooLongError", ERR_NAME},
    {"MetadataTooLarge", ERR_UNSUPPORTED},
    {"MethodNotAllowed", ERR_UNSUPPORTED},
    {"NoSuchBucket", ERR_CONFIG},
    {"NoSuchKey", ERR_NOTFOUND},
    {"NoSuchUpload", ERR_GONE},
    {"NotImplemented", ERR_UNSUPPORTED},
    {"OperationAborted", ERR_SERVER},
    {"PermanentRedirect", ERR_CONFIG},
    {"PreconditionFailed", ERR_EXISTS},
    {"QuotaExceeded", ERR_NOSPACE},
    {"RequestExpired", ERR_EXPIRED},
    {"RequestLimitExceeded", ERR_THROTTLE},
    {"RequestTimeTooSkewed", ERR_SKEW},
    {"RequestTimeout", ERR_SERVER},
    {"ServiceUnavailable", ERR_THROTTLE},
    {"SignatureDoesNotMatch", ERR_DENIED},
    {"SlowDown", ERR_THROTTLE},
    {"SlowDownRead", ERR_THROTTLE},
    {"SlowDownWrite", ERR_THROTTLE},
    {"TemporaryRedirect", ERR_SERVER},
    {"Throttling", ERR_THROTTLE},
    {"ThrottlingException", ERR_THROTTLE},
    {"TokenRefreshRequired", ERR_EXPIRED},
    {"TooManyRequests", ERR_THROTTLE},
    {"XAmzContentChecksumMismatch", ERR_MISMATCH},
    {"XAmzContentSHA256Mismatch", ERR_MISMATCH},
    {"XMinioStorageFull", ERR_NOSPACE},
};

static enum err_kind
kind_of_status(int status)
{
	switch (status) {
	case 301:
		return ERR_CONFIG;
	case 307:
	case 408:
		return ERR_SERVER;
	case 401:
	case 403:
		return ERR_DENIED;
	case 404:
		return ERR_NOTFOUND;
	case 405:
	case 501:
		return ERR_UNSUPPORTED;
	case 409:
		return ERR_SERVER;
	case 412:
		return ERR_EXISTS;
	case 413:
	case 507:
		return ERR_NOSPACE;
	case 416:
		return ERR_MISMATCH;
	case 429:
	case 503:
		return ERR_THROTTLE;
	default:
		return status >= 500 ? ERR_SERVER : ERR_PROTOCOL;
	}
}

enum err_kind
s3_error_kind(int status, const char *code)
{
	size_t i;

	for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (strcmp(codes[i].code, code) == 0)
			return codes[i].kind;
	return kind_of_status(status);
}

int
s3_error(const char *op, int status, const struct reply_error *error,
    const struct http_headers *headers, struct err *e)
{
	const char *id = http_header(headers, "x-amz-request-id");
	const char *date = http_header(headers, "date");
	char id_text[80] = "";
	int64_t now_ns;

	if (id != NULL)
		text_escaped(id, strlen(id), id_text, sizeof(id_text));
	else if (error->request_id[0] != '\0')
		memcpy(id_text, error->request_id, sizeof(id_text));
	if (date == NULL || !http_parse_date(date, &now_ns))
		now_ns = clock_wall_ns();
	err_set(e, s3_error_kind(status, error->code),
	    "%s: HTTP %d%s%s%s%s%s%s%s", op, status,
	    error->code[0] != '\0' ? " " : "", error->code,
	    error->message[0] != '\0' ? ": " : "", error->message,
	    id_text[0] != '\0' ? " (request id " : "", id_text,
	    id_text[0] != '\0' ? ")" : "");
	e->retry_after_ms = http_retry_after_ms(headers, now_ns);
	return -1;
}
