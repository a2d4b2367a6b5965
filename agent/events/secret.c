/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/events/secret.h"
#include "base/auto.h"
#include "base/buf.h"

void
secret_wipe(void *p, size_t n)
{
	explicit_bzero(p, n);
}

/* The file must have an end within SECRET_MAX, or a line's. */
static int
read_file(const char *path, bool guarded, char *out, struct err *e)
{
	AUTO(close)
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	ssize_t n;

	if (fd == -1 || fstat(fd, &st) == -1) {
		err_sys(e, "%s", path);
		e->kind = ERR_CONFIG;
		return -1;
	}
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_CONFIG, "%s is no file", path);
	if (!guarded && (st.st_mode & 077) != 0)
		return err_set(e, ERR_CONFIG,
		    "%s holds a secret and others may read it: chmod 600 %s",
		    path, path);
	if (!guarded && st.st_uid != geteuid() && st.st_uid != 0)
		return err_set(e, ERR_CONFIG,
		    "%s holds a secret and belongs to another user", path);
	n = read(fd, out, SECRET_MAX - 1);
	if (n == -1) {
		err_sys(e, "%s", path);
		e->kind = ERR_CONFIG;
		return -1;
	}
	if (memchr(out, '\n', (size_t)n) == NULL && n == SECRET_MAX - 1)
		return err_set(e, ERR_CONFIG,
		    "%s: the first line is too long for a secret", path);
	out[n] = '\0';
	out[strcspn(out, "\r\n")] = '\0';
	return out[0] != '\0'
	    ? 0
	    : err_set(e, ERR_CONFIG, "%s: its first line is empty", path);
}

static int
read_env(const char *name, char *out, struct err *e)
{
	const char *value = getenv(name);

	if (value == NULL || value[0] == '\0')
		return err_set(e, ERR_CONFIG,
		    "the environment variable %s is not set", name);
	if (strlen(value) >= SECRET_MAX)
		return err_set(e, ERR_CONFIG,
		    "the environment variable %s is too long for a secret",
		    name);
	memcpy(out, value, strlen(value) + 1);
	return 0;
}

static int
read_credential(const char *name, char *out, struct err *e)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	AUTO(buf) struct buf path = BUF_INIT(8192);

	if (dir == NULL)
		return err_set(e, ERR_CONFIG,
		    "credential:%s: there is no $CREDENTIALS_DIRECTORY; "
		    "systemd sets it for a unit with LoadCredential=",
		    name);
	if (strchr(name, '/') != NULL)
		return err_set(
		    e, ERR_USAGE, "credential:%s: a name has no slash", name);
	buf_addf(&path, "%s/%s", dir, name);
	if (buf_failed(&path))
		return err_set(e, ERR_CONFIG, "credential: name too long");
	return read_file(buf_str(&path), true, out, e);
}

int
secret_read(const char *ref, char *out, struct err *e)
{
	int rc;

	if (strncmp(ref, "file:", 5) == 0)
		rc = read_file(ref + 5, false, out, e);
	else if (strncmp(ref, "env:", 4) == 0)
		rc = read_env(ref + 4, out, e);
	else if (strncmp(ref, "credential:", 11) == 0)
		rc = read_credential(ref + 11, out, e);
	else /* may be the secret itself: not repeated */
		rc = err_set(e, ERR_USAGE,
		    "a secret is named by file:PATH, credential:NAME or "
		    "env:NAME, not written here");
	if (rc == -1)
		secret_wipe(out, SECRET_MAX);
	return rc;
}
