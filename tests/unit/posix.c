/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "tests/unit/check.h"
#include "tests/unit/tree.h"
#include "transfer/posix/internal.h"
#include "transfer/url.h"

#define KIB ((size_t)1 << 10)

static int root;
static struct store *store;
static struct session *c;
static struct err e;
static struct store_receipt receipt;
static const struct item_stat file_st = {
    .type = ITEM_FILE,
    .mode = S_IFREG | 0640,
    .uid = 1234,
    .gid = 2345,
    .mtime_ns = 1234567890123456789,
};

/* A store on a new directory. */
static void
begin_with(const struct store_config *config)
{
	AUTO(store_url) struct store_url *url = NULL;

	root = tree_begin();
	e = (struct err)ERR_INIT;
	url = store_url_parse(tree_path, &e);
	store = store_open(url, config, &e);
	c = store_connect(store, &e);
}

static void
begin(void)
{
	begin_with(&(struct store_config){.no_fsync = false});
}

static void
end(void)
{
	store_disconnect(c);
	store_close(store);
	tree_end(root);
}

#define OPS (&posix_driver)

static int
put(const char *key, const char *text)
{
	return OPS->put(
	    c, key, &file_st, text, strlen(text), NULL, &receipt, &e);
}

/* The text in the file NAME; "" if it is empty or absent. */
static const char *
text_of(const char *name)
{
	static char text[1000];
	int fd = openat(root, name, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd != -1 ? read(fd, text, sizeof(text) - 1) : 0;

	if (fd != -1)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

static int
count_one(void *arg, const struct store_list_entry *entry, struct err *why)
{
	unsigned *n = arg;

	(void)why;
	CHECK(strlen(entry->key) == entry->key_len);
	(*n)++;
	return 0;
}

static unsigned
count(const char *dir, bool recursive)
{
	unsigned n = 0;

	CHECK(OPS->list(c, dir, recursive, count_one, &n, &e) == 0);
	return n;
}

/* All names, temporary ones too. */
static unsigned
names_in(const char *dir)
{
	int fd = openat(root, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fdopendir(fd);
	unsigned n = 0;

	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n - 2;
}

static void
a_file_arrives_with_its_metadata(void)
{
	struct store_stat st;
	char back[6] = "";

	begin();
	CHECK(put("a/b/file", "hello") == 0);
	CHECK_STR(text_of("a/b/file"), "hello");
	CHECK(OPS->stat(c, "a/b/file", &st, &e) == 0);
	CHECK(st.type == ITEM_FILE && st.size == 5 && st.has_source_mtime);
	CHECK(st.mtime_ns == file_st.mtime_ns);
	CHECK_UINT(st.mode, file_st.mode);
	if (geteuid() == 0)
		CHECK(st.uid == 1234 && st.gid == 2345);
	CHECK(put("a/b/file", "new") == 0);
	CHECK_STR(text_of("a/b/file"), "new");
	CHECK(put("a/empty", "") == 0);
	CHECK(OPS->read(c, "a/b/file", 1, back, 2, &e) == 0);
	CHECK_STR(back, "ew");
	CHECK(OPS->read(c, "a/b/file", 1, back, 3, &e) == -1 &&
	    e.kind == ERR_MISMATCH);
	CHECK_UINT(names_in("a/b"), 1);
	end();
}

static void
syncing_later_changes_nothing_to_see(void)
{
	struct item_stat st = file_st;
	struct store_stat got;

	begin_with(&(struct store_config){.defer_sync = true});
	CHECK(put("a/f", "one") == 0);
	CHECK(put("a/f", "two") == 0);
	CHECK_STR(text_of("a/f"), "two");
	st.mode = S_IFREG;
	CHECK(OPS->put(c, "a/f", &st, "x", 1, NULL, &receipt, &e) == 0);
	CHECK(OPS->stat(c, "a/f", &got, &e) == 0 && got.size == 1);
	tree_dir(root, "d");
	CHECK(put("d", "x") == -1 && e.kind == ERR_EXISTS);
	CHECK(OPS->flush(c, &e) == 0);
	CHECK_UINT(names_in("a"), 1);
	CHECK_UINT(names_in("."), 2);
	end();
	begin();
	CHECK(OPS->flush(c, &e) == 0);
	end();
}

static void
the_root_is_made_when_asked_for(void)
{
	AUTO(store_url) struct store_url *url = NULL;
	struct store_probe probe;
	char path[5000];

	begin();
	snprintf(path, sizeof(path), "%s/x/y", tree_path);
	url = store_url_parse(path, &e);
	store_disconnect(c);
	store_close(store);
	store = store_open(url, &(struct store_config){.no_fsync = true}, &e);
	c = store_connect(store, &e);
	CHECK(OPS->probe(c, false, false, &probe, &e) == -1 &&
	    e.kind == ERR_NOTFOUND);
	CHECK(OPS->probe(c, true, true, &probe, &e) == 0);
	CHECK(strstr(probe.text, "/x/y on ") != NULL &&
	    strstr(probe.text, " free") != NULL);
	CHECK(put("file", "x") == 0);
	CHECK_STR(text_of("x/y/file"), "x");
	end();
}

static void
directories_and_links_are_made_and_set_right(void)
{
	struct item_stat st = file_st;
	struct store_stat got;
	char target[5] = "";

	begin();
	st.type = ITEM_DIR;
	st.mode = S_IFDIR | 02750;
	CHECK(OPS->mkdir(c, "d/e", &st, &e) == 0);
	CHECK(OPS->stat(c, "d/e", &got, &e) == 0 && got.type == ITEM_DIR &&
	    (got.mode & 0777) == 0750 && got.mtime_ns == st.mtime_ns);
	st.mode = S_IFDIR | 0700;
	CHECK(OPS->mkdir(c, "d/e", &st, &e) == 0);
	CHECK(OPS->stat(c, "d/e", &got, &e) == 0 && (got.mode & 0777) == 0700);
	CHECK(OPS->mkdir(c, "", &st, &e) == 0);
	CHECK(OPS->stat(c, "", &got, &e) == 0 && got.mtime_ns == st.mtime_ns);
	st.type = ITEM_SYMLINK;
	st.mode = S_IFLNK | 0777;
	CHECK(OPS->symlink(c, "d/link", &st, "../x", 4, &e) == 0);
	CHECK(OPS->symlink(c, "d/link", &st, "../y", 4, &e) == 0);
	CHECK(OPS->stat(c, "d/link", &got, &e) == 0 &&
	    got.type == ITEM_SYMLINK && got.mtime_ns == st.mtime_ns);
	CHECK(OPS->read(c, "d/link", 0, target, 4, &e) == 0);
	CHECK_STR(target, "../y");
	st.mtime_ns = -1500000000;
	CHECK(OPS->set_metadata(c, "d/link", &st, NULL, &receipt, &e) == 0);
	CHECK(OPS->stat(c, "d/link", &got, &e) == 0 &&
	    got.mtime_ns == -1500000000);
	CHECK(put("d/file", "x") == 0);
	st.type = ITEM_FILE;
	st.mode = S_IFREG | 0600;
	CHECK(OPS->set_metadata(c, "d/file", &st, NULL, &receipt, &e) == 0);
	CHECK(OPS->stat(c, "d/file", &got, &e) == 0 &&
	    got.mtime_ns == -1500000000 && (got.mode & 0777) == 0600);
	CHECK(OPS->set_metadata(c, "none", &st, NULL, &receipt, &e) == -1 &&
	    e.kind == ERR_NOTFOUND);
	end();
}

/* Whether FILE gets metadata of its own while it should be as WAS says. */
static bool
is_set(const char *file, const struct store_stat *was)
{
	struct item_stat st = file_st;
	struct stat now;

	st.mode = S_IFREG | 0640;
	if (OPS->set_metadata(c, file, &st, was, &receipt, &e) == 0)
		return fstatat(root, file, &now, 0) == 0 &&
		    (now.st_mode & 07777) == 0640;
	CHECK_STR(err_kind_name(e.kind), "mismatch");
	CHECK(fstatat(root, file, &now, 0) == -1 ||
	    (now.st_mode & 07777) != 0640);
	return false;
}

static void
metadata_is_for_the_file_that_is_known(void)
{
	struct store_stat was;
	struct timespec times[2] = {{.tv_sec = 7}, {.tv_sec = 7}};

	begin();
	CHECK(put("f", "mine") == 0);
	CHECK(OPS->stat(c, "f", &was, &e) == 0);
	CHECK(is_set("f", &was));
	/* Other bytes, other times, another kind. */
	tree_file(root, "f", "others");
	fchmodat(root, "f", 0600, 0);
	CHECK(!is_set("f", &was));
	tree_file(root, "f", "mine");
	CHECK(!is_set("f", &was));
	was.mtime_ns = 7000000000;
	utimensat(root, "f", times, 0);
	CHECK(is_set("f", &was));
	unlinkat(root, "f", 0);
	tree_link(root, "f", "nowhere");
	CHECK(!is_set("f", &was));
	unlinkat(root, "f", 0);
	mkfifoat(root, "f", 0600);
	CHECK(!is_set("f", &was));
	unlinkat(root, "f", 0);
	tree_dir(root, "f");
	utimensat(root, "f", times, 0);
	CHECK(!is_set("f", &was));
	end();
}

static void
the_list_has_all_but_temporary_names(void)
{
	begin();
	CHECK(put("a/b/c", "1") == 0 && put("a/d", "2") == 0 &&
	    put("e", "3") == 0);
	tree_link(root, "a/link", "/etc");
	tree_file(root, "a/.dray-0123456789abcdef", "x");
	mkfifoat(root, "fifo", 0600);
	CHECK_UINT(count("", true), 6);
	CHECK_UINT(count("", false), 3);
	CHECK_UINT(count("a", true), 4);
	CHECK_UINT(count("a/link", true), 0);
	CHECK_UINT(count("none", true), 0);
	end();
}

static void
what_is_in_the_way_is_named(void)
{
	struct item_stat st = {.type = ITEM_DIR, .mode = S_IFDIR | 0755};

	begin();
	CHECK(put("f", "x") == 0 && put("d/x", "y") == 0);
	CHECK(put("f/below/it", "z") == -1 && e.kind == ERR_EXISTS);
	CHECK(strncmp(e.msg, "f is a file", 11) == 0);
	CHECK(put("d", "z") == -1 && e.kind == ERR_EXISTS);
	CHECK(OPS->mkdir(c, "f", &st, &e) == -1 && e.kind == ERR_EXISTS);
	CHECK(OPS->symlink(c, "d", &st, "t", 1, &e) == -1 &&
	    e.kind == ERR_EXISTS);
	CHECK_STR(text_of("d/x"), "y");
	CHECK_UINT(names_in("."), 2);
	end();
}

static void
a_symlink_in_the_target_leads_nowhere(void)
{
	struct item_stat st = {.type = ITEM_DIR, .mode = S_IFDIR | 0700};
	struct store_stat got;
	struct err one[2];
	const char *keys[] = {"out/victim", "out"};
	char outside[5000], id[STORE_ID_MAX];
	struct plan plan = {.size = 1, .part_bytes = 1, .parts = 1};
	int out;

	begin();
	snprintf(outside, sizeof(outside), "%s.outside", tree_path);
	mkdir(outside, 0755);
	out = open(outside, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	tree_file(out, "victim", "safe");
	tree_link(root, "out", outside);
	tree_link(root, "file", "out/victim");
	CHECK(put("out/new", "x") == -1 && e.kind == ERR_EXISTS);
	CHECK(strncmp(e.msg, "out is a symbolic link", 22) == 0);
	CHECK(put("out/sub/new", "x") == -1 && e.kind == ERR_EXISTS);
	CHECK(OPS->mkdir(c, "out/sub", &st, &e) == -1);
	CHECK(OPS->mkdir(c, "out", &st, &e) == -1 && e.kind == ERR_EXISTS);
	CHECK(OPS->symlink(c, "out/l", &st, "x", 1, &e) == -1);
	CHECK(OPS->upload_begin(c, "out/up", &file_st, &plan, id, &e) == -1);
	CHECK(OPS->stat(c, "out/victim", &got, &e) == -1 &&
	    e.kind == ERR_NOTFOUND);
	CHECK(OPS->set_metadata(c, "file", &file_st, NULL, &receipt, &e) == -1);
	CHECK(OPS->remove(c, keys, 2, one, &e) == 0);
	CHECK(faccessat(out, "victim", F_OK, 0) == 0);
	CHECK(faccessat(root, "out", F_OK, AT_SYMLINK_NOFOLLOW) == -1);
	/* A link under the file's own name is replaced, not followed. */
	CHECK(put("file", "mine") == 0);
	CHECK_STR(text_of("file"), "mine");
	tree_clear(out);
	close(out);
	rmdir(outside);
	end();
}

static void
removing_is_content_with_what_is_gone(void)
{
	const char *keys[] = {"a/x", "a/none", "none/none", "a/x/y", "a/", "f"};
	struct err one[6];

	begin();
	CHECK(
	    put("a/x", "1") == 0 && put("a/y", "2") == 0 && put("f", "3") == 0);
	CHECK(OPS->remove(c, keys, 6, one, &e) == -1);
	CHECK(one[0].kind == ERR_NONE && one[1].kind == ERR_NONE &&
	    one[2].kind == ERR_NONE && one[3].kind == ERR_NONE);
	CHECK(one[4].kind == ERR_SYS && one[4].sys == ENOTEMPTY);
	CHECK(one[5].kind == ERR_NONE);
	CHECK(OPS->remove(c, (const char *const[]){"a", "a/y/"}, 2, one, &e) ==
	    0);
	CHECK_STR(text_of("a/y"), "2");
	CHECK(OPS->remove(c, (const char *const[]){"a/y", "a/"}, 2, one, &e) ==
	    0);
	CHECK_UINT(names_in("."), 0);
	end();
}

/* An upload of PARTS parts of 64 KiB and a little. */
static struct store_part parts[5];
static uint8_t bytes[5 * 64 * 1024];
static char upload_id[STORE_ID_MAX];
static struct store_upload upload;

static void
begin_upload(void)
{
	AUTO(digester) struct digester *d = digester_new(&e);
	uint32_t i;

	upload = (struct store_upload){
	    .key = "dir/big",
	    .id = upload_id,
	    .plan = {.size = 4 * 64 * KIB + 77,
		.part_bytes = 64 * KIB,
		.parts = 5},
	    .st = file_st,
	};
	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 2654435761U >> 11);
	for (i = 1; i <= 5; i++) {
		struct store_part *p = &parts[i - 1];

		*p = (struct store_part){.number = i};
		p->size = plan_length(&upload.plan, i);
		digester_start(d, DIGEST_XXH3);
		digester_update(
		    d, bytes + plan_offset(&upload.plan, i), p->size);
		digester_finish(d, &p->digest);
	}
	CHECK(OPS->upload_begin(
		  c, "dir/big", &file_st, &upload.plan, upload_id, &e) == 0);
}

static int
send_part(uint32_t i)
{
	return OPS->upload_part(c, &upload, i,
	    bytes + plan_offset(&upload.plan, i), parts[i - 1].size,
	    &parts[i - 1].digest, &receipt, &e);
}

static void
an_upload_arrives_whole_or_not_at_all(void)
{
	uint8_t back[300];
	uint32_t i;

	begin();
	begin_upload();
	for (i = 5; i >= 1; i--) {
		CHECK(send_part(i) == 0);
		CHECK(faccessat(root, "dir/big", F_OK, 0) == -1);
	}
	CHECK(OPS->upload_part(c, &upload, 6, bytes, 1, NULL, &receipt, &e) ==
	    -1);
	CHECK(OPS->upload_part(c, &upload, 5, bytes, 78, NULL, &receipt, &e) ==
	    -1);
	CHECK(OPS->upload_complete(c, &upload, parts, 5, NULL, &receipt, &e) ==
	    0);
	CHECK(OPS->read(c, "dir/big", 4 * 64 * KIB, back, 77, &e) == 0 &&
	    memcmp(back, bytes + 4 * 64 * KIB, 77) == 0);
	CHECK_UINT(names_in("dir"), 1);
	/* Asked again after a crash it says the same; but not for another's. */
	CHECK(OPS->upload_complete(c, &upload, parts, 5, NULL, &receipt, &e) ==
	    0);
	parts[3].digest.xxh3[0] ^= 1;
	CHECK(OPS->upload_complete(c, &upload, parts, 5, NULL, &receipt, &e) ==
		-1 &&
	    e.kind == ERR_GONE);
	CHECK(send_part(1) == -1 && e.kind == ERR_GONE);
	end();
}

/* What list() tells: names that are left over, and others. */
struct told {
	unsigned left, items;
	char key[64];
};

static int
tell(void *arg, const struct store_list_entry *entry, struct err *why)
{
	struct told *t = arg;

	(void)why;
	if (!entry->leftover) {
		t->items++;
		return 0;
	}
	t->left++;
	snprintf(t->key, sizeof(t->key), "%s", entry->key);
	return 0;
}

static struct told
told(bool leftovers)
{
	struct told t = {0};

	c->tells_leftovers = leftovers;
	CHECK(OPS->list(c, "", true, tell, &t, &e) == 0);
	c->tells_leftovers = false;
	return t;
}

static void
what_a_killed_run_left_is_found_by_its_owner_alone(void)
{
	static const struct item_stat st = {.type = ITEM_FILE};
	struct plan plan = {.size = 8, .part_bytes = 8, .parts = 1};
	char id[STORE_ID_MAX], id2[STORE_ID_MAX];
	struct told t;

	begin_with(&(struct store_config){.owner = "a task"});
	CHECK(OPS->upload_begin(c, "d/f", &st, &plan, id, &e) == 0);
	CHECK(OPS->upload_begin(c, "d/f", &st, &plan, id2, &e) == 0);
	CHECK(strcmp(id, id2) != 0);
	tree_file(root, ".dray-0123456789abcdef", "another's");
	t = told(false);
	CHECK(t.left == 0 && t.items == 1);
	t = told(true);
	CHECK(t.left == 2 && t.items == 1);
	CHECK(OPS->sweep(c, t.key, &e) == 0);
	CHECK(OPS->sweep(c, t.key, &e) == 0);
	CHECK(OPS->sweep(c, "none/.dray-0123456789abcdef", &e) == 0);
	t = told(true);
	CHECK(t.left == 1 && t.items == 1);
	CHECK_UINT(names_in("d"), 1);
	CHECK_UINT(names_in("."), 2);
	end();
}

static void
what_a_broken_call_left_goes_before_the_next_for_its_key(void)
{
	static const struct item_stat st = {.type = ITEM_FILE};
	struct digest digest = {0};

	begin_with(&(struct store_config){.owner = "a task"});
	CHECK(mkdirat(root, "d", 0755) == 0);
	tree_file(root, "d/.dray-0123456789abcdef", "f's");
	tree_file(root, "d/.dray-0123456789abcdee", "g's");
	store_leave(c->store, "d/f", ".dray-0123456789abcdef");
	store_leave(c->store, "d/g", ".dray-0123456789abcdee");
	CHECK(OPS->put(c, "d/f", &st, "new", 3, &digest, &receipt, &e) == 0);
	CHECK(faccessat(root, "d/.dray-0123456789abcdef", F_OK, 0) == -1);
	CHECK(faccessat(root, "d/.dray-0123456789abcdee", F_OK, 0) == 0);
	CHECK(store_has_left(c->store));
	CHECK(store_sweep_left(c, NULL, &e) == 0);
	CHECK(!store_has_left(c->store));
	CHECK_UINT(names_in("d"), 1);
	/* What can't be removed is remembered, and nothing is written. */
	CHECK(mkdirat(root, "d/.dray-0123456789abcdef", 0700) == 0);
	store_leave(c->store, "d/f", ".dray-0123456789abcdef");
	CHECK(OPS->put(c, "d/f", &st, "newer", 5, &digest, &receipt, &e) == -1);
	CHECK(store_has_left(c->store));
	CHECK(unlinkat(root, "d/.dray-0123456789abcdef", AT_REMOVEDIR) == 0);
	CHECK(OPS->put(c, "d/f", &st, "newer", 5, &digest, &receipt, &e) == 0);
	end();
}

static void
only_intact_parts_are_kept(void)
{
	bool keep[5];
	char path[STORE_ID_MAX + 10];
	int fd;

	begin();
	begin_upload();
	CHECK(send_part(1) == 0 && send_part(2) == 0 && send_part(4) == 0);
	CHECK(OPS->upload_complete(c, &upload, parts, 5, NULL, &receipt, &e) ==
		-1 &&
	    e.kind == ERR_MISMATCH);
	/* The process dies here; part 2 loses a bit, part 3 is a hole. */
	snprintf(path, sizeof(path), "dir/%s", upload_id);
	fd = openat(root, path, O_WRONLY | O_CLOEXEC);
	CHECK(pwrite(fd, "\xff\x00\xff", 3, 70000) == 3);
	close(fd);
	store_disconnect(c);
	c = store_connect(store, &e);
	CHECK(OPS->upload_check(c, &upload, parts, 5, keep, &e) == 0);
	CHECK(keep[0] && !keep[1] && !keep[2] && keep[3] && !keep[4]);
	CHECK(send_part(2) == 0 && send_part(3) == 0 && send_part(5) == 0);
	CHECK(OPS->upload_check(c, &upload, parts, 5, keep, &e) == 0);
	CHECK(keep[0] && keep[1] && keep[2] && keep[3] && keep[4]);
	CHECK(OPS->upload_complete(c, &upload, parts, 5, NULL, &receipt, &e) ==
	    0);
	end();
}

static void
an_upload_that_is_gone_says_so(void)
{
	bool keep[5];

	begin();
	begin_upload();
	CHECK(OPS->upload_abort(c, "dir/big", upload_id, &e) == 0);
	CHECK(OPS->upload_abort(c, "dir/big", upload_id, &e) == 0);
	CHECK(OPS->upload_abort(c, "no/such", upload_id, &e) == 0);
	CHECK(OPS->upload_check(c, &upload, parts, 5, keep, &e) == -1 &&
	    e.kind == ERR_GONE);
	CHECK_UINT(names_in("dir"), 0);
	/* An id from a broken ledger reaches no other file. */
	tree_file(root, "dir/mine", "x");
	upload.id = "../dir/mine";
	CHECK(OPS->upload_check(c, &upload, parts, 5, keep, &e) == -1 &&
	    e.kind == ERR_GONE);
	CHECK(OPS->upload_abort(c, "dir/big", "mine", &e) == 0);
	CHECK_STR(text_of("dir/mine"), "x");
	end();
}

static void
a_full_disk_leaves_nothing_half_written(void)
{
	struct plan plan = {
	    .size = 1 << 30, .part_bytes = 1 << 20, .parts = 1024};
	char big[100000], id[STORE_ID_MAX];

	begin();
	memset(big, 'x', sizeof(big));
	tree_dir(root, "small");
	{
		char path[5000];

		snprintf(path, sizeof(path), "%s/small", tree_path);
		if (mount("none", path, "tmpfs", 0, "size=64k") == 0) {
			CHECK(OPS->put(c, "small/f", &file_st, big, sizeof(big),
				  NULL, &receipt, &e) == -1 &&
			    e.kind == ERR_NOSPACE);
			CHECK(OPS->upload_begin(c, "small/g", &file_st, &plan,
				  id, &e) == -1 &&
			    e.kind == ERR_NOSPACE);
			CHECK_UINT(names_in("small"), 0);
			umount(path);
		}
	}
	end();
}

static void
keys_that_no_directory_holds_are_named(void)
{
	char name[300];

	begin();
	memset(name, 'n', sizeof(name));
	name[256] = '\0';
	CHECK(OPS->check_key(store, name, ITEM_FILE, &e) == -1 &&
	    e.kind == ERR_NAME);
	name[255] = '\0';
	CHECK(OPS->check_key(store, name, ITEM_FILE, &e) == 0);
	CHECK(OPS->check_key(store, "a/../b", ITEM_FILE, &e) == -1);
	CHECK(OPS->check_key(store, "/a", ITEM_FILE, &e) == -1);
	CHECK(OPS->check_key(store, "a//b", ITEM_FILE, &e) == -1);
	CHECK(OPS->check_key(store, "a/.dray-1", ITEM_FILE, &e) == 0);
	CHECK(OPS->check_key(
		  store, "a/.dray-0123456789abcdef/b", ITEM_FILE, &e) == -1);
	CHECK(OPS->check_key(store, "a/\xff\n", ITEM_FILE, &e) == 0);
	CHECK(put("../out", "x") == -1);
	CHECK(put("", "x") == -1 && e.kind == ERR_NAME);
	end();
}

/* Who isn't root can't give files away; that is no error. */
static void
another_user_keeps_what_can_be_kept(void)
{
	struct item_stat st = file_st;
	int status = -1;
	pid_t pid;

	begin();
	st.mode = S_IFREG | 06755;
	fchmod(root, 0777);
	pid = fork();
	if (pid == 0) {
		struct store_stat got;

		if (geteuid() == 0 && setuid(65534) == -1)
			_exit(77);
		check_failures = 0;
		CHECK(OPS->put(c, "f", &st, "x", 1, NULL, &receipt, &e) == 0);
		CHECK(OPS->stat(c, "f", &got, &e) == 0 &&
		    (got.mode & 07777) == 0755 && got.mtime_ns == st.mtime_ns);
		_exit(check_failures != 0);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	end();
}

static void
a_stop_ends_long_work(void)
{
	static atomic_bool stop;
	bool keep[5];

	begin_with(&(struct store_config){.stop = &stop});
	begin_upload();
	CHECK(send_part(1) == 0);
	atomic_store(&stop, true);
	CHECK(OPS->upload_check(c, &upload, parts, 1, keep, &e) == -1 &&
	    e.kind == ERR_STOPPED);
	CHECK(OPS->list(c, "", true, count_one, &(unsigned){0}, &e) == -1 &&
	    e.kind == ERR_STOPPED);
	end();
}

static void
a_source_is_read_as_it_was_opened(void)
{
	struct store_file *f, *g;
	struct store_stat st;
	char text[8] = "";

	begin();
	tree_dir(root, "d");
	tree_file(root, "d/f", "hello");
	CHECK(OPS->stat(c, "d/f", &st, &e) == 0);
	CHECK(st.ino != 0 && st.ctime_ns != 0);
	f = OPS->open_file(c, "d/f", 5, &e);
	CHECK(f != NULL && f->session == c);
	if (f != NULL) {
		CHECK(f->state.type == ITEM_FILE && f->state.size == 5);
		CHECK_UINT(f->state.ino, st.ino);
		CHECK(f->state.ctime_ns == st.ctime_ns);
		CHECK(item_same(&f->state, &f->meta));
		CHECK_UINT(f->meta.mode, S_IFREG | 0644);
		CHECK(OPS->read_file(f, 1, text, 3, &e) == 0);
		CHECK_STR(text, "ell");
		CHECK(OPS->check_file(f, &e) == 0);
		CHECK(OPS->read_file(f, 3, text, 3, &e) == -1 &&
		    e.kind == ERR_CHANGED);
	}
	/* Two may be open at once. */
	g = OPS->open_file(c, "d/f", 5, &e);
	CHECK(g != NULL && g != f);
	if (f != NULL && g != NULL) {
		tree_file(root, "d/f", "other");
		CHECK(OPS->check_file(f, &e) == -1 && e.kind == ERR_CHANGED);
		CHECK_STR(e.msg, "changed while it was read");
	}
	OPS->close_file(g);
	OPS->close_file(f);
	/* Replaced under its name: still whole, but not what it was. */
	f = OPS->open_file(c, "d/f", 5, &e);
	tree_file(root, "new", "newer");
	CHECK(renameat(root, "new", root, "d/f") == 0);
	if (f != NULL)
		CHECK(OPS->read_file(f, 0, text, 5, &e) == 0 &&
		    strcmp(text, "other") == 0);
	OPS->close_file(f);
	OPS->close_file(NULL);
	end();
}

static enum err_kind
why_not_opened(const char *key)
{
	struct store_file *f = OPS->open_file(c, key, 0, &e);

	OPS->close_file(f);
	return f == NULL ? e.kind : ERR_NONE;
}

static void
a_source_that_is_no_file_any_more_says_so(void)
{
	struct item_stat st;
	char text[8];
	size_t len;

	begin();
	tree_dir(root, "d");
	tree_file(root, "f", "hello");
	tree_link(root, "link", "f");
	tree_link(root, "dirlink", ".");
	CHECK(mkfifoat(root, "fifo", 0600) == 0);
	CHECK(why_not_opened("f") == ERR_NONE);
	CHECK(why_not_opened("gone") == ERR_VANISHED);
	CHECK_STR(e.msg, "vanished before it was read");
	CHECK(why_not_opened("d") == ERR_CHANGED);
	CHECK(why_not_opened("fifo") == ERR_CHANGED);
	CHECK(why_not_opened("link") == ERR_CHANGED);
	CHECK(why_not_opened("f/f") == ERR_CHANGED);
	CHECK(why_not_opened("dirlink/f") == ERR_CHANGED);
	CHECK_STR(e.msg, "is another kind of file now");

	CHECK(OPS->readlink(c, "link", &st, text, 8, &len, &e) == 0);
	CHECK(len == 1 && text[0] == 'f' && st.type == ITEM_SYMLINK);
	CHECK(st.size == 1 && st.ino != 0);
	CHECK(OPS->readlink(c, "link", &st, text, 1, &len, &e) == -1 &&
	    e.kind == ERR_NAME);
	CHECK(OPS->readlink(c, "f", &st, text, 8, &len, &e) == -1 &&
	    e.kind == ERR_CHANGED);
	CHECK(OPS->readlink(c, "gone", &st, text, 8, &len, &e) == -1 &&
	    e.kind == ERR_VANISHED);
	end();
}

static void
links_are_followed_when_asked_for(void)
{
	begin_with(&(struct store_config){.follow_links = true});
	tree_file(root, "f", "hello");
	tree_link(root, "link", "f");
	tree_link(root, "dirlink", ".");
	tree_link(root, "nowhere", "gone");
	CHECK(why_not_opened("link") == ERR_NONE);
	CHECK(why_not_opened("dirlink/f") == ERR_NONE);
	CHECK(why_not_opened("nowhere") == ERR_VANISHED);
	CHECK(posix_root_fd(store, &e) >= 0);
	CHECK(posix_root_fd(store, &e) == posix_root_fd(store, &e));
	end();
}

/* Writes all to the file NAME at OFFSET. */
static void
put_at(const char *name, const void *data, size_t len, off_t offset)
{
	int fd = openat(root, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	CHECK(fd != -1 && pwrite(fd, data, len, offset) == (ssize_t)len);
	close(fd);
}

static uint64_t
disk_bytes(const char *name)
{
	struct stat st;

	CHECK(fstatat(root, name, &st, AT_SYMLINK_NOFOLLOW) == 0);
	return (uint64_t)st.st_blocks * 512;
}

static void
holes_are_read_as_zeros_at_any_offset(void)
{
	static const off_t islands[] = {0, 65536 + 4096, 300000, 1000001};
	static uint8_t want[1 << 20], got[1 << 20];
	struct store_file *f;
	size_t i, at;

	begin();
	memset(want, 0, sizeof(want));
	for (i = 0; i < 4; i++) {
		memset(want + islands[i], 'a' + (int)i, 5000);
		put_at("f", want + islands[i], 5000, islands[i]);
	}
	put_at("f", "", 1, sizeof(want) - 1);
	f = OPS->open_file(c, "f", sizeof(want), &e);
	CHECK(f != NULL && f->state.size == sizeof(want));
	for (at = 0; f != NULL && at < sizeof(want); at += 12345) {
		size_t n = sizeof(want) - at;

		memset(got, 0xff, n);
		CHECK(OPS->read_file(f, at, got, n, &e) == 0);
		CHECK(memcmp(got, want + at, n) == 0);
		CHECK(OPS->read_file(f, at, got, 1, &e) == 0 &&
		    got[0] == want[at]);
	}
	if (f != NULL)
		CHECK(OPS->read_file(f, sizeof(want) - 5, got, 6, &e) == -1 &&
		    e.kind == ERR_CHANGED);
	OPS->close_file(f);
	end();
}

/* PUTs or uploads the text: a block of data, then zeros, then one byte. */
static uint64_t
space_taken(bool sparse, bool in_parts)
{
	static uint8_t data[256 << 10], back[256 << 10];
	struct item_stat st = file_st;
	char id[STORE_ID_MAX];
	struct store_upload u = {.key = "f", .id = id};
	struct store_part part = {.number = 1, .size = sizeof(data)};
	uint64_t taken;

	begin_with(&(struct store_config){.read_back = true});
	memset(data, 0, sizeof(data));
	memset(data, 'x', 5000);
	st.size = sizeof(data);
	st.sparse = sparse;
	if (in_parts) {
		u.plan = (struct plan){.size = sizeof(data),
		    .part_bytes = sizeof(data),
		    .parts = 1};
		u.st = st;
		CHECK(OPS->upload_begin(c, "f", &st, &u.plan, id, &e) == 0);
		/* A part that is sent again leaves nothing of before. */
		if (!sparse) {
			data[200000] = 'y';
			CHECK(OPS->upload_part(c, &u, 1, data, sizeof(data),
				  NULL, &receipt, &e) == 0);
			data[200000] = 0;
		}
		CHECK(OPS->upload_part(c, &u, 1, data, sizeof(data), NULL,
			  &receipt, &e) == 0);
		CHECK(receipt.proved);
		CHECK(OPS->upload_complete(
			  c, &u, &part, 1, NULL, &receipt, &e) == 0);
	} else {
		CHECK(OPS->put(c, "f", &st, data, sizeof(data), NULL, &receipt,
			  &e) == 0);
	}
	CHECK(receipt.proved);
	CHECK(OPS->read(c, "f", 0, back, sizeof(back), &e) == 0);
	CHECK(memcmp(data, back, sizeof(data)) == 0);
	taken = disk_bytes("f");
	end();
	return taken;
}

static void
what_was_sparse_stays_so_and_nothing_else(void)
{
	CHECK(space_taken(false, false) >= (256 << 10));
	CHECK(space_taken(true, false) <= (16 << 10));
	CHECK(space_taken(false, true) >= (256 << 10));
	CHECK(space_taken(true, true) <= (16 << 10));
}

/* Zeros before data that is there already. */
static uint64_t
space_of_zeros(bool knows_holes)
{
	static uint8_t data[128 << 10];
	struct item_stat st = file_st;
	char id[STORE_ID_MAX];
	struct store_upload u = {.key = "f", .id = id};
	uint64_t taken;
	uint32_t i;

	begin();
	CHECK(put("made", "now its file system is known") == 0);
	posix_store_of(c)->knows_holes = knows_holes;
	memset(data + (64 << 10), 'x', 64 << 10);
	st.size = sizeof(data);
	st.sparse = true;
	u.plan = (struct plan){
	    .size = sizeof(data), .part_bytes = 64 << 10, .parts = 2};
	u.st = st;
	CHECK(OPS->upload_begin(c, "f", &st, &u.plan, id, &e) == 0);
	for (i = 2; i > 0; i--)
		CHECK(OPS->upload_part(c, &u, i,
			  data + (size_t)(i - 1) * (64 << 10), 64 << 10, NULL,
			  &receipt, &e) == 0);
	taken = disk_bytes(id);
	end();
	return taken;
}

static void
holes_are_believed_where_they_are_known(void)
{
	CHECK(space_of_zeros(true) < (128 << 10));
	CHECK(space_of_zeros(false) >= (128 << 10));
}

static void
a_directory_that_was_moved_away_is_not_written_into(void)
{
	begin();
	CHECK(put("d/a", "1") == 0);
	CHECK(renameat(root, "d", root, "away") == 0);
	usleep(120000);
	CHECK(put("d/b", "2") == 0);
	CHECK_STR(text_of("d/b"), "2");
	CHECK_UINT(names_in("away"), 1);
	/* At once, where it was removed. */
	CHECK(unlinkat(root, "d/b", 0) == 0);
	CHECK(unlinkat(root, "d", AT_REMOVEDIR) == 0);
	CHECK(put("d/c", "3") == 0);
	CHECK_STR(text_of("d/c"), "3");
	/* A link to outside in its place is not followed. */
	CHECK(renameat(root, "d", root, "gone") == 0);
	tree_link(root, "d", "away");
	usleep(120000);
	CHECK(put("d/d", "4") == -1 && e.kind == ERR_EXISTS);
	CHECK_UINT(names_in("away"), 1);
	end();
}

static void
owner_and_mode_are_right_from_the_second_file_on(void)
{
	static const mode_t modes[] = {
	    0644, 0600, 0644, 0666, 0666, 0755, 04755, 0444, 0644};
	struct item_stat st = file_st;
	struct store_stat got;
	char name[10];
	size_t i;

	begin();
	umask(022);
	for (i = 0; i < 2 * sizeof(modes) / sizeof(modes[0]); i++) {
		st.mode = S_IFREG | modes[i / 2];
		st.uid = geteuid() == 0 && i % 5 == 4 ? 1234 : geteuid();
		st.gid = geteuid() == 0 && i % 7 == 6 ? 2345 : getegid();
		snprintf(name, sizeof(name), "f%zu", i);
		CHECK(OPS->put(c, name, &st, "x", 1, NULL, &receipt, &e) == 0);
		CHECK(OPS->stat(c, name, &got, &e) == 0);
		CHECK_UINT(got.mode, st.mode);
		CHECK(got.uid == st.uid && got.gid == st.gid);
		CHECK(got.mtime_ns == st.mtime_ns);
	}
	end();
}

static void
parts_are_copied_in_the_kernel_or_not_at_all(void)
{
	static uint8_t data[300 << 10], back[300 << 10];
	char id[STORE_ID_MAX];
	struct store_upload u = {.key = "g", .id = id};
	struct store_part copied[3] = {{.number = 1}};
	struct store_file *f;
	uint32_t i;

	begin();
	memset(data, 'x', 5000);
	memset(data + 150000, 'y', 5000);
	put_at("f", data, 5000, 0);
	put_at("f", data + 150000, 5000, 150000);
	put_at("f", "", 1, sizeof(data) - 1);
	f = OPS->open_file(c, "f", sizeof(data), &e);
	CHECK(f != NULL);
	if (f == NULL)
		return;
	u.plan = (struct plan){
	    .size = sizeof(data), .part_bytes = 100 << 10, .parts = 3};
	u.st = f->meta;
	CHECK(OPS->upload_begin(c, "g", &u.st, &u.plan, id, &e) == 0);
	for (i = 1; i <= 3; i++) {
		if (OPS->copy_part(c, &u, i, f, &receipt, &e) == 0) {
			CHECK(!receipt.proved);
			continue;
		}
		CHECK(e.kind == ERR_UNSUPPORTED);
		CHECK(OPS->upload_part(c, &u, i,
			  data + (size_t)(i - 1) * (100 << 10), 100 << 10, NULL,
			  &receipt, &e) == 0);
	}
	CHECK(OPS->upload_complete(c, &u, copied, 3, NULL, &receipt, &e) == 0);
	CHECK(OPS->read(c, "g", 0, back, sizeof(back), &e) == 0);
	CHECK(memcmp(data, back, sizeof(data)) == 0);
	if (f->state.sparse)
		CHECK(disk_bytes("g") <= (64 << 10));
	OPS->close_file(f);
	end();
}

static void
a_clone_is_whole_or_nothing_is_there(void)
{
	struct store_stat st;
	struct store_file *f;

	begin_with(&(struct store_config){.read_back = true});
	tree_file(root, "f", "hello");
	f = OPS->open_file(c, "f", 5, &e);
	CHECK(f != NULL);
	if (OPS->clone(c, "d/g", f, &receipt, &e) == 0) {
		CHECK(!receipt.proved);
		CHECK_STR(text_of("d/g"), "hello");
		CHECK(OPS->stat(c, "d/g", &st, &e) == 0 &&
		    st.mtime_ns == f->meta.mtime_ns);
		/* What is cloned is what was opened. */
		tree_file(root, "f", "other");
		CHECK(OPS->clone(c, "d/h", f, &receipt, &e) == -1 &&
		    e.kind == ERR_CHANGED);
		CHECK_UINT(names_in("d"), 1);
	} else {
		CHECK(e.kind == ERR_UNSUPPORTED);
		CHECK_UINT(names_in("d"), 0);
	}
	OPS->close_file(f);
	end();
}

/* Not even to find out what names can be there. */
static void
a_link_that_is_there_changes_nothing(void)
{
	struct stat before, after;

	begin();
	tree_file(root, "a", "text");
	CHECK(linkat(root, "a", root, "b", 0) == 0);
	CHECK(fstat(root, &before) == 0);
	CHECK(OPS->link(c, "b", "a", &file_st, NULL, &receipt, &e) == 0);
	CHECK(receipt.was_there && receipt.proved);
	CHECK(fstat(root, &after) == 0);
	CHECK(item_time_ns(before.st_ctim) == item_time_ns(after.st_ctim));
	CHECK(OPS->link(c, "c", "a", &file_st, NULL, &receipt, &e) == 0);
	CHECK(!receipt.was_there && receipt.proved);
	CHECK(fstatat(root, "c", &after, 0) == 0 && after.st_nlink == 3);
	CHECK_STR(text_of("c"), "text");
	end();
}

int
main(void)
{
	unsigned fds = open_fds();

	RUN(a_file_arrives_with_its_metadata);
	RUN(syncing_later_changes_nothing_to_see);
	RUN(the_root_is_made_when_asked_for);
	RUN(directories_and_links_are_made_and_set_right);
	RUN(metadata_is_for_the_file_that_is_known);
	RUN(the_list_has_all_but_temporary_names);
	RUN(what_is_in_the_way_is_named);
	RUN(a_symlink_in_the_target_leads_nowhere);
	RUN(removing_is_content_with_what_is_gone);
	RUN(an_upload_arrives_whole_or_not_at_all);
	RUN(what_a_killed_run_left_is_found_by_its_owner_alone);
	RUN(what_a_broken_call_left_goes_before_the_next_for_its_key);
	RUN(only_intact_parts_are_kept);
	RUN(an_upload_that_is_gone_says_so);
	RUN(a_full_disk_leaves_nothing_half_written);
	RUN(keys_that_no_directory_holds_are_named);
	RUN(another_user_keeps_what_can_be_kept);
	RUN(a_stop_ends_long_work);
	RUN(a_source_is_read_as_it_was_opened);
	RUN(a_source_that_is_no_file_any_more_says_so);
	RUN(links_are_followed_when_asked_for);
	RUN(holes_are_read_as_zeros_at_any_offset);
	RUN(what_was_sparse_stays_so_and_nothing_else);
	RUN(holes_are_believed_where_they_are_known);
	RUN(parts_are_copied_in_the_kernel_or_not_at_all);
	RUN(a_clone_is_whole_or_nothing_is_there);
	RUN(a_directory_that_was_moved_away_is_not_written_into);
	RUN(owner_and_mode_are_right_from_the_second_file_on);
	RUN(a_link_that_is_there_changes_nothing);
	check_failures = 0;
	CHECK_UINT(open_fds(), fds);
	return check_failures == 0 ? check_end() : 1;
}
