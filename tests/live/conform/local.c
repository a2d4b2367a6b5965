/* SPDX-License-Identifier: ISC */
/* What others do in the directory behind the store's back. */
#include "config.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "tests/live/conform/conform.h"
#include "transfer/retry.h"

#define BIG (500 * KIB) /* more than is fetched at once */

/* The local path of KEY. */
static const char *
local(const char *key)
{
	static char path[2][8192];
	static unsigned next;
	char *out = path[next++ % 2];

	snprintf(out, sizeof(path[0]), "%s/%s", at.local, key);
	return out;
}

static bool
has_local(void)
{
	if (at.local == NULL)
		not_applicable("--local is not given");
	return at.local != NULL;
}

/* Writes N bytes at OFFSET into a file that is there. */
static void
write_local(const char *key, off_t offset, const char *text)
{
	AUTO(close) int fd = open(local(key), O_WRONLY | O_CLOEXEC);

	CLAIM(fd != -1 &&
	    pwrite(fd, text, strlen(text), offset) == (ssize_t)strlen(text));
}

/* What may have been fetched at once, before, is as it was. */
static void
write_while_read(int way, size_t size, unsigned char *got)
{
	size_t half = size / 2;
	struct store_file *f;
	struct err e = ERR_INIT;

	put("d/f", at.bytes, size);
	f = OPS->open_file(at.session, "d/f", size, &e);
	if (!WORKS(f != NULL ? 0 : -1, &e))
		return;
	WORKS(OPS->read_file(f, 0, got, half, &e), &e);
	if (way == 0)
		write_local("d/f", 100, "changed");
	else if (way == 1)
		write_local("d/f", (off_t)size, "appended");
	else if (way == 2)
		write_local("d/f", (off_t)size - 10, "changed");
	else
		CLAIM(truncate(local("d/f"), (off_t)half + 1) == 0);
	if (OPS->read_file(f, half, got + half, size - half, &e) == -1 ||
	    OPS->check_file(f, &e) == -1)
		FAILS(-1, &e, KIND(ERR_CHANGED));
	else if (!CLAIM(size < BIG && memcmp(got, at.bytes, size) == 0))
		remark("way %d, %zu bytes", way, size);
	OPS->close_file(f);
}

static void
a_write_in_place_is_noticed(void)
{
	AUTO(free) unsigned char *got = malloc(BIG);
	int way;

	for (way = 0; has_local() && got != NULL && way < 4; way++) {
		write_while_read(way, 1000, got);
		write_while_read(way, BIG, got);
	}
}

static void
what_is_no_file_is_told_and_not_opened(void)
{
	const struct listed_entry *found;
	struct err e = ERR_INIT;
	struct listed l;

	if (!has_local())
		return;
	put_text("d/f", "x");
	if (mkfifo(local("d/fifo"), 0600) == -1) {
		not_applicable("no fifos can be made");
		return;
	}
	l = list_of("d", false);
	found = listed_find(&l, "d/fifo");
	CLAIM(l.n == 2 && found != NULL && found->st.type == ITEM_SPECIAL);
	listed_free(&l);
	/* and nobody waits for its writer */
	FAILS(OPS->open_file(at.session, "d/fifo", 5, &e) == NULL ? -1 : 0, &e,
	    KIND(ERR_CHANGED));
	unlink(local("d/fifo"));
}

/* Since the last run: a session may know its directories. */
static void
a_link_in_place_of_a_directory_leads_nowhere(void)
{
	struct err e = ERR_INIT;
	struct item_stat st = a_file(1);
	char outside[8192];

	if (!has_local())
		return;
	put_text("d/f", "x");
	snprintf(outside, sizeof(outside), "%s-outside", at.local);
	CLAIM(mkdir(outside, 0700) == 0);
	CLAIM(rename(local("d"), local("was")) == 0);
	CLAIM(symlink(outside, local("d")) == 0);
	/* A driver may trust a directory for a moment. */
	usleep(1100000);
	FAILS(put_by(at.session, "d/f", &st, "y", 1, &e), &e, KIND(ERR_EXISTS));
	FAILS(OPS->open_file(at.session, "d/f", 1, &e) == NULL ? -1 : 0, &e,
	    KIND(ERR_CHANGED) | KIND(ERR_VANISHED));
	CLAIM(rmdir(outside) == 0);
	unlink(local("d"));
}

static void
a_directory_that_vanished_is_made_again(void)
{
	unsigned tries = 0;
	struct err e = ERR_INIT;
	struct item_stat st = a_file(1);
	int rc;

	if (!has_local())
		return;
	put_text("d/e/f", "x");
	CLAIM(unlink(local("d/e/f")) == 0 && rmdir(local("d/e")) == 0 &&
	    rmdir(local("d")) == 0);
	/* it may be tried again for what passes */
	do
		rc = put_by(at.session, "d/e/f", &st, "y", 1, &e);
	while (rc == -1 && retry_makes_sense(e.kind) && ++tries < 4);
	if (WORKS(rc, &e))
		holds_text("d/e/f", "y");
}

static void
damage_of_a_part_is_found(void)
{
	struct store_upload u = {
	    .key = "d/big", .plan = at.plan, .st = a_file(at.plan.size)};
	size_t len = (size_t)at.plan.part_bytes;
	struct store_part part = {.number = 1, .size = len};
	char id[STORE_ID_MAX], key[STORE_ID_MAX + 10];
	struct store_receipt r;
	struct err e = ERR_INIT;
	bool keep = true;
	struct handle h;

	if (!has_local())
		return;
	u.id = id;
	part.digest = digest_of(at.bytes, len);
	if (!WORKS(OPS->upload_begin(at.session, u.key, &u.st, &u.plan, id, &e),
		&e) ||
	    !WORKS(OPS->upload_part(
		       at.session, &u, 1, at.bytes, len, &part.digest, &r, &e),
		&e))
		return;
	snprintf(key, sizeof(key), "d/%s", id);
	if (access(local(key), F_OK) == 0) {
		write_local(key, 1000, "damage");
		if (WORKS(
			OPS->upload_check(at.session, &u, &part, 1, &keep, &e),
			&e))
			CLAIM(!keep);
		CLAIM(unlink(local(key)) == 0);
		h = handle_open(&at.config);
		FAILS(OPS->upload_check(h.session, &u, &part, 1, &keep, &e), &e,
		    KIND(ERR_GONE));
		handle_close(&h);
	} else {
		not_applicable("uploads are no files beside their target");
	}
	WORKS(OPS->upload_abort(at.session, u.key, id, &e), &e);
}

/* ".dray-" and 16 hex digits are ours, whoever made them. */
static void
temporary_names_are_not_items(void)
{
	static const char name[] = "d/.dray-0123456789abcdef";
	struct err e = ERR_INIT;
	struct listed l;
	FILE *f;

	if (!has_local())
		return;
	put_text("d/f", "x");
	f = fopen(local(name), "w");
	if (!CLAIM(f != NULL))
		return;
	fclose(f);
	l = list_of("", true);
	CLAIM(l.n == 2);
	listed_free(&l);
	FAILS(
	    OPS->check_key(at.store, name, ITEM_FILE, &e), &e, KIND(ERR_NAME));
	unlink(local(name));
}

/* Nobody may read more of a file while it is written than afterwards. */
static void
what_arrives_is_closed_to_others(void)
{
	struct item_stat st = a_file(at.plan.size);
	char id[STORE_ID_MAX], key[STORE_ID_MAX + 10];
	struct err e = ERR_INIT;
	struct stat got;

	if (!has_local())
		return;
	st.mode = S_IFREG | 0600;
	if (!WORKS(
		OPS->upload_begin(at.session, "d/big", &st, &at.plan, id, &e),
		&e))
		return;
	snprintf(key, sizeof(key), "d/%s", id);
	if (stat(local(key), &got) == 0)
		CLAIM((got.st_mode & 077) == 0);
	else
		not_applicable("uploads are no files beside their target");
	WORKS(OPS->upload_abort(at.session, "d/big", id, &e), &e);
}

const struct conform_case local_cases[] = {
    CASE(a_write_in_place_is_noticed),
    CASE(what_is_no_file_is_told_and_not_opened),
    CASE(a_link_in_place_of_a_directory_leads_nowhere),
    CASE(a_directory_that_vanished_is_made_again),
    CASE(damage_of_a_part_is_found),
    CASE(temporary_names_are_not_items),
    CASE(what_arrives_is_closed_to_others),
    {0},
};
