/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/cli/parse.h"
#include "agent/doctor/doctor.h"
#include "agent/doctor/version.h"
#include "base/clock.h"
#include "tests/unit/check.h"
#include "tests/unit/tree.h"

static struct options options;

/* What all levels together read, as lines of JSON; until the next call. */
static const char *
told(const struct findings *f)
{
	static struct buf out = BUF_INIT(1 << 20);

	buf_reset(&out);
	findings_json(f, &out);
	return buf_str(&out);
}

static bool
tells(const struct findings *f, const char *text)
{
	const char *all = told(f);

	if (strstr(all, text) != NULL)
		return true;
	fprintf(stderr, "not told: %s\nbut: %s", text, all);
	return false;
}

static void
put(const char *name, const char *text, mode_t mode)
{
	char path[8192];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", tree_path, name);
	f = fopen(path, "w");
	CHECK(f != NULL);
	if (f == NULL)
		return;
	fputs(text, f);
	fclose(f);
	CHECK(chmod(path, mode) == 0);
}

static void
versions_are_numbers_not_text(void)
{
	CHECK(version_compare("8.9.1", "8.14.0") < 0);
	CHECK(version_compare("8.14.0", "8.9.1") > 0);
	CHECK(version_compare("3.0", "3.0.0") == 0);
	CHECK(version_compare("1.1.1w", "1.1.1") == 0);
	CHECK(version_compare("8.11.1-DEV", "8.11.1") == 0);
	CHECK(version_compare("3", "2.99.99") > 0);
	CHECK(version_compare("", "0") == 0);
}

static void
a_range_has_its_lower_end_only(void)
{
	CHECK(version_in("8.11.1", "8.11.1", "8.12.0"));
	CHECK(!version_in("8.12.0", "8.11.1", "8.12.0"));
	CHECK(!version_in("8.11.0", "8.11.1", "8.12.0"));
	CHECK(version_in("1.10.0", NULL, "1.11.0"));
	CHECK(version_in("9.0", "1.0", NULL));
}

static void
findings_are_counted_and_shown_in_order(void)
{
	AUTO(findings) struct findings *f = findings_new();
	AUTO(buf) struct buf out = BUF_INIT(1 << 16);

	findings_next(f, "of nothing");
	findings_add(f, FINDING_OK, "one", "is %d", 1);
	findings_add(f, FINDING_WARN, "two", "has a \n in it");
	findings_next(f, "no more %s", "lines");
	findings_text(f, false, &out);
	CHECK_STR(buf_str(&out),
	    "ok    one             is 1\n"
	    "warn  two             has a \\n in it\n"
	    "                      -> no more lines\n"
	    "0 failures, 1 warning\n");
	CHECK_UINT(findings_count(f, FINDING_FAIL), 0);
	buf_reset(&out);
	findings_add(f, FINDING_FAIL, "three", "bad");
	findings_text(f, true, &out);
	CHECK_STR(buf_str(&out),
	    "warn  two             has a \\n in it\n"
	    "                      -> no more lines\n"
	    "fail  three           bad\n");
	CHECK_UINT(findings_count(f, FINDING_FAIL), 1);
	CHECK(!findings_failed(f));
}

static void
a_run_that_lacks_descriptors_fails(void)
{
	AUTO(findings) struct findings *f = findings_new();
	struct doctor d = {.o = &options, .proc = tree_path, .found = f};
	struct rlimit was, less;

	CHECK(getrlimit(RLIMIT_NOFILE, &was) == 0);
	less = was;
	less.rlim_cur = 40;
	CHECK(setrlimit(RLIMIT_NOFILE, &less) == 0);
	doctor_limits(&d);
	CHECK(setrlimit(RLIMIT_NOFILE, &was) == 0);
	CHECK(tells(f,
	    "\"level\":\"fail\",\"what\":\"open files\",\"text\":"
	    "\"only 40 may be open at a time, a run needs "));
	CHECK(tells(f, "LimitNOFILE="));
}

static void
few_watches_and_little_memory_are_warned_of(void)
{
	AUTO(findings) struct findings *f = findings_new();
	struct doctor d = {.o = &options, .proc = tree_path, .found = f};
	int fd = open(tree_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	tree_dir(fd, "sys");
	tree_dir(fd, "sys/fs");
	tree_dir(fd, "sys/fs/inotify");
	close(fd);
	put("sys/fs/inotify/max_user_watches", "8192\n", 0644);
	put("meminfo", "MemTotal:  9 kB\nMemAvailable:   1024 kB\n", 0644);
	doctor_limits(&d);
	CHECK(tells(f, "\"warn\",\"what\":\"inotify\",\"text\":\"only 8,192"));
	CHECK(tells(f, "fs.inotify.max_user_watches = 524288"));
	CHECK(tells(f, "\"warn\",\"what\":\"memory\",\"text\":\"1.0 MiB are"));
	put("sys/fs/inotify/max_user_watches", "65536\n", 0644);
	put("meminfo", "MemAvailable: 99999999 kB\n", 0644);
	doctor_limits(&d);
	CHECK_UINT(findings_count(f, FINDING_WARN), 2);
	d.dirs = 60000; /* and a quarter more */
	doctor_limits(&d);
	CHECK(tells(f, "together, and this one has 60,000"));
	CHECK_UINT(findings_count(f, FINDING_WARN), 3);
	d.dirs = 50000;
	doctor_limits(&d);
	CHECK(
	    tells(f, "65,536 directories can be watched, the task has 50,000"));
	CHECK_UINT(findings_count(f, FINDING_WARN), 3);
}

static void
a_state_directory_is_ours_alone(void)
{
	AUTO(findings) struct findings *f = findings_new();
	char path[8192], deeper[8200];
	struct doctor d = {.o = &options, .state_dir = path, .found = f};

	snprintf(path, sizeof(path), "%s/state", tree_path);
	doctor_state(&d);
	CHECK(tells(f, "state will be made"));
	CHECK(mkdir(path, 0700) == 0);
	doctor_state(&d);
	CHECK(tells(f, "state belongs to "));
	CHECK_UINT(findings_count(f, FINDING_FAIL), 0);
	CHECK(chmod(path, 0777) == 0);
	doctor_state(&d);
	CHECK(tells(f, "anybody may change what dray knows there"));
	CHECK(tells(f, "\"next\":\"chmod o-w "));
	put("state/file", "", 0600);
	snprintf(deeper, sizeof(deeper), "%s/file", path);
	d.state_dir = deeper;
	doctor_state(&d);
	CHECK(tells(f, "file is no directory"));
	CHECK_UINT(findings_count(f, FINDING_FAIL), 2);
	CHECK(tells(f, "\"what\":\"free space\""));
}

static void
secrets_that_others_may_read_fail(void)
{
	AUTO(findings) struct findings *f = findings_new();
	struct options o = options;
	char path[8192];
	struct doctor d = {.o = &o, .found = f};

	setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere", 1);
	snprintf(path, sizeof(path), "%s/password", tree_path);
	o.store.sftp_password_file = path;
	doctor_files(&d);
	CHECK(tells(f, "\"fail\",\"what\":\"secrets\""));
	put("password", "x\n", 0600);
	doctor_files(&d);
	CHECK(tells(f, "password is kept from others"));
	CHECK_UINT(findings_count(f, FINDING_FAIL), 1);
	put("password", "x\n", 0640);
	doctor_files(&d);
	CHECK(tells(f, "others may read it (mode 0640)"));
	CHECK(tells(f, "\"next\":\"chmod 600 "));
	CHECK_UINT(findings_count(f, FINDING_FAIL), 2);
}

static void
a_certificate_that_ends_soon_is_warned_of(void)
{
	AUTO(findings) struct findings *f = findings_new();
	struct doctor d = {.o = &options, .found = f};
	struct store_config config = {.no_verify_tls = false};
	struct store_probe probe = {.certificate_ends_ns = clock_wall_ns() +
		(int64_t)40 * 86400 * 1000000000 + 1000000000};

	doctor_tls(&d, "https://s3.example.org", &config, &probe);
	CHECK(tells(f, "\"level\":\"ok\""));
	CHECK(tells(f, "(40 days)"));
	probe.certificate_ends_ns =
	    clock_wall_ns() + (int64_t)9 * 86400 * 1000000000 + 1000000000;
	doctor_tls(&d, "https://s3.example.org", &config, &probe);
	CHECK_UINT(findings_count(f, FINDING_WARN), 1);
	CHECK(tells(f, "(9 days)"));
	doctor_tls(&d, "http://s3.example.org", &config, &probe);
	CHECK(tells(f, "is plain HTTP"));
	doctor_tls(&d, "http://127.0.0.1:9000", &config, &probe);
	config.no_verify_tls = true;
	doctor_tls(&d, "https://s3.example.org", &config, &probe);
	CHECK(tells(f, "any server is trusted"));
	CHECK_UINT(findings_count(f, FINDING_WARN), 3);
}

static void
a_clock_may_differ_a_little(void)
{
	AUTO(findings) struct findings *f = findings_new();
	struct doctor d = {.o = &options, .found = f};

	doctor_skew(&d, -4999);
	CHECK_UINT(findings_count(f, FINDING_OK), 1);
	doctor_skew(&d, 60000);
	CHECK_UINT(findings_count(f, FINDING_WARN), 1);
	CHECK(tells(f, "1m00s ahead of ours"));
	doctor_skew(&d, -600000);
	CHECK_UINT(findings_count(f, FINDING_FAIL), 1);
	CHECK(tells(f, "10m00s behind ours"));
}

static void
a_name_without_an_address_fails(void)
{
	AUTO(findings) struct findings *f = findings_new();
	struct doctor d = {.o = &options, .found = f};

	doctor_name(&d, "127.0.0.1");
	doctor_name(&d, "::1");
	CHECK_STR(told(f), "");
	doctor_name(&d, "localhost");
	CHECK_UINT(findings_count(f, FINDING_OK), 1);
	doctor_name(&d, "nosuch.invalid");
	CHECK_UINT(findings_count(f, FINDING_FAIL), 1);
	CHECK(tells(f, "getent hosts nosuch.invalid"));
}

static void
libraries_have_versions(void)
{
	AUTO(findings) struct findings *f = findings_new();
	struct doctor d = {.o = &options, .found = f};

	doctor_libraries(&d);
	CHECK(tells(f, "\"what\":\"libcurl\",\"text\":\""));
	CHECK(tells(f, "\"what\":\"Expat\",\"text\":\"2."));
	CHECK(tells(f, "\"what\":\"libssh2\",\"text\":\"1."));
	CHECK(tells(f, "\"what\":\"OpenSSL\",\"text\":\"3."));
	CHECK(tells(f, "\"what\":\"SQLite\",\"text\":\"3."));
	CHECK(tells(f, "\"what\":\"xxHash\",\"text\":\"0."));
}

/* What is told of VERSION of LIBRARY, of a run to TARGET, as JSON. */
static const char *
told_of(struct findings *f, enum library library, const char *version,
    const char *target)
{
	const char *versions[LIBRARY_COUNT] = {NULL};
	struct err e = ERR_INIT;
	AUTO(store_url) struct store_url *url = store_url_parse(target, &e);
	struct options o = options;
	struct doctor d = {.o = &o, .target = url, .found = f};

	versions[library] = version;
	o.store.sftp_transport = "libssh2";
	doctor_versions(&d, versions);
	return told(f);
}

static void
versions_that_do_harm_are_known(void)
{
	static const struct {
		enum library library;
		const char *version, *target, *says;
	} cases[] = {
	    {LIBRARY_CURL, "7.88.1", "/x", "\"ok\",\"what\":\"libcurl\""},
	    {LIBRARY_CURL, "8.11.1", "/x", "fail"},
	    {LIBRARY_CURL, "8.12.0", "/x", "ok"},
	    {LIBRARY_CURL, "8.20.0", "/x", "CVE-2026-92392"},
	    {LIBRARY_EXPAT, "2.2.10", "/x", "CVE-2022-40674"},
	    {LIBRARY_EXPAT, "2.5.0", "/x", "ok"},
	    {LIBRARY_SSH2, "1.10.0", "/x", "ok"},
	    {LIBRARY_SSH2, "1.10.0", "sftp://h/x", "no AES-GCM"},
	    {LIBRARY_SSH2, "1.10.0", "sftp://h/x", "CVE-2023-48795"},
	    {LIBRARY_SSH2, "1.11.0", "sftp://h/x", "CVE-2023-48795"},
	    {LIBRARY_SSH2, "1.11.1", "sftp://h/x", "CVE-2026-55200"},
	    {LIBRARY_SSH2, "1.11.2", "sftp://h/x", "ok"},
	    {LIBRARY_NFS, "4.0.0", "/x", "ok"},
	    {LIBRARY_NFS, "4.0.0", "nfs://h/x", "warn"},
	    {LIBRARY_NFS, "7.0.3", "nfs://h/x", "ok"},
	    {LIBRARY_NFS, "8.0.0", "nfs://h/x", "warn"},
	    {LIBRARY_SQLITE, "3.44.5", "/x", "could damage"},
	    {LIBRARY_SQLITE, "3.44.6", "/x", "\"text\":\"3.44.6\""},
	    {LIBRARY_SQLITE, "3.50.6", "/x", "could damage"},
	    {LIBRARY_SQLITE, "3.50.7", "/x", "\"text\":\"3.50.7\""},
	    {LIBRARY_SQLITE, "3.51.2", "/x", "could damage"},
	    {LIBRARY_SQLITE, "3.51.3", "/x", "\"text\":\"3.51.3\""},
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(findings) struct findings *f = findings_new();
		const char *said = told_of(
		    f, cases[i].library, cases[i].version, cases[i].target);

		CHECK(strstr(said, cases[i].says) != NULL);
		if (strstr(said, cases[i].says) == NULL)
			fprintf(stderr, "%s: %s", cases[i].version, said);
	}
}

int
main(void)
{
	struct err e = ERR_INIT;
	int fd = tree_begin();

	if (options_init(&options, &e) == -1)
		return 1;
	RUN(versions_are_numbers_not_text);
	RUN(a_range_has_its_lower_end_only);
	RUN(findings_are_counted_and_shown_in_order);
	RUN(a_run_that_lacks_descriptors_fails);
	RUN(few_watches_and_little_memory_are_warned_of);
	RUN(a_state_directory_is_ours_alone);
	RUN(secrets_that_others_may_read_fail);
	RUN(a_certificate_that_ends_soon_is_warned_of);
	RUN(a_clock_may_differ_a_little);
	RUN(a_name_without_an_address_fails);
	RUN(libraries_have_versions);
	RUN(versions_that_do_harm_are_known);
	options_free(&options);
	tree_end(fd);
	return check_end();
}
