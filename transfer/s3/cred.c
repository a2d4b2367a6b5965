/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <limits.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/ini.h"
#include "transfer/s3/cred.h"

/* What a profile holds, in one file or the other. */
struct profile {
	const char *name;
	bool config_file; /* sections are "profile NAME" there */
	bool found;
	const char *other; /* a way to credentials that is not read here */
	struct cred cred;
};

static void
wipe(char **s)
{
	if (*s != NULL)
		explicit_bzero(*s, strlen(*s));
	free(*s);
	*s = NULL;
}

void
cred_clear(struct cred *c)
{
	wipe(&c->access_key);
	wipe(&c->secret_key);
	wipe(&c->token);
	wipe(&c->region);
	wipe(&c->endpoint_url);
	wipe(&c->ca_bundle);
}

/* Sets *TO once: who speaks first wins.  Empty means not set. */
static int
take(char **to, const char *value, struct err *e)
{
	if (*to != NULL || value == NULL || *value == '\0')
		return 0;
	*to = strdup(value);
	return *to != NULL ? 0 : err_set(e, ERR_NOMEM, "out of memory");
}

static bool
is_ours(const struct profile *p, const char *section)
{
	if (p->config_file && strncmp(section, "profile", 7) == 0 &&
	    (section[7] == ' ' || section[7] == '\t'))
		return strcmp(section + 8 + strspn(section + 8, " \t"),
			   p->name) == 0;
	if (p->config_file && strcmp(p->name, "default") != 0)
		return false;
	return strcmp(section, p->name) == 0;
}

static int
on_line(void *arg, const struct ini_line *l, struct err *e)
{
	static const char *const others[] = {"credential_process",
	    "credential_source", "role_arn", "source_profile", "sso_session",
	    "sso_start_url", "web_identity_token_file"};
	struct profile *p = arg;
	size_t i;

	if (l->indented || !is_ours(p, l->section))
		return 0;
	p->found = true;
	if (strcmp(l->key, "aws_access_key_id") == 0)
		return take(&p->cred.access_key, l->value, e);
	if (strcmp(l->key, "aws_secret_access_key") == 0)
		return take(&p->cred.secret_key, l->value, e);
	if (strcmp(l->key, "aws_session_token") == 0)
		return take(&p->cred.token, l->value, e);
	if (strcmp(l->key, "region") == 0)
		return take(&p->cred.region, l->value, e);
	if (strcmp(l->key, "endpoint_url") == 0)
		return take(&p->cred.endpoint_url, l->value, e);
	if (strcmp(l->key, "ca_bundle") == 0)
		return take(&p->cred.ca_bundle, l->value, e);
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (strcmp(l->key, others[i]) == 0)
			p->other = others[i];
	return 0;
}

/* Where a shared file is: by the environment, or below the home directory. */
static void
file_path(const char *variable, const char *name, char *out, size_t size)
{
	const char *path = getenv(variable), *home = getenv("HOME");
	struct passwd entry, *pw = NULL;
	char text[4096];

	if (home == NULL || *home == '\0') {
		(void)getpwuid_r(getuid(), &entry, text, sizeof(text), &pw);
		home = pw != NULL ? pw->pw_dir : "/";
	}
	if (path == NULL || *path == '\0')
		snprintf(out, size, "%s/.aws/%s", home, name);
	else if (strncmp(path, "~/", 2) == 0)
		snprintf(out, size, "%s/%s", home, path + 2);
	else
		snprintf(out, size, "%s", path);
}

static int
read_file(struct profile *p, const char *path, struct err *e)
{
	struct err why = ERR_INIT;

	if (ini_file(path, on_line, p, &why) == 0 || why.kind == ERR_NOTFOUND)
		return 0;
	*e = why;
	return err_set(e, ERR_CONFIG, "%s", why.msg);
}

static int
from_environment(bool with_keys, struct cred *c, struct err *e)
{
	if (with_keys && getenv("AWS_ACCESS_KEY_ID") != NULL &&
	    getenv("AWS_SECRET_ACCESS_KEY") != NULL &&
	    (take(&c->access_key, getenv("AWS_ACCESS_KEY_ID"), e) == -1 ||
		take(&c->secret_key, getenv("AWS_SECRET_ACCESS_KEY"), e) ==
		    -1 ||
		take(&c->token, getenv("AWS_SESSION_TOKEN"), e) == -1))
		return -1;
	if (take(&c->region, getenv("AWS_REGION"), e) == -1 ||
	    take(&c->region, getenv("AWS_DEFAULT_REGION"), e) == -1 ||
	    take(&c->endpoint_url, getenv("AWS_ENDPOINT_URL_S3"), e) == -1 ||
	    take(&c->endpoint_url, getenv("AWS_ENDPOINT_URL"), e) == -1)
		return -1;
	return take(&c->ca_bundle, getenv("AWS_CA_BUNDLE"), e);
}

static int
none_found(const struct profile *p, bool named, const char *file, struct err *e)
{
	if (p->other != NULL)
		return err_set(e, ERR_CONFIG,
		    "profile \"%.100s\" gets its credentials by %s, which is "
		    "not read: put aws_access_key_id and "
		    "aws_secret_access_key into %.200s",
		    p->name, p->other, file);
	if (named && !p->found)
		return err_set(e, ERR_CONFIG,
		    "there is no profile \"%.100s\" in %.200s", p->name, file);
	return err_set(e, ERR_CONFIG,
	    "no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
	    "or put them into %.200s under [%.100s]",
	    file, p->name);
}

/* Keys go together: both files, or the environment, are never mixed. */
static int
check_keys(const struct cred *c, const struct profile *p, const char *file,
    struct err *e)
{
	if ((c->access_key == NULL) == (c->secret_key == NULL))
		return 0;
	return err_set(e, ERR_CONFIG,
	    "profile \"%.100s\": %s is missing in %.200s", p->name,
	    c->access_key == NULL ? "aws_access_key_id"
				  : "aws_secret_access_key",
	    file);
}

static void
drop_keys(struct cred *c)
{
	wipe(&c->access_key);
	wipe(&c->secret_key);
	wipe(&c->token);
}

int
cred_load(const char *profile, struct cred *out, struct err *e)
{
	AUTO(cred) struct cred c = {0};
	const char *set = getenv("AWS_PROFILE");
	const char *name = profile != NULL ? profile
	    : set != NULL && *set != '\0'  ? set
					   : "default";
	struct profile p = {.name = name};
	AUTO(cred) struct cred from_files = {0};
	char path[PATH_MAX], config_path[PATH_MAX];
	int rc;

	if (from_environment(profile == NULL, &c, e) == -1)
		return -1;
	file_path(
	    "AWS_SHARED_CREDENTIALS_FILE", "credentials", path, sizeof(path));
	file_path(
	    "AWS_CONFIG_FILE", "config", config_path, sizeof(config_path));
	rc = read_file(&p, path, e);
	p.config_file = true;
	if (rc == 0)
		rc = read_file(&p, config_path, e);
	from_files = p.cred;
	if (rc == -1)
		return -1;
	if (c.access_key != NULL)
		drop_keys(&from_files);
	else if (check_keys(&from_files, &p, path, e) == -1)
		return -1;
	if (take(&c.access_key, from_files.access_key, e) == -1 ||
	    take(&c.secret_key, from_files.secret_key, e) == -1 ||
	    take(&c.token, from_files.token, e) == -1 ||
	    take(&c.region, from_files.region, e) == -1 ||
	    take(&c.endpoint_url, from_files.endpoint_url, e) == -1 ||
	    take(&c.ca_bundle, from_files.ca_bundle, e) == -1)
		return -1;
	if (c.access_key == NULL || c.secret_key == NULL)
		return none_found(&p, strcmp(name, "default") != 0, path, e);
	*out = c;
	c = (struct cred){0};
	return 0;
}
