/* SPDX-License-Identifier: ISC */
/* Replies of a hostile store: the first byte chooses the reader. */
#include "config.h"

#include <assert.h>
#include <string.h>

#include "transfer/s3/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
on_object(void *arg, const struct reply_object *o, struct err *e)
{
	(void)arg;
	(void)e;
	assert(strlen(o->key) == o->key_len);
	return 0;
}

static int
on_part(void *arg, const struct reply_part *p, struct err *e)
{
	(void)arg;
	(void)e;
	assert(strlen(p->etag) < sizeof(p->etag));
	return 0;
}

static int
on_upload(
    void *arg, const char *key, const char *id, int64_t begun_ns, struct err *e)
{
	(void)arg;
	(void)key;
	(void)begun_ns;
	(void)e;
	assert(strlen(id) < STORE_ID_MAX);
	return 0;
}

static int
on_deleted(
    void *arg, const char *key, const struct reply_error *error, struct err *e)
{
	(void)arg;
	(void)key;
	(void)e;
	assert(error == NULL || strlen(error->code) < sizeof(error->code));
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = (const char *)data + 1;
	static struct reply_page page;
	struct reply_error error;
	struct err e = ERR_INIT;
	char etag[STORE_ETAG_MAX], id[STORE_ID_MAX];
	int rc = 0;

	if (size-- == 0)
		return 0;
	switch (data[0] % 7) {
	case 0:
		reply_error(p, size, &error);
		break;
	case 1:
		rc = reply_result(p, size, etag, &error, &e);
		break;
	case 2:
		rc = reply_upload_id(p, size, id, &e);
		break;
	case 3:
		rc = reply_list(p, size, on_object, NULL, &page, &e);
		break;
	case 4:
		rc = reply_parts(p, size, on_part, NULL, &page, &e);
		break;
	case 5:
		rc = reply_uploads(p, size, on_upload, NULL, &page, &e);
		break;
	default:
		rc = reply_deleted(p, size, on_deleted, NULL, &e);
		break;
	}
	assert(rc != -1 || (e.kind != ERR_NONE && e.msg[0] != '\0'));
	return 0;
}
