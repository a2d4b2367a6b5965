/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/daemon/listener.h"
#include "base/auto.h"

#define BACKLOG 128

struct peer
listener_peer(int fd)
{
	struct ucred is = {.pid = 0, .uid = (uid_t)-1};
	socklen_t n = sizeof(is);

	getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &is, &n);
	return (struct peer){.pid = is.pid, .uid = is.uid};
}

static int
give_to(const char *path, const char *group, struct err *e)
{
	struct group entry, *g = NULL;
	char text[16384]; /* all its members */

	if (group == NULL)
		return 0;
	if (getgrnam_r(group, &entry, text, sizeof(text), &g) != 0 || g == NULL)
		return err_set(
		    e, ERR_CONFIG, "control-group: no group \"%s\"", group);
	if (chown(path, (uid_t)-1, g->gr_gid) == -1)
		return err_sys(e, "give %s to group %s", path, group);
	return 0;
}

/* What an earlier daemon left at WHERE goes; one that answers, or what is no
 * socket, stays. */
static int
clear_way(const struct sockaddr_un *where, struct err *e)
{
	AUTO(close) int fd = -1;
	struct stat st;

	if (lstat(where->sun_path, &st) == -1)
		return errno == ENOENT ? 0 : err_sys(e, "%s", where->sun_path);
	if (!S_ISSOCK(st.st_mode))
		return err_set(e, ERR_CONFIG,
		    "control: %s is there, and no socket", where->sun_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return err_sys(e, "control socket");
	if (connect(fd, (const struct sockaddr *)where, sizeof(*where)) == 0)
		return err_set(e, ERR_BUSY,
		    "another daemon, process %ld, answers at %s: stop that "
		    "one, or set another control",
		    (long)listener_peer(fd).pid, where->sun_path);
	if (errno == EAGAIN)
		return err_set(e, ERR_BUSY,
		    "another daemon has %s, and hangs or was stopped: end that "
		    "one, or set another control",
		    where->sun_path);
	return unlink(where->sun_path) == 0 ? 0
					    : err_sys(e, "%s", where->sun_path);
}

static int
bind_to(struct listener *l, const struct sockaddr_un *where, struct err *e)
{
	struct stat st;
	mode_t was;
	int rc;

	l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (l->fd == -1)
		return err_sys(e, "control socket");
	was = umask(0117);
	rc = bind(l->fd, (const struct sockaddr *)where, sizeof(*where));
	umask(was);
	if (rc == -1 || stat(l->path, &st) == -1 ||
	    listen(l->fd, BACKLOG) == -1)
		return err_sys(e, "control socket %s", l->path);
	l->dev = st.st_dev;
	l->ino = st.st_ino;
	return 0;
}

int
listener_open(
    struct listener *l, const char *path, const char *group, struct err *e)
{
	struct sockaddr_un where = {.sun_family = AF_UNIX};

	*l = (struct listener)LISTENER_INIT;
	if (strlen(path) >= sizeof(where.sun_path))
		return err_set(e, ERR_CONFIG,
		    "control: a socket's path has at most %zu bytes: %s",
		    sizeof(where.sun_path) - 1, path);
	memcpy(where.sun_path, path, strlen(path) + 1);
	if (clear_way(&where, e) == -1)
		return -1;
	l->path = strdup(path);
	if (l->path == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (bind_to(l, &where, e) == -1)
		return -1;
	return give_to(l->path, group, e);
}

void
listener_close(struct listener *l)
{
	struct stat st;

	if (l->fd != -1)
		close(l->fd);
	if (l->path != NULL && lstat(l->path, &st) == 0 &&
	    st.st_dev == l->dev && st.st_ino == l->ino)
		unlink(l->path);
	free(l->path);
	*l = (struct listener)LISTENER_INIT;
}
