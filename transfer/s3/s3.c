/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "transfer/s3/request.h"
#include "transfer/s3/s3.h"

#define PART_MIN (5ULL << 20)
#define PART_MAX (5ULL << 30)
#define PARTS_MAX 10000

static void
s3_close(struct store *store)
{
	struct s3 *s = (struct s3 *)store;

	if (s == NULL)
		return;
	pthread_mutex_destroy(&s->lock);
	cred_clear(&s->cred);
	free(s->bucket);
	free(s->prefix);
	free(s->root_path);
	free(s->ca_bundle);
	free(s);
}

static inline void
auto_s3(struct s3 **s)
{
	s3_close((struct store *)*s);
}

/* What goes into header lines must not end them. */
static bool
is_token(const char *s)
{
	for (; *s != '\0'; s++)
		if (*s <= ' ' || *s > '~')
			return false;
	return true;
}

static int
load(const char *profile, struct cred *out, struct err *e)
{
	AUTO(cred) struct cred c = {0};

	if (cred_load(profile, &c, e) == -1)
		return -1;
	if (!is_token(c.access_key) || !is_token(c.secret_key) ||
	    (c.token != NULL && !is_token(c.token)))
		return err_set(e, ERR_CONFIG,
		    "the credentials hold characters that none have: were "
		    "they copied whole?");
	*out = c;
	c = (struct cred){0};
	return 0;
}

static int
choose_checksum(struct s3 *s, struct err *e)
{
	const char *name = s->config.checksum;
	unsigned algo = 0;

	if (name == NULL || strcmp(name, "auto") == 0)
		return 0;
	if (strcmp(name, "crc64nvme") == 0)
		algo = DIGEST_CRC64NVME;
	else if (strcmp(name, "crc32c") == 0)
		algo = DIGEST_CRC32C;
	else if (strcmp(name, "md5") == 0)
		algo = DIGEST_MD5;
	else if (strcmp(name, "none") != 0)
		return err_set(e, ERR_CONFIG,
		    "checksum \"%.40s\" is none of auto, crc64nvme, crc32c, "
		    "md5, none",
		    name);
	s->forced = true;
	atomic_store(&s->checksum, algo);
	return 0;
}

static int
choose_place(struct s3 *s, struct err *e)
{
	const struct store_config *config = &s->config;
	const char *endpoint = config->endpoint_url, *region = config->region;
	const char *ca = config->ca_bundle;

	if (endpoint == NULL)
		endpoint = s->cred.endpoint_url;
	if (region == NULL)
		region = s->cred.region;
	if (region == NULL)
		region = "us-east-1";
	if (ca == NULL)
		ca = s->cred.ca_bundle;
	if (s3_place_of(endpoint, region, s->bucket, config->addressing,
		&s->place, e) == -1)
		return -1;
	snprintf(s->region, sizeof(s->region), "%s", region);
	if (ca != NULL && (s->ca_bundle = strdup(ca)) == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	s->sign_payload = !s->place.https && !config->payload_unsigned;
	return 0;
}

static int
make_root(struct s3 *s, struct err *e)
{
	AUTO(buf) struct buf root = BUF_INIT(8 * S3_KEY_MAX);
	size_t n = strlen(s->bucket);

	buf_adds(&root, s->place.base);
	buf_addc(&root, '/');
	s3_encode(&root, s->prefix, strlen(s->prefix), true);
	if (s->prefix[0] != '\0')
		buf_addc(&root, '/');
	s->root_path = buf_take(&root);
	/* Directory buckets have ETags of another kind. */
	s->etag_is_md5 = n < 6 || strcmp(s->bucket + n - 6, "--x-s3") != 0;
	return s->root_path != NULL ? 0
				    : err_set(e, ERR_NOMEM, "out of memory");
}

static struct store *
s3_open(const struct store_url *url, const struct store_config *config,
    struct err *e)
{
	AUTO(s3) struct s3 *s = calloc(1, sizeof(*s));

	if (s == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	pthread_mutex_init(&s->lock, NULL);
	s->store.ops = &s3_driver;
	s->config = *config;
	s->bucket = strdup(url->host);
	s->prefix = strdup(url->path);
	atomic_store(&s->generation, 1);
	if (s->bucket == NULL || s->prefix == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	if (strlen(s->prefix) >= S3_KEY_MAX) {
		err_set(e, ERR_CONFIG,
		    "a prefix of %zu bytes: S3's keys have "
		    "at most %d",
		    strlen(s->prefix), S3_KEY_MAX);
		return NULL;
	}
	if (config->storage_class != NULL && !is_token(config->storage_class)) {
		err_set(e, ERR_CONFIG, "not a storage class");
		return NULL;
	}
	if (load(config->profile, &s->cred, e) == -1 ||
	    choose_checksum(s, e) == -1 || choose_place(s, e) == -1 ||
	    make_root(s, e) == -1)
		return NULL;
	return &TAKE(s)->store;
}

static int
s3_refresh(struct store *store, struct err *e)
{
	struct s3 *s = (struct s3 *)store;
	AUTO(cred) struct cred fresh = {0};
	struct cred old;

	if (load(s->config.profile, &fresh, e) == -1)
		return -1;
	pthread_mutex_lock(&s->lock);
	old = s->cred;
	s->cred = fresh;
	atomic_fetch_add(&s->generation, 1);
	pthread_mutex_unlock(&s->lock);
	fresh = old;
	return 0;
}

static void
s3_limits(const struct store *store, struct plan_limits *limits)
{
	(void)store;
	limits->part_min_bytes = PART_MIN;
	limits->part_max_bytes = PART_MAX;
	limits->parts_max = PARTS_MAX;
	limits->put_max_bytes = PART_MAX;
}

static unsigned
s3_digests(const struct store *store)
{
	const struct s3 *s = (const struct s3 *)store;

	return atomic_load(&s->checksum) |
	    (s->sign_payload ? DIGEST_SHA256 : 0);
}

static int
s3_check_key(const struct store *store, const char *key, enum item_type type,
    struct err *e)
{
	const struct s3 *s = (const struct s3 *)store;
	size_t n = strlen(key) + (type == ITEM_DIR);

	if (s3_is_own(key))
		return err_set(e, ERR_NAME,
		    S3_OWN_DIR " at the target's root is where dray keeps what "
			       "has no place in an object: exclude it, or "
			       "rename it");
	if (s->prefix[0] != '\0')
		n += strlen(s->prefix) + 1;
	if (n > S3_KEY_MAX)
		return err_set(e, ERR_NAME,
		    "a key of %zu bytes with its prefix: S3 has at most %d", n,
		    S3_KEY_MAX);
	return 0;
}

static void
s3_disconnect(struct session *session)
{
	struct s3_session *c = (struct s3_session *)session;

	if (c == NULL)
		return;
	http_free(c->http);
	signer_free(c->signer);
	digester_free(c->digester);
	cred_clear(&c->cred);
	buf_free(&c->url);
	buf_free(&c->lines);
	buf_free(&c->small);
	free(c);
}

static inline void
auto_s3_session(struct s3_session **c)
{
	s3_disconnect((struct session *)*c);
}

static struct session *
s3_connect(struct store *store, struct err *e)
{
	struct s3 *s = (struct s3 *)store;
	const struct store_config *config = &s->config;
	struct http_config http = {.proxy = config->proxy,
	    .bind_address = config->bind_address,
	    .ca_bundle = s->ca_bundle,
	    .no_verify_tls = config->no_verify_tls,
	    .timeout_ms = config->timeout_ms,
	    .connect_timeout_ms = config->connect_timeout_ms,
	    .stop = config->stop,
	    .limit = config->limit};
	AUTO(s3_session) struct s3_session *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	c->session.store = store;
	buf_init(&c->url, 64 << 10);
	buf_init(&c->lines, 32 << 10);
	buf_init(&c->small, 64 << 10);
	if ((c->http = http_new(&http, e)) == NULL ||
	    (c->signer = signer_new(e)) == NULL ||
	    (c->digester = digester_new(e)) == NULL)
		return NULL;
	return &TAKE(c)->session;
}

static void
s3_set_checksum(struct store *store, unsigned algo)
{
	struct s3 *s = (struct s3 *)store;

	if (!s->forced && (algo != DIGEST_SHA256 || s->sign_payload))
		atomic_store(&s->checksum, algo);
}

static void
s3_place(const struct store *store, char *out, size_t size)
{
	const struct s3 *s = (const struct s3 *)store;

	snprintf(out, size, "%s", s->place.endpoint);
}

const struct store_driver s3_driver = {
    .scheme = "s3",
    .features = STORE_HAS_ATTRS,
    .open = s3_open,
    .close = s3_close,
    .place = s3_place,
    .limits = s3_limits,
    .digests = s3_digests,
    .check_key = s3_check_key,
    .connect = s3_connect,
    .disconnect = s3_disconnect,
    .probe = s3_probe,
    .set_checksum = s3_set_checksum,
    .refresh = s3_refresh,
    .list = s3_list,
    .stat = s3_stat,
    .read = s3_read,
    .open_file = s3_open_file,
    .read_file = s3_read_file,
    .check_file = s3_check_file,
    .close_file = s3_close_file,
    .attrs = s3_attrs,
    .put = s3_put,
    .mkdir = s3_mkdir,
    .symlink = s3_symlink,
    .link = s3_link,
    .set_metadata = s3_set_metadata,
    .upload_begin = s3_upload_begin,
    .upload_part = s3_upload_part,
    .upload_check = s3_upload_check,
    .upload_complete = s3_upload_complete,
    .upload_abort = s3_upload_abort,
    .uploads = s3_uploads,
    .set_aside = s3_set_aside,
    .remove = s3_remove,
};
