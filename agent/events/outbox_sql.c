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
    " next_ms INTEGER NOT NULL, batch INTEGER NOT NULL DEFAULT 0,"
    " status INTEGER NOT NULL DEFAULT 0,"
    " error TEXT NOT NULL DEFAULT '', PRIMARY KEY(sub, seq)) WITHOUT ROWID;"
    "CREATE INDEX delivery_due ON delivery(sub, next_ms, seq)"
    " WHERE state IN (0,3);"
    "CREATE INDEX delivery_key ON delivery(sub, pkey, seq);"
    "CREATE INDEX delivery_run ON delivery(sub, run, seq);"
    "CREATE INDEX delivery_barrier ON delivery(sub, run) WHERE barrier=1;"
    "CREATE INDEX delivery_batch ON delivery(sub, batch, seq) WHERE batch>0;"
    "CREATE TABLE dead_letter(sub INTEGER NOT NULL, seq INTEGER NOT NULL,"
    " pkey TEXT NOT NULL, run INTEGER NOT NULL, at_ms INTEGER NOT NULL,"
    " reason TEXT NOT NULL, attempts INTEGER NOT NULL,"
    " status INTEGER NOT NULL, error TEXT NOT NULL,"
    " PRIMARY KEY(sub, seq)) WITHOUT ROWID;"
    "CREATE TABLE attempt(id INTEGER PRIMARY KEY, sub INTEGER NOT NULL,"
    " seq INTEGER NOT NULL, n INTEGER NOT NULL, at_ms INTEGER NOT NULL,"
    " took_ms INTEGER NOT NULL, status INTEGER NOT NULL,"
    " error TEXT NOT NULL);";

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
    [OB_BATCH_FIRST] = "SELECT next_ms,batch FROM delivery"
		       " WHERE sub=? AND state IN (0,3) AND next_ms<=?"
		       " ORDER BY next_ms,seq LIMIT 1",
    [OB_BATCH_READY] = "SELECT seq,run,attempts,pkey FROM delivery WHERE sub=?"
		       " AND state IN (0,3) AND next_ms<=? AND batch=0"
		       " ORDER BY next_ms,seq LIMIT ?",
    [OB_BATCH_FOLLOWER] =
	"SELECT seq,run,attempts,pkey FROM delivery WHERE sub=?1 AND state=1"
	" AND barrier=0 AND seq=(SELECT MIN(seq) FROM delivery WHERE sub=?1"
	" AND pkey=?2 AND seq>?3)",
    [OB_BATCH_MEMBERS] = "SELECT seq,run,attempts,pkey FROM delivery"
			 " WHERE sub=? AND batch=? AND batch>0 ORDER BY seq",
    [OB_BATCH_SEAL] = "UPDATE delivery SET state=2,attempts=attempts+1,batch=?3"
		      " WHERE sub=?1 AND seq=?2",
    [OB_BATCH_OPEN] =
	"UPDATE delivery SET batch=0,attempts=0,next_ms=?3,state=CASE WHEN"
	" EXISTS(SELECT 1 FROM delivery x WHERE x.sub=?1"
	" AND x.pkey=delivery.pkey AND x.seq<delivery.seq) THEN 1 ELSE 0 END"
	" WHERE sub=?1 AND batch>0 AND (batch=?2 OR ?2=0)",
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
    [OB_NEEDED] =
	"SELECT MIN(seq) FROM (SELECT routed+1 AS seq FROM subscription"
	" WHERE seen_ms>=?1 UNION ALL SELECT MIN(d.seq) FROM delivery d"
	" JOIN subscription s ON s.id=d.sub WHERE s.seen_ms>=?1"
	" UNION ALL SELECT MIN(seq) FROM dead_letter)",
    [OB_EVENTS] = "SELECT seq,time_ms,pkey,run,barrier,body FROM event"
		  " WHERE seq>? ORDER BY seq LIMIT ?",
    [OB_EVENT] = "SELECT time_ms,body FROM event WHERE seq=?",
};

const char *
outbox_sql(enum outbox_stmt which)
{
	return statements[which];
}
