/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <string.h>

#include "agent/daemon/watch_wire.h"

struct head {
	uint32_t kind, len;
};

void
watch_wire_put(
    struct buf *out, enum watch_kind kind, const void *bytes, size_t len)
{
	struct head head = {.kind = kind, .len = (uint32_t)len};

	buf_add(out, &head, sizeof(head));
	buf_add(out, bytes, len);
}

int
watch_wire_take(struct buf *in, watch_wire_fn *fn, void *arg, struct err *e)
{
	struct head head;
	size_t at = 0;

	while (in->len - at >= sizeof(head)) {
		memcpy(&head, in->data + at, sizeof(head));
		if (head.kind >= WATCH_KINDS || head.len > WATCH_WIRE_MAX)
			return err_set(e, ERR_SERVER, "no record of a watch");
		if (in->len - at - sizeof(head) < head.len)
			break;
		at += sizeof(head);
		fn(arg, (enum watch_kind)head.kind, in->data + at, head.len);
		at += head.len;
	}
	if (at > 0) {
		memmove(in->data, in->data + at, in->len - at);
		in->len -= at;
	}
	return 0;
}
