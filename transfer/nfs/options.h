/* SPDX-License-Identifier: ISC */
/*
 * What may stand behind the '?' of an nfs:// URL:
 * version=3|4 nfsport=N mountport=N uid=N gid=N, joined by '&'.  Pure.
 */
#ifndef TRANSFER_NFS_OPTIONS_H
#define TRANSFER_NFS_OPTIONS_H

#include <stdint.h>

#include "base/err.h"

struct nfs_options {
	unsigned version;
	unsigned nfs_port, mount_port; /* 0: the portmapper is asked */
	int64_t uid, gid;	       /* who the server takes us for; -1: us */
};

/* ERR_USAGE names what it doesn't know or what has a wrong value. */
int nfs_options_parse(
    const char *query, struct nfs_options *out, struct err *e);

#endif
