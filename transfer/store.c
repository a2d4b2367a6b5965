/* SPDX-License-Identifier: ISC */
#include "config.h"

#include "transfer/store.h"

void
store_close(struct store *s)
{
	if (s != NULL)
		s->ops->close(s);
}

struct session *
store_connect(struct store *s, struct err *e)
{
	return s->ops->connect(s, e);
}

void
store_disconnect(struct session *c)
{
	if (c != NULL)
		c->store->ops->disconnect(c);
}
