/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/secret.h"
#include "transfer/sftp/askpass.h"

#define BY "DRAY_ASKPASS_BY" /* the process that runs ssh */
#define PASSWORD "DRAY_ASKPASS_PASSWORD"
#define PASSPHRASE "DRAY_ASKPASS_PASSPHRASE"
#define OURS_MAX 6

extern char **environ;

bool
askpass_is_needed(const struct transport_target *target)
{
	return target->password_file != NULL || target->passphrase_file != NULL;
}

static int
check_secret(const char *ref, struct err *e)
{
	char secret[SECRET_MAX];
	int rc = ref != NULL ? secret_read_path(ref, secret, e) : 0;

	secret_wipe(secret, sizeof(secret));
	return rc;
}

/* This program's path; one that was replaced since is at the same place. */
static int
own_path(char *out, size_t size, struct err *e)
{
	static const char deleted[] = " (deleted)";
	ssize_t n = readlink("/proc/self/exe", out, size);

	if (n == -1)
		return err_sys(e, "/proc/self/exe");
	if ((size_t)n == size)
		return err_set(e, ERR_SYS, "the program's path is too long");
	out[n] = '\0';
	if ((size_t)n >= sizeof(deleted) &&
	    strcmp(out + n - (sizeof(deleted) - 1), deleted) == 0)
		out[(size_t)n - (sizeof(deleted) - 1)] = '\0';
	return 0;
}

static void
set(struct buf *b, const char *name, const char *value)
{
	if (value == NULL)
		return;
	buf_addf(b, "%s=%s", name, value);
	buf_addc(b, '\0');
}

static bool
is_replaced(const char *variable)
{
	static const char *const names[] = {"SSH_ASKPASS=",
	    "SSH_ASKPASS_REQUIRE=", BY "=", PASSWORD "=", PASSPHRASE "="};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strncmp(variable, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

/* Our own variables, and those that are there, in one piece. */
static char **
join(const struct buf *ours, struct err *e)
{
	size_t n = 0, there = 0;
	char **all, *text;
	const char *p;

	while (environ != NULL && environ[there] != NULL)
		there++;
	all = malloc((there + OURS_MAX + 1) * sizeof(*all) + ours->len);
	if (all == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	text = (char *)(all + there + OURS_MAX + 1);
	memcpy(text, ours->data, ours->len);
	for (p = text; p < text + ours->len; p += strlen(p) + 1)
		all[n++] = text + (p - text);
	for (there = 0; environ != NULL && environ[there] != NULL; there++)
		if (!is_replaced(environ[there]))
			all[n++] = environ[there];
	all[n] = NULL;
	return all;
}

char **
askpass_environ(const struct transport_target *target, struct err *e)
{
	AUTO(buf) struct buf ours = BUF_INIT(1 << 16);
	char path[PATH_MAX], pid[20];

	if (check_secret(target->password_file, e) == -1 ||
	    check_secret(target->passphrase_file, e) == -1 ||
	    own_path(path, sizeof(path), e) == -1)
		return NULL;
	snprintf(pid, sizeof(pid), "%ld", (long)getpid());
	set(&ours, "SSH_ASKPASS", path);
	set(&ours, "SSH_ASKPASS_REQUIRE", "force");
	/* Before 8.4 it asks where there is a display, and no terminal. */
	if (getenv("DISPLAY") == NULL)
		set(&ours, "DISPLAY", ":");
	set(&ours, BY, pid);
	set(&ours, PASSWORD, target->password_file);
	set(&ours, PASSPHRASE, target->passphrase_file);
	if (buf_failed(&ours)) {
		err_set(e, ERR_CONFIG, "the secret's path is too long");
		return NULL;
	}
	return join(&ours, e);
}

bool
askpass_is_asked(void)
{
	return getenv(BY) != NULL;
}

/* The parent of PID: proc(5), stat; -1. */
static long
parent_of(long pid)
{
	char path[40], text[512];
	const char *end;
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
	f = fopen(path, "re");
	if (f == NULL)
		return -1;
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = '\0';
	/* Behind the name, in which anything may stand. */
	end = strrchr(text, ')');
	return end != NULL && strlen(end) > 4 ? strtol(end + 4, NULL, 10) : -1;
}

int
askpass_answer(const char *question, char *out, struct err *e)
{
	static const char key[] = "Enter passphrase for ";
	const char *by = getenv(BY), *kind = getenv("SSH_ASKPASS_PROMPT");
	bool is_key = strncmp(question, key, sizeof(key) - 1) == 0;
	const char *ref = getenv(is_key ? PASSPHRASE : PASSWORD);

	if (by == NULL || parent_of(getppid()) != strtol(by, NULL, 10))
		return err_set(e, ERR_DENIED, "not asked by dray's own ssh");
	/* A confirmation, or just told. */
	if (kind != NULL || ref == NULL)
		return err_set(e, ERR_DENIED, "there is no answer to that");
	return secret_read_path(ref, out, e);
}
