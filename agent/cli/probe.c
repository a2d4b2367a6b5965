/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/cli/cmd.h"
#include "base/json.h"
#include "base/text.h"

#define SKEW_TOLD_MS 2000 /* less is the way of the request */

static int
ask(const struct options *o, const struct store_url *url,
    struct store_probe *out, struct err *e)
{
	AUTO(store) struct store *store = store_open(url, &o->store, e);
	AUTO(session) struct session *session = NULL;

	if (store == NULL)
		return err_context(e, "%s", url->text);
	session = store_connect(store, e);
	if (session == NULL ||
	    store->ops->probe(session, false, true, out, e) == -1)
		return err_context(e, "%s", url->text);
	return 0;
}

static void
format_json(
    struct buf *out, const struct store_url *url, const struct store_probe *p)
{
	const char *checksum = digest_name((enum digest_algo)p->checksum);
	struct json j;

	json_begin(&j, out);
	json_object(&j, NULL);
	json_str(&j, "type", "probe");
	json_str(&j, "url", url->text);
	json_str(&j, "text", p->text);
	json_str(&j, "checksum", checksum != NULL ? checksum : "none");
	json_int(&j, "clock_skew_ms", p->clock_skew_ms);
	json_object_end(&j);
	buf_addc(out, '\n');
}

static void
format_text(
    struct buf *out, const struct store_url *url, const struct store_probe *p)
{
	uint64_t skew_ms = (uint64_t)llabs(p->clock_skew_ms);
	char time[32];

	buf_addf(out, "%s: reached\n", url->text);
	buf_addf(out, "  %s\n", p->text);
	if (skew_ms < SKEW_TOLD_MS)
		buf_adds(out, "  its clock agrees with ours\n");
	else
		buf_addf(out, "  its clock is %s %s ours\n",
		    text_duration(skew_ms, time, sizeof(time)),
		    p->clock_skew_ms > 0 ? "ahead of" : "behind");
}

int
cmd_probe(const struct options *o, int argc, char **argv)
{
	struct err e = ERR_INIT;
	AUTO(store_url) struct store_url *url = store_url_parse(argv[0], &e);
	AUTO(buf) struct buf text = BUF_INIT(1 << 16);
	struct store_probe found = {0};

	(void)argc;
	if (url == NULL || ask(o, url, &found, &e) == -1)
		return cmd_fail(&e);
	if (o->json)
		format_json(&text, url, &found);
	else
		format_text(&text, url, &found);
	fputs(buf_str(&text), stdout);
	return 0;
}
