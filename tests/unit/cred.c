/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <stdlib.h>
#include <unistd.h>

#include "tests/unit/check.h"
#include "transfer/s3/cred.h"

static char dir[] = "/tmp/dray-cred-XXXXXX";

static void
write_file(const char *name, const char *text)
{
	char path[100];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "we");
	if (f == NULL || fputs(text, f) == EOF || fclose(f) == EOF)
		abort();
}

static void
clean(void)
{
	static const char *const names[] = {"AWS_ACCESS_KEY_ID",
	    "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE",
	    "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL",
	    "AWS_ENDPOINT_URL_S3", "AWS_CA_BUNDLE"};
	char path[100];
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unsetenv(names[i]);
	snprintf(path, sizeof(path), "%s/credentials", dir);
	setenv("AWS_SHARED_CREDENTIALS_FILE", path, 1);
	snprintf(path, sizeof(path), "%s/config", dir);
	setenv("AWS_CONFIG_FILE", path, 1);
	write_file("credentials",
	    "[default]\naws_access_key_id = DK\n"
	    "aws_secret_access_key = DS\n"
	    "[other]\naws_access_key_id = OK\n"
	    "aws_secret_access_key = OS\naws_session_token = OTOK\n"
	    "[half]\naws_access_key_id = HK\n"
	    "[proc]\ncredential_process = /bin/x\n");
	write_file("config",
	    "[default]\nregion = r-default\ns3 =\n  endpoint_url = no\n"
	    "[profile other]\nregion = r-other\nendpoint_url = http://o\n"
	    "[other]\nregion = wrong\n");
}

static struct cred
load(const char *profile)
{
	struct cred c = {0};
	struct err e = ERR_INIT;

	if (cred_load(profile, &c, &e) == -1)
		fprintf(stderr, "%s\n", e.msg);
	return c;
}

static void
the_environment_comes_first(void)
{
	AUTO(cred) struct cred c = {0};

	clean();
	setenv("AWS_ACCESS_KEY_ID", "EK", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "ES", 1);
	setenv("AWS_DEFAULT_REGION", "r2", 1);
	setenv("AWS_ENDPOINT_URL", "http://b", 1);
	setenv("AWS_ENDPOINT_URL_S3", "http://a", 1);
	c = load(NULL);
	CHECK_STR(c.access_key, "EK");
	CHECK_STR(c.secret_key, "ES");
	CHECK(c.token == NULL);
	CHECK_STR(c.region, "r2");
	CHECK_STR(c.endpoint_url, "http://a");
}

static void
a_named_profile_drops_the_keys_of_the_environment(void)
{
	AUTO(cred) struct cred c = {0};

	clean();
	setenv("AWS_ACCESS_KEY_ID", "EK", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "ES", 1);
	setenv("AWS_SESSION_TOKEN", "ET", 1);
	c = load("other");
	CHECK_STR(c.access_key, "OK");
	CHECK_STR(c.secret_key, "OS");
	CHECK_STR(c.token, "OTOK");
	CHECK_STR(c.region, "r-other");
	CHECK_STR(c.endpoint_url, "http://o");
}

static void
keys_of_two_places_are_never_mixed(void)
{
	AUTO(cred) struct cred c = {0};

	clean();
	setenv("AWS_PROFILE", "other", 1);
	setenv("AWS_ACCESS_KEY_ID", "EK", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "ES", 1);
	c = load(NULL);
	CHECK_STR(c.access_key, "EK");
	CHECK(c.token == NULL);
	cred_clear(&c);
	unsetenv("AWS_SECRET_ACCESS_KEY");
	c = load(NULL);
	CHECK_STR(c.access_key, "OK");
	CHECK_STR(c.secret_key, "OS");
}

static void
the_default_profile_is_read_from_both_files(void)
{
	AUTO(cred) struct cred c = {0};

	clean();
	c = load(NULL);
	CHECK_STR(c.access_key, "DK");
	CHECK_STR(c.region, "r-default");
	CHECK(c.endpoint_url == NULL);
}

static void
what_is_missing_is_said_without_secrets(void)
{
	struct err e = ERR_INIT;
	struct cred c = {0};

	clean();
	CHECK(cred_load("half", &c, &e) == -1 && e.kind == ERR_CONFIG);
	CHECK(strstr(e.msg, "aws_secret_access_key") != NULL);
	CHECK(cred_load("nobody", &c, &e) == -1 && e.kind == ERR_CONFIG);
	CHECK(strstr(e.msg, "no profile \"nobody\"") != NULL);
	CHECK(cred_load("proc", &c, &e) == -1 && e.kind == ERR_CONFIG);
	CHECK(strstr(e.msg, "credential_process") != NULL);
	write_file("credentials", "[default]\nsecret without equals\n");
	CHECK(cred_load(NULL, &c, &e) == -1 && e.kind == ERR_CONFIG);
	CHECK(strstr(e.msg, "credentials:2:") != NULL);
	CHECK(strstr(e.msg, "secret without") == NULL);
	write_file("credentials", "");
	CHECK(cred_load(NULL, &c, &e) == -1);
	CHECK(strstr(e.msg, "set AWS_ACCESS_KEY_ID") != NULL);
	CHECK(c.access_key == NULL);
}

int
main(void)
{
	char path[100];

	if (mkdtemp(dir) == NULL)
		return 1;
	RUN(the_environment_comes_first);
	RUN(a_named_profile_drops_the_keys_of_the_environment);
	RUN(keys_of_two_places_are_never_mixed);
	RUN(the_default_profile_is_read_from_both_files);
	RUN(what_is_missing_is_said_without_secrets);
	snprintf(path, sizeof(path), "%s/credentials", dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/config", dir);
	unlink(path);
	rmdir(dir);
	return check_end();
}
