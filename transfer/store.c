/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <string.h>

#ifdef HAVE_LIBNFS
#include "transfer/nfs/nfs.h"
#endif
#include "transfer/bundle/bundle.h"
#include "transfer/posix/posix.h"
#include "transfer/s3/s3.h"
#include "transfer/sftp/sftp.h"
#include "transfer/store.h"
#include "transfer/temp.h"

const struct store_driver *
store_driver_of(const struct store_url *url)
{
	static const struct store_driver *const drivers[] = {
	    [STORE_POSIX] = &posix_driver,
	    [STORE_S3] = &s3_driver,
	    [STORE_SFTP] = &sftp_driver,
#ifdef HAVE_LIBNFS
	    [STORE_NFS] = &nfs_driver,
#endif
	    [STORE_BUNDLE] = &bundle_source_driver,
	};

	return (size_t)url->scheme < sizeof(drivers) / sizeof(drivers[0])
	    ? drivers[url->scheme]
	    : NULL;
}

struct store *
store_open(const struct store_url *url, const struct store_config *config,
    struct err *e)
{
	const struct store_driver *ops = store_driver_of(url);

	if (ops == NULL) {
		err_set(e, ERR_UNSUPPORTED, "built without this kind of store");
		return NULL;
	}
	if (url->scheme == STORE_BUNDLE && config->bundle != NULL)
		ops = &bundle_target_driver;
	return ops->open(url, config, e);
}

void
store_close(struct store *s)
{
	if (s == NULL)
		return;
	store_forget_left(s);
	s->ops->close(s);
}

void
store_lacks(struct store *s, enum store_lack what, const char *why)
{
	atomic_fetch_add(&s->lacks[what].items, 1);
	atomic_store(&s->lacks[what].why, why);
}

unsigned
store_attrs_kinds(const struct store_config *config)
{
	return (config->keep_xattrs ? (unsigned)ATTRS_XATTRS : 0) |
	    (config->keep_acls ? (unsigned)ATTRS_ACLS : 0);
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

static int64_t
units_of(int64_t ns, int64_t unit)
{
	return ns / unit - (ns % unit < 0);
}

bool
store_same_time(const struct store_driver *d, int64_t a_ns, int64_t b_ns)
{
	int64_t unit = d->mtime_unit_ns > 0 ? d->mtime_unit_ns : 1;

	return units_of(a_ns, unit) == units_of(b_ns, unit);
}

/*
 * Whether an item that was to get WAS may have NOW.  Not every store holds
 * times before 1970 or after 2038, or fractions of a second, and none tells.
 */
static bool
may_be_same_time(const struct store_driver *d, int64_t now_ns, int64_t was_ns)
{
	const int64_t second = 1000000000;

	if (store_same_time(d, now_ns, was_ns) || was_ns < 0 ||
	    was_ns / second > INT32_MAX)
		return true;
	return now_ns % second == 0 && now_ns <= was_ns &&
	    now_ns > was_ns - 2 * second;
}

int
store_check_still(const struct store_driver *d, const struct store_stat *now,
    const struct store_stat *was, struct err *e)
{
	if (was == NULL ||
	    (now->type == was->type &&
		(was->type != ITEM_FILE || now->size == was->size) &&
		may_be_same_time(d, now->mtime_ns, was->mtime_ns)))
		return 0;
	return err_set(
	    e, ERR_MISMATCH, "is not what was left at the target any more");
}

int
store_check_component(const char *name, size_t n, struct err *e)
{
	if (n == 0 || (n == 1 && name[0] == '.') ||
	    (n == 2 && memcmp(name, "..", 2) == 0))
		return err_set(
		    e, ERR_NAME, "an empty, \".\" or \"..\" component");
	if (temp_is_name(name, n))
		return err_set(e, ERR_NAME,
		    "a name like this is a temporary file of dray");
	return 0;
}

/* An ETag names the content: with it in place of an inode, another object of
 * the same size and second is another item. */
struct item_stat
item_of_listed(const struct store_stat *st)
{
	struct item_stat out = {
	    .type = st->type,
	    .mode = st->has_owner ? st->mode : 0,
	    .uid = st->has_owner ? st->uid : 0,
	    .gid = st->has_owner ? st->gid : 0,
	    .size = st->size,
	    .ino = st->ino,
	    .dev = st->dev,
	    .mtime_ns = st->mtime_ns,
	    .ctime_ns = st->ctime_ns,
	    .nlink = st->nlink,
	};

	if (st->etag[0] != '\0')
		out.ino = crc64nvme(0, st->etag, strlen(st->etag));
	return out;
}
