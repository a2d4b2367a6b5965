/* SPDX-License-Identifier: ISC */
/*
 * The schema of deliveries.db and all statements.  No RETURNING, no STRICT:
 * RHEL 9 has 3.34.  States of a delivery: 0 ready, 1 blocked by an earlier
 * one, 2 under way, 3 waiting for its next attempt.
 */
#include "config.h"

#include "agent/events/outbox_db.h"

const char outbox_schema[] =
    "CREATE TABLE subscription(id INTEGER PRIMARY KEY,"
    " name TEXT NOT NULL UNIQUE, state TEXT NOT NULL, reason TEXT NOT NULL,"
    " seen_ms INTEGER NOT NULL, routed INTEGER NOT NULL,"
    " fail_since_ms INTEGER NOT NULL DEFAULT 0,"
    " delivered INTEGER NOT NULL DEFAULT 0,"
    " filtered INTEGER NOT NULL DEFAULT 0, dead INTEGER NOT NULL DEFAULT 0);"
    "CREATE TABLE delivery(sub INTEGER NOT NULL, seq INTEGER NOT NULL,"
    " pkey TEXT NOT NULL, run INTEGER NOT NULL, barrier INTEGER NOT NULL,"
    " state INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,"
    " next_ms INTEGER NOT NULL, status INTEGER NOT NULL DEFAULT 0,"
    " error TEXT NOT NULL DEFAULT '', PRIMARY KEY(sub, seq)) WITHOUT ROWID;"
    "CREATE INDEX delivery_due ON delivery(sub, next_ms, seq)"
    " WHERE state IN (0,3);"
    "CREATE INDEX delivery_key ON delivery(sub, pkey, seq);"
    "CREATE INDEX delivery_run ON delivery(sub, run, seq);"
    "CREATE INDEX delivery_barrier ON delivery(sub, run) WHERE barrier=1;"
    "CREATE TABLE dead_letter(sub INTEGER NOT NULL, seq INTEGER NOT NULL,"
    " pkey TEXT NOT NULL, run INTEGER NOT NULL, at_ms INTEGER NOT NULL,"
    " reason TEXT NOT NULL, attempts INTEGER NOT NULL,"
    " status INTEGER NOT NULL, error TEXT NOT NULL,"
    " PRIMARY KEY(sub, seq)) WITHOUT ROWID;"
    "CREATE TABLE attempt(id INTEGER PRIMARY KEY, sub INTEGER NOT NULL,"
    " seq INTEGER NOT NULL, n INTEGER NOT NULL, at_ms INTEGER NOT NULL,"
    " took_ms INTEGER NOT NULL, status INTEGER NOT NULL,"
    " error TEXT NOT NULL);"
    "CREATE TABLE archive(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
    " seen_ms INTEGER NOT NULL, routed INTEGER NOT NULL,"
    " objects INTEGER NOT NULL DEFAULT 0, events INTEGER NOT NULL DEFAULT 0,"
    " dropped INTEGER NOT NULL DEFAULT 0);"
    "CREATE TABLE segment(archive INTEGER NOT NULL, first INTEGER NOT NULL,"
    " last INTEGER NOT NULL, events INTEGER NOT NULL,"
    " time_ms INTEGER NOT NULL, object TEXT NOT NULL,"
    " pattern TEXT NOT NULL, PRIMARY KEY(archive, first)) WITHOUT ROWID;";

#define SUB_COLUMNS                                                     \
	"id,name,state,reason,routed,fail_since_ms,delivered,filtered," \
	"dead,(SELECT COUNT(*) FROM delivery d WHERE d.sub=subscription.id)"

static const char *const statements[OB_COUNT] = {
    [OB_BEGIN] = "BEGIN IMMEDIATE",
    [OB_COMMIT] = "COMMIT",
    [OB_SUB_GET] = "SELECT " SUB_COLUMNS " FROM subscription WHERE name=?",
    [OB_SUB_ADD] = "INSERT INTO subscription(name,state,reason,seen_ms,routed)"
		   " VALUES(?,'active','',0,?)",
    [OB_SUB_SAVE] = "UPDATE subscription SET state=?2,reason=?3,seen_ms=?4,"
		    "routed=?5,fail_since_ms=?6,delivered=?7,filtered=?8,"
		    "dead=?9 WHERE id=?1",
    [OB_SUB_NEXT] = "SELECT " SUB_COLUMNS
		    " FROM subscription WHERE id>? ORDER BY id LIMIT 1",
    [OB_READY_AGAIN] = "UPDATE delivery SET state=0 WHERE sub=? AND state=2",
    /* Blocked: a live one of the same key, or, for the end of a run, of the
     * same run comes before it. */
    [OB_DELIVERY_ADD] =
	"INSERT OR IGNORE INTO delivery(sub,seq,pkey,run,barrier,state,next_ms)"
	" VALUES(?1,?2,?3,?4,?5,CASE WHEN EXISTS(SELECT 1 FROM delivery"
	" WHERE sub=?1 AND pkey=?3 AND seq<?2) OR (?5 AND EXISTS(SELECT 1"
	" FROM delivery WHERE sub=?1 AND run=?4 AND seq<?2))"
	" THEN 1 ELSE 0 END,?6)",
    [OB_CLAIM] = "SELECT seq,run,attempts,pkey FROM delivery"
		 " WHERE sub=? AND state IN (0,3) AND next_ms<=?"
		 " ORDER BY next_ms,seq LIMIT 1",
    [OB_CLAIMED] = "UPDATE delivery SET state=2,attempts=attempts+1"
		   " WHERE sub=? AND seq=?",
    [OB_DUE] = "SELECT next_ms FROM delivery WHERE sub=? AND state IN (0,3)"
	       " ORDER BY next_ms,seq LIMIT 1",
    [OB_DELIVERY_DROP] = "DELETE FROM delivery WHERE sub=? AND seq=?",
    [OB_UNBLOCK_KEY] =
	"UPDATE delivery SET state=0 WHERE sub=?1 AND state=1 AND barrier=0"
	" AND seq=(SELECT MIN(seq) FROM delivery WHERE sub=?1 AND pkey=?2)",
    /* By itself it would look at all deliveries. */
    [OB_UNBLOCK_RUN] = "UPDATE delivery INDEXED BY delivery_barrier SET state=0"
		       " WHERE sub=?1 AND run=?2 AND barrier=1"
		       " AND state=1 AND NOT EXISTS(SELECT 1 FROM delivery x"
		       " WHERE x.sub=?1 AND x.run=?2 AND x.seq<delivery.seq)",
    [OB_RETRY] = "UPDATE delivery SET state=3,next_ms=?3,status=?4,error=?5"
		 " WHERE sub=?1 AND seq=?2",
    [OB_DEAD_ADD] = "INSERT OR REPLACE INTO dead_letter"
		    " VALUES(?,?,?,?,?,?,?,?,?)",
    [OB_DEAD_LIST] =
	"SELECT s.name,d.seq,d.at_ms,d.reason,d.attempts,d.status,d.error,0,"
	"d.sub,d.pkey,d.run FROM dead_letter d"
	" JOIN subscription s ON s.id=d.sub"
	" WHERE (?1=0 OR d.sub=?1) AND (?2=0 OR d.seq=?2) ORDER BY d.seq",
    [OB_DEAD_DROP] = "DELETE FROM dead_letter WHERE (?1=0 OR sub=?1)"
		     " AND (?2=0 OR seq=?2)",
    [OB_ATTEMPT_ADD] = "INSERT INTO attempt(sub,seq,n,at_ms,took_ms,status,"
		       "error) VALUES(?,?,?,?,?,?,?)",
    [OB_ATTEMPT_PRUNE] = "DELETE FROM attempt WHERE id<=?",
    [OB_ATTEMPT_LIST] =
	"SELECT s.name,a.seq,a.at_ms,'',a.n,a.status,a.error,a.took_ms"
	" FROM attempt a JOIN subscription s ON s.id=a.sub ORDER BY a.id",
    [OB_ARCHIVE_GET] =
	"SELECT id,routed,objects,events,dropped FROM archive WHERE name=?",
    [OB_ARCHIVE_ADD] = "INSERT INTO archive(name,seen_ms,routed) VALUES(?,0,?)",
    [OB_ARCHIVE_SAVE] = "UPDATE archive SET seen_ms=?2,routed=?3,objects=?4,"
			"events=?5 WHERE id=?1",
    [OB_SEGMENT_ADD] = "INSERT INTO segment VALUES(?,?,?,?,?,?,?)",
    [OB_SEGMENT_NEXT] =
	"SELECT first,last,events,time_ms,object,pattern FROM segment"
	" WHERE archive=? ORDER BY first LIMIT 1",
    [OB_SEGMENT_DROP] = "DELETE FROM segment WHERE archive=? AND first=?",
    [OB_KEEP_PASSED] =
	"SELECT MIN(seq) FROM (SELECT routed+1 AS seq FROM subscription"
	" WHERE seen_ms>=?1 UNION ALL SELECT routed+1 FROM archive"
	" WHERE seen_ms>=?1 UNION ALL SELECT MIN(g.first) FROM segment g"
	" JOIN archive a ON a.id=g.archive WHERE a.seen_ms>=?1)",
    /* For each subscription its next one, by its index. */
    [OB_KEEP_REFERRED] =
	"SELECT MIN(seq) FROM (SELECT (SELECT MIN(seq) FROM delivery"
	" WHERE sub=s.id AND seq>=?2) AS seq FROM subscription s"
	" WHERE seen_ms>=?1 UNION ALL SELECT (SELECT seq FROM dead_letter"
	" WHERE sub=s.id AND seq>=?2 AND reason<>'retention' ORDER BY seq"
	" LIMIT 1) FROM subscription s)",
    [OB_KEEP_SUB] = "SELECT id,name,routed FROM subscription"
		    " WHERE id>? AND seen_ms>=? ORDER BY id LIMIT 1",
    [OB_KEEP_CUT] = "SELECT MIN(first) FROM segment WHERE first<?1"
		    " AND last>=?1",
    [OB_KEEP_DELIVERIES] =
	"INSERT OR REPLACE INTO dead_letter(sub,seq,pkey,run,at_ms,reason,"
	"attempts,status,error) SELECT sub,seq,pkey,run,?3,'retention',"
	"attempts,status,error FROM delivery WHERE sub=?1 AND seq<?2",
    [OB_KEEP_NO_DELIVERIES] = "DELETE FROM delivery WHERE sub=?1 AND seq<?2",
    [OB_KEEP_UNBLOCK] =
	"UPDATE delivery SET state=0 WHERE sub=?1 AND state=1"
	" AND NOT EXISTS(SELECT 1 FROM delivery x WHERE x.sub=?1"
	" AND x.pkey=delivery.pkey AND x.seq<delivery.seq)"
	" AND NOT (barrier AND EXISTS(SELECT 1 FROM delivery x"
	" WHERE x.sub=?1 AND x.run=delivery.run AND x.seq<delivery.seq))",
    [OB_KEEP_LETTER] =
	"INSERT OR REPLACE INTO dead_letter(sub,seq,pkey,run,at_ms,reason,"
	"attempts,status,error) VALUES(?,?,?,?,?,'retention',0,0,'')",
    [OB_KEEP_LETTERS] = "UPDATE dead_letter SET reason='retention'"
			" WHERE sub=?1 AND seq<?2 AND reason<>'retention'",
    [OB_KEEP_ROUTED] = "UPDATE subscription SET routed=MAX(routed,?2-1),"
		       "dead=dead+?3,filtered=filtered+?4 WHERE id=?1",
    [OB_KEEP_ARCHIVE] = "SELECT id,routed,(SELECT COALESCE(SUM(events),0)"
			" FROM segment g WHERE g.archive=a.id AND g.last<?3)"
			" FROM archive a WHERE id>?1 AND seen_ms>=?2"
			" ORDER BY id LIMIT 1",
    [OB_KEEP_NO_SEGMENTS] = "DELETE FROM segment WHERE archive=? AND last<?",
    [OB_KEEP_ARCHIVED] = "UPDATE archive SET dropped=dropped+?3,"
			 "routed=MAX(routed,?2-1) WHERE id=?1",
    [OB_EVENTS] = "SELECT seq,time_ms,pkey,run,barrier,body FROM event"
		  " WHERE seq>? ORDER BY seq LIMIT ?",
    [OB_EVENTS_BETWEEN] =
	"SELECT seq,time_ms,body,pkey,run FROM event WHERE seq>?"
	" AND seq<=? ORDER BY seq LIMIT ?",
    [OB_EVENTS_COUNT] = "SELECT COUNT(*) FROM event WHERE seq>? AND seq<?",
    [OB_EVENT] = "SELECT time_ms,body FROM event WHERE seq=?",
};

const char *
outbox_sql(enum outbox_stmt which)
{
	return statements[which];
}
