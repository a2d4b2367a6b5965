/* SPDX-License-Identifier: ISC */
/*
 * Versions of libraries that are known to do harm, or less than they should,
 * in what dray has them do.  Distributions mend old versions without another
 * number: where that is likely, the next step says how to find out.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "agent/doctor/doctor.h"
#include "agent/doctor/version.h"
#include "agent/ledger.h"
#include "transfer/http.h"
#include "transfer/sftp/sftp.h"
#include "transfer/sftp/transport.h"
#include "verify/digest.h"

enum library { CURL, SSH2, CRYPTO, SQLITE, XXHASH, LIBRARY_COUNT };

static const char *const names[LIBRARY_COUNT] = {
    [CURL] = "libcurl",
    [SSH2] = "libssh2",
    [CRYPTO] = "OpenSSL",
    [SQLITE] = "SQLite",
    [XXHASH] = "xxHash",
};

static bool
always(const struct doctor *d)
{
	(void)d;
	return true;
}

static bool
by_socks(const struct doctor *d)
{
	const char *proxy = d->o->store.proxy;

	return proxy != NULL && strncmp(proxy, "socks5h:", 8) == 0;
}

static bool
by_libssh2(const struct doctor *d)
{
	return ((d->source != NULL && d->source->scheme == STORE_SFTP) ||
		   (d->target != NULL && d->target->scheme == STORE_SFTP)) &&
	    sftp_uses_libssh2(&d->o->store);
}

static const struct known {
	enum library library;
	const char *from, *below; /* versions; NULL: any */
	enum finding_level level;
	bool (*matters)(const struct doctor *d);
	const char *text;
	const char *next; /* or NULL */
} known[] = {
    {CURL, "8.11.1", "8.12.0", FINDING_FAIL, always,
	"closes a file descriptor twice, which may be another thread's "
	"(CVE-2025-0665): what is read may be of another file",
	"another version: 8.12.0 has it mended"},
    {CURL, "7.69.0", "8.4.0", FINDING_WARN, by_socks,
	"a long host name overflows its buffer with socks5h:// "
	"(CVE-2023-38545)",
	"8.4.0 or newer, or a package whose changelog names the CVE"},
    {SSH2, NULL, "1.11.0", FINDING_WARN, by_libssh2,
	"knows RSA keys only as servers since OpenSSH 8.8 refuse them, and "
	"neither AES-GCM nor strict key exchange (CVE-2023-48795)",
	"install ssh(1), which is taken then; or an Ed25519 key"},
    {SSH2, "1.11.0", "1.11.1", FINDING_WARN, by_libssh2,
	"has no strict key exchange (CVE-2023-48795)",
	"install ssh(1), which is taken then; or 1.11.1"},
    {CRYPTO, "3.0.0", "3.0.7", FINDING_WARN, always,
	"a server's certificate can overflow a buffer (CVE-2022-3602)",
	"3.0.7 or newer, or a package whose changelog names the CVE"},
    {SQLITE, NULL, "3.51.3", FINDING_OK, always,
	"two processes that write at one instant could damage a database; "
	"dray locks each ledger for one, and finds and mends a damaged one",
	NULL},
    {XXHASH, NULL, "0.8.0", FINDING_FAIL, always,
	"XXH3 was not final before 0.8.0: digests are others everywhere else",
	"0.8.0 or newer"},
};

static const struct known *
find(const struct doctor *d, enum library library, const char *version)
{
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i].library == library && known[i].matters(d) &&
		    version_in(version, known[i].from, known[i].below))
			return &known[i];
	return NULL;
}

void
doctor_libraries(const struct doctor *d)
{
	char xxhash[32];
	const char *const versions[LIBRARY_COUNT] = {
	    [CURL] = http_library_version(),
	    [SSH2] = transport_libssh2_version(),
	    [CRYPTO] = digest_libcrypto_version(),
	    [SQLITE] = ledger_library_version(),
	    [XXHASH] = digest_xxhash_version(xxhash),
	};
	int i;

	for (i = 0; i < LIBRARY_COUNT; i++) {
		const struct known *k = find(d, (enum library)i, versions[i]);

		findings_add(d->found, k != NULL ? k->level : FINDING_OK,
		    names[i], "%s%s%s", versions[i], k != NULL ? ": " : "",
		    k != NULL ? k->text : "");
		if (k != NULL && k->next != NULL)
			findings_next(d->found, "%s", k->next);
	}
}
