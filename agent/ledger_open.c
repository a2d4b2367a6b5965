/* SPDX-License-Identifier: ISC */
/* Opening and closing: the lock, and what becomes of a damaged ledger. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <time.h>
#include <unistd.h>

#include "agent/ledger_db.h"
#include "base/clock.h"
#include "base/owner.h"

#define NFS_MAGIC 0x6969 /* statfs(2) */
#define SMB2_MAGIC 0xfe534d42UL
#define CIFS_MAGIC 0xff534d42UL

static int
make_parents(const char *path, struct err *e)
{
	AUTO(free) char *copy = strdup(path);
	char *p;

	if (copy == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	for (p = strchr(copy + 1, '/'); p != NULL; p = strchr(p + 1, '/')) {
		*p = '\0';
		if (mkdir(copy, 0700) == 0)
			owner_inherit(copy);
		else if (errno != EEXIST)
			return err_sys(e, "state directory %s", copy);
		*p = '/';
	}
	return 0;
}

/* SQLite's WAL needs shared memory and locks that network file systems lack. */
static int
refuse_network(const char *dir, struct err *e)
{
	struct statfs fs;
	unsigned long type;

	if (statfs(dir, &fs) == -1)
		return err_sys(e, "state directory %s", dir);
	type = (unsigned long)fs.f_type & 0xffffffffUL;
	if (type == NFS_MAGIC || type == SMB2_MAGIC || type == CIFS_MAGIC)
		return err_set(e, ERR_CONFIG,
		    "state directory %s is on a network file system, where a "
		    "ledger isn't safe: name a local one with --state-dir",
		    dir);
	return 0;
}

/* Who asks whether the ledger is in use holds the lock for an instant. */
static int
lock_now(int fd)
{
	const struct timespec instant = {.tv_nsec = 20 * 1000000};
	int tries;

	for (tries = 0; tries < 5; tries++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return 0;
		if (errno != EWOULDBLOCK)
			return -1;
		nanosleep(&instant, NULL);
	}
	errno = EWOULDBLOCK;
	return -1;
}

/* The lock dies with its process, however that ends. */
static int
take_lock(struct ledger *l, const char *dir, struct err *e)
{
	AUTO(buf) struct buf path = BUF_INIT(1 << 16);
	char pid[32];
	ssize_t n;

	buf_addf(&path, "%s/lock", dir);
	/* As root in the service's directory, no other file is to be written.
	 */
	l->lock_fd = open(
	    buf_str(&path), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (l->lock_fd == -1)
		return err_sys(e, "lock file %s", buf_str(&path));
	owner_inherit(buf_str(&path));
	if (lock_now(l->lock_fd) == -1) {
		if (errno != EWOULDBLOCK)
			return err_sys(e, "lock file %s", buf_str(&path));
		n = pread(l->lock_fd, pid, sizeof(pid) - 1, 0);
		pid[n > 0 ? n : 0] = '\0';
		pid[strcspn(pid, "\n")] = '\0';
		return err_set(e, ERR_BUSY,
		    "another dray (process %s) works on this task now "
		    "(ledger %s)",
		    pid[0] != '\0' ? pid : "?", l->path);
	}
	n = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
	if (ftruncate(l->lock_fd, 0) == -1 ||
	    pwrite(l->lock_fd, pid, (size_t)n, 0) != n)
		return err_sys(e, "lock file %s", buf_str(&path));
	return 0;
}

static int
open_db(struct ledger *l, int flags, struct err *e)
{
	static const char setup[] = "PRAGMA busy_timeout=10000;"
				    "PRAGMA cache_size=-32768;"
				    "PRAGMA temp_store=FILE;"
				    "PRAGMA journal_size_limit=67108864;"
				    "PRAGMA wal_autocheckpoint=4000;"
				    "PRAGMA synchronous=FULL;";
	AUTO(free) char *direct = owner_direct(l->path);

	if (direct == NULL)
		return err_sys(e, "ledger %s", l->path);
	if (sqlite3_open_v2(direct, &l->db,
		flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW,
		NULL) != SQLITE_OK)
		return ledger_error(l, "open", e);
	/* Its journal gets the same owner, by SQLite. */
	owner_inherit(l->path);
	if (ledger_exec(l, setup, e) == -1)
		return -1;
	if ((flags & SQLITE_OPEN_READONLY) == 0 &&
	    ledger_exec(l, "PRAGMA journal_mode=WAL;", e) == -1)
		return -1;
	return ledger_schema(l, e);
}

static void
close_db(struct ledger *l)
{
	size_t i;

	for (i = 0; i < STMT_COUNT; i++) {
		sqlite3_finalize(l->stmt[i]);
		l->stmt[i] = NULL;
	}
	sqlite3_close(l->db);
	l->db = NULL;
	l->in_transaction = false;
	l->uncommitted = 0;
}

/* A run that never ended may have left damage (a dying disk): look once. */
static int
check_after_crash(struct ledger *l, struct err *e)
{
	struct ledger_run run;
	sqlite3_stmt *s = NULL;
	bool intact;
	int rc = ledger_run_get(l, INT64_MAX, &run, e);

	if (rc == -1)
		return -1;
	if (rc == 0 || run.ended_ns != 0)
		return 0;
	if (sqlite3_prepare_v2(l->db, "PRAGMA quick_check(1)", -1, &s, NULL) !=
	    SQLITE_OK)
		return ledger_error(l, "check", e);
	intact = sqlite3_step(s) == SQLITE_ROW &&
	    strcmp((const char *)sqlite3_column_text(s, 0), "ok") == 0;
	sqlite3_finalize(s);
	if (!intact)
		return err_set(e, ERR_MISMATCH, "ledger %s: damaged", l->path);
	return 0;
}

static int
set_corrupt_aside(struct ledger *l, char **set_aside, struct err *e)
{
	static const char *const tails[] = {"", "-wal", "-shm"};
	AUTO(buf) struct buf to = BUF_INIT(1 << 16);
	size_t i;

	buf_addf(
	    &to, "%s.corrupt-%" PRId64, l->path, clock_wall_ns() / 1000000000);
	if (buf_failed(&to))
		return err_set(e, ERR_NOMEM, "out of memory");
	for (i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
		AUTO(buf) struct buf a = BUF_INIT(1 << 16);
		AUTO(buf) struct buf b = BUF_INIT(1 << 16);

		buf_addf(&a, "%s%s", l->path, tails[i]);
		buf_addf(&b, "%s%s", buf_str(&to), tails[i]);
		if (rename(buf_str(&a), buf_str(&b)) == -1 && errno != ENOENT)
			return err_sys(e, "setting %s aside", buf_str(&a));
	}
	*set_aside = buf_take(&to);
	return 0;
}

static int
open_write(struct ledger *l, const char *dir, char **set_aside, struct err *e)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;

	if (make_parents(l->path, e) == -1 || refuse_network(dir, e) == -1 ||
	    take_lock(l, dir, e) == -1)
		return -1;
	if (open_db(l, flags, e) == 0 && check_after_crash(l, e) == 0)
		return 0;
	if (e->kind != ERR_MISMATCH)
		return -1;
	close_db(l);
	if (set_corrupt_aside(l, set_aside, e) == -1)
		return -1;
	l->damaged = false;
	return open_db(l, flags, e);
}

/* A ledger of an earlier release that is only to be read. */
static int
bring_up_to_date(struct ledger *l, struct err *e)
{
	int rc;

	close_db(l);
	rc = open_db(l, SQLITE_OPEN_READWRITE, e);
	close_db(l);
	if (rc == -1)
		return err_context(e,
		    "the ledger is of an earlier release and is to be brought "
		    "up to date, as its owner can");
	return 0;
}

static int
open_empty(struct ledger *l, struct err *e)
{
	free(l->path);
	l->path = strdup(":memory:");
	if (l->path == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	return open_db(l, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, e);
}

static int
open_read(struct ledger *l, enum ledger_mode mode, struct err *e)
{
	if (access(l->path, F_OK) == -1)
		err_sys(e, "no ledger %s", l->path);
	else if (open_db(l, SQLITE_OPEN_READONLY, e) == 0)
		return 0;
	else if (l->outdated && bring_up_to_date(l, e) == 0)
		return open_db(l, SQLITE_OPEN_READONLY, e);
	if (mode == LEDGER_READ || e->kind != ERR_NOTFOUND)
		return -1;
	close_db(l);
	return open_empty(l, e);
}

struct ledger *
ledger_open(const char *state_dir, const char *task, enum ledger_mode mode,
    char **set_aside, struct err *e)
{
	AUTO(ledger) struct ledger *l = calloc(1, sizeof(*l));
	AUTO(buf) struct buf path = BUF_INIT(1 << 16);
	AUTO(buf) struct buf dir = BUF_INIT(1 << 16);
	int rc;

	*set_aside = NULL;
	buf_addf(&dir, "%s/%s", state_dir, task);
	buf_addf(&path, "%s/ledger.db", buf_str(&dir));
	if (l == NULL || buf_failed(&dir) || buf_failed(&path)) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	l->lock_fd = -1;
	memset(l->last_name, 0xff, sizeof(l->last_name));
	l->path = buf_take(&path);
	if (mode == LEDGER_WRITE)
		rc = open_write(l, buf_str(&dir), set_aside, e);
	else if (mode == LEDGER_EMPTY)
		rc = open_empty(l, e);
	else
		rc = open_read(l, mode, e);
	return rc == 0 ? TAKE(l) : NULL;
}

void
ledger_close(struct ledger *l)
{
	AUTO(free) char *aside = NULL;
	struct err ignored = ERR_INIT;

	if (l == NULL)
		return;
	close_db(l);
	/* Else each run would fail where this one did. */
	if (l->damaged)
		set_corrupt_aside(l, &aside, &ignored);
	if (l->lock_fd >= 0)
		close(l->lock_fd);
	free(l->path);
	free(l);
}
