/* SPDX-License-Identifier: ISC */
/*
 * Versions of libraries that are known to do harm, or less than they should,
 * in what dray has them do.  Distributions mend old versions without another
 * number: where that is likely, the next step says how to find out.  What is
 * not here can't be reached from dray: other protocols, other TLS libraries,
 * calls that it doesn't make.  Where it was looked up:
 *
 *	libcurl  https://curl.se/docs/security.html
 *	libssh2  https://nvd.nist.gov/vuln/detail/CVE-2026-55200
 *	         (-55199, -66033)
 *	         https://github.com/libssh2/libssh2/issues/2121
 *	libnfs   https://github.com/sahlberg/libnfs/releases
 *	         (7.0.0, 7.0.3, 8.0.1)
 *	SQLite   https://sqlite.org/wal.html#walresetbug
 *	Expat    https://github.com/libexpat/libexpat/blob/master/expat/Changes
 *	OpenSSL  https://openssl-library.org/news/vulnerabilities/
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "agent/doctor/doctor.h"
#include "agent/doctor/version.h"
#include "agent/ledger.h"
#include "transfer/http.h"
#include "transfer/s3/xml.h"
#include "transfer/sftp/sftp.h"
#include "transfer/sftp/transport.h"
#include "verify/digest.h"

#define WAL_RESET                                                             \
	"two connections that write at one instant could damage a database; " \
	"dray has one writer for each ledger, and finds and replaces a "      \
	"damaged one"
#define CHANGELOG "a package whose changelog names the CVE"

static const char *const names[LIBRARY_COUNT] = {
    [LIBRARY_CURL] = "libcurl",
    [LIBRARY_EXPAT] = "Expat",
    [LIBRARY_SSH2] = "libssh2",
    [LIBRARY_NFS] = "libnfs",
    [LIBRARY_CRYPTO] = "OpenSSL",
    [LIBRARY_SQLITE] = "SQLite",
    [LIBRARY_XXHASH] = "xxHash",
};

static bool
always(const struct doctor *d)
{
	(void)d;
	return true;
}

static bool
is_socks(const char *proxy)
{
	return proxy != NULL && strncmp(proxy, "socks5h:", 8) == 0;
}

static bool
by_socks(const struct doctor *d)
{
	return is_socks(d->o->store.proxy) ||
	    (d->o->store.proxy == NULL &&
		(is_socks(getenv("https_proxy")) ||
		    is_socks(getenv("HTTPS_PROXY")) ||
		    is_socks(getenv("all_proxy")) ||
		    is_socks(getenv("ALL_PROXY"))));
}

static bool
has_place(const struct doctor *d, enum store_scheme scheme)
{
	return (d->source != NULL && d->source->scheme == scheme) ||
	    (d->target != NULL && d->target->scheme == scheme);
}

static bool
by_libssh2(const struct doctor *d)
{
	return has_place(d, STORE_SFTP) && sftp_uses_libssh2(&d->o->store);
}

static bool
by_libnfs(const struct doctor *d)
{
	return has_place(d, STORE_NFS);
}

static const struct known {
	enum library library;
	const char *from, *below; /* versions; NULL: any */
	enum finding_level level;
	bool (*matters)(const struct doctor *d);
	const char *text;
	const char *next; /* or NULL */
} known[] = {
    {LIBRARY_CURL, "8.11.1", "8.12.0", FINDING_FAIL, always,
	"closes a file descriptor twice, which may be another thread's "
	"(CVE-2025-0665): what is read may be of another file",
	"another version: 8.12.0 has it mended"},
    {LIBRARY_CURL, "7.69.0", "8.4.0", FINDING_WARN, by_socks,
	"a long host name overflows its buffer with socks5h:// "
	"(CVE-2023-38545)",
	"8.4.0 or newer, or " CHANGELOG},
    {LIBRARY_CURL, "8.17.0", "8.22.1", FINDING_WARN, always,
	"a receiver of webhooks that refuses one by HTTP/2 can have freed "
	"memory used (CVE-2026-92392)",
	"a newer one, or " CHANGELOG},
    {LIBRARY_EXPAT, NULL, "2.4.9", FINDING_WARN, always,
	"what a store answers can have freed memory used (CVE-2022-40674)",
	"2.4.9 or newer, or " CHANGELOG},
    {LIBRARY_SSH2, NULL, "1.11.0", FINDING_WARN, by_libssh2,
	"knows RSA keys only as servers since OpenSSH 8.8 refuse them, and no "
	"AES-GCM",
	"install ssh(1), which is taken then; or an Ed25519 key"},
    {LIBRARY_SSH2, NULL, "1.11.1", FINDING_WARN, by_libssh2,
	"has no strict key exchange: who stands between can leave out what is "
	"said at its begin (CVE-2023-48795)",
	"install ssh(1), which is taken then; or " CHANGELOG},
    /* No release had it mended when this was written. */
    {LIBRARY_SSH2, NULL, "1.11.2", FINDING_WARN, by_libssh2,
	"a server can crash it, or overwrite memory, before it has said who "
	"it is (CVE-2026-55200, CVE-2026-55199)",
	"install ssh(1), which is taken then; or " CHANGELOG},
    {LIBRARY_NFS, NULL, "7.0.3", FINDING_WARN, by_libnfs,
	"a server, or who stands between, can crash it, have it read in "
	"circles or write into freed memory",
	"servers and lines that are yours alone; or 7.0.3, or a mount"},
    {LIBRARY_NFS, "8.0.0", "8.0.1", FINDING_WARN, by_libnfs,
	"a server, or who stands between, can have it write into freed memory",
	"servers and lines that are yours alone; or 8.0.1, or a mount"},
    {LIBRARY_CRYPTO, "3.0.0", "3.0.7", FINDING_WARN, always,
	"a server's certificate can overflow a buffer (CVE-2022-3602)",
	"3.0.7 or newer, or " CHANGELOG},
    {LIBRARY_SQLITE, NULL, "3.44.6", FINDING_OK, always, WAL_RESET, NULL},
    {LIBRARY_SQLITE, "3.45.0", "3.50.7", FINDING_OK, always, WAL_RESET, NULL},
    {LIBRARY_SQLITE, "3.51.0", "3.51.3", FINDING_OK, always, WAL_RESET, NULL},
    {LIBRARY_XXHASH, NULL, "0.8.0", FINDING_FAIL, always,
	"XXH3 was not final before 0.8.0: digests are others everywhere else",
	"0.8.0 or newer"},
};

/* What is known of LIBRARY's VERSION; whether there is anything. */
static bool
tell(const struct doctor *d, enum library library, const char *version)
{
	bool told = false;
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		const struct known *k = &known[i];

		if (k->library != library || !k->matters(d) ||
		    !version_in(version, k->from, k->below))
			continue;
		findings_add(d->found, k->level, names[library], "%s: %s",
		    version, k->text);
		if (k->next != NULL)
			findings_next(d->found, "%s", k->next);
		told = true;
	}
	return told;
}

void
doctor_versions(
    const struct doctor *d, const char *const versions[LIBRARY_COUNT])
{
	int i;

	for (i = 0; i < LIBRARY_COUNT; i++)
		if (versions[i] != NULL &&
		    !tell(d, (enum library)i, versions[i]))
			findings_add(
			    d->found, FINDING_OK, names[i], "%s", versions[i]);
}

void
doctor_libraries(const struct doctor *d)
{
	char xxhash[32];
	const char *const versions[LIBRARY_COUNT] = {
	    [LIBRARY_CURL] = http_library_version(),
	    [LIBRARY_EXPAT] = xml_library_version(),
	    [LIBRARY_SSH2] = transport_libssh2_version(),
#ifdef HAVE_LIBNFS
	    /* It tells none itself. */
	    [LIBRARY_NFS] = LIBNFS_VERSION,
#endif
	    [LIBRARY_CRYPTO] = digest_libcrypto_version(),
	    [LIBRARY_SQLITE] = ledger_library_version(),
	    [LIBRARY_XXHASH] = digest_xxhash_version(xxhash),
	};

	doctor_versions(d, versions);
}
