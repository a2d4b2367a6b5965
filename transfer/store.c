/* SPDX-License-Identifier: ISC */
#include "config.h"

#include "transfer/posix/posix.h"
#include "transfer/s3/s3.h"
#include "transfer/store.h"

const struct store_driver *
store_driver_of(const struct store_url *url)
{
	static const struct store_driver *const drivers[] = {
	    [STORE_POSIX] = &posix_driver,
	    [STORE_S3] = &s3_driver,
	};

	return drivers[url->scheme];
}

struct store *
store_open(const struct store_url *url, const struct store_config *config,
    struct err *e)
{
	return store_driver_of(url)->open(url, config, e);
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
