/* SPDX-License-Identifier: ISC */
/* libarchive over the file: formats and filters that are taken, and nothing
 * that would start another program. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "transfer/archive/internal.h"

#define BUFFER_BYTES ((size_t)256 << 10)

locale_t
archive_locale_begin(const struct archive_source *s)
{
	return s->utf8 != (locale_t)0 ? uselocale(s->utf8) : (locale_t)0;
}

void
archive_locale_end(locale_t was)
{
	if (was != (locale_t)0)
		uselocale(was);
}

static bool
is_stopped(const struct archive_source *s)
{
	return s->stop != NULL && atomic_load(s->stop);
}

static la_ssize_t
read_file(struct archive *a, void *arg, const void **data)
{
	struct feed *f = arg;
	ssize_t n;

	if (is_stopped(f->source)) {
		err_set(&f->why, ERR_STOPPED, "stopped");
		archive_set_error(a, ECANCELED, "stopped");
		return -1;
	}
	n = pread(f->source->fd, f->buffer, BUFFER_BYTES, (off_t)f->at);
	if (n == -1) {
		archive_set_error(a, errno, "read: %s", "I/O error");
		return -1;
	}
	f->at += (uint64_t)n;
	*data = f->buffer;
	return n;
}

static la_int64_t
skip_file(struct archive *a, void *arg, la_int64_t n)
{
	struct feed *f = arg;
	uint64_t size = (uint64_t)f->source->is.st_size;
	uint64_t left = f->at < size ? size - f->at : 0;

	(void)a;
	if (n < 0 || (uint64_t)n > left)
		n = (la_int64_t)left;
	f->at += (uint64_t)n;
	return n;
}

static la_int64_t
seek_file(struct archive *a, void *arg, la_int64_t offset, int whence)
{
	struct feed *f = arg;
	la_int64_t base = 0;

	if (whence == SEEK_CUR)
		base = (la_int64_t)f->at;
	else if (whence == SEEK_END)
		base = (la_int64_t)f->source->is.st_size;
	if (offset < -base) {
		archive_set_error(a, EINVAL, "leads to before the file");
		return ARCHIVE_FATAL;
	}
	f->at = (uint64_t)(base + offset);
	return base + offset;
}

/* What the raw reader made of the file. */
static la_ssize_t
read_decoded(struct archive *a, void *arg, const void **data)
{
	struct feed *f = arg;
	la_int64_t offset;
	size_t n = 0;
	int rc;

	do
		rc = archive_read_data_block(f->raw, data, &n, &offset);
	while (rc == ARCHIVE_RETRY || (rc == ARCHIVE_OK && n == 0));
	if (rc == ARCHIVE_EOF)
		return 0;
	if (rc < ARCHIVE_WARN) {
		archive_set_error(a, EIO, "%s", archive_error_string(f->raw));
		return -1;
	}
	f->decoded += n;
	if (archive_check_size(f->source, f->decoded, &f->why) == -1) {
		archive_set_error(a, E2BIG, "%s", f->why.msg);
		return -1;
	}
	return (la_ssize_t)n;
}

int
archive_check_size(const struct archive_source *s, uint64_t size, struct err *e)
{
	if (size <= BOMB_BYTES ||
	    size / s->max_ratio <= (uint64_t)s->is.st_size)
		return 0;
	return err_set(e, ERR_UNSUPPORTED,
	    "the archive is refused: it expands to more than %llu times its "
	    "size (--archive-max-ratio allows it)",
	    (unsigned long long)s->max_ratio);
}

uint64_t
archive_entry_bytes(struct archive_entry *entry)
{
	la_int64_t n = archive_entry_size(entry);

	return archive_entry_hardlink(entry) == NULL &&
		archive_entry_filetype(entry) == AE_IFREG &&
		archive_entry_size_is_set(entry) && n > 0
	    ? (uint64_t)n
	    : 0;
}

static void
take_filters(struct archive *a)
{
	archive_read_support_filter_gzip(a);
	archive_read_support_filter_bzip2(a);
	archive_read_support_filter_xz(a);
	archive_read_support_filter_lzma(a);
	archive_read_support_filter_zstd(a);
	archive_read_support_filter_lz4(a);
}

static void
set_file(struct archive *a, struct feed *f)
{
	archive_read_set_callback_data(a, f);
	archive_read_set_read_callback(a, read_file);
	archive_read_set_skip_callback(a, skip_file);
	archive_read_set_seek_callback(a, seek_file);
}

static int
failed(struct archive *a, struct err *e)
{
	const char *why = a != NULL ? archive_error_string(a) : NULL;

	if (a == NULL || archive_errno(a) == ENOMEM)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (archive_errno(a) == ECANCELED)
		return err_set(e, ERR_STOPPED, "stopped");
	return err_set(
	    e, ERR_PROTOCOL, "%s", why != NULL ? why : "can't be read");
}

void
feed_close(struct feed *f)
{
	if (f->read != NULL)
		archive_read_free(f->read);
	if (f->raw != NULL)
		archive_read_free(f->raw);
	free(f->buffer);
	memset(f, 0, sizeof(*f));
}

/* The filters' output, and no more than that. */
static int
open_raw(struct feed *f, struct err *e)
{
	struct archive_entry *entry;

	f->raw = archive_read_new();
	if (f->raw == NULL)
		return failed(NULL, e);
	take_filters(f->raw);
	archive_read_support_format_raw(f->raw);
	archive_read_support_format_empty(f->raw);
	set_file(f->raw, f);
	if (archive_read_open1(f->raw) < ARCHIVE_WARN ||
	    archive_read_next_header(f->raw, &entry) < ARCHIVE_WARN)
		return failed(f->raw, e);
	return 0;
}

static int
open_members(struct feed *f, bool decoded, struct err *e)
{
	struct archive *a = archive_read_new();

	f->read = a;
	if (a == NULL)
		return failed(NULL, e);
	archive_read_support_format_tar(a);
	archive_read_support_format_cpio(a);
	if (decoded) {
		archive_read_set_callback_data(a, f);
		archive_read_set_read_callback(a, read_decoded);
	} else {
		archive_read_support_format_zip_seekable(a);
		archive_read_support_format_7zip(a);
		archive_read_support_format_iso9660(a);
		set_file(a, f);
	}
	return archive_read_open1(a) < ARCHIVE_WARN ? failed(a, e) : 0;
}

int
feed_open(struct feed *f, struct archive_source *s, bool members, struct err *e)
{
	bool decoded = s->kind == ARCHIVE_DECODED;

	memset(f, 0, sizeof(*f));
	f->source = s;
	f->buffer = malloc(BUFFER_BYTES);
	if (f->buffer == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (decoded && open_raw(f, e) == -1)
		return -1;
	return members ? open_members(f, decoded, e) : 0;
}

static bool
is_compressed(struct archive_source *s, struct err *e)
{
	struct feed f;
	bool is;

	s->kind = ARCHIVE_DECODED;
	is = feed_open(&f, s, false, e) == 0 &&
	    archive_filter_code(f.raw, 0) != ARCHIVE_FILTER_NONE;
	feed_close(&f);
	return is;
}

int
archive_look(struct archive_source *s, struct err *e)
{
	struct archive_entry *entry;
	struct feed f = {.source = NULL};
	int rc;

	s->kind = is_compressed(s, e) ? ARCHIVE_DECODED : ARCHIVE_PLAIN;
	rc = feed_open(&f, s, true, e);
	if (rc == 0 && archive_read_next_header(f.read, &entry) < ARCHIVE_WARN)
		rc = failed(f.read, e);
	if (s->kind == ARCHIVE_PLAIN && rc == 0)
		switch (archive_format(f.read) & ARCHIVE_FORMAT_BASE_MASK) {
		case ARCHIVE_FORMAT_TAR:
		case ARCHIVE_FORMAT_CPIO:
			break;
		default:
			s->kind = ARCHIVE_MEMBERS;
		}
	feed_close(&f);
	if (rc == 0 || e->kind == ERR_NOMEM)
		return rc;
	return err_set(e, ERR_CONFIG,
	    "is a file, and no archive that can be read (tar, cpio, zip, 7z or "
	    "ISO 9660; tar and cpio also with gzip, bzip2, xz, zstd or lz4): "
	    "to "
	    "carry the file itself, name the directory that it is in, with "
	    "--include");
}
