/* SPDX-License-Identifier: ISC */
/*
 * An NFS server on loopback, in a thread of its own, that does what the real
 * one at hand never does.  It exports one directory, which lists "f" and
 * "gone" with nothing told of them: "f" is a file of the bytes NFSFAKE_TEXT,
 * "gone" isn't there any more.
 */
#ifndef TESTS_FAKES_NFSFAKE_H
#define TESTS_FAKES_NFSFAKE_H

#include <stdatomic.h>

#define NFSFAKE_TEXT "0123456789"
#define NFSFAKE_MTIME_S 7

/* What it is to do, and what it was asked.  Statuses are nfsstat3. */
struct nfsfake {
	unsigned port;
	atomic_uint fsinfo_status, read_status;
	/* What sets this owner or group is refused, by that status. */
	atomic_uint refused_uid, refused_gid, refused_status;
	atomic_uint uids_asked, gids_asked; /* how often one was to be set */
	atomic_uint uid, gid, mode;	    /* of "f" */
	atomic_bool is_dir;		    /* "f" is an empty directory */
	atomic_uint remove_status;	    /* of REMOVE, which does nothing */
	atomic_uint rmdirs;		    /* how often one was to go */
};
extern struct nfsfake nfsfake;

/* -1 if it can't be. */
int nfsfake_start(void);

#endif
