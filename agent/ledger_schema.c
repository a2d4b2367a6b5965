/* SPDX-License-Identifier: ISC */
/*
 * The schema and its statements.  user_version is the schema's version; each
 * step of migrations[] takes a ledger from the version of its index to the
 * next, all in one transaction.  No RETURNING, no STRICT: RHEL 9 has 3.34.
 */
#include "config.h"

#include <stdio.h>

#include "agent/ledger_db.h"

static const char *const migrations[] = {
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL)"
    " WITHOUT ROWID;"
    "CREATE TABLE dir(id INTEGER PRIMARY KEY AUTOINCREMENT, path BLOB NOT NULL "
    "UNIQUE);"
    "CREATE TABLE file(dir_id INTEGER NOT NULL, name BLOB NOT NULL,"
    " state INTEGER NOT NULL, type INTEGER NOT NULL, mode INTEGER NOT NULL,"
    " uid INTEGER NOT NULL, gid INTEGER NOT NULL, size INTEGER NOT NULL,"
    " mtime_ns INTEGER NOT NULL, ctime_ns INTEGER NOT NULL,"
    " ino INTEGER NOT NULL, dev INTEGER NOT NULL,"
    " part_bytes INTEGER NOT NULL, digest_have INTEGER NOT NULL,"
    " xxh3 BLOB, crc64nvme INTEGER, etag TEXT, run_id INTEGER NOT NULL,"
    " PRIMARY KEY(dir_id, name)) WITHOUT ROWID;"
    "CREATE INDEX file_pending ON file(dir_id, name) WHERE state = 1;"
    "CREATE TABLE upload(id INTEGER PRIMARY KEY, dir_id INTEGER NOT NULL,"
    " name BLOB NOT NULL, store_id TEXT NOT NULL,"
    " part_bytes INTEGER NOT NULL, begun_ns INTEGER NOT NULL,"
    " type INTEGER NOT NULL, mode INTEGER NOT NULL, uid INTEGER NOT NULL,"
    " gid INTEGER NOT NULL, size INTEGER NOT NULL,"
    " mtime_ns INTEGER NOT NULL, ctime_ns INTEGER NOT NULL,"
    " ino INTEGER NOT NULL, dev INTEGER NOT NULL);"
    "CREATE TABLE part(upload_id INTEGER NOT NULL, number INTEGER NOT NULL,"
    " size INTEGER NOT NULL, digest_have INTEGER NOT NULL, xxh3 BLOB,"
    " crc64nvme INTEGER, crc32c INTEGER, etag TEXT NOT NULL,"
    " PRIMARY KEY(upload_id, number)) WITHOUT ROWID;"
    "CREATE TABLE run(id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " started_ns INTEGER NOT NULL, ended_ns INTEGER NOT NULL,"
    " outcome TEXT NOT NULL, why TEXT NOT NULL, stats TEXT NOT NULL);"
    "CREATE TABLE failure(run_id INTEGER NOT NULL, path BLOB NOT NULL,"
    " kind TEXT NOT NULL, message TEXT NOT NULL, attempts INTEGER NOT NULL,"
    " at_ns INTEGER NOT NULL, PRIMARY KEY(run_id, path)) WITHOUT ROWID;",

    /* What was to be deleted at the target; state: enum ledger_fate. */
    "CREATE TABLE deletion(run_id INTEGER NOT NULL, path BLOB NOT NULL,"
    " type INTEGER NOT NULL, size INTEGER NOT NULL, state INTEGER NOT NULL,"
    " PRIMARY KEY(run_id, path, type)) WITHOUT ROWID;"
    "ALTER TABLE file ADD COLUMN nlink INTEGER NOT NULL DEFAULT 1;"
    "ALTER TABLE file ADD COLUMN link_dev INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE file ADD COLUMN link_ino INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE file ADD COLUMN link_id INTEGER NOT NULL DEFAULT 0;"
    "CREATE INDEX file_links ON file(link_dev, link_ino, ctime_ns)"
    " WHERE nlink > 1;"

    "ALTER TABLE file ADD COLUMN sha256 BLOB;"
    "ALTER TABLE part ADD COLUMN sha256 BLOB;"
    /* What reports tell of an item; what a run was asked to do. */
    "ALTER TABLE file ADD COLUMN how INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE file ADD COLUMN proof INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE file ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE file ADD COLUMN done_ns INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE file ADD COLUMN did_run INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE run ADD COLUMN words BLOB;"
    "ALTER TABLE run ADD COLUMN retry_of INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE run ADD COLUMN series TEXT NOT NULL DEFAULT '';"
    "CREATE TABLE notice(run_id INTEGER NOT NULL, what INTEGER NOT NULL,"
    " path BLOB NOT NULL, type INTEGER NOT NULL, reason TEXT NOT NULL,"
    " PRIMARY KEY(run_id, what, path)) WITHOUT ROWID;"

    /* NULL: extended attributes were never looked at */
    "ALTER TABLE file ADD COLUMN version TEXT;"
    "ALTER TABLE file ADD COLUMN attrs INTEGER;"
    "ALTER TABLE upload ADD COLUMN attrs INTEGER;"
    /* What the marks are of, for manifests.  What nothing points to any more
     * stays: sets are few, as most items have one of the same. */
    "CREATE TABLE attrset(mark INTEGER PRIMARY KEY, data BLOB NOT NULL);"
    "ALTER TABLE file ADD COLUMN atime_ns INTEGER;",

    "CREATE TABLE event(seq INTEGER PRIMARY KEY AUTOINCREMENT,"
    " time_ms INTEGER NOT NULL, type TEXT NOT NULL, pkey TEXT NOT NULL,"
    " run INTEGER NOT NULL, barrier INTEGER NOT NULL, body TEXT NOT NULL);",
};

#define SCHEMA_VERSION ((int)(sizeof(migrations) / sizeof(migrations[0])))

/* What stands behind STAT_COLUMNS in a row of file. */
#define FILE_COLUMNS                                         \
	",part_bytes,digest_have,xxh3,crc64nvme,etag,run_id" \
	",nlink,link_dev,link_ino,link_id"                   \
	",how,proof,attempts,done_ns,did_run,attrs,sha256,atime_ns,version"

/* A row that tells what run ?1 did; earlier releases kept one run only. */
#define OF_RUN "(f.did_run=?1 OR (f.did_run=0 AND f.run_id=?1))"

static const char *const statements[STMT_COUNT] = {
    [STMT_BEGIN] = "BEGIN IMMEDIATE",
    [STMT_COMMIT] = "COMMIT",
    [STMT_META_GET] = "SELECT value FROM meta WHERE key=?",
    [STMT_META_SET] = "INSERT OR REPLACE INTO meta VALUES(?,?)",
    [STMT_DIR_GET] = "SELECT id FROM dir WHERE path=?",
    [STMT_DIR_ADD] = "INSERT INTO dir(path) VALUES(?)",
    [STMT_DIFF] = "SELECT name,state," STAT_COLUMNS FILE_COLUMNS
		  " FROM file WHERE dir_id=? AND name>? AND name<=?"
		  " ORDER BY name",
    [STMT_FILE_PUT] =
	"INSERT OR REPLACE INTO file(dir_id,name,state," STAT_COLUMNS
	    FILE_COLUMNS ")"
	" VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?"
	")",
    /* "nlink > 1", word by word: else the index isn't used. */
    [STMT_LEADER] = "SELECT d.path,f.name,f.state," STAT_COLUMNS FILE_COLUMNS
		    " FROM file f CROSS JOIN dir d ON d.id=f.dir_id"
		    " WHERE f.link_dev=?1 AND f.link_ino=?2 AND f.nlink > 1"
		    " AND f.ctime_ns=?3 AND f.size=?4 AND f.mtime_ns=?5"
		    " AND f.run_id>=?6 AND f.state=2"
		    " AND NOT (f.dir_id=?7 AND f.name=?8) LIMIT 1",
    [STMT_LEADER_ANY] =
	"SELECT d.path,f.name,f.state," STAT_COLUMNS FILE_COLUMNS
	" FROM file f CROSS JOIN dir d ON d.id=f.dir_id"
	" WHERE f.link_dev=?1 AND f.link_ino=?2 AND f.nlink > 1"
	" AND f.size=?3 AND (?4 IS NULL OR f.mtime_ns=?4) AND f.state=2"
	" AND (f.digest_have & 1) != 0"
	" AND NOT (f.dir_id=?5 AND f.name=?6) LIMIT 1",
    [STMT_LINKS_DROP] = "UPDATE file SET nlink=?3"
			" WHERE link_dev=?1 AND link_ino=?2 AND nlink > 1",
    [STMT_LINK_SEEN] = "INSERT OR IGNORE INTO temp.seen VALUES(?,?)",
    [STMT_DIR_AGAIN] =
	"UPDATE file SET state=1"
	" WHERE dir_id=(SELECT id FROM dir WHERE path=?) AND name=?"
	" AND state=2 AND type=2",
    [STMT_PENDING] =
	"SELECT p.at,p.depth,p.dir_id,p.name,d.path,f.run_id,how,proof,"
	"attempts,done_ns,did_run," STAT_COLUMNS
	" FROM temp.pending p CROSS JOIN file f"
	" ON f.dir_id=p.dir_id AND f.name=p.name"
	" JOIN dir d ON d.id=p.dir_id"
	" WHERE p.at>? AND f.state=1 ORDER BY p.at LIMIT 1",
    [STMT_UPLOAD_ADD] =
	"INSERT INTO upload(dir_id,name,store_id,part_bytes,"
	"begun_ns," STAT_COLUMNS ") VALUES(?,?,'',?,?,?,?,?,?,?,?,?,?,?)",
    [STMT_UPLOAD_BEGUN] = "UPDATE upload SET store_id=?,attrs=? WHERE id=?",
    [STMT_UPLOAD_DROP] = "DELETE FROM upload WHERE id=?",
    [STMT_UPLOAD_LIST] = "SELECT u.id,u.dir_id,d.path,u.name,u.store_id,"
			 "u.part_bytes,u.begun_ns,u.attrs," STAT_COLUMNS
			 " FROM upload u JOIN dir d ON d.id=u.dir_id"
			 " ORDER BY u.id",
    [STMT_PART_PUT] = "INSERT OR REPLACE INTO part VALUES(?,?,?,?,?,?,?,?,?)",
    [STMT_PART_DROP] = "DELETE FROM part WHERE upload_id=?",
    [STMT_PART_LIST] =
	"SELECT number,size,digest_have,xxh3,crc64nvme,crc32c,"
	"etag,sha256 FROM part WHERE upload_id=? ORDER BY number",
    [STMT_TARGET_PUT] =
	"INSERT OR REPLACE INTO temp.target VALUES(?,?,?,?,?,?)",
    [STMT_TARGET_GET] = "SELECT type,size,etag,mtime_ns FROM temp.target"
			" WHERE path=? AND is_dir=?",
    [STMT_TARGET_SEEN] = "DELETE FROM temp.target WHERE path=? AND is_dir=?",
    [STMT_TARGET_SEEN_BELOW] =
	"DELETE FROM temp.target WHERE path>? AND path<?",
    [STMT_GONE_PUT] = "INSERT OR IGNORE INTO temp.gone VALUES(?,?,?,?,?,?,1)",
    [STMT_HOLD] = "INSERT OR IGNORE INTO temp.held VALUES(?)",
    [STMT_BELOW] = "SELECT d.path,f.name,f.type,f.size,f.etag,f.mtime_ns"
		   " FROM dir d JOIN file f ON f.dir_id=d.id"
		   " WHERE d.path=? OR (d.path>? AND d.path<?)",
    [STMT_VICTIM_NEXT] =
	"SELECT at,depth,path,type,size,etag,mtime_ns,known,"
	"there FROM temp.victim WHERE at>? ORDER BY at LIMIT 1",
    [STMT_VICTIM_HAS] = "SELECT 1 FROM temp.victim WHERE path=? AND (type=2)=?",
    [STMT_VICTIM_SPARE] = "DELETE FROM temp.victim WHERE path=? AND type=2",
    [STMT_DELETION_PUT] = "INSERT OR REPLACE INTO deletion VALUES(?,?,?,?,?)",
    [STMT_DELETION_LIST] = "SELECT path,type,size,state FROM deletion"
			   " WHERE run_id=? ORDER BY path",
    [STMT_FILE_FORGET] =
	"DELETE FROM file WHERE dir_id=(SELECT id FROM dir WHERE path=?)"
	" AND name=? AND (type=2)=?",
    [STMT_RUN_ADD] = "INSERT INTO run(started_ns,ended_ns,outcome,why,stats)"
		     " VALUES(?,0,'','','')",
    [STMT_RUN_END] = "UPDATE run SET ended_ns=?,outcome=?,why=?,stats=?"
		     " WHERE id=?",
    [STMT_RUN_GET] = "SELECT id,started_ns,ended_ns,outcome,why,stats,retry_of"
		     " FROM run WHERE id<=? ORDER BY id DESC LIMIT 1",
    [STMT_FAILURE_PUT] = "INSERT OR REPLACE INTO failure VALUES(?,?,?,?,?,?)",
    [STMT_FAILURE_HAS] = "SELECT 1 FROM failure WHERE run_id=? AND path=?",
    [STMT_LATER_PUT] = "INSERT INTO temp.later VALUES(?,?,?,?,?)",
    [STMT_LATER_NEXT] = "SELECT rowid,dir,name,what,st FROM temp.later"
			" WHERE (place,rowid)>(?1,?2)"
			" ORDER BY place,rowid LIMIT 1",
    [STMT_LISTED_PUT] = "INSERT OR REPLACE INTO temp.listed"
			" VALUES(?,?,?,?,?,?,?,?,?,?,?,?,0)",
    [STMT_LISTED_GET] =
	"SELECT " LISTED_COLUMNS " FROM temp.listed WHERE path=?1"
	" ORDER BY is_dir=?2 DESC LIMIT 1",
    [STMT_LISTED_SEEN] =
	"UPDATE temp.listed SET seen=1 WHERE path=? AND is_dir=?",
    [STMT_LISTED_PASS] =
	"UPDATE temp.listed SET seen=1 WHERE path>=? AND path<?",
    [STMT_LISTED_BELOW] =
	"SELECT 1 FROM temp.listed WHERE path>=? AND path<? LIMIT 1",
    [STMT_LISTED_NEXT] = "SELECT " LISTED_COLUMNS
			 ",path FROM temp.listed WHERE seen=0 ORDER BY path",
    [STMT_PAIR_PUT] = "INSERT OR IGNORE INTO temp.pair VALUES(?,?,?,?,?,?,?)",
    [STMT_PAIR_GET] = "SELECT nlink,other_dev,other_ino,path FROM temp.pair"
		      " WHERE side=? AND dev=? AND ino=?",
    [STMT_FAILURE_LIST] = "SELECT path,kind,message,attempts,at_ns"
			  " FROM failure WHERE run_id=? ORDER BY path",
    /* By the index of paths, then by that of names: nothing is sorted. */
    [STMT_ITEM_LIST] = "SELECT d.path,f.name,f.state," STAT_COLUMNS FILE_COLUMNS
		       " FROM dir d CROSS JOIN file f ON f.dir_id=d.id"
		       " WHERE " OF_RUN " AND f.state=2"
		       " ORDER BY d.path,f.name",
    [STMT_ITEM_SUMS] = "SELECT type,size,how,proof FROM file f"
		       " WHERE " OF_RUN " AND state=2",
    [STMT_NOTICE_PUT] = "INSERT OR REPLACE INTO notice VALUES(?,?,?,?,?)",
    [STMT_NOTICE_LIST] = "SELECT path,type,reason FROM notice"
			 " WHERE run_id=? AND what=? ORDER BY path",
    [STMT_NOTICE_DROP] = "DELETE FROM notice WHERE run_id<=?",
    [STMT_FAILURE_DROP] = "DELETE FROM failure WHERE run_id<=?",
    [STMT_DELETION_DROP] = "DELETE FROM deletion WHERE run_id<=?",
    [STMT_RUN_ASK] = "UPDATE run SET words=?,retry_of=? WHERE id=?",
    [STMT_RUN_PROGRESS] = "UPDATE run SET stats=?,series=? WHERE id=?",
    [STMT_RUN_TEXTS] = "SELECT words,series FROM run WHERE id=?",
    [STMT_SERIES_DROP] = "UPDATE run SET series='' WHERE id=?",
    [STMT_ITEM_ALL] = "SELECT d.path,f.name,f.state," STAT_COLUMNS FILE_COLUMNS
		      " FROM dir d CROSS JOIN file f ON f.dir_id=d.id"
		      " ORDER BY d.path,f.name",
    [STMT_ATTRSET_PUT] = "INSERT OR IGNORE INTO attrset VALUES(?,?)",
    [STMT_ATTRSET_GET] = "SELECT data FROM attrset WHERE mark=?",
    [STMT_GIVEN_PUT] = "INSERT OR REPLACE INTO temp.given"
		       " VALUES(?,?,?,?,?,?,?,?,?,?,?)",
    [STMT_GIVEN_GET] = "SELECT type,size,mtime_ns,mode,uid,gid,atime_ns,link,"
		       "attrs FROM temp.given WHERE path=? AND is_dir=?",
    [STMT_TOTALS] = "SELECT COUNT(*),COALESCE(SUM(CASE WHEN type=1 THEN size"
		    " ELSE 0 END),0) FROM file WHERE state=2",
    [STMT_DIRS] = "SELECT COUNT(*) FROM dir",
    [STMT_EVENT_LAST] = "SELECT seq FROM sqlite_sequence WHERE name='event'",
    [STMT_EVENT_PUT] = "INSERT INTO event VALUES(?,?,?,?,?,?,?)",
    [STMT_EVENT_RESTORE] = "INSERT OR IGNORE INTO event VALUES(?,?,?,?,?,?,?)",
    [STMT_EVENT_SINCE] = "SELECT seq FROM event WHERE time_ms>=?"
			 " ORDER BY seq LIMIT 1",
    [STMT_EVENT_NTH] = "SELECT seq FROM event ORDER BY seq DESC"
		       " LIMIT 1 OFFSET ?",
    [STMT_EVENT_SIZES] = "SELECT seq,LENGTH(CAST(body AS BLOB)) FROM event"
			 " ORDER BY seq DESC",
    [STMT_EVENT_SUM] =
	"SELECT COUNT(*),COALESCE(SUM(LENGTH(CAST(body AS BLOB))),0),"
	"COALESCE(MAX(seq),?1) FROM event WHERE seq>=?1 AND seq<?2",
    [STMT_EVENT_AFTER] = "SELECT seq FROM event WHERE seq>=? ORDER BY seq"
			 " LIMIT 1 OFFSET ?",
    [STMT_EVENT_FORGET] = "DELETE FROM event WHERE seq>=? AND seq<?",
    [STMT_SIZE] = "SELECT page_count*page_size FROM pragma_page_count,"
		  "pragma_page_size",
};

const char *
ledger_sql(enum ledger_stmt which)
{
	return statements[which];
}

static int
user_version(struct ledger *l, int *out, struct err *e)
{
	sqlite3_stmt *s = NULL;
	int rc;

	if (sqlite3_prepare_v2(l->db, "PRAGMA user_version", -1, &s, NULL) !=
	    SQLITE_OK)
		return ledger_error(l, "schema", e);
	rc = sqlite3_step(s);
	if (rc == SQLITE_ROW)
		*out = sqlite3_column_int(s, 0);
	sqlite3_finalize(s);
	return rc == SQLITE_ROW ? 0 : ledger_error(l, "schema", e);
}

int
ledger_schema(struct ledger *l, struct err *e)
{
	char pragma[64];
	int version = 0, i;

	if (user_version(l, &version, e) == -1)
		return -1;
	if (version > SCHEMA_VERSION)
		return err_set(e, ERR_CONFIG,
		    "ledger %s was made by a newer dray (schema %d, this one "
		    "knows %d): use that one",
		    l->path, version, SCHEMA_VERSION);
	if (version == SCHEMA_VERSION)
		return 0;
	/* Its making was cut off before the first commit. */
	if (version == 0 && sqlite3_db_readonly(l->db, "main") == 1)
		return err_set(e, ERR_NOTFOUND, "no ledger yet in %s", l->path);
	l->outdated = sqlite3_db_readonly(l->db, "main") == 1;
	/* Another process may have done it just now. */
	if (ledger_exec(l, "BEGIN IMMEDIATE", e) == -1 ||
	    user_version(l, &version, e) == -1)
		return -1;
	for (i = version; i < SCHEMA_VERSION; i++)
		if (ledger_exec(l, migrations[i], e) == -1)
			return -1;
	snprintf(
	    pragma, sizeof(pragma), "PRAGMA user_version=%d", SCHEMA_VERSION);
	if (ledger_exec(l, pragma, e) == -1)
		return -1;
	return ledger_exec(l, "COMMIT", e);
}
