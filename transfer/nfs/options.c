/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "transfer/nfs/options.h"

#define VALUE_SIZE 32

static const char *const names[] = {
    "version", "nfsport", "mountport", "uid", "gid"};

/* NAME is N bytes; VALUE has an end. */
static int
set(struct nfs_options *o, const char *name, size_t n, const char *value,
    struct err *e)
{
	static const uint64_t least[] = {3, 1, 1, 0, 0};
	static const uint64_t most[] = {
	    4, 65535, 65535, UINT32_MAX - 1, UINT32_MAX - 1};
	uint64_t v;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strlen(names[i]) == n && memcmp(names[i], name, n) == 0)
			break;
	if (i == sizeof(names) / sizeof(names[0]))
		return err_set(e, ERR_USAGE,
		    "unknown option \"%.*s\" (known: version, nfsport, "
		    "mountport, uid, gid)",
		    n > 60 ? 60 : (int)n, name);
	if (text_parse_uint(value, least[i], most[i], &v, e) == -1)
		return err_context(e, "%s", names[i]);
	switch (i) {
	case 0:
		o->version = (unsigned)v;
		break;
	case 1:
		o->nfs_port = (unsigned)v;
		break;
	case 2:
		o->mount_port = (unsigned)v;
		break;
	case 3:
		o->uid = (int64_t)v;
		break;
	default:
		o->gid = (int64_t)v;
	}
	return 0;
}

int
nfs_options_parse(const char *query, struct nfs_options *out, struct err *e)
{
	struct nfs_options o = {.version = 3, .uid = -1, .gid = -1};
	char value[VALUE_SIZE];

	while (*query != '\0') {
		size_t n = strcspn(query, "&"), name = strcspn(query, "&=");
		size_t len = n > name ? n - name - 1 : 0;

		snprintf(value, sizeof(value), "%.*s%s",
		    len < VALUE_SIZE ? (int)len : VALUE_SIZE - 4,
		    query + name + (n > name), len < VALUE_SIZE ? "" : "...");
		if (set(&o, query, name, value, e) == -1)
			return -1;
		query += n + (query[n] == '&');
	}
	*out = o;
	return 0;
}
