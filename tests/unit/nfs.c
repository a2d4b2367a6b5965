/* SPDX-License-Identifier: ISC */
#include "config.h"

#include "tests/fakes/nfsfake.h"
#include "tests/unit/check.h"
#include "transfer/store.h"

#ifdef HAVE_LIBNFS
#include "transfer/nfs/nfs.h"
#include "transfer/nfs/options.h"

static struct err e;

static void
a_query_says_ports_version_and_who_we_are(void)
{
	struct nfs_options o;

	CHECK(nfs_options_parse("", &o, &e) == 0);
	CHECK(o.version == 3 && o.nfs_port == 0 && o.mount_port == 0);
	CHECK(o.uid == -1 && o.gid == -1);
	CHECK(nfs_options_parse("version=3&nfsport=2049&mountport=635&uid=0&"
				"gid=4294967294",
		  &o, &e) == 0);
	CHECK(o.version == 3 && o.nfs_port == 2049 && o.mount_port == 635);
	CHECK(o.uid == 0 && o.gid == 4294967294);
}

static void
what_a_query_may_not_say_is_named(void)
{
	static const char *const wrong[] = {"nosuch=1", "nfsport",
	    "nfsport=", "nfsport=0", "nfsport=65536", "uid=-1",
	    "uid=4294967295", "gid=x", "version=2", "version=5", "&", "=",
	    "uid=1&&gid=1", "UID=1", "uid=1&nosuch",
	    "uid=00000000000000000000000000000000000000000001x", "uidd=1",
	    "ui=1"};
	struct nfs_options o = {.uid = 77};
	size_t i;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		e = (struct err)ERR_INIT;
		CHECK(nfs_options_parse(wrong[i], &o, &e) == -1);
		CHECK(e.kind == ERR_USAGE && e.msg[0] != '\0');
	}
	CHECK(o.uid == 77);
	CHECK(nfs_options_parse("nosuch=1", &o, &e) == -1);
	CHECK(strstr(e.msg, "nosuch") != NULL);
}

static struct store *
store_of(const char *text, const struct store_config *config)
{
	AUTO(store_url) struct store_url *url = NULL;

	e = (struct err)ERR_INIT;
	url = store_url_parse(text, &e);
	CHECK(url != NULL);
	return store_open(url, config, &e);
}

static void
what_cannot_be_done_is_said_before_any_connection(void)
{
	struct store_config config = {.timeout_ms = 0};
	AUTO(store) struct store *s = NULL;

	CHECK(store_of("nfs://h/e?nosuch=1", &config) == NULL);
	CHECK(e.kind == ERR_USAGE);
	CHECK(store_of("nfs://h/e?version=4", &config) == NULL);
	CHECK(e.kind == ERR_CONFIG && strstr(e.msg, "version=4") != NULL);
	config.bind_address = "10.0.0.1";
	CHECK(store_of("nfs://h/e", &config) == NULL);
	CHECK(e.kind == ERR_CONFIG);
	config.bind_address = NULL;
	s = store_of("nfs://h/e/", &config);
	CHECK(s != NULL && s->ops == &nfs_driver);
}

static void
names_that_no_server_can_hold_are_refused(void)
{
	static const char *const wrong[] = {"", "a//b", "/a", "a/", ".", "..",
	    "a/../b", "a/.dray-0123456789abcdef/b"};
	struct store_config config = {.timeout_ms = 0};
	AUTO(store) struct store *s = store_of("nfs://h/e", &config);
	char name[300];
	size_t i;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		CHECK(nfs_driver.check_key(s, wrong[i], ITEM_FILE, &e) == -1 &&
		    e.kind == ERR_NAME);
	memset(name, 'n', sizeof(name));
	name[256] = '\0';
	CHECK(nfs_driver.check_key(s, name, ITEM_FILE, &e) == -1);
	name[255] = '\0';
	CHECK(nfs_driver.check_key(s, name, ITEM_FILE, &e) == 0);
	CHECK(nfs_driver.check_key(s, ".dray-0123456789abcde", ITEM_FILE, &e) ==
	    0);
}

static void
a_server_that_is_not_there_is_said_soon(void)
{
	struct store_config config = {.connect_timeout_ms = 2000};
	AUTO(store)
	struct store *s =
	    store_of("nfs://127.0.0.1/e?nfsport=1&mountport=1", &config);
	AUTO(session) struct session *c = store_connect(s, &e);
	struct store_stat st;

	CHECK(nfs_driver.stat(c, "x", &st, &e) == -1);
	CHECK(e.kind == ERR_NET && e.msg[0] != '\0');
}

static void
a_run_that_is_to_stop_asks_no_server(void)
{
	atomic_bool stop = true;
	struct store_config config = {.stop = &stop};
	AUTO(store)
	struct store *s =
	    store_of("nfs://127.0.0.1/e?nfsport=1&mountport=1", &config);
	AUTO(session) struct session *c = store_connect(s, &e);
	struct store_stat st;

	CHECK(nfs_driver.stat(c, "x", &st, &e) == -1);
	CHECK(e.kind == ERR_STOPPED);
}

static struct session *
session_of_fake(struct store **s)
{
	static const struct store_config config = {.timeout_ms = 5000};
	char url[100];

	snprintf(url, sizeof(url), "nfs://127.0.0.1/e?nfsport=%u&mountport=%u",
	    nfsfake.port, nfsfake.port);
	*s = store_of(url, &config);
	return store_connect(*s, &e);
}

static void
a_server_that_tells_no_limits_is_not_read_from(void)
{
	AUTO(store) struct store *s = NULL;
	AUTO(session) struct session *c = session_of_fake(&s);
	char got[10] = "untouched";
	int i;

	atomic_store(&nfsfake.fsinfo_status, 5);
	for (i = 0; i < 2; i++)
		CHECK(nfs_driver.read(c, "f", 0, got, 10, &e) == -1);
	CHECK(e.kind == ERR_SYS && strstr(e.msg, "limits") != NULL);
	CHECK_STR(got, "untouched");
	atomic_store(&nfsfake.fsinfo_status, 0);
	CHECK(nfs_driver.read(c, "f", 0, got, 10, &e) == 0);
	CHECK(memcmp(got, NFSFAKE_TEXT, 10) == 0);
}

static int
on_entry(void *arg, const struct store_list_entry *entry, struct err *error)
{
	(void)error;
	CHECK_STR(entry->key, "f");
	++*(unsigned *)arg;
	return 0;
}

static void
what_vanishes_while_it_is_listed_is_no_error(void)
{
	AUTO(store) struct store *s = NULL;
	AUTO(session) struct session *c = session_of_fake(&s);
	unsigned n = 0;

	CHECK(nfs_driver.list(c, "", false, on_entry, &n, &e) == 0);
	CHECK(n == 1 && e.kind == ERR_NONE);
}

static void
begin_owners(unsigned status)
{
	atomic_store(&nfsfake.uid, 0);
	atomic_store(&nfsfake.gid, 0);
	atomic_store(&nfsfake.uids_asked, 0);
	atomic_store(&nfsfake.refused_status, status);
}

/* "f" is to have this owner and group. */
static int
give(struct session *c, unsigned uid, unsigned gid)
{
	struct item_stat st = {.type = ITEM_FILE,
	    .mode = S_IFREG | 06755,
	    .uid = uid,
	    .gid = gid,
	    .mtime_ns = 7};
	struct store_receipt r;

	atomic_store(&nfsfake.mode, 0600);
	return nfs_driver.set_metadata(c, "f", &st, NULL, &r, &e);
}

static bool
is_owned(unsigned uid, unsigned gid, unsigned mode)
{
	return atomic_load(&nfsfake.uid) == uid &&
	    atomic_load(&nfsfake.gid) == gid &&
	    atomic_load(&nfsfake.mode) == mode;
}

static void
an_owner_that_is_refused_keeps_no_other_from_his(void)
{
	static const unsigned statuses[] = {1, 13, 22};
	size_t i;

	atomic_store(&nfsfake.refused_uid, 11);
	atomic_store(&nfsfake.refused_gid, 99);
	for (i = 0; i < 3; i++) {
		AUTO(store) struct store *s = NULL;
		AUTO(session) struct session *c = session_of_fake(&s);

		begin_owners(statuses[i]);
		CHECK(give(c, 11, 22) == 0);
		CHECK(is_owned(0, 22, 0755));
		CHECK(give(c, 33, 44) == 0);
		CHECK(is_owned(33, 44, 06755));
		CHECK_UINT(atomic_load(&s->lacks[STORE_LACK_OWNER].items), 1);
		/* What we may not give isn't asked for again. */
		atomic_store(&nfsfake.uids_asked, 0);
		CHECK(give(c, 11, 44) == 0);
		CHECK((atomic_load(&nfsfake.uids_asked) == 0) == (i == 0));
	}
}

static void
a_file_of_another_group_gets_no_set_id_bits(void)
{
	AUTO(store) struct store *s = NULL;
	AUTO(session) struct session *c = session_of_fake(&s);

	begin_owners(1);
	CHECK(give(c, 0, 99) == 0);
	CHECK(is_owned(0, 0, 0755));
	CHECK(give(c, 11, 99) == 0);
	CHECK(is_owned(0, 0, 0755));
	CHECK(give(c, 0, 0) == 0);
	CHECK(is_owned(0, 0, 06755));
}

/* Its temporary file is gone, as it has the name "f" already. */
static int
complete(struct session *c, struct store_receipt *r)
{
	static const char *const text = NFSFAKE_TEXT;
	AUTO(digester) struct digester *d = digester_new(&e);
	struct store_part part = {.number = 1, .size = 10};
	struct store_upload u = {.key = "f",
	    .id = ".dray-0123456789abcdef",
	    .plan = {.size = 10, .part_bytes = 10, .parts = 1},
	    .st = {.mtime_ns = INT64_C(1000000000) * NFSFAKE_MTIME_S}};

	digester_start(d, DIGEST_XXH3);
	digester_update(d, text, 10);
	digester_finish(d, &part.digest);
	return nfs_driver.upload_complete(c, &u, &part, 1, NULL, r, &e);
}

static void
what_cannot_be_looked_at_now_is_not_gone(void)
{
	AUTO(store) struct store *s = NULL;
	AUTO(session) struct session *c = session_of_fake(&s);
	struct store_receipt r;

	atomic_store(&nfsfake.read_status, 10008);
	CHECK(complete(c, &r) == -1 && e.kind == ERR_SERVER);
	atomic_store(&nfsfake.read_status, 0);
	CHECK(complete(c, &r) == 0 && r.proved);
}

static void
a_directory_in_the_place_of_a_file_stays(void)
{
	static const unsigned statuses[] = {21, 1}; /* ISDIR, PERM */
	static const char *const keys[] = {"f"};
	AUTO(store) struct store *s = NULL;
	AUTO(session) struct session *c = session_of_fake(&s);
	struct err results[1];
	size_t i;

	atomic_store(&nfsfake.is_dir, true);
	for (i = 0; i < 2; i++) {
		atomic_store(&nfsfake.remove_status, statuses[i]);
		CHECK(nfs_driver.remove(c, keys, 1, results, &e) == 0);
		CHECK_UINT(atomic_load(&nfsfake.rmdirs), 0);
	}
	/* What is a file, and can't be removed, is said. */
	atomic_store(&nfsfake.is_dir, false);
	CHECK(nfs_driver.remove(c, keys, 1, results, &e) == -1);
	CHECK_UINT(atomic_load(&nfsfake.rmdirs), 0);
}

int
main(void)
{
	if (nfsfake_start() == -1)
		return 77;
	RUN(a_query_says_ports_version_and_who_we_are);
	RUN(what_a_query_may_not_say_is_named);
	RUN(what_cannot_be_done_is_said_before_any_connection);
	RUN(names_that_no_server_can_hold_are_refused);
	RUN(a_server_that_is_not_there_is_said_soon);
	RUN(a_run_that_is_to_stop_asks_no_server);
	RUN(a_server_that_tells_no_limits_is_not_read_from);
	RUN(what_vanishes_while_it_is_listed_is_no_error);
	RUN(an_owner_that_is_refused_keeps_no_other_from_his);
	RUN(a_file_of_another_group_gets_no_set_id_bits);
	RUN(what_cannot_be_looked_at_now_is_not_gone);
	RUN(a_directory_in_the_place_of_a_file_stays);
	return check_end();
}
#else
static void
nfs_urls_are_understood_but_not_served(void)
{
	AUTO(store_url) struct store_url *url = NULL;
	struct store_config config = {.timeout_ms = 0};
	struct err e = ERR_INIT;

	url = store_url_parse("nfs://h/e", &e);
	CHECK(store_open(url, &config, &e) == NULL);
	CHECK(e.kind == ERR_UNSUPPORTED);
}

int
main(void)
{
	RUN(nfs_urls_are_understood_but_not_served);
	return check_end();
}
#endif
