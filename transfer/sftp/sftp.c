/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "transfer/sftp/internal.h"

#define CONNECTIONS 4
#define TRANSFERS 512 /* a file waits for the server three times */
/* sshd's window of 2 MiB a round is all that one connection gets. */
#define PARTS (4 * CONNECTIONS)
#define TIMEOUT_MS 60000
#define CONNECT_TIMEOUT_MS 10000
/* A further connection is made only if logging in took no more than this part
 * of the time since the last one was: for few files it doesn't pay. */
#define DIAL_SHARE 4
/* With so much waiting to be sent, it does. */
#define BACKLOG_BYTES ((uint64_t)4 << 20)
/* One that failed isn't tried again for so long, while others work. */
#define SHUN_MS 30000

static bool
in_path(const char *program)
{
	const char *path = getenv("PATH");
	char text[PATH_MAX];

	if (strchr(program, '/') != NULL)
		return access(program, X_OK) == 0;
	while (path != NULL && *path != '\0') {
		size_t n = strcspn(path, ":");

		if (snprintf(text, sizeof(text), "%.*s/%s", (int)n, path,
			program) < (int)sizeof(text) &&
		    access(text, X_OK) == 0)
			return true;
		path += n + (path[n] == ':');
	}
	return false;
}

bool
sftp_uses_libssh2(const struct store_config *config)
{
	const char *how = config->sftp_transport;

	if (how != NULL && strcmp(how, "libssh2") == 0)
		return true;
	if (how != NULL && strcmp(how, "openssh") == 0)
		return false;
	return config->sftp_ssh == NULL && !in_path("ssh");
}

/* "~" is ".", and so is "~/." */
static char *
root_of(const char *path)
{
	if (path[0] != '~')
		return strdup(path);
	if (path[1] == '\0' || path[2] == '\0')
		return strdup(".");
	return strdup(path + 2);
}

static void
sftp_close(struct store *store)
{
	struct sftp_store *s = (struct sftp_store *)(void *)store;
	unsigned i;

	sftp_forget_uploads(s);
	for (i = 0; i < s->conns_n; i++) {
		sum_free(s->sums[i]);
		conn_free(s->conns[i]);
	}
	dirs_free(&s->dirs);
	handles_destroy(&s->handles);
	pthread_mutex_destroy(&s->lock);
	free(s->root);
	free(s->host);
	free(s->user);
	free(s);
}

static struct store *
sftp_open_store(const struct store_url *url, const struct store_config *config,
    struct err *e)
{
	struct sftp_store *s;

	if (config->sftp_checksum != NULL &&
	    config->sftp_checksum[strcspn(config->sftp_checksum, "\n")] !=
		'\0') {
		err_set(e, ERR_CONFIG, "--sftp-checksum: a command is a line");
		return NULL;
	}
	s = calloc(1, sizeof(*s));
	if (s == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	s->base.ops = &sftp_driver;
	s->config = *config;
	dirs_init(&s->dirs);
	handles_init(&s->handles);
	pthread_mutex_init(&s->lock, NULL);
	s->root = root_of(url->path);
	s->host = strdup(url->host);
	s->user = strdup(url->user);
	if (s->root == NULL || s->host == NULL || s->user == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		sftp_close(&s->base);
		return NULL;
	}
	s->target = (struct transport_target){
	    .host = s->host,
	    .user = s->user,
	    .port = url->port,
	    .identity = config->sftp_identity,
	    .password_file = config->sftp_password_file,
	    .passphrase_file = config->sftp_passphrase_file,
	    .known_hosts = config->sftp_known_hosts,
	    .ssh = config->sftp_ssh,
	    .bind_address = config->bind_address,
	    .connect_timeout_ms = config->connect_timeout_ms != 0
		? config->connect_timeout_ms
		: CONNECT_TIMEOUT_MS,
	};
	s->transport_open = sftp_uses_libssh2(config) ? transport_libssh2_open
						      : transport_ssh_open;
	s->timeout_ms =
	    config->timeout_ms != 0 ? config->timeout_ms : TIMEOUT_MS;
	s->owner = temp_owner(config->owner);
	atomic_init(&s->refused_owner, -1);
	return &s->base;
}

static void
sftp_place(const struct store *s, char *out, size_t size)
{
	(void)s;
	if (size > 0)
		out[0] = '\0'; /* the protocol tells nothing of that */
}

static void
sftp_limits(const struct store *s, struct plan_limits *limits)
{
	(void)s;
	limits->part_min_bytes = (uint64_t)64 << 10;
	limits->part_max_bytes = (uint64_t)256 << 20;
	limits->parts_max = 10000000;
	limits->put_max_bytes = UINT64_MAX;
}

static bool
proves(const struct sftp_store *s)
{
	return s->config.read_back && s->config.sftp_checksum != NULL;
}

static unsigned
sftp_digests(const struct store *store)
{
	const struct sftp_store *s =
	    (const struct sftp_store *)(const void *)store;

	return proves(s) ? atomic_load(&s->sum_algo) : 0;
}

static void
sftp_set_checksum(struct store *store, unsigned algo)
{
	struct sftp_store *s = (struct sftp_store *)(void *)store;

	/* Until the command itself tells. */
	if (proves(s) &&
	    (algo == DIGEST_SHA256 || algo == DIGEST_MD5 ||
		algo == DIGEST_XXH3))
		atomic_store(&s->sum_algo, algo);
}

static int
sftp_check_key(
    const struct store *s, const char *key, enum item_type type, struct err *e)
{
	const char *p = key;

	(void)s;
	(void)type;
	for (;;) {
		size_t n = strcspn(p, "/");

		if (store_check_component(p, n, e) == -1)
			return -1;
		if (p[n] == '\0')
			return 0;
		p += n + 1;
	}
}

static struct session *
sftp_connect(struct store *s, struct err *e)
{
	struct sftp_session *c = calloc(1, sizeof(*c));
	int i;

	if (c == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	c->base.store = s;
	call_init(&c->call);
	for (i = 0; i < 2; i++)
		buf_init(&c->body[i], PROTO_PACKET_MAX);
	buf_init(&c->path, 1 << 20);
	buf_init(&c->path2, 1 << 20);
	return &c->base;
}

static void
sftp_disconnect(struct session *base)
{
	struct sftp_session *c = sftp_session_of(base);
	int i;

	call_free(&c->call);
	digester_free(c->digester);
	for (i = 0; i < 2; i++)
		buf_free(&c->body[i]);
	buf_free(&c->path);
	buf_free(&c->path2);
	free(c);
}

static unsigned
connections_most(const struct sftp_store *s)
{
	unsigned n = s->config.sftp_connections;

	if (n == 0)
		n = CONNECTIONS;
	return n < SFTP_CONNECTIONS_MAX ? n : SFTP_CONNECTIONS_MAX;
}

/* The lock is held. */
static struct conn *
new_conn(struct sftp_store *s, struct err *e)
{
	struct conn_config config = {
	    .open = s->transport_open,
	    .target = s->target,
	    .number = s->conns_n,
	    .timeout_ms = s->timeout_ms,
	    .connect_timeout_ms = s->target.connect_timeout_ms,
	    .stop = s->config.stop,
	    .limit = s->config.limit,
	    .handles = &s->handles,
	};
	struct conn *conn = conn_new(&config, e);

	if (conn != NULL)
		s->conns[s->conns_n++] = conn;
	return conn;
}

/* One that could be connected, if there may be more; or NULL.  The lock is
 * held. */
static struct conn *
spare(struct sftp_store *s)
{
	struct err e = ERR_INIT;
	unsigned i;

	for (i = 1; i < s->conns_n; i++)
		if (!conn_is_up(s->conns[i]) && !conn_is_dialing(s->conns[i]) &&
		    !conn_failed_within(s->conns[i], SHUN_MS))
			return s->conns[i];
	/* Without memory for another, those that are there have to do. */
	return s->conns_n < connections_most(s) ? new_conn(s, &e) : NULL;
}

/*
 * Whether one more connection pays; they come one after another, as servers
 * turn many at once away.  The lock is held.
 */
static bool
one_more(struct sftp_store *s)
{
	uint64_t backlog = 0, since = 0, dial = 0;
	unsigned i;

	for (i = 0; i < s->conns_n; i++) {
		uint64_t up = conn_up_since_ms(s->conns[i]);

		if (conn_is_dialing(s->conns[i]))
			return false;
		backlog += conn_backlog(s->conns[i]);
		if (up >= since) {
			since = up;
			dial = conn_dial_ms(s->conns[i]);
		}
	}
	if (backlog < BACKLOG_BYTES * s->conns_n)
		dial *= DIAL_SHARE;
	return clock_mono_ms() - since >= dial;
}

/*
 * The one with the fewest users; NULL if the first can't be made.  Where there
 * is more to do than it has time for, one more is connected meanwhile.  What
 * has much to send (BULK) waits for that one.  The lock is held.
 */
static struct conn *
choose(struct sftp_store *s, bool bulk, struct err *e)
{
	struct conn *best = s->conns_n > 0 ? s->conns[0] : new_conn(s, e);
	struct conn *another;
	int least;
	unsigned i;

	if (best == NULL)
		return NULL;
	least = atomic_load(conn_users(best));
	for (i = 1; i < s->conns_n; i++) {
		struct conn *conn = s->conns[i];
		int users = atomic_load(conn_users(conn));

		if (users < least &&
		    (conn_is_up(conn) || (bulk && conn_is_dialing(conn)))) {
			best = conn;
			least = users;
		}
	}
	if (least < 2 || (!bulk && !one_more(s)) ||
	    (another = spare(s)) == NULL)
		return best;
	conn_wish(another);
	return bulk ? another : best;
}

int
sftp_begin_on(struct session *base, struct conn *conn, struct err *e)
{
	struct sftp_session *c = sftp_session_of(base);

	atomic_fetch_add(conn_users(conn), 1);
	if (call_start(&c->call, conn, e) == 0)
		return 0;
	atomic_fetch_sub(conn_users(conn), 1);
	return -1;
}

/* CONN, which failed for *E, needn't be used for now: others work. */
static bool
can_do_without(struct sftp_store *s, struct conn *conn, const struct err *e)
{
	bool can;

	if (e->kind == ERR_STOPPED || e->kind == ERR_NOMEM)
		return false;
	pthread_mutex_lock(&s->lock);
	can = conn != s->conns[0] && conn_is_up(s->conns[0]);
	pthread_mutex_unlock(&s->lock);
	return can;
}

static int
begin(struct session *base, bool bulk, struct err *e)
{
	struct sftp_store *s = sftp_store_of(base);
	struct conn *conn;

	do {
		pthread_mutex_lock(&s->lock);
		conn = choose(s, bulk, e);
		pthread_mutex_unlock(&s->lock);
		if (conn == NULL)
			return -1;
		if (sftp_begin_on(base, conn, e) == 0)
			return 0;
	} while (can_do_without(s, conn, e));
	return -1;
}

int
sftp_begin(struct session *c, struct err *e)
{
	return begin(c, false, e);
}

int
sftp_begin_bulk(struct session *c, struct err *e)
{
	return begin(c, true, e);
}

void
sftp_end(struct session *base)
{
	atomic_fetch_sub(conn_users(sftp_session_of(base)->call.conn), 1);
}

/* The root and the directories above it, as mkdir -p does; how the last one
 * fared into *STATUS. */
static int
make_root(struct session *base, uint32_t *status, struct err *e)
{
	struct sftp_session *c = sftp_session_of(base);
	struct sftp_store *s = sftp_store_of(base);
	AUTO(free) char *path = strdup(s->root);
	struct proto_attrs none = {0};
	char *p = path;

	if (path == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	call_again(&c->call);
	while (*p != '\0') {
		char was;

		p += strspn(p, "/");
		p += strcspn(p, "/");
		was = *p;
		*p = '\0';
		if (path[0] != '\0' && strcmp(path, "/") != 0)
			call_setstat(&c->call, PROTO_MKDIR, path, &none);
		*p = was;
	}
	/* What is there already refuses to be made: looked at next. */
	if (call_run(&c->call, e) == -1)
		return -1;
	*status = c->call.n > 0 ? call_status(&c->call, c->call.n - 1)
				: PROTO_NO_SUCH_FILE;
	return 0;
}

/* *FS is what the server tells of the file system there, if it does. */
static int
look_at_root(
    struct session *base, bool create, struct proto_statvfs *fs, struct err *e)
{
	struct sftp_session *c = sftp_session_of(base);
	struct sftp_store *s = sftp_store_of(base);
	bool tells = (c->call.caps.features & PROTO_HAS_STATVFS) != 0;
	uint32_t status, made_status = PROTO_OK;
	struct proto_attrs root = {0};
	bool made = false;

	for (;;) {
		call_again(&c->call);
		call_stat(&c->call, PROTO_STAT, s->root, &root);
		if (tells)
			call_statvfs(&c->call, s->root, &c->body[0]);
		if (call_run(&c->call, e) == -1)
			return -1;
		status = call_status(&c->call, 0);
		if (status != PROTO_NO_SUCH_FILE || !create || made)
			break;
		if (make_root(base, &made_status, e) == -1)
			return -1;
		made = true;
	}
	if (status != PROTO_OK && made_status != PROTO_OK)
		return sftp_failed(base, made_status, "make directory", e);
	if (status != PROTO_OK)
		return sftp_failed(base, status, "open directory", e);
	if ((root.have & PROTO_ATTR_MODE) != 0 && !S_ISDIR(root.mode))
		return err_set(e, ERR_CONFIG, "%s is not a directory", s->root);
	if (!tells || call_status(&c->call, 1) != PROTO_OK)
		return 0;
	return proto_get_statvfs(call_body(&c->body[0]), fs, e);
}

static void
describe(struct session *base, const struct proto_statvfs *fs,
    struct store_probe *out)
{
	struct sftp_session *c = sftp_session_of(base);
	struct sftp_store *s = sftp_store_of(base);
	unsigned f = c->call.caps.features;
	char size[16], room[40] = "";

	memset(out, 0, sizeof(*out));
	if (fs->blocks > 0)
		snprintf(room, sizeof(room), ", %s free",
		    text_size(fs->available * fs->block, size, sizeof(size)));
	snprintf(out->text, sizeof(out->text),
	    "SFTP directory %.80s on %.40s%s%s%s%s", s->root, s->host, room,
	    (f & PROTO_HAS_FSYNC) != 0 ? "" : ", can't sync",
	    (f & PROTO_HAS_POSIX_RENAME) != 0 ? "" : ", can't replace at once",
	    fs->read_only ? ", read-only" : "");
}

static int
probe(struct session *base, bool create, struct store_probe *out, struct err *e)
{
	const char *root = sftp_store_of(base)->root;
	struct proto_statvfs fs = {0};

	if (look_at_root(base, create, &fs, e) == -1)
		return err_context(e, "%s", root);
	if (create && fs.read_only)
		return err_set(
		    e, ERR_DENIED, "%s: the file system is read-only", root);
	describe(base, &fs, out);
	return 0;
}

static int
sftp_probe(struct session *c, bool create, bool checksum,
    struct store_probe *out, struct err *e)
{
	int rc;

	if (sftp_begin(c, e) == -1)
		return -1;
	rc = probe(c, create, out, e);
	if (rc == 0 && checksum &&
	    sftp_store_of(c)->config.sftp_checksum != NULL)
		rc = sftp_prove_probe(c, e);
	if (rc == 0)
		out->checksum = sftp_digests(c->store);
	sftp_end(c);
	return rc;
}

const struct store_driver sftp_driver = {
    .scheme = "sftp",
    .features = STORE_HAS_DIRS | STORE_HAS_MODES | STORE_LIST_MTIME |
	STORE_LIST_META | STORE_HAS_LINKS,
    .mtime_unit_ns = 1000000000,
    .transfers = TRANSFERS,
    .parts = PARTS,
    .open = sftp_open_store,
    .close = sftp_close,
    .place = sftp_place,
    .limits = sftp_limits,
    .digests = sftp_digests,
    .check_key = sftp_check_key,
    .connect = sftp_connect,
    .disconnect = sftp_disconnect,
    .probe = sftp_probe,
    .set_checksum = sftp_set_checksum,
    .list = sftp_list,
    .stat = sftp_stat,
    .read = sftp_read,
    .open_file = sftp_open_file,
    .read_file = sftp_read_file,
    .check_file = sftp_check_file,
    .close_file = sftp_close_file,
    .readlink = sftp_readlink,
    .put = sftp_put,
    .mkdir = sftp_mkdir,
    .symlink = sftp_symlink,
    .link = sftp_link,
    .set_aside = sftp_set_aside,
    .set_metadata = sftp_set_metadata,
    .upload_begin = sftp_upload_begin,
    .upload_part = sftp_upload_part,
    .upload_check = sftp_upload_check,
    .upload_complete = sftp_upload_complete,
    .upload_abort = sftp_upload_abort,
    .sweep = sftp_sweep,
    .remove = sftp_remove,
};
