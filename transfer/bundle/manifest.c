/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "transfer/bundle/manifest.h"
#include "verify/digest.h"

#define FILE_NAME "bundle.json"
#define DIGEST_NAME "bundle.json.sha256"
#define MANIFEST_MAX ((size_t)64 << 20)

void
bundle_manifest_clear(struct bundle_manifest *m)
{
	free(m->volumes);
	memset(m, 0, sizeof(*m));
}

const struct bundle_volume *
bundle_manifest_volume(const struct bundle_manifest *m, uint64_t number)
{
	size_t from = 0, to = m->n;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (m->volumes[middle].number == number)
			return &m->volumes[middle];
		if (m->volumes[middle].number < number)
			from = middle + 1;
		else
			to = middle;
	}
	return NULL;
}

struct bundle_volume *
bundle_manifest_add(struct bundle_manifest *m, struct err *e)
{
	struct bundle_volume *more =
	    realloc(m->volumes, (m->n + 1) * sizeof(*more));

	if (more == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	m->volumes = more;
	memset(&more[m->n], 0, sizeof(*more));
	return &more[m->n++];
}

static int
digest_end(struct digester *d, char out[BUNDLE_DIGEST_LEN + 1], struct err *e)
{
	struct digest digest;

	digester_finish(d, &digest);
	if ((digest.have & DIGEST_SHA256) == 0)
		return err_set(e, ERR_SYS, "libcrypto has no SHA-256");
	text_hex(digest.sha256, sizeof(digest.sha256), out);
	return 0;
}

int
bundle_digest(
    const void *p, size_t n, char out[BUNDLE_DIGEST_LEN + 1], struct err *e)
{
	AUTO(digester) struct digester *d = digester_new(e);

	if (d == NULL)
		return -1;
	digester_start(d, DIGEST_SHA256);
	digester_update(d, p, n);
	return digest_end(d, out, e);
}

int
bundle_digest_file(
    int fd, uint64_t *bytes, char out[BUNDLE_DIGEST_LEN + 1], struct err *e)
{
	AUTO(digester) struct digester *d = digester_new(e);
	const size_t most = (size_t)256 << 10;
	AUTO(free) char *chunk = malloc(most);
	uint64_t at = 0;
	ssize_t n;

	if (d == NULL)
		return -1;
	if (chunk == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	digester_start(d, DIGEST_SHA256);
	while ((n = pread(fd, chunk, most, (off_t)at)) != 0) {
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return err_sys(e, "read");
		digester_update(d, chunk, (size_t)n);
		at += (uint64_t)n;
	}
	*bytes = at;
	return digest_end(d, out, e);
}

/* The whole of a file that is no longer than MOST: 1, 0 if there is none. */
static int
read_file(
    int dir_fd, const char *name, size_t most, struct buf *out, struct err *e)
{
	AUTO(close)
	int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char chunk[1 << 14];
	ssize_t n;

	if (fd == -1)
		return errno == ENOENT ? 0 : err_sys(e, "%s", name);
	buf_init(out, most);
	while ((n = read(fd, chunk, sizeof(chunk))) > 0 && !buf_failed(out))
		buf_add(out, chunk, (size_t)n);
	if (n == -1)
		return err_sys(e, "%s", name);
	if (buf_failed(out))
		return err_set(e, ERR_PROTOCOL, "%s: longer than any is", name);
	return 1;
}

static int
check_digest(
    int dir_fd, const char digest[BUNDLE_DIGEST_LEN + 1], struct err *e)
{
	AUTO(buf) struct buf said = BUF_INIT(0);
	int rc = read_file(dir_fd, DIGEST_NAME, 4096, &said, e);

	if (rc == -1)
		return -1;
	if (rc == 1 && said.len > BUNDLE_DIGEST_LEN &&
	    memcmp(said.data, digest, BUNDLE_DIGEST_LEN) == 0)
		return 0;
	return err_set(e, ERR_MISMATCH,
	    FILE_NAME ": is not what " DIGEST_NAME
		      " says: one of them is damaged, or of another bundle");
}

int
bundle_manifest_read(int dir_fd, struct bundle_manifest *out, struct err *e)
{
	AUTO(buf) struct buf text = BUF_INIT(0);
	int rc = read_file(dir_fd, FILE_NAME, MANIFEST_MAX, &text, e);
	struct bundle_manifest m;
	if (rc != 1)
		return rc;
	if (bundle_manifest_parse(&m, buf_str(&text), text.len, e) == -1)
		return err_context(e, FILE_NAME);
	if (bundle_digest(text.data, text.len, m.digest, e) == -1 ||
	    (m.state != BUNDLE_WRITING &&
		check_digest(dir_fd, m.digest, e) == -1)) {
		bundle_manifest_clear(&m);
		return -1;
	}
	*out = m;
	return 1;
}

static int
write_file(int dir_fd, const char *name, const struct buf *text, struct err *e)
{
	AUTO(close)
	int fd = openat(dir_fd, ".bundle.new",
	    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);
	size_t done = 0;
	ssize_t n;

	if (fd == -1)
		return err_sys(e, "%s", name);
	for (; done < text->len; done += (size_t)n) {
		n = write(fd, text->data + done, text->len - done);
		if (n == -1)
			return err_sys(e, "%s", name);
	}
	if (fsync(fd) == -1 ||
	    renameat(dir_fd, ".bundle.new", dir_fd, name) == -1)
		return err_sys(e, "%s", name);
	return 0;
}

int
bundle_manifest_write(int dir_fd, struct bundle_manifest *m, struct err *e)
{
	AUTO(buf) struct buf text = BUF_INIT(MANIFEST_MAX);
	AUTO(buf) struct buf digest = BUF_INIT(256);

	bundle_manifest_format(m, &text);
	if (buf_failed(&text))
		return err_set(e, ERR_NOMEM, "out of memory");
	if (bundle_digest(text.data, text.len, m->digest, e) == -1)
		return -1;
	buf_addf(&digest, "%s  " FILE_NAME "\n", m->digest);
	/* Nobody asks for the digest of what is still being written. */
	if (write_file(dir_fd, DIGEST_NAME, &digest, e) == -1 ||
	    write_file(dir_fd, FILE_NAME, &text, e) == -1)
		return -1;
	return fsync(dir_fd) == -1 ? err_sys(e, "sync of the directory") : 0;
}
