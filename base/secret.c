/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/secret.h"

#define OF_SERVICE "/run/credentials/dray.service" /* systemd.exec(5) */

void
secret_wipe(void *p, size_t n)
{
	explicit_bzero(p, n);
}

static int
check_file(int fd, const char *path, bool guarded, struct err *e)
{
	struct stat st;

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
	/* Root looks into what is the service's. */
	if (!guarded && geteuid() != 0 && st.st_uid != geteuid() &&
	    st.st_uid != 0)
		return err_set(e, ERR_CONFIG,
		    "%s holds a secret and belongs to another user", path);
	return 0;
}

/* As much of it as OUT takes; a systemd credential is GUARDED already. */
static int
read_file(const char *path, bool guarded, struct buf *out, struct err *e)
{
	AUTO(close)
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	char chunk[4096];
	ssize_t n = 0;

	if (check_file(fd, path, guarded, e) == -1)
		return -1;
	while (out->len < out->max) {
		size_t room = out->max - out->len;

		n = read(
		    fd, chunk, room < sizeof(chunk) ? room : sizeof(chunk));
		if (n <= 0)
			break;
		buf_add(out, chunk, (size_t)n);
	}
	secret_wipe(chunk, sizeof(chunk));
	if (n == -1) {
		err_sys(e, "%s", path);
		e->kind = ERR_CONFIG;
		return -1;
	}
	return 0;
}

static int
read_env(const char *name, struct buf *out, struct err *e)
{
	const char *value = getenv(name);

	if (value == NULL || value[0] == '\0')
		return err_set(e, ERR_CONFIG,
		    "the environment variable %s is not set", name);
	buf_add(out, value, strnlen(value, out->max));
	return 0;
}

/* By hand, that of the service is taken, which it has while it runs. */
static int
read_credential(const char *name, struct buf *out, struct err *e)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	AUTO(buf) struct buf path = BUF_INIT(8192);

	if (strchr(name, '/') != NULL)
		return err_set(
		    e, ERR_USAGE, "credential:%s: a name has no slash", name);
	buf_addf(&path, "%s/%s", dir != NULL ? dir : OF_SERVICE, name);
	if (buf_failed(&path))
		return err_set(e, ERR_CONFIG, "credential: name too long");
	if (dir == NULL && access(buf_str(&path), R_OK) == -1)
		return err_set(e, ERR_CONFIG,
		    "credential:%s: %s: %m; the service gets it by "
		    "LoadCredential=%s:FILE (systemctl edit dray); by hand, be "
		    "root while the service runs, or set CREDENTIALS_DIRECTORY",
		    name, buf_str(&path), name);
	return read_file(buf_str(&path), true, out, e);
}

/* As much as OUT takes of what REF names. */
static int
read_some(const char *ref, struct buf *out, struct err *e)
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
		return -1;
	if (buf_failed(out))
		return err_set(e, ERR_NOMEM, "out of memory");
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1)
		return err_sys(e, "no protection from core dumps");
	return 0;
}

int
secret_read(const char *ref, char *out, struct err *e)
{
	AUTO(buf) struct buf text = BUF_SECRET_INIT(SECRET_MAX - 1);
	size_t n;

	if (read_some(ref, &text, e) == -1)
		return -1;
	n = strcspn(buf_str(&text), "\r\n");
	if (n == text.max)
		return err_set(e, ERR_CONFIG,
		    "%s: the first line is too long for a secret", ref);
	if (n == 0)
		return err_set(
		    e, ERR_CONFIG, "%s: its first line is empty", ref);
	memcpy(out, text.data, n);
	out[n] = '\0';
	return 0;
}

int
secret_read_path(const char *ref, char *out, struct err *e)
{
	AUTO(buf) struct buf file = BUF_INIT(8192);

	if (strncmp(ref, "file:", 5) == 0 || strncmp(ref, "env:", 4) == 0 ||
	    strncmp(ref, "credential:", 11) == 0)
		return secret_read(ref, out, e);
	buf_addf(&file, "file:%s", ref);
	if (buf_failed(&file))
		return err_set(e, ERR_CONFIG, "%.60s...: too long", ref);
	return secret_read(buf_str(&file), out, e);
}

int
secret_read_all(const char *ref, struct buf *out, struct err *e)
{
	if (read_some(ref, out, e) == -1)
		return -1;
	if (out->len == out->max)
		return err_set(
		    e, ERR_CONFIG, "%s is too long for a secret", ref);
	return out->len > 0 ? 0 : err_set(e, ERR_CONFIG, "%s is empty", ref);
}
