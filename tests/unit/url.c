/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <limits.h>
#include <unistd.h>

#include "tests/unit/check.h"
#include "transfer/url.h"

static struct err e;

static void
check_url(const char *text, enum store_scheme scheme, const char *host,
    const char *path, const char *canonical)
{
	AUTO(store_url) struct store_url *u = store_url_parse(text, &e);
	AUTO(store_url) struct store_url *again = NULL;

	CHECK(u != NULL);
	if (u == NULL)
		return;
	CHECK(u->scheme == scheme);
	CHECK_STR(u->host, host);
	CHECK_STR(u->path, path);
	CHECK_STR(u->text, canonical);
	again = store_url_parse(u->text, &e);
	CHECK(again != NULL);
	if (again != NULL)
		CHECK_STR(again->text, canonical);
}

static void
buckets_and_prefixes_are_told_apart(void)
{
	check_url("s3://bucket", STORE_S3, "bucket", "", "s3://bucket");
	check_url("s3://bucket/", STORE_S3, "bucket", "", "s3://bucket");
	check_url(
	    "s3://bucket/a/b", STORE_S3, "bucket", "a/b", "s3://bucket/a/b");
	check_url("s3://bucket//a//b//", STORE_S3, "bucket", "a//b",
	    "s3://bucket/a//b");
	check_url("s3://b-1.x_Y/a b%20\xff?#", STORE_S3, "b-1.x_Y",
	    "a b%20\xff?#", "s3://b-1.x_Y/a b%20\xff?#");
}

static void
hosts_users_and_ports_are_told_apart(void)
{
	AUTO(store_url) struct store_url *u = NULL;

	check_url("sftp://h/a//b/", STORE_SFTP, "h", "/a/b", "sftp://h/a/b");
	check_url("sftp://h/", STORE_SFTP, "h", "/", "sftp://h/");
	check_url("sftp://h/~", STORE_SFTP, "h", "~", "sftp://h/~");
	check_url("sftp://h/~/x", STORE_SFTP, "h", "~/x", "sftp://h/~/x");
	check_url("sftp://h/~x", STORE_SFTP, "h", "/~x", "sftp://h/~x");
	check_url(
	    "sftp://u@d@h:22/a", STORE_SFTP, "h", "/a", "sftp://u@d@h:22/a");
	check_url("sftp://[::1]:2222/a", STORE_SFTP, "::1", "/a",
	    "sftp://[::1]:2222/a");
	check_url(
	    "nfs://h/e/p/?uid=1", STORE_NFS, "h", "/e/p", "nfs://h/e/p?uid=1");
	u = store_url_parse("sftp://u@d@[::1]:2222/a", &e);
	CHECK(u != NULL);
	CHECK_STR(u->user, "u@d");
	CHECK_UINT(u->port, 2222);
}

static void
paths_become_absolute(void)
{
	char cwd[PATH_MAX], want[PATH_MAX + 20];

	CHECK(getcwd(cwd, sizeof(cwd)) != NULL);
	check_url("/a/b", STORE_POSIX, "", "/a/b", "/a/b");
	check_url("/a/b///", STORE_POSIX, "", "/a/b", "/a/b");
	check_url("/", STORE_POSIX, "", "/", "/");
	check_url("///", STORE_POSIX, "", "/", "/");
	check_url("file:///a b", STORE_POSIX, "", "/a b", "/a b");
	snprintf(want, sizeof(want), "%s/x/y", cwd);
	check_url("x/y", STORE_POSIX, "", want, want);
	check_url("./x/y/", STORE_POSIX, "", want, want);
	check_url(".//./x/y", STORE_POSIX, "", want, want);
	check_url(".", STORE_POSIX, "", cwd, cwd);
	check_url("./", STORE_POSIX, "", cwd, cwd);
	snprintf(want, sizeof(want), "%s/d/x://y", cwd);
	check_url("./d/x://y", STORE_POSIX, "", want, want);
}

static void
what_names_no_store_is_refused(void)
{
	static const char *const wrong[] = {"sftp://", "sftp://h",
	    "sftp://h:0/a", "sftp://h:x/a", "sftp://h:99999/a",
	    "sftp://u:p@h/a", "sftp://-oX/a", "sftp://[::1/a", "nfs://h",
	    "nfs://h:1/a", "nfs:///a", "", "s3://", "s3:///a", "s3://ab",
	    "s3://.bucket", "s3://bu cket/x", "s3://buck\xc3\xa9t",
	    "ftp://host/x", "file://host/x", "S3://bucket", "://x"};
	char big[400];
	size_t i;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		e = (struct err)ERR_INIT;
		CHECK(store_url_parse(wrong[i], &e) == NULL);
		CHECK(e.kind == ERR_USAGE && e.msg[0] != '\0');
	}
	memset(big, 'b', sizeof(big));
	memcpy(big, "s3://", 5);
	big[5 + 256] = '\0';
	CHECK(store_url_parse(big, &e) == NULL && e.kind == ERR_USAGE);
	big[5 + 255] = '\0';
	check_url(big, STORE_S3, big + 5, "", big);
}

int
main(void)
{
	RUN(buckets_and_prefixes_are_told_apart);
	RUN(hosts_users_and_ports_are_told_apart);
	RUN(paths_become_absolute);
	RUN(what_names_no_store_is_refused);
	return check_end();
}
