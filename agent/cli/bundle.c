/* SPDX-License-Identifier: ISC */
/* dray bundle: trees on disks that travel. */
#include "config.h"

#include <string.h>

#include "agent/cli/bundle_verbs.h"
#include "agent/cli/cmd.h"
#include "transfer/url.h"

char *
bundle_url(const char *media, struct err *e)
{
	AUTO(store_url) struct store_url *url = store_url_parse(media, e);
	AUTO(buf) struct buf text = BUF_INIT(1 << 16);
	char *out;

	if (url == NULL)
		return NULL;
	if (url->scheme != STORE_POSIX && url->scheme != STORE_BUNDLE) {
		err_set(e, ERR_USAGE,
		    "%s: a bundle is written to a directory, and read from "
		    "one: dray copy takes it elsewhere, as any directory",
		    url->text);
		return NULL;
	}
	buf_addf(&text, "bundle://%s", url->path);
	out = buf_take(&text);
	if (out == NULL)
		err_set(e, ERR_NOMEM, "out of memory");
	return out;
}

static int
bundle_list(const struct options *o, char **argv)
{
	struct options all = *o;
	struct err e = ERR_INIT;
	AUTO(free) char *url = bundle_url(argv[0], &e);

	if (url == NULL)
		return cmd_fail(&e);
	all.recursive = true;
	return cmd_ls(&all, 1, &url);
}

static const struct {
	const char *name;
	bundle_fn *fn;
	int operands; /* behind the name */
	const char *usage;
} verbs[] = {
    {"create", bundle_create, 2, "create SRC MEDIA"},
    {"verify", bundle_verify, 1, "verify MEDIA"},
    {"list", bundle_list, 1, "list MEDIA"},
    {"import", bundle_import, 2, "import MEDIA DST"},
};

#define VERBS (sizeof(verbs) / sizeof(verbs[0]))

int
cmd_bundle(const struct options *o, int argc, char **argv)
{
	struct err e = ERR_INIT;
	size_t i;

	for (i = 0; i < VERBS && strcmp(argv[0], verbs[i].name) != 0; i++)
		;
	if (i < VERBS && argc - 1 == verbs[i].operands)
		return verbs[i].fn(o, argv + 1);
	if (i < VERBS)
		err_set(&e, ERR_USAGE, "dray bundle %s", verbs[i].usage);
	else
		err_set(&e, ERR_USAGE,
		    "no verb \"bundle %.100s\"; see dray bundle --help",
		    argv[0]);
	return cmd_fail(&e);
}
