/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/text.h"
#include "transfer/posix/internal.h"

/* https://man7.org/linux/man-pages/man2/statfs.2.html */
#define FS_EXT4 0xef53
#define FS_XFS 0x58465342
#define FS_BTRFS 0x9123683e
#define FS_TMPFS 0x01021994

static struct store *
posix_open_store(const struct store_url *url, const struct store_config *config,
    struct err *e)
{
	struct posix_store *s = calloc(1, sizeof(*s));

	if (s == NULL || (s->path = strdup(url->path)) == NULL) {
		free(s);
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	s->base.ops = &posix_driver;
	s->no_fsync = config->no_fsync;
	s->defer_sync = config->defer_sync;
	s->follow_links = config->follow_links;
	s->read_back = config->read_back;
	s->keep_atimes = config->keep_atimes;
	s->sparse = config->sparse;
	s->attrs = store_attrs_kinds(config);
	s->owner = temp_owner(config->owner);
	s->stop = config->stop;
	s->is_remote = posix_is_remote(&s->base);
	if (config->limit_local || s->is_remote)
		s->limit = config->limit;
	atomic_init(&s->name_max, NAME_MAX);
	pthread_mutex_init(&s->lock, NULL);
	pthread_mutex_init(&s->names, NULL);
	pthread_mutex_init(&s->learning, NULL);
	buf_init(&s->learned_dir, 1 << 16);
	atomic_init(&s->root_fd, -1);
	return &s->base;
}

static void
posix_close(struct store *store)
{
	struct posix_store *s = (struct posix_store *)(void *)store;
	int fd = atomic_load(&s->root_fd);

	if (fd != -1)
		close(fd);
	pthread_mutex_destroy(&s->lock);
	pthread_mutex_destroy(&s->names);
	pthread_mutex_destroy(&s->learning);
	buf_free(&s->learned_dir);
	free(s->path);
	free(s);
}

static void
posix_limits(const struct store *s, struct plan_limits *limits)
{
	(void)s;
	limits->part_min_bytes = (uint64_t)64 << 10;
	limits->part_max_bytes = (uint64_t)1 << 30;
	limits->parts_max = 10000000;
	limits->put_max_bytes = UINT64_MAX;
}

static unsigned
posix_digests(const struct store *s)
{
	(void)s;
	return 0;
}

static void
posix_set_checksum(struct store *s, unsigned algo)
{
	(void)s;
	(void)algo;
}

static void
posix_place(const struct store *store, char *out, size_t size)
{
	const struct posix_store *s = (const struct posix_store *)store;
	struct statfs fs;
	struct stat st;
	unsigned long long id = 0;

	out[0] = '\0';
	if (stat(s->path, &st) == -1 || statfs(s->path, &fs) == -1)
		return;
	memcpy(&id, &fs.f_fsid,
	    sizeof(fs.f_fsid) < sizeof(id) ? sizeof(fs.f_fsid) : sizeof(id));
	snprintf(out, size, "file system %llx, inode %llx", id,
	    (unsigned long long)st.st_ino);
}

static int
posix_check_key(
    const struct store *s, const char *key, enum item_type type, struct err *e)
{
	const char *p = key;

	(void)type;
	for (;;) {
		size_t n = strcspn(p, "/");

		if (store_check_component(p, n, e) == -1 ||
		    posix_names_check((const struct posix_store *)s, p, n, e) ==
			-1)
			return -1;
		if (p[n] == '\0')
			return 0;
		p += n + 1;
	}
}

static struct session *
posix_connect(struct store *s, struct err *e)
{
	struct posix_session *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	c->base.store = s;
	c->dir.fd = -1;
	return &c->base;
}

static void
posix_disconnect(struct session *base)
{
	struct posix_session *c = posix_session_of(base);

	posix_dir_drop(base);
	free(c->dir.key);
	digester_free(c->digester);
	free(c->spare);
	free(c->io);
	free(c->scratch);
	free(c);
}

static unsigned long
fs_magic(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) == -1)
		return 0;
	return (unsigned long)fs.f_type & 0xffffffff;
}

static bool
is_disk(unsigned long magic)
{
	return magic == FS_EXT4 || magic == FS_XFS || magic == FS_BTRFS;
}

/*
 * Local file systems whose syncfs writes all out, on kernels (5.8 and newer)
 * where it reports what could not be written.
 */
static bool
syncfs_is_reliable(unsigned long magic)
{
	unsigned long major, minor;
	struct utsname u;
	char *end;

	if (uname(&u) == -1)
		return false;
	major = strtoul(u.release, &end, 10);
	minor = *end == '.' ? strtoul(end + 1, NULL, 10) : 0;
	if (major < 5 || (major == 5 && minor < 8))
		return false;
	return is_disk(magic);
}

static int
open_root(struct posix_store *s, struct err *e)
{
	AUTO(close) int fd = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	unsigned long magic;
	struct stat st;

	if (fd == -1 && errno == ENOTDIR)
		return err_set(e, ERR_CONFIG, "%s is not a directory", s->path);
	if (fd == -1 || fstat(fd, &st) == -1)
		return err_sys(e, "open directory %s", s->path);
	magic = fs_magic(fd);
	s->root_dev = st.st_dev;
	s->root_ino = st.st_ino;
	s->may_defer = s->defer_sync && syncfs_is_reliable(magic);
	/* Some others once told of holes where data was (OpenZFS #15526); to
	 * read zeros costs less than to be wrong. */
	s->knows_holes = is_disk(magic) || magic == FS_TMPFS;
	return take_fd(&fd);
}

/* Whoever has the root's number meanwhile has one or the other. */
void
posix_root_again(struct session *c)
{
	struct posix_store *s = posix_store_of(c);
	int was = atomic_load(&s->root_fd), sys = errno;
	AUTO(close) int fd = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (was != -1 && fd != -1 && fstat(fd, &st) == 0 &&
	    st.st_dev == s->root_dev && st.st_ino == s->root_ino)
		dup3(fd, was, O_CLOEXEC);
	errno = sys;
}

int
posix_root_fd(struct store *store, struct err *e)
{
	struct posix_store *s = (struct posix_store *)(void *)store;
	int fd = atomic_load_explicit(&s->root_fd, memory_order_acquire);

	if (fd != -1)
		return fd;
	pthread_mutex_lock(&s->lock);
	fd = atomic_load(&s->root_fd);
	if (fd == -1) {
		fd = open_root(s, e);
		if (fd != -1)
			atomic_store(&s->root_fd, fd);
	}
	pthread_mutex_unlock(&s->lock);
	return fd;
}

int
posix_root(struct session *c, struct err *e)
{
	return posix_root_fd(c->store, e);
}

int
posix_go_on(struct session *c, struct err *e)
{
	const atomic_bool *stop = posix_store_of(c)->stop;

	if (stop != NULL && atomic_load_explicit(stop, memory_order_relaxed))
		return err_set(e, ERR_STOPPED, "stopped");
	return 0;
}

/* The root and the directories above it, as mkdir -p does. */
static int
make_root(const char *root, struct err *e)
{
	AUTO(free) char *path = strdup(root);
	char *p;

	if (path == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	for (p = path; *p != '\0';) {
		char was;

		p += strspn(p, "/");
		p += strcspn(p, "/");
		was = *p;
		*p = '\0';
		if (mkdir(path, 0777) == -1 && errno != EEXIST &&
		    access(path, F_OK) == -1)
			return err_sys(e, "make directory %s", path);
		*p = was;
	}
	return 0;
}

static const char *
fs_name(const struct statfs *fs, char *other, size_t size)
{
	static const struct {
		unsigned long magic;
		const char *name;
	} known[] = {
	    {FS_EXT4, "ext4"},
	    {FS_XFS, "xfs"},
	    {FS_BTRFS, "btrfs"},
	    {FS_TMPFS, "tmpfs"},
	    {0x6969, "NFS"},
	    {0xff534d42, "SMB"},
	    {0xfe534d42, "SMB"},
	    {0x0bd00bd0, "Lustre"},
	    {0x2fc12fc1, "ZFS"},
	    {0x00c36400, "CephFS"},
	    {0x47504653, "GPFS"},
	    {0x794c7630, "overlayfs"},
	    {0x65735546, "FUSE"},
	    {0x4d44, "FAT"},
	    {0x2011bab0, "exFAT"},
	    {0xf2f52010, "F2FS"},
	};
	unsigned long magic = (unsigned long)fs->f_type & 0xffffffff;
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i].magic == magic)
			return known[i].name;
	snprintf(other, size, "file system 0x%lx", magic);
	return other;
}

static int
posix_probe(struct session *c, bool create, bool checksum,
    struct store_probe *out, struct err *e)
{
	struct posix_store *s = posix_store_of(c);
	char other[40], size[16];
	struct statfs fs;
	struct stat st;
	int fd;

	(void)checksum;
	if (create && make_root(s->path, e) == -1)
		return -1;
	fd = posix_root(c, e);
	if (fd == -1)
		return -1;
	/* One of our own is opened up when something is written into it. */
	if (create && faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) == -1 &&
	    (errno != EACCES || fstat(fd, &st) == -1 || st.st_uid != geteuid()))
		return err_sys(e, "%s: no permission to write", s->path);
	if (fstatfs(fd, &fs) == -1)
		return err_sys(e, "%s: statfs", s->path);
	memset(out, 0, sizeof(*out));
	text_size(
	    (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize, size, sizeof(size));
	snprintf(out->text, sizeof(out->text),
	    "directory %.120s on %s, %s free", s->path,
	    fs_name(&fs, other, sizeof(other)), size);
	return 0;
}

const struct store_driver posix_driver = {
    .scheme = "file",
    .features = STORE_HAS_DIRS | STORE_HAS_MODES | STORE_LIST_MTIME |
	STORE_LIST_META | STORE_IS_LOCAL | STORE_LIST_LINKS | STORE_HAS_LINKS |
	STORE_HAS_ATTRS,
    .open = posix_open_store,
    .close = posix_close,
    .place = posix_place,
    .limits = posix_limits,
    .digests = posix_digests,
    .check_key = posix_check_key,
    .connect = posix_connect,
    .disconnect = posix_disconnect,
    .probe = posix_probe,
    .set_checksum = posix_set_checksum,
    .list = posix_list,
    .stat = posix_stat,
    .read = posix_read_key,
    .open_file = posix_open_file,
    .read_file = posix_read_file,
    .check_file = posix_check_file,
    .close_file = posix_close_file,
    .readlink = posix_readlink,
    .attrs = posix_attrs,
    .put = posix_put,
    .mkdir = posix_mkdir,
    .symlink = posix_symlink,
    .link = posix_link,
    .set_metadata = posix_set_metadata,
    .flush = posix_flush,
    .upload_begin = posix_upload_begin,
    .upload_part = posix_upload_part,
    .clone = posix_clone,
    .copy_part = posix_copy_part,
    .upload_check = posix_upload_check,
    .upload_complete = posix_upload_complete,
    .upload_abort = posix_upload_abort,
    .sweep = posix_sweep,
    .set_aside = posix_set_aside,
    .remove = posix_remove,
};
