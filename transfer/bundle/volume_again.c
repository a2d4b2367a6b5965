/* SPDX-License-Identifier: ISC */
/* Volumes that a run which was cut off left. */
#include "config.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "transfer/bundle/volume_in.h"

struct again {
	pack_index_fn *fn;
	void *arg;
	struct volume_found *found;
};

static int
found_one(void *arg, const struct pack_record *m, struct err *e)
{
	struct again *a = arg;

	if (m->order > a->found->order)
		a->found->order = m->order;
	a->found->has_symlinks |= m->st.type == ITEM_SYMLINK;
	return a->fn(a->arg, m, e);
}

/* Where the tar byte AT, which was set off, lies in the file. */
static bool
place_of(const struct volume *v, uint64_t at, uint64_t *file)
{
	const struct frame_place *p = frames_find(&v->frames, at);

	*file = v->level == 0 ? at : p != NULL ? p->file : 0;
	return v->level == 0 || (p != NULL && p->at == at);
}

/* Cuts off what no mark tells of. */
static int
cut(struct volume *v, const struct volume_mark *mark, uint64_t index_bytes,
    struct err *e)
{
	bool open = mark->open.id[0] != '\0';
	uint64_t file = mark->file;
	off_t size = lseek(v->fd, 0, SEEK_END);

	if (size == -1)
		return err_sys(e, "seek");
	v->at = mark->end;
	v->open = mark->open;
	if ((uint64_t)size < mark->file && open &&
	    place_of(v, mark->open.start, &file)) {
		v->at = mark->open.start;
		memset(&v->open, 0, sizeof(v->open));
		frames_cut(&v->frames, v->at);
	}
	if ((uint64_t)size < file)
		return err_set(e, ERR_MISMATCH,
		    "has %lld bytes, and its index tells of %" PRIu64
		    ": it was cut off, or isn't the one that was written here",
		    (long long)size, file);
	v->written = v->marked = v->at;
	v->frames.end = v->at;
	v->frames.file_end = file;
	v->index_bytes = index_bytes;
	if (ftruncate(v->fd, (off_t)file) == -1 ||
	    ftruncate(v->index_fd, (off_t)index_bytes) == -1)
		return err_sys(e, "truncate");
	return 0;
}

struct volume *
volume_again(int dir_fd, uint64_t number, const char *id, int level,
    pack_index_fn *fn, void *arg, struct volume_found *found, struct err *e)
{
	AUTO(volume)
	struct volume *v = volume_open(dir_fd, number, level, 0, e);
	struct again a = {.fn = fn, .arg = arg, .found = found};
	struct volume_mark mark;
	char name[VOLUME_NAME_MAX];
	uint64_t bytes;

	memset(found, 0, sizeof(*found));
	if (v == NULL)
		return NULL;
	volume_name(number, ".idx", name);
	if (volume_index_read(
		v->index_fd, name, found_one, &a, &mark, &bytes, e) == -1 ||
	    (level > 0 &&
		volume_index_frames(v->index_fd, name, &v->frames, e) == -1))
		return NULL;
	if (cut(v, &mark, bytes, e) == -1) {
		volume_named(v, volume_end(v->level > 0), e);
		return NULL;
	}
	found->sealed = mark.sealed;
	if (mark.sealed)
		volume_shut(v);
	else if (v->at == 0 && volume_begin(v, id, e) == -1)
		return NULL;
	return TAKE(v);
}
