/* SPDX-License-Identifier: ISC */
/*
 * Another name of a file that is there, where the server has
 * hardlink@openssh.com; another place for it.  The protocol doesn't tell which
 * names are of one file.
 */
#include "config.h"

#include "transfer/sftp/internal.h"

/* EXISTING, still as the caller knows it, by its server's name. */
static const char *
find(struct session *c, const char *existing, const struct store_stat *was,
    struct err *e)
{
	struct proto_attrs there = {0};
	struct store_stat now;
	const char *path;
	uint32_t status;

	if (sftp_parents(c, existing, false, e) == -1) {
		/* Behind a file or a link there is nothing of ours. */
		if (e->kind == ERR_EXISTS)
			e->kind = ERR_NOTFOUND;
		return NULL;
	}
	path = sftp_path(c, &sftp_session_of(c)->path2, existing, e);
	if (path == NULL || sftp_look(c, path, &there, &status, e) == -1)
		return NULL;
	if (status != PROTO_OK) {
		sftp_failed(c, status, "look", e);
		return NULL;
	}
	now = sftp_stat_of(&there);
	return store_check_still(&sftp_driver, &now, was, e) == 0 ? path : NULL;
}

/* TEMP, beside KEY, becomes another name of EXISTING. */
static int
link_temp(struct session *c, const char *key, const char *temp,
    const char *existing, struct err *e)
{
	struct sftp_session *me = sftp_session_of(c);
	bool parents = false;

	for (;;) {
		const char *path = sftp_beside(c, &me->path, key, temp, e);
		const char *from = sftp_path(c, &me->path2, existing, e);
		uint32_t status;
		size_t made;

		if (path == NULL || from == NULL)
			return -1;
		call_again(&me->call);
		made = call_hardlink(&me->call, from, path);
		if (call_run(&me->call, e) == -1)
			return -1;
		status = call_status(&me->call, made);
		if (status == PROTO_OK)
			return 0;
		if ((status == PROTO_NO_SUCH_FILE ||
			status == PROTO_PERMISSION_DENIED) &&
		    !parents) {
			parents = true;
			if (sftp_parents_again(c, key, e) == -1)
				return -1;
			continue;
		}
		if (status != PROTO_FAILURE && status != PROTO_OP_UNSUPPORTED)
			return sftp_failed(c, status, "link", e);
		/* SFTP doesn't tell why: too many names, another file system,
		 * none at all. */
		store_lacks(c->store, STORE_LACK_LINKS,
		    "the server refused to make one");
		return err_set(e, ERR_UNSUPPORTED, "link: refused");
	}
}

static int
link_to(struct session *c, const char *key, const char *existing,
    const struct store_stat *was, struct err *e)
{
	struct sftp_session *me = sftp_session_of(c);
	char temp[TEMP_NAME_SIZE];
	const char *path;

	if (find(c, existing, was, e) == NULL ||
	    sftp_parents(c, key, true, e) == -1)
		return -1;
	sftp_temp_name(c, temp);
	if (link_temp(c, key, temp, existing, e) == -1) {
		sftp_drop(c, key, temp, NULL, e);
		return -1;
	}
	call_again(&me->call);
	if (sftp_publish(c, key, temp, NULL, e) == -1) {
		sftp_drop(c, key, temp, NULL, e);
		return -1;
	}
	/* A rename onto another name of the same file does nothing: then it is
	 * there still. */
	path = sftp_beside(c, &me->path, key, temp, e);
	if (path == NULL)
		return -1;
	call_again(&me->call);
	call_path(&me->call, PROTO_REMOVE, path);
	return call_run(&me->call, e);
}

int
sftp_link(struct session *c, const char *key, const char *existing,
    const struct item_stat *st, const struct store_stat *was,
    struct store_receipt *out, struct err *e)
{
	int rc;

	(void)st;
	if (store_sweep_left(c, key, e) == -1 || sftp_begin(c, e) == -1)
		return -1;
	if ((sftp_session_of(c)->call.caps.features & PROTO_HAS_HARDLINK) ==
	    0) {
		store_lacks(c->store, STORE_LACK_LINKS,
		    "the server has no hardlink@openssh.com");
		rc = err_set(e, ERR_UNSUPPORTED, "link: the server can't");
	} else {
		rc = link_to(c, key, existing, was, e);
	}
	sftp_end(c);
	if (rc == -1)
		return -1;
	*out = (struct store_receipt){.proved = true};
	return 0;
}

/* KEY moves to TO. */
static int
move(struct session *c, const char *key, const char *to, struct err *e)
{
	struct sftp_session *me = sftp_session_of(c);
	const char *from;

	if (sftp_parents(c, to, true, e) == -1)
		return -1;
	from = sftp_path(c, &me->path, key, e);
	if (from == NULL)
		return -1;
	if (sftp_rename_to(c, from, to, e) == 0)
		return 0;
	sftp_drop(c, to, NULL, NULL, e);
	return -1;
}

int
sftp_set_aside(struct session *c, const char *key, const char *to, bool *keep,
    struct err *e)
{
	int rc;

	if (store_sweep_left(c, to, e) == -1 || sftp_begin(c, e) == -1)
		return -1;
	/* The server may refuse, for symlinks among others. */
	*keep = *keep &&
	    (sftp_session_of(c)->call.caps.features & PROTO_HAS_HARDLINK) !=
		0 &&
	    link_to(c, to, key, NULL, e) == 0;
	rc = *keep ? 0 : move(c, key, to, e);
	sftp_end(c);
	return rc;
}
