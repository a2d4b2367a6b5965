/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <string.h>

#include "transfer/sftp/answer.h"

static int
nonsense(
    const struct request *r, const struct proto_reply *reply, struct err *e)
{
	return err_set(e, ERR_PROTOCOL,
	    "the server answered a request of type %u by type %u", r->type,
	    reply->type);
}

static int
take_status(struct request *r, const struct proto_reply *reply, struct err *e)
{
	struct call *call = r->call;
	size_t i, n = 0;

	r->status = reply->status;
	if (reply->status == PROTO_OK) {
		/* Where it should have given something, that's no answer. */
		if (r->handle != NULL || r->attrs != NULL || r->body != NULL ||
		    r->into != NULL || r->expect != NULL)
			return nonsense(r, reply, e);
		return 0;
	}
	if (reply->status == PROTO_EOF || call->message[0] != '\0')
		return 0;
	for (i = 0; i < reply->len && n + 1 < sizeof(call->message); i++)
		if (reply->data[i] >= ' ' && reply->data[i] != 127)
			call->message[n++] = (char)reply->data[i];
	call->message[n] = '\0';
	return 0;
}

static int
take_data(struct request *r, const struct proto_reply *reply, struct err *e)
{
	if (r->into == NULL && r->expect == NULL)
		return nonsense(r, reply, e);
	if (reply->len > r->len)
		return err_set(e, ERR_PROTOCOL,
		    "the server sent %zu bytes where %u were asked for",
		    reply->len, r->len);
	r->got = (uint32_t)reply->len;
	r->status = reply->len > 0 ? PROTO_OK : PROTO_EOF;
	if (r->into != NULL)
		memcpy(r->into, reply->data, reply->len);
	else
		r->differs = memcmp(r->expect, reply->data, reply->len) != 0;
	return 0;
}

int
answer_take(struct request *r, uint32_t generation,
    const struct proto_reply *reply, struct err *e)
{
	switch ((int)reply->type) {
	case PROTO_STATUS:
		return take_status(r, reply, e);
	case PROTO_DATA:
		return take_data(r, reply, e);
	case PROTO_HANDLE:
		if (r->handle == NULL)
			return nonsense(r, reply, e);
		r->handle->generation = generation;
		r->handle->len = (uint32_t)reply->len;
		memcpy(r->handle->bytes, reply->data, reply->len);
		break;
	case PROTO_ATTRS:
		if (r->attrs == NULL)
			return nonsense(r, reply, e);
		*r->attrs = reply->attrs;
		break;
	default:
		if (r->body == NULL ||
		    (reply->type == PROTO_EXTENDED_REPLY) !=
			(r->type == PROTO_EXTENDED))
			return nonsense(r, reply, e);
		buf_reset(r->body);
		buf_add(r->body, reply->rest.p, reply->rest.left);
		if (buf_failed(r->body))
			return err_set(e, ERR_NOMEM, "out of memory");
		break;
	}
	r->status = PROTO_OK;
	return 0;
}
