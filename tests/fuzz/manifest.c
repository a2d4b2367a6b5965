/* SPDX-License-Identifier: ISC */
/* Lines of a manifest: what is taken is a path below a root, and says the same
 * when it is written again. */
#include "config.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "agent/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_path(const char *path, size_t len)
{
	assert(len > 0 && path[0] != '/' && path[len - 1] != '/');
	assert(memchr(path, '\0', len) == NULL);
	assert(memmem(path, len, "//", 2) == NULL);
	assert(memmem(path, len, "/../", 4) == NULL);
	assert(len < 3 || memcmp(path, "../", 3) != 0);
}

static void
check_item(const struct manifest_item *m)
{
	AUTO(buf) struct buf out = BUF_INIT(8 << 20);
	struct manifest_entry again;
	struct err e = ERR_INIT;

	check_path(m->path, m->path_len);
	manifest_add_item(&out, m);
	assert(!buf_failed(&out));
	assert(manifest_parse(&again, out.data, out.len - 1, &e) == 0);
	assert(again.kind == MANIFEST_ITEM);
	assert(again.item.path_len == m->path_len &&
	    memcmp(again.item.path, m->path, m->path_len) == 0);
	assert(again.item.st.size == m->st.size || m->st.type == ITEM_DIR);
	assert(again.item.digest.have == m->digest.have);
	manifest_entry_clear(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct manifest_entry m;
	struct err e = ERR_INIT;

	if (manifest_parse(&m, (const char *)data, size, &e) == -1)
		assert(e.kind == ERR_PROTOCOL && e.msg[0] != '\0');
	else if (m.kind == MANIFEST_ITEM)
		check_item(&m.item);
	manifest_entry_clear(&m);
	return 0;
}
