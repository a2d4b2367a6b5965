/* SPDX-License-Identifier: ISC */
/* Holes: not read where there is nothing, not filled where they may stay. */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "transfer/posix/internal.h"

void
posix_holes_init(struct session *c, struct posix_holes *h, int fd,
    uint64_t size, bool sparse)
{
	*h = (struct posix_holes){
	    .session = c,
	    .fd = fd,
	    .known = sparse && posix_store_of(c)->knows_holes,
	    .size = size,
	};
}

/* What is at OFFSET, and how far it goes; all is data where that isn't told. */
static void
find_out(struct posix_holes *h, uint64_t offset)
{
	off_t data = lseek(h->fd, (off_t)offset, SEEK_DATA);
	off_t end;

	h->from = offset;
	if (data == -1 && errno != ENXIO) {
		h->known = false;
		return;
	}
	h->hole = data == -1 || (uint64_t)data > offset;
	if (h->hole) {
		h->to = data == -1 ? h->size : (uint64_t)data;
		return;
	}
	end = lseek(h->fd, (off_t)offset, SEEK_HOLE);
	h->to = end > (off_t)offset ? (uint64_t)end : h->size;
}

bool
posix_hole_at(struct posix_holes *h, uint64_t offset, size_t *len)
{
	if (h->known && (offset < h->from || offset >= h->to))
		find_out(h, offset);
	if (!h->known || offset >= h->to)
		return false;
	if (h->to - offset < *len)
		*len = (size_t)(h->to - offset);
	return h->hole;
}

int
posix_holes_read(struct posix_holes *h, void *data, size_t len, uint64_t offset,
    struct err *e)
{
	uint8_t *p = data;

	while (len > 0 && h->known && offset < h->size) {
		size_t n = len;

		if (posix_hole_at(h, offset, &n))
			memset(p, 0, n);
		else if (posix_read(h->session, h->fd, p, n, offset, e) == -1)
			return -1;
		p += n;
		offset += n;
		len -= n;
	}
	return posix_read(h->session, h->fd, p, len, offset, e);
}

bool
posix_is_zero(const uint8_t *p, size_t n)
{
	return p[0] == 0 && memcmp(p, p + 1, n - 1) == 0;
}

/* Bytes at P, whole blocks of the file, that are zeros or (ZERO is false) of
 * blocks that are not. */
static size_t
run_of(const uint8_t *p, size_t len, uint64_t offset, bool zero)
{
	size_t done = 0;

	while (done < len) {
		size_t n =
		    POSIX_BLOCK - (size_t)((offset + done) % POSIX_BLOCK);

		if (n > len - done)
			n = len - done;
		if (posix_is_zero(p + done, n) != zero)
			break;
		done += n;
	}
	return done;
}

bool
posix_has_nothing(struct session *c, int fd, uint64_t offset, size_t len)
{
	struct stat st;
	off_t data;

	if (!posix_store_of(c)->knows_holes)
		return fstat(fd, &st) == 0 && (uint64_t)st.st_size <= offset;
	data = lseek(fd, (off_t)offset, SEEK_DATA);
	return data == -1 ? errno == ENXIO : (uint64_t)data >= offset + len;
}

int
posix_write_sparse(struct session *c, int fd, const void *data, size_t len,
    uint64_t offset, size_t run, struct err *e)
{
	const uint8_t *p = data;
	size_t due = 0; /* bytes before P that are still to be written */

	while (len > 0) {
		size_t n = run_of(p, len, offset, false);
		size_t zeros = run_of(p + n, len - n, offset + n, true);

		due += n;
		p += n;
		offset += n;
		len -= n;
		if (zeros < run || !posix_has_nothing(c, fd, offset, zeros)) {
			due += zeros;
		} else {
			if (posix_write(c, fd, p - due, due, offset - due, e) ==
			    -1)
				return -1;
			due = 0;
		}
		p += zeros;
		offset += zeros;
		len -= zeros;
	}
	return posix_write(c, fd, p - due, due, offset - due, e);
}
