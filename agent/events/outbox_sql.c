/* SPDX-License-Identifier: ISC */
/*
 * The schema of deliveries.db and all statements.  No RETURNING, no STRICT:
 * RHEL 9 has 3.34.  States of a delivery: 0 ready, 1 blocked by an earlier
 * one, 2 under way, 3 waiting for its next attempt.
 */
#include "config.h"

#include "agent/events/outbox_db.h"

const char outbox_schema[] =
    /* replay: '' for the subscription itself */
    "CREATE TABLE subscription(id INTEGER PRIMARY KEY,"
    " name TEXT NOT NULL, replay TEXT NOT NULL, ordering INTEGER NOT NULL,"
    " seen_ms INTEGER NOT NULL, routed INTEGER NOT NULL,"
    " noticed INTEGER NOT NULL, delivered INTEGER NOT NULL DEFAULT 0,"
    " filtered INTEGER NOT NULL DEFAULT 0, dead INTEGER NOT NULL DEFAULT 0,"
    " removed INTEGER NOT NULL DEFAULT 0, UNIQUE(name, replay));"
    "CREATE TABLE replay(sub INTEGER PRIMARY KEY, state TEXT NOT NULL,"
    " pattern TEXT NOT NULL, from_ms INTEGER NOT NULL,"
    " to_ms INTEGER NOT NULL, until INTEGER NOT NULL,"
    " new_ids INTEGER NOT NULL, rate INTEGER NOT NULL,"
    " made_us INTEGER NOT NULL);"
    /* What is told of deliveries; the source is theirs alone. */
    "CREATE TABLE notice(seq INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL,"
    " type TEXT NOT NULL, about TEXT NOT NULL, body TEXT NOT NULL);"
    "CREATE INDEX notice_about ON notice(about, type, time_ms);"
    "CREATE TABLE origin(source TEXT NOT NULL);"
    "INSERT INTO origin SELECT 'urn:uuid:'||substr(h,1,8)||'-'||substr(h,9,4)"
    "||'-4'||substr(h,14,3)||'-8'||substr(h,18,3)||'-'||substr(h,21,12)"
    " FROM (SELECT lower(hex(randomblob(16))) AS h);"
    "CREATE TABLE delivery(sub INTEGER NOT NULL, seq INTEGER NOT NULL,"
    " pkey TEXT NOT NULL, run INTEGER NOT NULL, barrier INTEGER NOT NULL,"
    " state INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,"
    " next_ms INTEGER NOT NULL, since_ms INTEGER NOT NULL,"
    " batch INTEGER NOT NULL DEFAULT 0, status INTEGER NOT NULL DEFAULT 0,"
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
    " error TEXT NOT NULL);"
    "CREATE TABLE archive(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
    " seen_ms INTEGER NOT NULL, routed INTEGER NOT NULL,"
    " objects INTEGER NOT NULL DEFAULT 0, events INTEGER NOT NULL DEFAULT 0,"
    " dropped INTEGER NOT NULL DEFAULT 0);"
    "CREATE TABLE segment(archive INTEGER NOT NULL, first INTEGER NOT NULL,"
    " last INTEGER NOT NULL, events INTEGER NOT NULL,"
    " time_ms INTEGER NOT NULL, object TEXT NOT NULL,"
    " pattern TEXT NOT NULL, PRIMARY KEY(archive, first)) WITHOUT ROWID;";

#define SUB_COLUMNS                                                       \
	"id,name,replay,ordering,routed,noticed,delivered,filtered,dead," \
	"removed,(SELECT COUNT(*) FROM delivery d WHERE "                 \
	"d.sub=subscription.id)"

#define ROW_COLUMNS "seq,run,attempts,pkey,since_ms"

/* Whether a delivery (sub ?1, seq, pkey, run, barrier as given) waits for an
 * earlier one: by the ordering, and the end of a run for the rest of it. */
#define BLOCKED(seq, pkey, run, barrier, ordering)                      \
	"CASE WHEN (" ordering "=0 AND EXISTS(SELECT 1 FROM delivery x" \
	" WHERE x.sub=?1 AND x.pkey=" pkey " AND x.seq<" seq "))"       \
	" OR (" ordering "=2 AND EXISTS(SELECT 1 FROM delivery x"       \
	" WHERE x.sub=?1 AND x.seq<" seq "))"                           \
	" OR (" barrier " AND EXISTS(SELECT 1 FROM delivery x"          \
	" WHERE x.sub=?1 AND x.run=" run " AND x.seq<" seq "))"         \
	" THEN 1 ELSE 0 END"

/* Of a dead letter: there is no event any more. */
#define HOPELESS "reason IN ('retention','lost')"

/* Dead letters (d) of subscription ?1, event ?2 and reason ?3, if given. */
#define CHOSEN                                                                 \
	"(?1 IS NULL OR d.sub IN (SELECT id FROM subscription WHERE name=?1))" \
	" AND (?2=0 OR d.seq=?2) AND (?3 IS NULL OR d.reason=?3)"

static const char *const statements[OB_COUNT] = {
    [OB_BEGIN] = "BEGIN IMMEDIATE",
    [OB_COMMIT] = "COMMIT",
    [OB_SUB_GET] =
	"SELECT " SUB_COLUMNS " FROM subscription WHERE name=? AND replay=''",
    [OB_SUB_ADD] =
	"INSERT INTO subscription(name,replay,ordering,seen_ms,routed,noticed)"
	" VALUES(?1,'',?2,0,?3,"
	"(SELECT COALESCE(MAX(seq),0) FROM notice))",
    [OB_SUB_SAVE] = "UPDATE subscription SET seen_ms=?2,routed=?3,noticed=?4,"
		    "delivered=?5,filtered=?6,dead=?7 WHERE id=?1",
    [OB_SUB_NEXT] = "SELECT " SUB_COLUMNS
		    " FROM subscription WHERE id>? ORDER BY id LIMIT 1",
    [OB_SUB_BY_ID] = "SELECT " SUB_COLUMNS " FROM subscription WHERE id=?",
    [OB_SUB_ORDER] = "UPDATE subscription SET ordering=?2,removed=0"
		     " WHERE id=?1",
    [OB_REORDER] =
	"UPDATE delivery SET state=" BLOCKED("delivery.seq", "delivery.pkey",
	    "delivery.run", "delivery.barrier", "?2") " WHERE sub=?1",
    [OB_READY_AGAIN] = "UPDATE delivery SET state=0 WHERE sub=? AND state=2",
    [OB_UNSUBSCRIBE] = "UPDATE subscription SET removed=1,seen_ms=0,"
		       "delivered=0,filtered=0,dead=0 WHERE id=?",
    [OB_DROP_DELIVERIES] = "DELETE FROM delivery WHERE sub=?",
    [OB_DROP_LETTERS] = "DELETE FROM dead_letter WHERE sub=?",
    [OB_DELIVERY_ADD] =
	"INSERT OR IGNORE INTO delivery(sub,seq,pkey,run,barrier,next_ms,"
	"since_ms,state) VALUES(?1,?2,?3,?4,?5,?6,?7," BLOCKED(
	    "?2", "?3", "?4", "?5", "?8") ")",
    [OB_CLAIM] = "SELECT " ROW_COLUMNS " FROM delivery"
		 " WHERE sub=? AND state IN (0,3) AND next_ms<=?"
		 " ORDER BY next_ms,seq LIMIT 1",
    [OB_CLAIMED] = "UPDATE delivery SET state=2,attempts=attempts+1"
		   " WHERE sub=? AND seq=?",
    [OB_TAKEN_BACK] = "UPDATE delivery SET state=0,attempts=attempts-1"
		      " WHERE sub=? AND seq=? AND state=2",
    [OB_DUE] = "SELECT next_ms FROM delivery WHERE sub=? AND state IN (0,3)"
	       " ORDER BY next_ms,seq LIMIT 1",
    [OB_FAILURE] = "SELECT status,error FROM delivery WHERE sub=?"
		   " AND attempts>0 ORDER BY seq LIMIT 1",
    /* Numbers of notices are beyond those of all events. */
    [OB_NEWEST] =
	"SELECT MAX(seq) FROM (SELECT MAX(routed) AS seq FROM subscription"
	" UNION ALL SELECT MAX(routed) FROM archive"
	" UNION ALL SELECT MAX(last) FROM segment"
	" UNION ALL SELECT MAX(seq) FROM delivery WHERE seq<?1"
	" UNION ALL SELECT MAX(seq) FROM dead_letter WHERE seq<?1)",
    [OB_BATCH_FIRST] = "SELECT next_ms,batch FROM delivery"
		       " WHERE sub=? AND state IN (0,3) AND next_ms<=?"
		       " ORDER BY next_ms,seq LIMIT 1",
    [OB_BATCH_READY] = "SELECT " ROW_COLUMNS " FROM delivery WHERE sub=?"
		       " AND state IN (0,3) AND next_ms<=? AND batch=0"
		       " ORDER BY next_ms,seq LIMIT ?",
    [OB_BATCH_FOLLOWER] =
	"SELECT " ROW_COLUMNS " FROM delivery WHERE sub=?1 AND state=1"
	" AND barrier=0 AND seq=(SELECT MIN(seq) FROM delivery WHERE sub=?1"
	" AND seq>?2 AND pkey=?3)",
    [OB_BATCH_NEXT] =
	"SELECT " ROW_COLUMNS " FROM delivery WHERE sub=?1 AND state=1"
	" AND barrier=0 AND seq=(SELECT MIN(seq) FROM delivery WHERE sub=?1"
	" AND seq>?2)",
    [OB_BATCH_MEMBERS] = "SELECT " ROW_COLUMNS " FROM delivery"
			 " WHERE sub=? AND batch=? AND batch>0 ORDER BY seq",
    [OB_BATCH_SEAL] = "UPDATE delivery SET state=2,attempts=attempts+1,batch=?3"
		      " WHERE sub=?1 AND seq=?2",
    [OB_BATCH_OPEN] =
	"UPDATE delivery SET batch=0,attempts=0,next_ms=?3,state=" BLOCKED(
	    "delivery.seq", "delivery.pkey", "delivery.run", "delivery.barrier",
	    "?4") " WHERE sub=?1 AND batch>0"
		  " AND (batch=?2 OR ?2=0)",
    [OB_DELIVERY_DROP] = "DELETE FROM delivery WHERE sub=? AND seq=?",
    [OB_UNBLOCK_KEY] =
	"UPDATE delivery SET state=0 WHERE sub=?1 AND state=1 AND barrier=0"
	" AND seq=(SELECT MIN(seq) FROM delivery WHERE sub=?1 AND pkey=?2)",
    [OB_UNBLOCK_NEXT] = "UPDATE delivery SET state=0 WHERE sub=?1 AND state=1"
			" AND seq=(SELECT MIN(seq) FROM delivery WHERE sub=?1)",
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
	"s.replay,d.sub,d.pkey,d.run,s.ordering FROM dead_letter d"
	" JOIN subscription s ON s.id=d.sub WHERE " CHOSEN " ORDER BY d.seq",
    [OB_DEAD_DROP] = "DELETE FROM dead_letter AS d WHERE " CHOSEN,
    [OB_DEAD_REVIVED] =
	"DELETE FROM dead_letter AS d WHERE " CHOSEN " AND NOT " HOPELESS,
    [OB_ATTEMPT_ADD] = "INSERT INTO attempt(sub,seq,n,at_ms,took_ms,status,"
		       "error) VALUES(?,?,?,?,?,?,?)",
    [OB_ATTEMPT_PRUNE] = "DELETE FROM attempt WHERE id<=?",
    [OB_ATTEMPT_LIST] =
	"SELECT s.name,a.seq,a.at_ms,'',a.n,a.status,a.error,a.took_ms,"
	"s.replay FROM attempt a JOIN subscription s ON s.id=a.sub"
	" WHERE (?1 IS NULL OR s.name=?1) AND (?2=0 OR a.seq=?2)"
	" ORDER BY a.id",
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
    [OB_KEEP_SEEN] = "UPDATE subscription SET seen_ms=?2 WHERE name=?1"
		     " AND seen_ms<?2 AND removed=0",
    [OB_KEEP_ARCHIVE_SEEN] =
	"UPDATE archive SET seen_ms=?2 WHERE name=?1 AND seen_ms<?2",
    [OB_KEEP_PASSED] =
	"SELECT MIN(seq) FROM (SELECT routed+1 AS seq FROM subscription s"
	" WHERE seen_ms>=?1 AND NOT EXISTS(SELECT 1 FROM replay r"
	" WHERE r.sub=s.id AND r.state<>'active')"
	" UNION ALL SELECT routed+1 FROM archive"
	" WHERE seen_ms>=?1 UNION ALL SELECT MIN(g.first) FROM segment g"
	" JOIN archive a ON a.id=g.archive WHERE a.seen_ms>=?1)",
    /* For each subscription its next one, by its index. */
    [OB_KEEP_REFERRED] =
	"SELECT MIN(seq) FROM (SELECT (SELECT MIN(seq) FROM delivery"
	" WHERE sub=s.id AND seq>=?2) AS seq FROM subscription s"
	" WHERE seen_ms>=?1 UNION ALL SELECT (SELECT seq FROM dead_letter"
	" WHERE sub=s.id AND seq>=?2 AND NOT " HOPELESS " ORDER BY seq"
	" LIMIT 1) FROM subscription s)",
    [OB_KEEP_SUB] = "SELECT id,name,routed,replay,ordering FROM subscription"
		    " WHERE id>? AND seen_ms>=? AND seen_ms<?"
		    " ORDER BY id LIMIT 1",
    [OB_KEEP_CUT] = "SELECT MIN(first) FROM segment WHERE first<?1"
		    " AND last>=?1",
    [OB_KEEP_FIRST] = "SELECT seq,attempts FROM delivery WHERE sub=? AND seq<?"
		      " ORDER BY seq LIMIT 1",
    [OB_KEEP_DELIVERIES] =
	"INSERT OR REPLACE INTO dead_letter(sub,seq,pkey,run,at_ms,reason,"
	"attempts,status,error) SELECT sub,seq,pkey,run,?3,'retention',"
	"attempts,status,error FROM delivery WHERE sub=?1 AND seq<?2",
    [OB_KEEP_NO_DELIVERIES] = "DELETE FROM delivery WHERE sub=?1 AND seq<?2",
    [OB_KEEP_UNBLOCK] =
	"UPDATE delivery SET state=" BLOCKED("delivery.seq", "delivery.pkey",
	    "delivery.run", "delivery.barrier", "?2") " WHERE sub=?1"
						      " AND state=1",
    [OB_KEEP_LETTER] =
	"INSERT OR REPLACE INTO dead_letter(sub,seq,pkey,run,at_ms,reason,"
	"attempts,status,error) VALUES(?,?,?,?,?,'retention',0,0,'')",
    [OB_KEEP_LETTERS] = "UPDATE dead_letter SET reason='retention',at_ms=?3"
			" WHERE sub=?1 AND seq<?2 AND NOT " HOPELESS,
    [OB_KEEP_PRUNE] = "DELETE FROM dead_letter WHERE " HOPELESS " AND (at_ms<?1"
		      " OR seq<=(SELECT seq FROM dead_letter WHERE " HOPELESS
		      " ORDER BY seq DESC LIMIT 1 OFFSET ?2))",
    [OB_KEEP_ROUTED] = "UPDATE subscription SET routed=MAX(routed,?2-1),"
		       "dead=dead+?3,filtered=filtered+?4 WHERE id=?1",
    [OB_KEEP_ARCHIVE] = "SELECT id,routed,(SELECT COALESCE(SUM(events),0)"
			" FROM segment g WHERE g.archive=a.id AND g.last<?3)"
			" FROM archive a WHERE id>?1 AND seen_ms>=?2"
			" AND seen_ms<?4"
			" ORDER BY id LIMIT 1",
    [OB_KEEP_NO_SEGMENTS] = "DELETE FROM segment WHERE archive=? AND last<?",
    [OB_KEEP_ARCHIVED] = "UPDATE archive SET dropped=dropped+?3,"
			 "routed=MAX(routed,?2-1) WHERE id=?1",
    [OB_KEEP_ARCHIVE_GONE] = "UPDATE archive SET seen_ms=0 WHERE id=?",
    [OB_WAITING] = "SELECT COUNT(*),COALESCE(SUM(attempts>0),0),MIN(seq),"
		   "(SELECT COUNT(*) FROM dead_letter WHERE sub=?1)"
		   " FROM delivery WHERE sub=?1",
    [OB_CHANGED] = "PRAGMA data_version",
    [OB_ORIGIN] = "SELECT source FROM origin",
    [OB_NOTICES] = "SELECT seq,time_ms,'subscription/'||about,0,0,body,about"
		   " FROM notice WHERE seq>?1 ORDER BY seq LIMIT ?2",
    [OB_NOTICE] = "SELECT body FROM notice WHERE seq=?",
    [OB_NOTICE_RECENT] = "SELECT 1 FROM notice WHERE about=? AND type=?"
			 " AND time_ms>? LIMIT 1",
    [OB_NOTICE_LAST] = "SELECT MAX(seq) FROM notice",
    [OB_NOTICE_ADD] = "INSERT INTO notice VALUES(?,?,?,?,?)",
    [OB_NOTICE_PRUNE] =
	"DELETE FROM notice WHERE time_ms<?1 AND seq NOT IN"
	" (SELECT seq FROM delivery UNION ALL SELECT seq FROM dead_letter)",
    [OB_REPLAY_SUB_ADD] =
	"INSERT INTO subscription(name,replay,ordering,seen_ms,routed,noticed)"
	" VALUES(?,?,0,?,?,0)",
    [OB_REPLAY_ADD] = "INSERT INTO replay VALUES(?,?,?,?,?,?,?,?,?)",
    [OB_REPLAY_NEXT] =
	"SELECT r.sub,s.name,s.replay,r.state,r.pattern,r.from_ms,r.to_ms,"
	"r.until,r.new_ids,r.rate,r.made_us,"
	"(SELECT COUNT(*) FROM delivery d WHERE d.sub=r.sub)"
	" FROM replay r JOIN subscription s"
	" ON s.id=r.sub WHERE r.sub>? ORDER BY r.sub LIMIT 1",
    [OB_REPLAY_STATE] = "UPDATE replay SET state=?2"
			" WHERE sub=?1 AND state='active'",
    [OB_EVENTS] = "SELECT seq,time_ms,pkey,run,barrier,body FROM event"
		  " WHERE seq>? ORDER BY seq LIMIT ?",
    [OB_EVENT] = "SELECT body FROM event WHERE seq=?",
    [OB_EVENT_BARRIER] = "SELECT barrier FROM event WHERE seq=?",
    [OB_EVENT_LAST] = "SELECT MAX(seq) FROM event",
    /* A clock that is set back makes no difference but for the time. */
    [OB_EVENT_RANGE] = "SELECT MIN(seq),MAX(seq),COUNT(*) FROM event"
		       " WHERE time_ms>=? AND time_ms<?",
    [OB_EVENT_SINCE] = "SELECT seq FROM event WHERE time_ms>=?"
		       " ORDER BY seq LIMIT 1",
    [OB_LAG] = "SELECT COUNT(*),(SELECT time_ms FROM event WHERE seq>=?2"
	       " ORDER BY seq LIMIT 1) FROM event WHERE seq>?1",
    [OB_BEGAN] = "SELECT value FROM meta WHERE key='subscribed '||?",
    [OB_EVENTS_BETWEEN] =
	"SELECT seq,time_ms,body,pkey,run FROM event WHERE seq>?"
	" AND seq<=? ORDER BY seq LIMIT ?",
    [OB_EVENTS_LAST] = "SELECT seq FROM event WHERE seq<?1"
		       " ORDER BY seq DESC LIMIT 1 OFFSET ?2",
    [OB_EVENTS_COUNT] = "SELECT COUNT(*) FROM event WHERE seq>? AND seq<?",
};

const char *
outbox_sql(enum outbox_stmt which)
{
	return statements[which];
}
