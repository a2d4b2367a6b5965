/* SPDX-License-Identifier: ISC */
#include "config.h"

#include "transfer/posix/posix.h"
#include "transfer/s3/s3.h"
#include "transfer/store.h"

const struct store_driver *
store_driver_of(const struct store_url *url)
{
	switch (url->scheme) {
	case STORE_S3:
		return &s3_driver;
	case STORE_POSIX:
		return &posix_driver;
	}
	return NULL;
}

struct store *
store_open(const struct store_url *url, const struct store_config *config,
    struct err *e)
{
	const struct store_driver *driver = store_driver_of(url);

	if (driver == NULL) {
		err_set(e, ERR_UNSUPPORTED, "%s: no such kind of store",
		    url->text);
		return NULL;
	}
	return driver->open(url, config, e);
}

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
