/* SPDX-License-Identifier: ISC */
/*
 * The S3 driver against a real server:
 *
 *	s3-driver ENDPOINT BUCKET [CA-BUNDLE]
 *
 * with credentials in the environment.  Everything happens under a prefix of
 * its own in BUCKET, which is empty again at the end.  Not part of
 * "make check".
 */
#include "config.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "tests/unit/check.h"
#include "transfer/store.h"

#define MIB (1U << 20)

static struct store_config config;
static struct store *store;
static struct session *session;
static char prefix_url[200];
static unsigned char *bytes; /* 16 MiB of them */

static const struct item_stat file_stat = {.type = ITEM_FILE,
    .mode = S_IFREG | 0640,
    .uid = 1000,
    .gid = 65534,
    .mtime_ns = 1595002920123456789};

/* Says what went wrong, for CHECK. */
static bool
ok(int rc, const struct err *e)
{
	if (rc == -1)
		fprintf(
		    stderr, "error (%s): %s\n", err_kind_name(e->kind), e->msg);
	return rc == 0;
}

static struct digest
digest_of(const void *p, size_t n)
{
	struct err e = ERR_INIT;
	AUTO(digester) struct digester *d = digester_new(&e);
	struct digest out;

	digester_start(d,
	    DIGEST_XXH3 | DIGEST_CRC64NVME | DIGEST_CRC32C |
		store->ops->digests(store));
	digester_update(d, p, n);
	digester_finish(d, &out);
	return out;
}

static bool
put(const char *key, const void *p, size_t n)
{
	struct digest d = digest_of(p, n);
	struct store_receipt r;
	struct err e = ERR_INIT;

	if (!ok(store->ops->put(session, key, &file_stat, p, n, &d, &r, &e),
		&e)) {
		char shown[200];

		fprintf(stderr, "  key %s\n",
		    text_escaped(key, strlen(key), shown, sizeof(shown)));
		return false;
	}
	return r.etag[0] != '\0';
}

static bool
same(const char *key, const void *p, size_t n)
{
	AUTO(free) void *got = malloc(n + 1);
	struct err e = ERR_INIT;

	return ok(store->ops->read(session, key, 0, got, n, &e), &e) &&
	    memcmp(got, p, n) == 0;
}

static int
remove_keys(const char *const *keys, size_t n)
{
	AUTO(free) struct err *results = calloc(n, sizeof(*results));
	struct err e = ERR_INIT;
	int rc = store->ops->remove(session, keys, n, results, &e);

	ok(rc, &e);
	return rc;
}

static void
the_store_is_probed(void)
{
	struct store_probe p;
	struct err e = ERR_INIT;

	CHECK(ok(store->ops->probe(session, false, true, &p, &e), &e));
	printf("# %s (skew %" PRId64 " ms)\n", p.text, p.clock_skew_ms);
	CHECK(p.clock_skew_ms > -5000 && p.clock_skew_ms < 5000);
}

static int
probe_as(const char *bucket, const char *secret, struct err *e)
{
	char text[200], was[200];
	struct err ignored = ERR_INIT;
	struct store_probe p;
	int rc = -1;

	snprintf(text, sizeof(text), "s3://%s/x", bucket);
	snprintf(was, sizeof(was), "%s", getenv("AWS_SECRET_ACCESS_KEY"));
	if (secret != NULL)
		setenv("AWS_SECRET_ACCESS_KEY", secret, 1);
	{
		AUTO(store_url)
		struct store_url *url = store_url_parse(text, &ignored);
		AUTO(store) struct store *s = store_open(url, &config, e);
		AUTO(session)
		struct session *c = s != NULL ? store_connect(s, e) : NULL;

		if (c != NULL)
			rc = s->ops->probe(c, false, true, &p, e);
	}
	setenv("AWS_SECRET_ACCESS_KEY", was, 1);
	return rc;
}

static void
wrong_credentials_and_buckets_are_explained(void)
{
	struct err e = ERR_INIT;

	if (getenv("UNSIGNED_SERVER") == NULL) { /* a fake checks nothing */
		CHECK(probe_as("test", "wrong", &e) == -1);
		CHECK(e.kind == ERR_DENIED);
		printf("# %s\n", e.msg);
	}
	CHECK(probe_as("no-such-bucket-here", NULL, &e) == -1);
	CHECK(e.kind == ERR_CONFIG);
	printf("# %s\n", e.msg);
}

static void
an_object_is_put_seen_read_and_removed(void)
{
	const char *keys[] = {"dir/a.txt"};
	struct store_stat st;
	struct err e = ERR_INIT;
	char part[10];

	CHECK(put("dir/a.txt", bytes, 4096));
	CHECK(same("dir/a.txt", bytes, 4096));
	CHECK(
	    ok(store->ops->read(session, "dir/a.txt", 4086, part, 10, &e), &e));
	CHECK(memcmp(part, bytes + 4086, 10) == 0);
	CHECK(store->ops->read(session, "dir/a.txt", 4090, part, 10, &e) == -1);
	CHECK(e.kind == ERR_MISMATCH);
	CHECK(ok(store->ops->stat(session, "dir/a.txt", &st, &e), &e));
	CHECK(st.type == ITEM_FILE && st.size == 4096 && st.has_owner);
	CHECK(st.mode == file_stat.mode && st.uid == 1000 && st.gid == 65534);
	CHECK(st.has_source_mtime && st.mtime_ns == file_stat.mtime_ns);
	CHECK(strlen(st.etag) == 32);
	CHECK(remove_keys(keys, 1) == 0);
	CHECK(store->ops->stat(session, "dir/a.txt", &st, &e) == -1);
	CHECK(e.kind == ERR_NOTFOUND);
	CHECK(put("empty", "", 0));
	CHECK(put("big", bytes, 6 * MIB + 1));
	CHECK(same("big", bytes, 6 * MIB + 1));
}

static void
directories_links_and_metadata_are_kept(void)
{
	struct item_stat dir = {.type = ITEM_DIR,
	    .mode = S_IFDIR | 01755,
	    .uid = 1,
	    .gid = 2,
	    .mtime_ns = -1500000000};
	struct item_stat link = {.type = ITEM_SYMLINK,
	    .mode = S_IFLNK | 0777,
	    .uid = 3,
	    .gid = 4,
	    .mtime_ns = 5};
	struct item_stat changed = file_stat;
	struct store_receipt r;
	struct store_stat st;
	struct err e = ERR_INIT;

	CHECK(ok(store->ops->mkdir(session, "d/sub", &dir, &e), &e));
	CHECK(ok(store->ops->stat(session, "d/sub", &st, &e), &e));
	CHECK(st.type == ITEM_DIR && st.mode == dir.mode && st.uid == 1);
	CHECK(st.mtime_ns == dir.mtime_ns);
	CHECK(ok(store->ops->symlink(session, "d/link", &link, "../x y", 6, &e),
	    &e));
	CHECK(same("d/link", "../x y", 6));
	CHECK(ok(store->ops->stat(session, "d/link", &st, &e), &e));
	CHECK(st.type == ITEM_SYMLINK && st.mode == (S_IFLNK | 0777));
	changed.mode = S_IFREG | 0600;
	changed.mtime_ns = 7000000001;
	CHECK(put("d/f %+\xc3\xa4", bytes, 100));
	CHECK(ok(store->ops->stat(session, "d/f %+\xc3\xa4", &st, &e), &e));
	CHECK(ok(store->ops->set_metadata(
		     session, "d/f %+\xc3\xa4", &changed, &st, &r, &e),
	    &e));
	st.etag[0] ^= 1;
	CHECK(store->ops->set_metadata(
		  session, "d/f %+\xc3\xa4", &changed, &st, &r, &e) == -1 &&
	    e.kind == ERR_MISMATCH);
	CHECK(strlen(r.etag) == 32);
	CHECK(ok(store->ops->stat(session, "d/f %+\xc3\xa4", &st, &e), &e));
	CHECK(st.mode == changed.mode && st.mtime_ns == 7000000001);
	CHECK(same("d/f %+\xc3\xa4", bytes, 100));
	dir.mode = S_IFDIR | 0700;
	CHECK(ok(store->ops->set_metadata(session, "d/sub", &dir, NULL, &r, &e),
	    &e));
	CHECK(ok(store->ops->stat(session, "d/sub", &st, &e), &e));
	CHECK(st.mode == dir.mode);
}

struct seen {
	size_t files, dirs;
	bool hit[2000];
	const char *const *keys;
	size_t n;
};

static int
on_entry(void *arg, const struct store_list_entry *entry, struct err *e)
{
	struct seen *s = arg;
	size_t i;

	(void)e;
	if (entry->st.type == ITEM_DIR)
		s->dirs++;
	else
		s->files++;
	for (i = 0; s->keys != NULL && i < s->n; i++)
		if (strlen(s->keys[i]) == entry->key_len &&
		    memcmp(s->keys[i], entry->key, entry->key_len) == 0)
			s->hit[i] = true;
	return 0;
}

static struct seen
list(const char *dir, bool recursive, const char *const *keys, size_t n)
{
	struct seen s = {.keys = keys, .n = n};
	struct err e = ERR_INIT;

	CHECK(ok(
	    store->ops->list(session, dir, recursive, on_entry, &s, &e), &e));
	return s;
}

static void
listings_are_whole_and_relative(void)
{
	static const char *const below[] = {
	    "d/sub", "d/link", "d/f %+\xc3\xa4"};
	struct seen s = list("d", false, below, 3);

	CHECK_UINT(s.files, 2);
	CHECK_UINT(s.dirs, 1);
	CHECK(s.hit[0] && s.hit[1] && s.hit[2]);
	s = list("", false, NULL, 0);
	CHECK_UINT(s.dirs, 1);
	CHECK_UINT(s.files, 2);
	s = list("", true, below, 3);
	CHECK(s.hit[0] && s.hit[1] && s.hit[2]);
	s = list("none", true, NULL, 0);
	CHECK(s.files == 0 && s.dirs == 0);
}

static void
odd_keys_survive(void)
{
	static char long_key[1025], segment[305], all[31][8];
	static const char *keys[80] = {" ", "a b", "+", "a+b", "%", "%20",
	    "%2F", "new\nline", "\xf0\x9f\x98\x80", "a//b", "x/../y", "..",
	    "./z", "q/.", "tail ", " head", "a&b<c>d\"e'f", "a=b&c", "a?b",
	    "a#b", "a;b", "a:b", "a@b", "a,b", "a$b", "a!*'()b", "~t", "a\\b",
	    "a|b^c`d{e}[f]", "\r", "\t", "\x7f", "\xc2\x85",
	    "\xe4\xb8\xad\xe6\x96\x87", "e\xcc\x81", "\xef\xbf\xbe", ".dray-x",
	    "]]>", "&amp;"};
	size_t n = 39, i;
	struct seen s;

	for (i = 1; i < 32; i++) {
		snprintf(all[i - 1], sizeof(all[0]), "c%c", (int)i);
		if (i != '\n')
			keys[n++] = all[i - 1];
	}
	memset(segment, 's', sizeof(segment) - 1);
	keys[n++] = segment;
	i = 1024 - strlen(strrchr(prefix_url, '/') + 1) - 1;
	while (i-- > 0)
		long_key[strlen(long_key)] = i % 100 == 50 ? '/' : 'k';
	keys[n++] = long_key;
	for (i = 0; i < n; i++)
		CHECK(put(keys[i], keys[i], strlen(keys[i])));
	s = list("", true, keys, n);
	for (i = 0; i < n; i++) {
		CHECK(s.hit[i]);
		CHECK(same(keys[i], keys[i], strlen(keys[i])));
		if (!s.hit[i])
			fprintf(stderr, "  key number %zu\n", i);
	}
	CHECK(remove_keys(keys, n) == 0);
	s = list("", true, keys, n);
	for (i = 0; i < n; i++) {
		CHECK(!s.hit[i]);
		if (s.hit[i])
			fprintf(stderr, "  key number %zu\n", i);
	}
	keys[0] = "not there";
	CHECK(remove_keys(keys, 1) == 0);
}

static void
a_key_that_is_too_long_is_named(void)
{
	char key[1026];
	struct err e = ERR_INIT;

	memset(key, 'k', sizeof(key));
	key[1025] = '\0';
	CHECK(store->ops->check_key(store, key, ITEM_FILE, &e) == -1);
	CHECK(e.kind == ERR_NAME);
	printf("# %s\n", e.msg);
}

static void
a_wrong_digest_is_refused(void)
{
	struct digest d = digest_of(bytes, 1000);
	struct store_receipt r;
	struct store_stat st;
	struct err e = ERR_INIT;

	d.crc64nvme ^= 1;
	d.crc32c ^= 1;
	d.md5[0] ^= 1;
	CHECK(store->ops->put(
		  session, "wrong", &file_stat, bytes, 1000, &d, &r, &e) == -1);
	CHECK(e.kind == ERR_MISMATCH);
	printf("# %s\n", e.msg);
	CHECK(store->ops->stat(session, "wrong", &st, &e) == -1 &&
	    e.kind == ERR_NOTFOUND);
}

struct job {
	const struct store_upload *u;
	struct store_part *parts;
	uint32_t first, step;
	int rc;
};

static void *
send_parts(void *arg)
{
	struct job *j = arg;
	struct err e = ERR_INIT;
	AUTO(session) struct session *c = store_connect(store, &e);
	uint32_t i;

	for (i = j->first; c != NULL && i < j->u->plan.parts; i += j->step) {
		struct store_part *p = &j->parts[i];
		struct store_receipt r;

		p->number = i + 1;
		p->size = plan_length(&j->u->plan, i + 1);
		p->digest =
		    digest_of(bytes + plan_offset(&j->u->plan, i + 1), p->size);
		j->rc |= store->ops->upload_part(c, j->u, i + 1,
		    bytes + plan_offset(&j->u->plan, i + 1), p->size,
		    &p->digest, &r, &e);
		ok(j->rc, &e);
		memcpy(p->etag, r.etag, sizeof(r.etag));
	}
	j->rc |= c == NULL ? -1 : 0;
	return NULL;
}

static struct store_upload
begin(const char *key, char *id)
{
	struct store_upload u = {.key = key,
	    .id = id,
	    .st = file_stat,
	    .plan = {.size = 16 * MIB - 5, .part_bytes = 5 * MIB, .parts = 4}};
	struct err e = ERR_INIT;

	u.st.size = u.plan.size;
	CHECK(ok(store->ops->upload_begin(session, key, &u.st, &u.plan, id, &e),
	    &e));
	return u;
}

static void
send_all(const struct store_upload *u, struct store_part *parts)
{
	struct job jobs[2];
	pthread_t threads[2];
	uint32_t i;

	for (i = 0; i < 2; i++) {
		jobs[i] = (struct job){u, parts, i, 2, 0};
		pthread_create(&threads[i], NULL, send_parts, &jobs[i]);
	}
	for (i = 0; i < 2; i++) {
		pthread_join(threads[i], NULL);
		CHECK(jobs[i].rc == 0);
	}
}

static void
parts_become_one_object_and_completing_twice_is_one_too(void)
{
	char id[STORE_ID_MAX];
	struct store_upload u = begin("multi part", id);
	struct digest whole = digest_of(bytes, u.plan.size);
	struct store_part parts[4];
	struct store_receipt r;
	struct store_stat st;
	struct err e = ERR_INIT;
	bool keep[4];
	int i;

	send_all(&u, parts);
	parts[2].etag[0] = parts[2].etag[0] == '0' ? '1' : '0';
	CHECK(
	    ok(store->ops->upload_check(session, &u, parts, 4, keep, &e), &e));
	CHECK(keep[0] && keep[1] && !keep[2] && keep[3]);
	CHECK(store->ops->upload_complete(
		  session, &u, parts, 4, &whole, &r, &e) == -1);
	printf("# wrong ETag: (%s) %s\n", err_kind_name(e.kind), e.msg);
	send_all(&u, parts);
	for (i = 0; i < 2; i++) {
		CHECK(ok(store->ops->upload_complete(
			     session, &u, parts, 4, &whole, &r, &e),
		    &e));
		CHECK(strlen(r.etag) == 34);
	}
	CHECK(ok(store->ops->stat(session, u.key, &st, &e), &e));
	CHECK(st.size == u.plan.size && st.mtime_ns == file_stat.mtime_ns);
	CHECK(same(u.key, bytes, u.plan.size));
}

struct found {
	const char *key, *id;
	size_t n;
	bool hit;
};

static int
on_upload(
    void *arg, const char *key, const char *id, int64_t begun_ns, struct err *e)
{
	struct found *f = arg;

	(void)e;
	f->n++;
	if (strcmp(key, f->key) == 0 && strcmp(id, f->id) == 0 &&
	    llabs(begun_ns - clock_wall_ns()) < 3600LL * 1000000000)
		f->hit = true;
	return 0;
}

static void
an_aborted_upload_is_gone(void)
{
	char id[STORE_ID_MAX];
	struct store_upload u = begin("ab & ort", id);
	struct digest whole = digest_of(bytes, u.plan.size);
	struct found f = {.key = u.key, .id = id};
	struct store_part parts[4];
	struct store_receipt r;
	struct err e = ERR_INIT;
	bool keep[4];

	CHECK(ok(store->ops->uploads(session, "", on_upload, &f, &e), &e));
	CHECK(f.hit);
	CHECK_UINT(f.n, 1);
	send_all(&u, parts);
	CHECK(ok(store->ops->upload_abort(session, u.key, id, &e), &e));
	CHECK(ok(store->ops->upload_abort(session, u.key, id, &e), &e));
	CHECK(store->ops->upload_check(session, &u, parts, 4, keep, &e) == -1);
	CHECK(e.kind == ERR_GONE);
	CHECK(store->ops->upload_complete(
		  session, &u, parts, 4, &whole, &r, &e) == -1);
	printf("# after abort: (%s) %s\n", err_kind_name(e.kind), e.msg);
	CHECK(e.kind == ERR_GONE);
	f = (struct found){.key = u.key, .id = id};
	CHECK(ok(store->ops->uploads(session, "ab", on_upload, &f, &e), &e));
	CHECK(f.n == 0);
}

static void
many_keys_are_listed_in_pages_and_removed_in_bulk(void)
{
	static char names[1050][24];
	const char *keys[1050];
	struct seen s;
	size_t i, n = 1050;

	for (i = 0; i < n; i++) {
		snprintf(names[i], sizeof(names[i]), "many/%c/f%04zu",
		    "ab"[i % 2], i);
		keys[i] = names[i];
		CHECK(put(keys[i], "x", 1));
	}
	s = list("many", true, keys, n);
	CHECK_UINT(s.files, n);
	s = list("many", false, NULL, 0);
	CHECK_UINT(s.dirs, 2);
	CHECK(remove_keys(keys, n) == 0);
	s = list("many", true, NULL, 0);
	CHECK_UINT(s.files, 0);
}

static void
what_is_left_can_be_removed(void)
{
	const char *keys[] = {
	    "empty", "big", "d/sub/", "d/link", "d/f %+\xc3\xa4", "multi part"};
	struct seen s;

	CHECK(remove_keys(keys, 6) == 0);
	s = list("", true, NULL, 0);
	CHECK(s.files == 0 && s.dirs == 0);
}

int
main(int argc, char **argv)
{
	struct err e = ERR_INIT;
	AUTO(store_url) struct store_url *url = NULL;
	size_t i;

	if (argc < 3) {
		fprintf(stderr, "usage: s3-driver ENDPOINT BUCKET [CA]\n");
		return 2;
	}
	config.endpoint_url = argv[1];
	config.ca_bundle = argv[3];
	config.checksum = getenv("CHECKSUM");
	snprintf(prefix_url, sizeof(prefix_url), "s3://%s/live %d&", argv[2],
	    (int)getpid());
	url = store_url_parse(prefix_url, &e);
	store = url != NULL ? store_open(url, &config, &e) : NULL;
	session = store != NULL ? store_connect(store, &e) : NULL;
	bytes = malloc(16 * MIB);
	if (session == NULL || bytes == NULL) {
		fprintf(stderr, "%s\n", e.msg);
		return 3;
	}
	for (i = 0; i < 16 * MIB; i++)
		bytes[i] = (unsigned char)(i * 2654435761U >> 13);
	RUN(the_store_is_probed);
	RUN(wrong_credentials_and_buckets_are_explained);
	RUN(an_object_is_put_seen_read_and_removed);
	RUN(directories_links_and_metadata_are_kept);
	RUN(listings_are_whole_and_relative);
	RUN(odd_keys_survive);
	RUN(a_key_that_is_too_long_is_named);
	RUN(a_wrong_digest_is_refused);
	RUN(parts_become_one_object_and_completing_twice_is_one_too);
	RUN(an_aborted_upload_is_gone);
	RUN(many_keys_are_listed_in_pages_and_removed_in_bulk);
	RUN(what_is_left_can_be_removed);
	free(bytes);
	store_disconnect(session);
	store_close(store);
	return check_end();
}
