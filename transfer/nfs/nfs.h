/* SPDX-License-Identifier: ISC */
/*
 * nfs://host/export/path[?version=3&nfsport=N&mountport=N&uid=N&gid=N]: an NFS
 * server, without a mount and without root.
 *
 * Every write is on stable storage before it counts, every name is looked up
 * in the handle of its directory, no symbolic link is followed below the
 * export.  See wire.h.
 */
#ifndef TRANSFER_NFS_NFS_H
#define TRANSFER_NFS_NFS_H

#include "transfer/store.h"

extern const struct store_driver nfs_driver;

#endif
