/* SPDX-License-Identifier: ISC */
/* What lies on a disk from elsewhere: the manifest of a bundle, and the index
 * of a volume.  What is taken says the same when it is written again. */
#include "config.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "transfer/bundle/manifest.h"
#include "transfer/bundle/volume.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_manifest(const uint8_t *data, size_t size)
{
	AUTO(buf) struct buf text = BUF_INIT(64 << 20);
	struct bundle_manifest m, again;
	struct err e = ERR_INIT;

	if (bundle_manifest_parse(&m, (const char *)data, size, &e) == -1) {
		assert(e.msg[0] != '\0');
		return;
	}
	assert(m.disk > 0 && strlen(m.id) == BUNDLE_ID_LEN);
	bundle_manifest_format(&m, &text);
	assert(bundle_manifest_parse(&again, text.data, text.len, &e) == 0);
	assert(again.n == m.n && again.state == m.state);
	assert(strcmp(again.id, m.id) == 0 && again.bytes == m.bytes);
	bundle_manifest_clear(&again);
	bundle_manifest_clear(&m);
}

static int
check_member(void *arg, const struct pack_record *m, struct err *e)
{
	(void)arg;
	(void)e;
	assert(m->path_len > 0 && m->path[0] != '/');
	assert(memmem(m->path, m->path_len, "//", 2) == NULL);
	return 0;
}

static void
check_index(const uint8_t *data, size_t size)
{
	int fd = memfd_create("index", MFD_CLOEXEC);
	struct frames frames = {0};
	struct volume_mark mark;
	struct err e = ERR_INIT;
	uint64_t bytes;

	assert(fd != -1 && write(fd, data, size) == (ssize_t)size);
	if (volume_index_read(
		fd, "index", check_member, NULL, &mark, &bytes, &e) == 0)
		assert(bytes <= size && mark.open.start <= mark.open.data &&
		    mark.open.data <= mark.end);
	else
		assert(e.msg[0] != '\0');
	if (volume_index_frames(fd, "index", &frames, &e) == -1)
		assert(e.msg[0] != '\0');
	frames_free(&frames);
	close(fd);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_manifest(data, size);
	check_index(data, size);
	return 0;
}
