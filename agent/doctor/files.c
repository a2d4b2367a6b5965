/* SPDX-License-Identifier: ISC */
/* What is configured, and who may read or change it. */
#include "config.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/account.h"
#include "agent/cli/task_options.h"
#include "agent/doctor/become.h"
#include "agent/events/subscription.h"

static void
make_no_sense(const struct doctor *d, const struct err *why)
{
	findings_add(d->found, FINDING_FAIL, "configuration", "%s", why->msg);
}

/* Whether ST grants user UID of group GID, which is all that the package gives
 * it, BIT (4 to read, 1 to enter). */
static bool
grants(const struct stat *st, uid_t uid, gid_t gid, mode_t bit)
{
	if (st->st_uid == uid)
		return (st->st_mode & bit << 6) != 0;
	if (st->st_gid == gid)
		return (st->st_mode & bit << 3) != 0;
	return (st->st_mode & bit) != 0;
}

/* What root writes, the service must be able to read. */
static void
for_service(const struct doctor *d, const char *path, const struct stat *st)
{
	bool is_dir = S_ISDIR(st->st_mode);
	uid_t uid;
	gid_t gid;

	if (geteuid() != 0 || strncmp(path, "/etc/dray", 9) != 0 ||
	    !account_user(ACCOUNT_SERVICE, &uid, &gid) ||
	    (grants(st, uid, gid, 4) && (!is_dir || grants(st, uid, gid, 1))))
		return;
	findings_add(d->found, FINDING_FAIL, "configuration",
	    "%s can't be read by the service's user " ACCOUNT_SERVICE, path);
	findings_next(d->found, "chgrp " ACCOUNT_SERVICE " %s; chmod %s %s",
	    path, is_dir ? "750" : "640", path);
}

/* A file or directory that says what is done. */
static void
mode(const struct doctor *d, const char *path)
{
	struct stat st;

	if (stat(path, &st) == -1)
		return;
	if ((st.st_mode & S_IWOTH) != 0) {
		findings_add(d->found, FINDING_FAIL, "configuration",
		    "%s: anybody may change it", path);
		findings_next(d->found, "chmod o-w %s", path);
	}
	for_service(d, path, &st);
}

/* Whether the daemon can't read what ST is of; who that is, into USER. */
static bool
is_closed_to_service(
    const struct doctor *d, const struct stat *st, char *user, size_t size)
{
	struct service s;

	if (!service_find(&s, d) || (s.caps >> CAP_DAC_READ_SEARCH & 1) != 0 ||
	    grants(st, s.uid, s.gid, 4))
		return false;
	account_name(s.uid, user, size);
	return true;
}

/* PATH (NULL: none) holds a secret of ours, or OF_SERVICE. */
static void
secret(const struct doctor *d, const char *path, bool of_service)
{
	struct stat st;
	char user[64];

	if (path == NULL || strncmp(path, "env:", 4) == 0 ||
	    strncmp(path, "credential:", 11) == 0)
		return;
	if (strncmp(path, "file:", 5) == 0)
		path += 5;
	if (stat(path, &st) == -1) {
		findings_add(d->found, FINDING_FAIL, "secrets", "%s: %m", path);
		findings_next(d->found, "put it there, or name another file");
	} else if ((st.st_mode & 077) != 0) {
		findings_add(d->found, FINDING_FAIL, "secrets",
		    "%s holds a secret, and others may read it (mode %04o)",
		    path, (unsigned)st.st_mode & 07777);
		findings_next(d->found, "chmod 600 %s", path);
	} else if (of_service &&
	    is_closed_to_service(d, &st, user, sizeof(user))) {
		findings_add(d->found, FINDING_FAIL, "secrets",
		    "%s can't be read by the daemon, user %s", path, user);
		findings_next(d->found, "chown %s %s", user, path);
	} else {
		findings_add(d->found, FINDING_OK, "secrets",
		    "%s is kept from others", path);
	}
}

/* https://docs.aws.amazon.com/sdkref/latest/guide/file-location.html */
static void
aws_credentials(const struct doctor *d)
{
	const char *given = getenv("AWS_SHARED_CREDENTIALS_FILE");
	const char *home = getenv("HOME");
	AUTO(buf) struct buf path = BUF_INIT(1 << 16);

	if (given != NULL)
		buf_adds(&path, given);
	else if (home != NULL)
		buf_addf(&path, "%s/.aws/credentials", home);
	if (access(buf_str(&path), F_OK) == 0)
		secret(d, buf_str(&path), false);
}

static void
secrets_of(const struct doctor *d, const struct options *o, bool of_service)
{
	unsigned i;

	secret(d, o->store.sftp_password_file, of_service);
	secret(d, o->store.sftp_passphrase_file, of_service);
	secret(d, o->store.sftp_identity, of_service);
	for (i = 0; i < o->webhook_secret_n; i++)
		if (strncmp(o->webhook_secrets[i], "file:", 5) == 0)
			secret(d, o->webhook_secrets[i] + 5, of_service);
}

static void
bad_task(void *arg, const char *name, const struct err *why)
{
	(void)name;
	make_no_sense(arg, why);
}

static void
tasks(struct doctor *d)
{
	struct task_conf **all = NULL;
	struct err e = ERR_INIT;
	size_t n = 0, i;

	if (task_conf_load_all(d->conf->tasks_dir, &d->conf->defaults, bad_task,
		d, &all, &n, &e) == -1) {
		make_no_sense(d, &e);
		return;
	}
	findings_add(d->found, FINDING_OK, "configuration", "%zu task%s in %s",
	    n, n == 1 ? "" : "s", d->conf->tasks_dir);
	for (i = 0; i < n; i++) {
		AUTO(options) struct options o = {0};

		mode(d, all[i]->path);
		if (task_options(&o, &all[i]->options, all[i]->verb, &e) == 0)
			secrets_of(d, &o, true);
		task_conf_free(all[i]);
	}
	free(all);
}

struct receivers {
	const struct doctor *d;
	bool bad;
};

static void
bad_subscription(void *arg, const struct err *why)
{
	struct receivers *r = arg;

	r->bad = true;
	make_no_sense(r->d, why);
}

static void
put_line(void *arg, const struct err *why)
{
	fprintf(arg, "%s\n", why->msg);
}

/* In a process that is the service: what it can't read, a line each. */
static void
read_as_service(const struct service *s, const char *dir, int to)
{
	FILE *out = fdopen(to, "w");
	struct subscription **all;
	struct err e = ERR_INIT;
	size_t n;

	if (out != NULL && service_become(s, CAP_DAC_READ_SEARCH) &&
	    subscription_load_all(dir, put_line, out, &all, &n, &e) == -1)
		put_line(out, &e);
	if (out != NULL)
		fflush(out);
}

/* Root can read what the service can't, as a file of root's with a secret. */
static void
subscriptions_of_service(const struct doctor *d)
{
	struct service s;
	AUTO(free) char *line = NULL;
	FILE *f;
	size_t size = 0;
	int ends[2];
	pid_t pid;

	if (!service_find(&s, d) || pipe2(ends, O_CLOEXEC) == -1)
		return;
	pid = fork();
	if (pid == 0) {
		read_as_service(&s, d->conf->subscriptions_dir, ends[1]);
		_exit(0);
	}
	close(ends[1]);
	f = fdopen(ends[0], "r");
	while (f != NULL && getline(&line, &size, f) != -1) {
		line[strcspn(line, "\n")] = '\0';
		findings_add(d->found, FINDING_FAIL, "service",
		    "what the daemon reads as its user: %s", line);
		findings_next(d->found,
		    "chown it to that user, or give its group to the file");
	}
	if (f != NULL)
		fclose(f);
	else
		close(ends[0]);
	waitpid(pid, NULL, 0);
}

/* Loading them reads their secrets, which tells of these, too. */
static void
subscriptions(struct doctor *d)
{
	struct subscription **all = NULL;
	struct receivers r = {.d = d};
	struct err e = ERR_INIT;
	size_t n = 0, i;

	if (subscription_load_all(d->conf->subscriptions_dir, bad_subscription,
		&r, &all, &n, &e) == -1) {
		make_no_sense(d, &e);
		return;
	}
	for (i = 0; i < n; i++) {
		AUTO(buf) struct buf path = BUF_INIT(1 << 16);

		buf_addf(&path, "%s/%s.conf", d->conf->subscriptions_dir,
		    all[i]->name);
		mode(d, buf_str(&path));
		subscription_free(all[i]);
	}
	free(all);
	if (n > 0 && !r.bad)
		subscriptions_of_service(d);
	if (n > 0)
		findings_add(d->found, FINDING_OK, "configuration",
		    "%zu subscription%s in %s", n, n == 1 ? "" : "s",
		    d->conf->subscriptions_dir);
}

void
doctor_files(const struct doctor *d)
{
	struct doctor copy = *d;

	if (d->conf != NULL) {
		mode(d, d->conf_path);
		mode(d, d->conf->tasks_dir);
		mode(d, d->conf->subscriptions_dir);
		tasks(&copy);
		subscriptions(&copy);
	}
	aws_credentials(d);
	/* Those of tasks are looked at already. */
	if (!d->by_daemon)
		secrets_of(d, d->o, false);
}
