/* SPDX-License-Identifier: ISC */
/*
 * What was sent is proved where it is: config.sftp_checksum takes its checksum
 * there, in a shell beside the connection.
 */
#include "config.h"

#include <string.h>

#include "transfer/sftp/internal.h"

/* The shell beside the call's connection; each has one of its own. */
static struct sum *
sum_of(struct session *c, struct err *e)
{
	struct sftp_store *s = sftp_store_of(c);
	struct conn *conn = sftp_session_of(c)->call.conn;
	struct sum_config config = {
	    .open = s->transport_open,
	    .target = s->target,
	    .command = s->config.sftp_checksum,
	    .timeout_ms = s->timeout_ms,
	    .connect_timeout_ms = s->target.connect_timeout_ms,
	    .stop = s->config.stop,
	};
	struct sum *sum;
	unsigned i = 0;

	pthread_mutex_lock(&s->lock);
	while (i + 1 < s->conns_n && s->conns[i] != conn)
		i++;
	if (s->sums[i] == NULL)
		s->sums[i] = sum_new(&config, e);
	sum = s->sums[i];
	pthread_mutex_unlock(&s->lock);
	return sum;
}

static int
ask(struct session *c, const char *path, uint64_t offset, uint64_t len,
    struct sum_found *out, struct err *e)
{
	struct sum *sum = sum_of(c, e);

	if (sum == NULL || sum_ask(sum, path, offset, len, out, e) == -1)
		return -1;
	/* From now on it is taken while the bytes are read. */
	atomic_store(&sftp_store_of(c)->sum_algo, out->algo);
	return 0;
}

static const uint8_t *
bytes_of(const struct digest *d, unsigned algo)
{
	if (algo == DIGEST_SHA256)
		return d->sha256;
	return algo == DIGEST_MD5 ? d->md5 : d->xxh3;
}

int
sftp_prove_probe(struct session *c, struct err *e)
{
	struct sum_found found;

	/* Of no bytes: it is only to be there. */
	if (ask(c, sftp_store_of(c)->root, 0, 0, &found, e) == 0)
		return 0;
	if (e->kind == ERR_SERVER)
		return err_set(e, ERR_CONFIG,
		    "the shell of %s doesn't see %s as SFTP does: leave "
		    "--sftp-checksum out: then what is sent is read back",
		    sftp_store_of(c)->host, sftp_store_of(c)->root);
	return -1;
}

int
sftp_prove(struct session *base, const char *path, uint64_t offset,
    const void *data, size_t len, bool whole, const struct digest *digest,
    struct err *e)
{
	struct sftp_session *c = sftp_session_of(base);
	struct sum_found found;
	struct digest now;

	if (ask(base, path, offset, whole ? SUMTEXT_WHOLE : len, &found, e) ==
	    -1)
		return -1;
	if ((digest->have & found.algo) == 0) {
		if (c->digester == NULL &&
		    (c->digester = digester_new(e)) == NULL)
			return -1;
		digester_start(c->digester, found.algo);
		digester_update(c->digester, data, len);
		digester_finish(c->digester, &now);
		digest = &now;
	}
	if (memcmp(found.bytes, bytes_of(digest, found.algo), found.size) == 0)
		return 0;
	return err_set(e, ERR_MISMATCH,
	    "\"%s\" at the server finds another checksum than that of what was "
	    "sent",
	    sftp_store_of(base)->config.sftp_checksum);
}
