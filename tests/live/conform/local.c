/* SPDX-License-Identifier: ISC */
/* What others do in the directory behind the store's back. */
#include "config.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "tests/live/conform/conform.h"

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

static void
a_write_in_place_is_noticed(void)
{
	unsigned char got[1000];
	struct store_file *f;
	struct err e = ERR_INIT;
	int way;

	if (!has_local())
		return;
	for (way = 0; way < 3; way++) {
		put("d/f", at.bytes, sizeof(got));
		f = OPS->open_file(at.session, "d/f", sizeof(got), &e);
		if (!WORKS(f != NULL ? 0 : -1, &e))
			return;
		WORKS(OPS->read_file(f, 0, got, 500, &e), &e);
		if (way == 0)
			write_local("d/f", 100, "changed");
		else if (way == 1)
			write_local("d/f", sizeof(got), "appended");
		else
			CLAIM(truncate(local("d/f"), 600) == 0);
		if (OPS->read_file(f, 500, got + 500, 500, &e) == 0)
			FAILS(OPS->check_file(f, &e), &e, KIND(ERR_CHANGED));
		else
			FAILS(-1, &e, KIND(ERR_CHANGED));
		OPS->close_file(f);
	}
}

static void
what_is_no_file_is_left_out(void)
{
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
	CLAIM(l.n == 1);
	listed_free(&l);
	/* and nobody waits for its writer */
	FAILS(OPS->open_file(at.session, "d/fifo", 5, &e) == NULL ? -1 : 0, &e,
	    KIND(ERR_CHANGED));
	unlink(local("d/fifo"));
}

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
	/* A driver may keep a directory open for a moment. */
	usleep(100000);
	FAILS(put_by(at.session, "d/f", &st, "y", 1, &e), &e, KIND(ERR_EXISTS));
	FAILS(OPS->open_file(at.session, "d/f", 1, &e) == NULL ? -1 : 0, &e,
	    KIND(ERR_CHANGED) | KIND(ERR_VANISHED));
	CLAIM(rmdir(outside) == 0);
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
		FAILS(OPS->upload_check(at.session, &u, &part, 1, &keep, &e),
		    &e, KIND(ERR_GONE));
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
    CASE(what_is_no_file_is_left_out),
    CASE(a_link_in_place_of_a_directory_leads_nowhere),
    CASE(damage_of_a_part_is_found),
    CASE(temporary_names_are_not_items),
    CASE(what_arrives_is_closed_to_others),
    {0},
};
