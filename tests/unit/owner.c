/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
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

static atomic_bool ended;

/* One of his directories is a link to one of ours, now and then. */
static void *
swap(void *arg)
{
	int dir = *(const int *)arg;

	while (!ended)
		renameat2(dir, "task", dir, "away", RENAME_EXCHANGE);
	return NULL;
}

static void
a_directory_that_is_another_one_meanwhile_is_none_of_his(void)
{
	char path[8192];
	struct stat st;
	pthread_t other;
	int dir, i;

	CHECK(mkdir(at("vault"), 0700) == 0);
	make("vault/lock");
	CHECK(mkdir(at("his/task"), 0700) == 0 &&
	    chown(at("his/task"), OTHER, OTHER) == 0);
	snprintf(path, sizeof(path), "%s", at("vault"));
	CHECK(symlink(path, at("his/away")) == 0);
	dir = open(at("his"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK(pthread_create(&other, NULL, swap, &dir) == 0);
	snprintf(path, sizeof(path), "%s", at("his/task/lock"));
	for (i = 0; i < 200000; i++)
		owner_inherit(path);
	ended = true;
	pthread_join(other, NULL);
	close(dir);
	CHECK(stat(at("vault/lock"), &st) == 0);
	CHECK_UINT(st.st_uid, 0);
}

static void
a_direct_path_has_no_link_but_the_last(void)
{
	AUTO(free) char *own = NULL, *bare = owner_direct("name");

	CHECK(mkdir(at("real"), 0700) == 0);
	CHECK(symlink("real", at("way")) == 0 &&
	    symlink("nowhere", at("real/link")) == 0);
	own = owner_direct(at("way/link"));
	CHECK(own != NULL && strstr(own, "/real/link") != NULL);
	CHECK_STR(bare, "name");
	CHECK(owner_direct(at("none/link")) == NULL && errno == ENOENT);
}

int
main(void)
{
	int fd = tree_begin();

	if (geteuid() == 0) {
		RUN(what_root_makes_belongs_to_the_owner_of_its_directory);
		RUN(what_he_put_there_stays_ours);
		RUN(a_directory_that_is_another_one_meanwhile_is_none_of_his);
	}
	RUN(a_direct_path_has_no_link_but_the_last);
	tree_end(fd);
	return check_end();
}
