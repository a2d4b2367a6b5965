/* SPDX-License-Identifier: ISC */
#include "config.h"

#include "tests/unit/check.h"
#include "tests/unit/tree.h"
#include "transfer/bundle/pieces.h"
#include "transfer/bundle/volume.h"
#include "transfer/pack/frame.h"
#include "transfer/pack/tar.h"

#define ID "0123456789abcdef0123456789abcdef"

static int
count(void *arg, const struct pack_record *m, struct err *e)
{
	(void)m;
	(void)e;
	++*(unsigned *)arg;
	return 0;
}

/* A member of N bytes 'x'. */
static void
append(struct volume *v, const char *path, size_t n, uint64_t order)
{
	struct pack_piece piece = {
	    .volume = v->number, .offset = v->at, .length = n};
	struct pack_record r = {
	    .path = path,
	    .path_len = strlen(path),
	    .st = {.type = ITEM_FILE, .size = n},
	    .order = order,
	    .pieces = &piece,
	    .pieces_n = 1,
	};
	AUTO(free) char *data = malloc(n);
	struct err e = ERR_INIT;

	memset(data, 'x', n);
	pthread_mutex_lock(&v->lock);
	CHECK(volume_add(v, data, n, &e) == 0);
	CHECK(volume_add_zeros(v, tar_padding(n), &e) == 0);
	pack_record_add(&v->lines, &r);
	pthread_mutex_unlock(&v->lock);
}

static void
cut(int dir, off_t size)
{
	int fd = openat(dir, "000001.tar", O_RDWR | O_CLOEXEC);

	CHECK(ftruncate(fd, size) == 0);
	close(fd);
}

static off_t
size_of(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, 0) == 0 ? st.st_size : -1;
}

static void
what_was_synced_is_found_again(void)
{
	int dir = tree_begin();
	struct err e = ERR_INIT;
	struct volume_found found;
	unsigned n = 0;
	struct volume *v = volume_new(dir, 7, ID, 0, &e);
	uint64_t at;

	CHECK(v != NULL && v->at > 0);
	append(v, "a", 100, 3);
	append(v, "big", 300000, 4);
	CHECK(volume_sync(v, &e) == 0);
	at = v->at;
	append(v, "lost", 200000, 5);
	volume_free(v);
	CHECK(size_of(dir, "000007.tar") > (off_t)at);
	v = volume_again(dir, 7, ID, 0, count, &n, &found, &e);
	CHECK(v != NULL && n == 2 && !found.sealed);
	CHECK_UINT(found.order, 4);
	CHECK_UINT(v->at, at);
	CHECK_UINT(size_of(dir, "000007.tar"), at);
	append(v, "again", 5, 6);
	CHECK(volume_seal(v, &e) == 0);
	volume_free(v);
	n = 0;
	v = volume_again(dir, 7, ID, 0, count, &n, &found, &e);
	CHECK(v != NULL && n == 3 && found.sealed);
	CHECK_UINT(size_of(dir, "000007.tar"), at + 512 + TAR_END_BYTES);
	volume_free(v);
	tree_end(dir);
}

static void
an_open_piece_is_told_or_cut(void)
{
	int dir = tree_begin();
	struct err e = ERR_INIT;
	struct volume_found found;
	unsigned n = 0;
	struct volume *v = volume_new(dir, 1, ID, 0, &e);
	uint64_t start, at;

	append(v, "a", 512, 1);
	start = v->at;
	append(v, "part", 70000, 2);
	buf_reset(&v->lines);
	v->open = (struct volume_open){
	    .id = "up-1-2", .start = start, .data = start, .part = 1};
	CHECK(volume_sync(v, &e) == 0);
	at = v->at;
	volume_free(v);
	v = volume_again(dir, 1, ID, 0, count, &n, &found, &e);
	CHECK(v != NULL && n == 0);
	CHECK_STR(v->open.id, "up-1-2");
	CHECK_UINT(v->open.start, start);
	CHECK_UINT(v->at, at);
	volume_free(v);
	/* Not all of it is there: nothing of it counts. */
	cut(dir, (off_t)at - 10);
	v = volume_again(dir, 1, ID, 0, count, &n, &found, &e);
	CHECK(v != NULL && v->open.id[0] == '\0');
	CHECK_UINT(v->at, start);
	volume_free(v);
	tree_end(dir);
}

static void
a_volume_that_lost_bytes_is_refused(void)
{
	int dir = tree_begin();
	struct err e = ERR_INIT;
	struct volume_found found;
	unsigned n = 0;
	struct volume *v = volume_new(dir, 1, ID, 0, &e);

	append(v, "a", 5120, 1);
	CHECK(volume_sync(v, &e) == 0);
	volume_free(v);
	cut(dir, 2048);
	v = volume_again(dir, 1, ID, 0, count, &n, &found, &e);
	CHECK(v == NULL && e.kind == ERR_MISMATCH);
	CHECK(strstr(e.msg, "000001.tar") != NULL);
	tree_end(dir);
}

static void
a_line_that_makes_no_sense_is_named(void)
{
	int dir = tree_begin();
	struct err e = ERR_INIT;
	struct volume_found found;
	unsigned n = 0;

	tree_file(dir, "000001.tar", "");
	tree_file(dir, "000001.idx",
	    "{\"type\":\"file\",\"path\":\"../x\",\"size\":0}\n{\"end\":0}\n");
	CHECK(volume_again(dir, 1, ID, 0, count, &n, &found, &e) == NULL);
	CHECK(strstr(e.msg, "000001.idx: line 1: ") != NULL);
	tree_file(dir, "000001.idx", "{\"end\":-1}\n");
	CHECK(volume_again(dir, 1, ID, 0, count, &n, &found, &e) == NULL);
	CHECK(e.kind == ERR_PROTOCOL);
	tree_end(dir);
}

static void
going_back_leaves_what_was_before(void)
{
	int dir = tree_begin();
	struct err e = ERR_INIT;
	struct volume *v = volume_new(dir, 1, ID, 0, &e);
	uint64_t small, big;

	append(v, "a", 100, 1);
	small = v->at;
	append(v, "b", 100, 2);
	volume_back(v, small);
	CHECK_UINT(v->at, small);
	append(v, "c", 300000, 3);
	big = v->at;
	append(v, "d", 300000, 3);
	volume_back(v, big);
	CHECK(volume_sync(v, &e) == 0);
	CHECK_UINT(size_of(dir, "000001.tar"), big);
	volume_back(v, small);
	CHECK_UINT(size_of(dir, "000001.tar"), small);
	volume_free(v);
	tree_end(dir);
}

/* N bytes that differ from one to the next. */
static void
append_noise(struct volume *v, size_t n, unsigned seed)
{
	AUTO(free) unsigned char *data = malloc(n);
	struct err e = ERR_INIT;
	size_t i;

	for (i = 0; i < n; i++)
		data[i] =
		    (unsigned char)((seed = seed * 1103515245 + 12345) >> 16);
	CHECK(volume_add(v, data, n, &e) == 0);
}

/* Whether the N tar bytes at AT are those of append_noise(SEED). */
static bool
is_noise(const struct frames *f, int fd, uint64_t at, size_t n, unsigned seed)
{
	AUTO(free) unsigned char *data = malloc(n);
	struct frame_cache c = {0};
	struct err e = ERR_INIT;
	bool same = frames_read(f, fd, &c, at, data, n, &e) == 0;
	size_t i;

	for (i = 0; same && i < n; i++)
		same = data[i] ==
		    (unsigned char)((seed = seed * 1103515245 + 12345) >> 16);
	frame_cache_free(&c);
	return same;
}

static void
frames_are_found_and_taken_back(void)
{
	int dir = tree_begin();
	struct err e = ERR_INIT;
	struct volume_found found;
	struct frames f = {0};
	unsigned n = 0;
	struct volume *v;
	uint64_t first, second;
	int fd, index;

	if (!frame_is_built_in()) {
		tree_end(dir);
		return;
	}
	v = volume_new(dir, 1, ID, 1, &e);
	first = v->at;
	append_noise(v, 9000001, 1);
	CHECK(v->frames.n == 2);
	second = v->at;
	append_noise(v, 6000000, 2);
	/* It is in the middle of a frame that is written. */
	volume_back(v, second);
	append_noise(v, 100, 3);
	CHECK(volume_sync(v, &e) == 0);
	append_noise(v, 5000000, 4);
	volume_back(v, second + 100);
	append_noise(v, 5000000, 5);
	CHECK(volume_seal(v, &e) == 0);
	volume_free(v);
	v = volume_again(dir, 1, ID, 1, count, &n, &found, &e);
	CHECK(v != NULL && found.sealed);
	volume_free(v);
	fd = openat(dir, "000001.tar.zst", O_RDONLY | O_CLOEXEC);
	index = openat(dir, "000001.idx", O_RDONLY | O_CLOEXEC);
	CHECK(volume_index_frames(index, "index", &f, &e) == 0);
	CHECK(is_noise(&f, fd, first, 9000001, 1));
	CHECK(is_noise(&f, fd, second, 100, 3));
	CHECK(is_noise(&f, fd, second + 100, 5000000, 5));
	CHECK(!is_noise(&f, fd, second + 100, 5000000, 4));
	close(index);
	close(fd);
	frames_free(&f);
	tree_end(dir);
}

static void
frames_out_of_order_are_refused(void)
{
	struct frames f = {0};
	struct err e = ERR_INIT;

	CHECK(frames_add(&f, 5, 0, &e) == -1);
	CHECK(frames_add(&f, 0, 0, &e) == 0);
	CHECK(frames_add(&f, 0, 9, &e) == -1);
	CHECK(frames_add(&f, 10, 0, &e) == -1);
	CHECK(frames_add(&f, FRAME_BYTES + 1, 9, &e) == -1);
	CHECK(frames_add(&f, 10, 9, &e) == 0);
	f.end = 30;
	CHECK(frames_find(&f, 9)->at == 0 && frames_find(&f, 10)->at == 10);
	CHECK(frames_find(&f, 30) == NULL);
	frames_cut(&f, 10);
	CHECK(f.n == 1);
	frames_free(&f);
}

static void
files_are_cut_where_volumes_end(void)
{
	struct plan plan = {.size = 1000000, .part_bytes = 100000, .parts = 10};
	struct piece p;

	CHECK_UINT(pieces_parts(&plan, 10000000), 10);
	CHECK_UINT(pieces_parts(&plan, 400000), 3);
	CHECK_UINT(pieces_parts(&plan, 100000), 1);
	p = piece_of(&plan, 3, 1);
	CHECK(p.number == 1 && p.of == 4 && p.first == 1);
	CHECK_UINT(p.bytes, 300000);
	p = piece_of(&plan, 3, 6);
	CHECK(p.number == 2 && p.first == 4 && p.bytes == 300000);
	p = piece_of(&plan, 3, 10);
	CHECK(p.number == 4 && p.first == 10 && p.bytes == 100000);
	p = piece_of(&plan, 10, 10);
	CHECK(p.number == 1 && p.of == 1 && p.bytes == 1000000);
	CHECK_UINT(pieces_of_id("ab-c-17"), 17);
	CHECK_UINT(pieces_of_id("x"), 0);
}

static void
parts_that_lie_together_are_one_piece(void)
{
	struct store_part parts[4] = {
	    {.size = 10, .etag = "1:100"},
	    {.size = 10, .etag = "1:110"},
	    {.size = 10, .etag = "2:120"},
	    {.size = 10, .etag = "2:140"},
	};
	struct err e = ERR_INIT;
	size_t n;
	AUTO(free) struct pack_piece *p = pieces_join(parts, 4, &n, &e);

	CHECK(p != NULL && n == 3);
	CHECK(p[0].volume == 1 && p[0].offset == 100 && p[0].length == 20);
	CHECK(p[2].volume == 2 && p[2].offset == 140 && p[2].length == 10);
	memcpy(parts[1].etag, "else", 5);
	CHECK(pieces_join(parts, 4, &n, &e) == NULL && e.kind == ERR_GONE);
}

int
main(void)
{
	RUN(what_was_synced_is_found_again);
	RUN(an_open_piece_is_told_or_cut);
	RUN(a_volume_that_lost_bytes_is_refused);
	RUN(a_line_that_makes_no_sense_is_named);
	RUN(going_back_leaves_what_was_before);
	RUN(frames_are_found_and_taken_back);
	RUN(frames_out_of_order_are_refused);
	RUN(files_are_cut_where_volumes_end);
	RUN(parts_that_lie_together_are_one_piece);
	return check_end();
}
