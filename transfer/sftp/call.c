/* SPDX-License-Identifier: ISC */
/* Requests put into calls. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "transfer/sftp/conn.h"

#define HEADS_MAX ((size_t)64 << 20)

void
call_init(struct call *call)
{
	memset(call, 0, sizeof(*call));
	buf_init(&call->heads, HEADS_MAX);
	sem_init(&call->done, 0, 0);
}

void
call_free(struct call *call)
{
	free(call->requests);
	buf_free(&call->heads);
	sem_destroy(&call->done);
}

void
call_again(struct call *call)
{
	buf_reset(&call->heads);
	call->n = 0;
	call->bytes = 0;
	call->stale = false;
	call->crowded = false;
	call->message[0] = '\0';
}

/* Room for one more request; without memory the heads count as failed. */
static struct request *
new_request(struct call *call, uint8_t type)
{
	struct request *r;

	if (call->n == call->cap) {
		size_t cap = call->cap == 0 ? 16 : call->cap * 2;

		r = reallocarray(call->requests, cap, sizeof(*r));
		if (r == NULL) {
			call->heads.failed = true;
			return &call->nowhere;
		}
		call->requests = r;
		call->cap = cap;
	}
	r = &call->requests[call->n++];
	memset(r, 0, sizeof(*r));
	r->call = call;
	r->type = type;
	r->head = proto_begin(&call->heads, type);
	return r;
}

static size_t
finish(struct call *call, struct request *r, size_t data_len)
{
	proto_end(&call->heads, r->head, data_len);
	r->head_len = (uint32_t)(call->heads.len - r->head);
	return call->n > 0 ? call->n - 1 : 0;
}

static void
put_path(struct call *call, const char *path)
{
	proto_string(&call->heads, path, strlen(path));
}

static void
put_handle(struct call *call, const struct conn_handle *h)
{
	if (h->generation != call->generation || h->len == 0)
		call->stale = true;
	proto_string(&call->heads, h->bytes, h->len);
}

static struct request *
new_extended(struct call *call, const char *name)
{
	struct request *r = new_request(call, PROTO_EXTENDED);

	proto_string(&call->heads, name, strlen(name));
	return r;
}

size_t
call_path(struct call *call, enum proto_type type, const char *path)
{
	struct request *r = new_request(call, (uint8_t)type);

	put_path(call, path);
	return finish(call, r, 0);
}

size_t
call_stat(struct call *call, enum proto_type type, const char *path,
    struct proto_attrs *out)
{
	struct request *r = new_request(call, (uint8_t)type);

	r->attrs = out;
	put_path(call, path);
	return finish(call, r, 0);
}

size_t
call_open(struct call *call, const char *path, unsigned flags,
    const struct proto_attrs *attrs, struct conn_handle *out)
{
	struct request *r = new_request(call, PROTO_OPEN);

	r->handle = out;
	put_path(call, path);
	proto_u32(&call->heads, flags);
	proto_attrs(&call->heads,
	    attrs != NULL ? attrs : &(struct proto_attrs){.have = 0});
	return finish(call, r, 0);
}

size_t
call_opendir(struct call *call, const char *path, struct conn_handle *out)
{
	struct request *r = new_request(call, PROTO_OPENDIR);

	r->handle = out;
	put_path(call, path);
	return finish(call, r, 0);
}

size_t
call_readdir(struct call *call, const struct conn_handle *h, struct buf *out)
{
	struct request *r = new_request(call, PROTO_READDIR);

	r->body = out;
	put_handle(call, h);
	return finish(call, r, 0);
}

size_t
call_close(struct call *call, const struct conn_handle *h)
{
	struct request *r = new_request(call, PROTO_CLOSE);

	put_handle(call, h);
	return finish(call, r, 0);
}

size_t
call_fstat(
    struct call *call, const struct conn_handle *h, struct proto_attrs *out)
{
	struct request *r = new_request(call, PROTO_FSTAT);

	r->attrs = out;
	put_handle(call, h);
	return finish(call, r, 0);
}

size_t
call_write(struct call *call, const struct conn_handle *h, uint64_t offset,
    const void *data, uint32_t len)
{
	struct request *r = new_request(call, PROTO_WRITE);

	r->data = data;
	r->len = len;
	call->bytes += len;
	put_handle(call, h);
	proto_u64(&call->heads, offset);
	proto_u32(&call->heads, len);
	return finish(call, r, len);
}

size_t
call_read(struct call *call, const struct conn_handle *h, uint64_t offset,
    uint32_t len, void *into, const void *expect)
{
	struct request *r = new_request(call, PROTO_READ);

	r->into = into;
	r->expect = expect;
	r->len = len;
	r->offset = offset;
	call->bytes += len;
	put_handle(call, h);
	proto_u64(&call->heads, offset);
	proto_u32(&call->heads, len);
	return finish(call, r, 0);
}

size_t
call_setstat(struct call *call, enum proto_type type, const char *path,
    const struct proto_attrs *attrs)
{
	struct request *r = new_request(call, (uint8_t)type);

	put_path(call, path);
	proto_attrs(&call->heads, attrs);
	return finish(call, r, 0);
}

size_t
call_lsetstat(
    struct call *call, const char *path, const struct proto_attrs *attrs)
{
	struct request *r = new_extended(call, "lsetstat@openssh.com");

	put_path(call, path);
	proto_attrs(&call->heads, attrs);
	return finish(call, r, 0);
}

size_t
call_fsetstat(struct call *call, const struct conn_handle *h,
    const struct proto_attrs *attrs)
{
	struct request *r = new_request(call, PROTO_FSETSTAT);

	put_handle(call, h);
	proto_attrs(&call->heads, attrs);
	return finish(call, r, 0);
}

size_t
call_fsync(struct call *call, const struct conn_handle *h)
{
	struct request *r = new_extended(call, "fsync@openssh.com");

	r->is_fsync = true;
	put_handle(call, h);
	return finish(call, r, 0);
}

size_t
call_rename(struct call *call, bool posix, const char *from, const char *to)
{
	struct request *r = posix
	    ? new_extended(call, "posix-rename@openssh.com")
	    : new_request(call, PROTO_RENAME);

	put_path(call, from);
	put_path(call, to);
	return finish(call, r, 0);
}

size_t
call_hardlink(struct call *call, const char *existing, const char *path)
{
	struct request *r = new_extended(call, "hardlink@openssh.com");

	put_path(call, existing);
	put_path(call, path);
	return finish(call, r, 0);
}

size_t
call_symlink(struct call *call, const char *target, size_t len,
    const char *path, bool draft)
{
	struct request *r = new_request(call, PROTO_SYMLINK);

	if (draft)
		put_path(call, path);
	proto_string(&call->heads, target, len);
	if (!draft)
		put_path(call, path);
	return finish(call, r, 0);
}

size_t
call_names(
    struct call *call, enum proto_type type, const char *path, struct buf *out)
{
	struct request *r = new_request(call, (uint8_t)type);

	r->body = out;
	put_path(call, path);
	return finish(call, r, 0);
}

size_t
call_statvfs(struct call *call, const char *path, struct buf *out)
{
	struct request *r = new_extended(call, "statvfs@openssh.com");

	r->body = out;
	put_path(call, path);
	return finish(call, r, 0);
}

struct proto_in
call_body(const struct buf *body)
{
	return (struct proto_in){
	    .p = (const uint8_t *)buf_str(body),
	    .left = body->len,
	};
}

int
call_one_name(const struct buf *body, struct proto_name *out, struct err *e)
{
	struct proto_in in = call_body(body);

	return proto_next_name(&in, out, e);
}
