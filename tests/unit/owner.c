/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/owner.h"
#include "tests/unit/check.h"
#include "tests/unit/tree.h"

#define OTHER 65534

static const char *
at(const char *name)
{
	static char path[8192];

	snprintf(path, sizeof(path), "%s/%s", tree_path, name);
	return path;
}

static void
make(const char *name)
{
	int fd = open(at(name), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	CHECK(fd != -1);
	close(fd);
}

/* After it was made by root. */
static uid_t
heir_of(const char *name)
{
	struct stat st = {.st_uid = 1};

	owner_inherit(at(name));
	CHECK(lstat(at(name), &st) == 0);
	return st.st_uid;
}

static void
what_root_makes_belongs_to_the_owner_of_its_directory(void)
{
	make("own");
	CHECK_UINT(heir_of("own"), 0);
	CHECK(
	    mkdir(at("his"), 0700) == 0 && chown(at("his"), OTHER, OTHER) == 0);
	make("his/file");
	CHECK_UINT(heir_of("his/file"), OTHER);
	CHECK(mkdir(at("his/dir"), 0700) == 0);
	CHECK_UINT(heir_of("his/dir"), OTHER);
}

static void
what_he_put_there_stays_ours(void)
{
	char path[8192];

	snprintf(path, sizeof(path), "%s", at("own"));
	CHECK(link(path, at("his/link")) == 0);
	CHECK_UINT(heir_of("his/link"), 0);
	CHECK(symlink(path, at("his/symlink")) == 0);
	CHECK_UINT(heir_of("his/symlink"), 0);
	CHECK(chown(at("his"), OTHER, OTHER) == 0);
	CHECK_UINT(heir_of("own"), 0);
}

int
main(void)
{
	int fd = tree_begin();

	if (geteuid() == 0) {
		RUN(what_root_makes_belongs_to_the_owner_of_its_directory);
		RUN(what_he_put_there_stays_ours);
	}
	tree_end(fd);
	return check_end();
}
