/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/cli/cmd.h"
#include "agent/stop.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"

struct listing {
	bool json;
	uint64_t count;
	bool cut; /* nobody reads on */
	struct buf line;
};

static void
format_text(struct buf *out, const struct store_list_entry *entry)
{
	bool dir = entry->st.type == ITEM_DIR;
	char time[32] = "";

	if (!dir)
		clock_iso8601(entry->st.mtime_ns, time, sizeof(time));
	buf_addf(out, "%20s ", time);
	if (dir)
		buf_addf(out, "%15s ", "");
	else
		buf_addf(out, "%15" PRIu64 " ", entry->st.size);
	text_escape(out, entry->key, entry->key_len);
	buf_adds(out, dir ? "/\n" : "\n");
}

static void
format_json(struct buf *out, const struct store_list_entry *entry)
{
	struct json j;
	char time[32];

	json_begin(&j, out);
	json_object(&j, NULL);
	json_str(&j, "type", item_type_name(entry->st.type));
	json_name(&j, "path", entry->key, entry->key_len);
	if (entry->st.type != ITEM_DIR) {
		clock_iso8601(entry->st.mtime_ns, time, sizeof(time));
		json_uint(&j, "size", entry->st.size);
		json_str(&j, "time", time);
	}
	if (entry->st.etag[0] != '\0')
		json_str(&j, "etag", entry->st.etag);
	json_object_end(&j);
	buf_addc(out, '\n');
}

static int
print_entry(void *arg, const struct store_list_entry *entry, struct err *e)
{
	struct listing *l = arg;

	buf_reset(&l->line);
	if (l->json)
		format_json(&l->line, entry);
	else
		format_text(&l->line, entry);
	if (buf_failed(&l->line))
		return err_set(e, ERR_NOMEM, "out of memory");
	if (fwrite(buf_str(&l->line), 1, l->line.len, stdout) < l->line.len) {
		l->cut = errno == EPIPE;
		return err_sys(e, "standard output");
	}
	l->count++;
	if (atomic_load(stop_soon_flag()))
		return err_set(e, ERR_STOPPED, "interrupted");
	return 0;
}

static int
list(const struct options *o, const char *where, struct listing *l,
    struct err *e)
{
	AUTO(store_url) struct store_url *url = store_url_parse(where, e);
	AUTO(store) struct store *store = NULL;
	AUTO(session) struct session *session = NULL;
	struct store_probe probe;

	if (url == NULL)
		return -1;
	store_url_look(url);
	store = store_open(url, &o->store, e);
	if (store == NULL)
		return err_context(e, "%s", url->text);
	session = store_connect(store, e);
	if (session == NULL ||
	    store->ops->probe(session, false, false, &probe, e) == -1)
		return err_context(e, "%s", url->text);
	if (store->ops->list(session, "", o->recursive, print_entry, l, e) ==
	    -1)
		return err_context(e, "%s", url->text);
	if (l->count == 0)
		log_warn("%s: nothing there", url->text);
	return 0;
}

int
cmd_ls(const struct options *o, int argc, char **argv)
{
	struct listing l = {.json = o->json, .line = BUF_INIT(1 << 20)};
	struct err e = ERR_INIT;
	int rc;

	(void)argc;
	rc = list(o, argv[0], &l, &e);
	buf_free(&l.line);
	return rc == 0 || l.cut ? 0 : cmd_fail(&e);
}
