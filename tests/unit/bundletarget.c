/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <sys/statvfs.h>

#include "tests/unit/check.h"
#include "tests/unit/tree.h"
#include "transfer/bundle/internal.h"

#define ID "0123456789abcdef0123456789abcdef"
#define PART ((size_t)100000)

static struct bundle_order order = {.id = ID, .base = "", .disk = 1};

static struct store *
open_at(const char *name, bool write)
{
	struct store_config config = {.bundle = write ? &order : NULL};
	char text[4200];
	struct err e = ERR_INIT;
	AUTO(store_url) struct store_url *url = NULL;

	snprintf(text, sizeof(text), "bundle://%s/%s", tree_path, name);
	url = store_url_parse(text, &e);
	return store_open(url, &config, &e);
}

/* A file in PARTS, on its way. */
struct way {
	struct plan plan;
	struct store_upload u;
	char id[STORE_ID_MAX];
	struct store_part parts[8];
};

static void
part_bytes(unsigned char *p, size_t n, uint32_t number)
{
	size_t i;

	for (i = 0; i < n; i++)
		p[i] = (unsigned char)(i * 31 + i / 251 + number);
}

static void
begin(struct session *c, struct way *w, uint32_t parts)
{
	struct err e = ERR_INIT;

	*w = (struct way){
	    .plan = {
		.size = parts * PART - 7, .part_bytes = PART, .parts = parts}};
	w->u = (struct store_upload){
	    .key = "f",
	    .id = w->id,
	    .plan = w->plan,
	    .st = {.type = ITEM_FILE, .size = w->plan.size},
	};
	CHECK(c->store->ops->upload_begin(
		  c, "f", &w->u.st, &w->plan, w->id, &e) == 0);
}

static void
send(struct session *c, struct way *w, uint32_t number)
{
	struct store_part *p = &w->parts[number - 1];
	size_t n = (size_t)plan_length(&w->plan, number);
	AUTO(free) unsigned char *data = malloc(n);
	struct err e = ERR_INIT;
	AUTO(digester) struct digester *d = digester_new(&e);
	struct store_receipt r;

	part_bytes(data, n, number);
	digester_start(d, DIGEST_XXH3 | DIGEST_CRC64NVME);
	digester_update(d, data, n);
	digester_finish(d, &p->digest);
	p->number = number;
	p->size = n;
	w->u.id = w->id;
	CHECK(c->store->ops->upload_part(
		  c, &w->u, number, data, n, &p->digest, &r, &e) == 0);
	memcpy(p->etag, r.etag, sizeof(p->etag));
}

/* How many of the first N parts an upload that is opened again has. */
static unsigned
kept_of(struct session *c, struct way *w, size_t n, struct err *e)
{
	bool keep[8] = {false};
	unsigned kept = 0;
	size_t i;

	w->u.id = w->id;
	if (c->store->ops->upload_check(c, &w->u, w->parts, n, keep, e) == -1)
		return 99;
	for (i = 0; i < n; i++)
		kept += keep[i];
	return kept;
}

/* Sends what is missing from part FROM on, and what came is what was sent. */
static void
finish(struct session *c, struct way *w, uint32_t from)
{
	struct store *s = c->store;
	struct bundle_manifest m;
	struct store_receipt r;
	struct err e = ERR_INIT;
	AUTO(store) struct store *back = NULL;
	AUTO(session) struct session *reader = NULL;
	AUTO(free) unsigned char *is = malloc(PART), *want = malloc(PART);
	struct digest whole = {0};
	uint32_t i;

	for (i = from; i <= w->plan.parts; i++)
		send(c, w, i);
	CHECK(s->ops->upload_complete(
		  c, &w->u, w->parts, w->plan.parts, &whole, &r, &e) == 0);
	CHECK(bundle_finish(s, BUNDLE_COMPLETE, &m, &e) == 0);
	bundle_manifest_clear(&m);
	back = open_at("b", false);
	reader = store_connect(back, &e);
	for (i = 1; i <= w->plan.parts; i++) {
		size_t n = (size_t)plan_length(&w->plan, i);

		part_bytes(want, n, i);
		CHECK(back->ops->read(reader, "f", plan_offset(&w->plan, i), is,
			  n, &e) == 0 &&
		    memcmp(is, want, n) == 0);
	}
}

static void
what_was_sent_is_taken_up_again(void)
{
	int dir = tree_begin();
	struct err e = ERR_INIT;
	struct store *s = open_at("b", true);
	struct session *c = store_connect(s, &e);
	struct way w;

	begin(c, &w, 5);
	send(c, &w, 1);
	send(c, &w, 2);
	send(c, &w, 3);
	CHECK(s->ops->flush(c, &e) == 0);
	store_disconnect(c);
	store_close(s);
	s = open_at("b", true);
	c = store_connect(s, &e);
	/* Another content than what lies there. */
	w.parts[2].digest.xxh3[0] ^= 1;
	CHECK_UINT(kept_of(c, &w, 3, &e), 2);
	finish(c, &w, 3);
	store_disconnect(c);
	store_close(s);
	tree_end(dir);
}

/* The last part was there, and the run ended before the piece was. */
static void
a_whole_piece_is_ended(void)
{
	int dir = tree_begin(), fd;
	struct err e = ERR_INIT;
	struct store *s = open_at("b", true);
	struct session *c = store_connect(s, &e);
	unsigned long long data;
	char mark[STORE_ID_MAX + 200];
	struct way w;
	uint32_t i;

	begin(c, &w, 3);
	for (i = 1; i <= 3; i++)
		send(c, &w, i);
	CHECK(s->ops->flush(c, &e) == 0);
	store_disconnect(c);
	store_close(s);
	data = strtoull(strchr(w.parts[0].etag, ':') + 1, NULL, 10);
	snprintf(mark, sizeof(mark),
	    "{\"end\":%llu,\"open\":{\"id\":\"%s\",\"start\":%llu,"
	    "\"data\":%llu,\"part\":1}}\n",
	    data + (unsigned long long)w.plan.size, w.id, data - 512, data);
	fd = openat(dir, "b/000001.idx", O_WRONLY | O_APPEND | O_CLOEXEC);
	CHECK(write(fd, mark, strlen(mark)) == (ssize_t)strlen(mark));
	close(fd);
	s = open_at("b", true);
	c = store_connect(s, &e);
	CHECK_UINT(kept_of(c, &w, 3, &e), 3);
	finish(c, &w, 4);
	store_disconnect(c);
	store_close(s);
	tree_end(dir);
}

static void
parts_come_in_turn(void)
{
	int dir = tree_begin();
	struct err e = ERR_INIT;
	struct store *s = open_at("b", true);
	struct session *c = store_connect(s, &e);
	struct store_receipt r;
	struct way w;

	begin(c, &w, 3);
	CHECK(s->ops->upload_part(
		  c, &w.u, 2, "x", 1, &w.parts[0].digest, &r, &e) == -1);
	CHECK(e.kind == ERR_PROTOCOL);
	send(c, &w, 1);
	CHECK(s->ops->upload_abort(c, "f", w.id, &e) == 0);
	CHECK(s->ops->upload_part(
		  c, &w.u, 2, "x", 1, &w.parts[0].digest, &r, &e) == -1);
	CHECK(e.kind == ERR_GONE);
	store_disconnect(c);
	store_close(s);
	tree_end(dir);
}

static void
what_is_promised_is_nobody_elses(void)
{
	int dir = tree_begin();
	struct err e = ERR_INIT;
	struct store *s = open_at("b", true);
	struct bundle_target *t = (struct bundle_target *)(void *)s;
	struct statvfs fs;
	uint64_t room;

	CHECK(bundle_open(t, &e) == 0 && fstatvfs(dir, &fs) == 0);
	room = (uint64_t)fs.f_bavail * fs.f_frsize;
	CHECK(bundle_has_room(t, 1000, &e) == 0);
	CHECK(bundle_has_room(t, room - 100000, &e) == -1);
	CHECK(e.kind == ERR_NOSPACE);
	CHECK(bundle_promise(t, room / 4 * 3, &e) == 0);
	CHECK(bundle_has_room(t, room / 2, &e) == -1);
	bundle_promise_kept(t, room / 4 * 3);
	CHECK(bundle_has_room(t, room / 2, &e) == 0);
	store_close(s);
	tree_end(dir);
}

static void
a_bundle_is_one_runs(void)
{
	int dir = tree_begin();
	struct err e = ERR_INIT;
	struct store *s = open_at("b", true), *other;
	struct session *c = store_connect(s, &e), *d;
	struct bundle_order mine = order;

	CHECK(bundle_open((struct bundle_target *)(void *)s, &e) == 0);
	other = open_at("b", true);
	CHECK(bundle_open((struct bundle_target *)(void *)other, &e) == -1);
	CHECK(e.kind == ERR_BUSY);
	store_disconnect(c);
	store_close(s);
	store_close(other);
	order.id = "ffffffffffffffffffffffffffffffff";
	s = open_at("b", true);
	d = store_connect(s, &e);
	CHECK(bundle_open((struct bundle_target *)(void *)s, &e) == -1);
	CHECK(e.kind == ERR_CONFIG && strstr(e.msg, ID) != NULL);
	store_disconnect(d);
	store_close(s);
	order = mine;
	tree_end(dir);
}

int
main(void)
{
	RUN(what_was_sent_is_taken_up_again);
	RUN(a_whole_piece_is_ended);
	RUN(parts_come_in_turn);
	RUN(what_is_promised_is_nobody_elses);
	RUN(a_bundle_is_one_runs);
	return check_end();
}
