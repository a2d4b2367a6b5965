/* SPDX-License-Identifier: ISC */
/*
 * Files with several names (--hard-links).  The first name that is looked at
 * leads: it is sent, or found to be there already.  The others wait for it,
 * become links to it, and their rows say so; later ones find it in the ledger.
 * So what is kept in memory are the files whose leader is on its way.
 *
 * Rows of one file, with nlink above 1 and in the same state, are of items
 * that are linked with each other: whoever can't make that true writes another
 * nlink (ledger.h).  Of other states, those are that have the same id.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "agent/engine_in.h"
#include "base/log.h"
#include "verify/digest.h"

struct link_group {
	struct link_group *next;
	struct item_link link;
	bool led; /* else the leader is yet to come */
	struct job_list waiting;
};

static struct link_group **
slot_of(struct engine *en, const struct item_link *link)
{
	const size_t slots = sizeof(en->leading) / sizeof(en->leading[0]);
	struct link_group **at =
	    &en->leading[crc64nvme(link->dev, &link->ino, sizeof(link->ino)) %
		slots];

	while (*at != NULL &&
	    ((*at)->link.ino != link->ino || (*at)->link.dev != link->dev))
		at = &(*at)->next;
	return at;
}

static void
be_led(struct engine *en, struct link_group *g, struct job *j)
{
	if (!g->led)
		en->unled--;
	g->led = j->leads = true;
}

/* The file of J becomes one whose other names wait; NULL without memory. */
static struct link_group *
group_new(struct engine *en, const struct job *j)
{
	struct link_group *g = calloc(1, sizeof(*g));
	struct err e;

	if (g == NULL) {
		err_set(&e, ERR_NOMEM, "out of memory");
		engine_fatal(en, &e);
		return NULL;
	}
	g->link = j->link;
	job_list_init(&g->waiting);
	*slot_of(en, &j->link) = g;
	en->unled++;
	return g;
}

/* What the ledger has of the other names of a file. */
enum known {
	KNOWN_NONE,
	KNOWN_SAME,  /* one in the state that is asked for */
	KNOWN_DOUBT, /* one whose content may be another, or its metadata */
	KNOWN_FAILED
};

/*
 * Of J's file, in the state ST.  Where only open_file tells of groups, what
 * J's link says changes with the content.
 */
static enum known
look(struct engine *en, const struct job *j, const struct item_stat *st,
    struct ledger_leader *out)
{
	struct ledger_name name = {
	    .link = j->link,
	    .st = *st,
	    .dir_id = j->dir_id,
	    .name = job_name(j),
	    .name_len = j->name_len,
	};
	struct err e = ERR_INIT;
	enum known what = KNOWN_SAME;
	int rc = 0;

	if (en->lists_links) {
		rc = ledger_leader(en->ledger, &name, en->run_id, out, &e);
		if (rc == 1 && !item_same_metadata(&out->row.st, st))
			what = KNOWN_DOUBT;
	}
	if (rc == 0) {
		if (en->lists_links)
			what = KNOWN_DOUBT;
		rc = ledger_leader_any(
		    en->ledger, &name, en->lists_links, out, &e);
	}
	if (rc == -1) {
		engine_ledger_failed(en, &e);
		return KNOWN_FAILED;
	}
	/* Of its attributes nobody knows whether they are right. */
	if (rc == 1 &&
	    (attrs_mark_kinds(out->row.attrs) & en->attrs) != en->attrs)
		what = KNOWN_DOUBT;
	return rc == 1 ? what : KNOWN_NONE;
}

/* Whether J, which was to be hashed, is linked with ROW, which was. */
static bool
is_right(
    const struct engine *en, const struct job *j, const struct ledger_file *row)
{
	return j->kind == JOB_REHASH && j->local && j->link.id != 0 &&
	    j->link.id == row->link.id &&
	    (en->attrs == 0 || attrs_same_mark(j->was_attrs, row->attrs)) &&
	    (j->was.digest.have & row->digest_have & DIGEST_XXH3) != 0 &&
	    j->known_part_bytes == row->part_bytes &&
	    memcmp(j->was.digest.xxh3, row->xxh3, sizeof(row->xxh3)) == 0;
}

/* J becomes a link to LEADER, whose path is taken. */
static void
follow(struct engine *en, struct job *j, struct ledger_leader *leader)
{
	const struct ledger_file *row = &leader->row;

	j->unsettled = row->st.ctime_ns == -1;
	j->fresh = row->run_id == en->run_id;
	if (!j->doubt && is_right(en, j, row)) {
		j->attrs = row->attrs;
		free(leader->path);
		j->digest = j->was.digest;
		job_finds(j, &j->was);
		engine_unchanged(en, j);
		return;
	}
	/* What the leader has, J will have. */
	j->attrs = j->was_attrs = row->attrs;
	j->link.id = row->link.id;
	j->st.has_atime = row->st.has_atime;
	j->st.atime_ns = row->st.atime_ns;
	if (j->kind != JOB_HARDLINK)
		stats_sub(en->stats, queued_bytes, j->st.size);
	free(j->leader);
	j->leader = leader->path;
	j->kind = JOB_HARDLINK;
	j->was = engine_known(row);
	j->known_part_bytes = row->part_bytes;
	if (en->lists_links) {
		j->meta = j->st;
		j->meta.nlink = j->link.nlink;
		j->meta.dev = j->link.dev;
		j->meta.ino = j->link.ino;
	} else {
		j->was.mtime_ns = j->meta.mtime_ns;
	}
	engine_send(en, j);
}

/* J's file has no leader that could be followed: the same as below. */
static bool
take_first(struct engine *en, struct job *j, enum known known,
    struct ledger_leader *leader)
{
	struct link_group *g = group_new(en, j);

	/* What is there of J itself is looked at first. */
	j->doubt = known == KNOWN_DOUBT && j->kind != JOB_REHASH;
	if (g == NULL || !j->doubt)
		free(leader->path);
	if (g == NULL) {
		engine_job_end(en, j);
		return true;
	}
	/* Parts of it have been sent under another name. */
	if (known == KNOWN_NONE && !en->scan_done && en->lists_links &&
	    engine_old_upload(en, j) == OLD_OTHER) {
		job_list_push(&g->waiting, j);
		return true;
	}
	be_led(en, g, j);
	if (j->doubt)
		follow(en, j, leader);
	return j->doubt;
}

/* What a run would do with J, for there being other names of it. */
enum dry {
	DRY_ALONE, /* what it would do without them */
	DRY_LINK,
	DRY_NOTHING
};

static enum dry
dry(struct engine *en, const struct job *j)
{
	struct ledger_leader leader = {.path = NULL};
	struct err e = ERR_INIT;
	enum known known = look(en, j, &j->st, &leader);
	enum dry what = DRY_ALONE;
	int seen;

	if (known == KNOWN_SAME)
		what = is_right(en, j, &leader.row) ? DRY_NOTHING : DRY_LINK;
	free(leader.path);
	if (known == KNOWN_SAME || known == KNOWN_FAILED ||
	    (known == KNOWN_DOUBT && j->kind == JOB_REHASH))
		return what;
	seen = ledger_link_seen(en->ledger, &j->link, &e);
	if (seen == -1)
		engine_ledger_failed(en, &e);
	return seen == 1 ? DRY_LINK : DRY_ALONE;
}

/* Dry run: true if nothing but J's being a link is to be told, or nothing. */
static bool
would_link(struct engine *en, struct job *j)
{
	switch (en->ops->link != NULL ? dry(en, j) : DRY_ALONE) {
	case DRY_NOTHING:
		engine_unchanged(en, j);
		return true;
	case DRY_LINK:
		stats_sub(en->stats, queued_bytes, j->st.size);
		stats_add(en->stats, linked_items, 1);
		j->kind = JOB_HARDLINK;
		engine_would(en, j, UI_WOULD_HARDLINK);
		return true;
	case DRY_ALONE:
		break;
	}
	j->leads = true; /* it isn't asked of again */
	return false;
}

bool
engine_links_take(struct engine *en, struct job *j)
{
	struct ledger_leader leader = {.path = NULL};
	struct link_group *g;
	enum known known;

	if (j->link.nlink <= 1 || j->leads)
		return false;
	if (en->options->dry_run)
		return would_link(en, j);
	if (en->ops->link == NULL) {
		store_lacks(
		    en->target, STORE_LACK_LINKS, "it has no such thing");
		j->link.nlink = 0;
		return false;
	}
	g = *slot_of(en, &j->link);
	if (g != NULL && !g->led && engine_old_upload(en, j) == OLD_OWN) {
		be_led(en, g, j);
		return false;
	}
	if (g != NULL) {
		job_list_push(&g->waiting, j);
		return true;
	}
	known = look(en, j, &j->st, &leader);
	if (known == KNOWN_FAILED) {
		engine_job_end(en, j);
		return true;
	}
	if (known != KNOWN_SAME)
		return take_first(en, j, known, &leader);
	follow(en, j, &leader);
	return true;
}

static void
send_as_it_is(struct engine *en, struct job *j)
{
	if (j->kind == JOB_PUT)
		engine_queue_file(en, j);
	else
		engine_send(en, j);
}

/* J goes on as what it was, or as a link. */
static void
go_on(struct engine *en, struct job *j)
{
	if (en->stopping)
		engine_job_end(en, j);
	else if (!engine_links_take(en, j))
		send_as_it_is(en, j);
}

void
engine_links_over(struct engine *en, struct job *j)
{
	struct link_group **at, *g;
	struct job *waiting;

	if (!j->leads)
		return;
	j->leads = false;
	at = slot_of(en, &j->link);
	g = *at;
	if (g == NULL)
		return;
	*at = g->next;
	while ((waiting = job_list_pop(&g->waiting)) != NULL)
		go_on(en, waiting);
	free(g);
}

struct item_link
engine_links_record(struct engine *en, const struct job *j)
{
	struct ledger_leader other = {.path = NULL};
	struct item_link link = j->link;

	if (link.nlink <= 1)
		return link;
	if (link.id == 0)
		link.id = en->run_id << 32 | ++en->link_id;
	/* Another name was sent in this very state (it was seen in two while
	 * it changed): the next run links them. */
	if (j->leads && look(en, j, &j->st, &other) == KNOWN_SAME)
		link.nlink = 1;
	free(other.path);
	return link;
}

void
engine_links_found(struct engine *en, struct job *j)
{
	const uint64_t version[] = {
	    j->meta.dev, j->meta.size, (uint64_t)j->meta.mtime_ns};

	j->link = (struct item_link){
	    .nlink = j->meta.nlink,
	    .dev = crc64nvme(0, version, sizeof(version)),
	    .ino = j->meta.ino,
	};
	j->finding = FOUND_NOTHING;
	go_on(en, j);
}

void
engine_links_send(struct engine *en, struct job *j)
{
	if (j->kind == JOB_HARDLINK)
		stats_add(en->stats, queued_bytes, j->st.size);
	j->kind = JOB_PUT;
	j->link.id = 0;
	j->doubt = j->unsettled = false;
	j->known_part_bytes = 0;
	memset(&j->digest, 0, sizeof(j->digest));
	memset(&j->receipt, 0, sizeof(j->receipt));
	if (!engine_links_take(en, j))
		engine_queue_file(en, j);
}

/*
 * No name is to be linked to J's leader any more; what that has is linked
 * anew by the next run, unless there are just too many.  Not if there is
 * another leader already.
 */
static void
drop_leader(struct engine *en, struct job *j)
{
	struct err e = ERR_INIT;

	if (!j->leads && *slot_of(en, &j->link) == NULL &&
	    ledger_links_drop(en->ledger, &j->link,
		j->finding == FOUND_FULL ? 0 : 1, &e) == -1)
		engine_ledger_failed(en, &e);
}

void
engine_links_not_linked(struct engine *en, struct job *j)
{
	/* It isn't found there as this run has sent it. */
	if (j->finding == FOUND_OTHER && j->fresh && !j->doubt) {
		store_lacks(en->target, STORE_LACK_LINKS,
		    "it doesn't show a file as it was sent");
		j->finding = FOUND_ALONE;
	}
	if (j->finding != FOUND_ALONE)
		drop_leader(en, j);
	else if (!j->leads)
		j->link.nlink = 0;
	engine_links_send(en, j);
}

void
engine_links_expect_no_more(struct engine *en)
{
	const size_t slots = sizeof(en->leading) / sizeof(en->leading[0]);
	struct link_group *g;
	struct job *j;
	size_t i;

	for (i = 0; i < slots && en->unled > 0; i++)
		for (g = en->leading[i]; g != NULL; g = g->next) {
			if (g->led || (j = job_list_pop(&g->waiting)) == NULL)
				continue;
			be_led(en, g, j);
			send_as_it_is(en, j);
		}
}

struct job *
engine_links_withdraw(struct engine *en)
{
	const size_t slots = sizeof(en->leading) / sizeof(en->leading[0]);
	size_t i;

	for (i = 0; i < slots; i++)
		while (en->leading[i] != NULL) {
			struct link_group *g = en->leading[i];
			struct job *j = job_list_pop(&g->waiting);

			if (j != NULL)
				return j;
			en->leading[i] = g->next;
			free(g);
		}
	return NULL;
}

void
engine_links_begin(struct engine *en)
{
	const unsigned can = en->source->ops->features;

	if (en->options->hard_links && (can & STORE_LIST_META) != 0 &&
	    !en->lists_links)
		log_warn("the source doesn't tell which names are of one file: "
			 "each becomes a file of its own (-H)");
}
