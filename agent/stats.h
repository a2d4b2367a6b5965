/* SPDX-License-Identifier: ISC */
/*
 * Counters of the run that is going on.  Written by the engine, read by the
 * display at any time: each counter is atomic, together they are a blur.
 */
#ifndef AGENT_STATS_H
#define AGENT_STATS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* X(name): a uint64_t each.  Items are files, symlinks and directories. */
#define STATS_COUNTERS(X)                                                   \
	X(scanned_dirs)	   /* directories read */                           \
	X(scanned_items)   /* items found, after filters */                 \
	X(scanned_bytes)   /* bytes of the files among them */              \
	X(unchanged_items) /* as the ledger has them: nothing to do */      \
	X(unchanged_bytes)                                                  \
	X(queued_items) /* to be moved, so far */                           \
	X(queued_bytes)                                                     \
	X(done_items) /* of these: moved, confirmed and recorded */         \
	X(done_bytes)                                                       \
	X(sent_bytes)	 /* bytes sent, also those sent again */            \
	X(adopted_items) /* of these: were at the target already */         \
	X(adopted_bytes)                                                    \
	X(verified_items)  /* files proved: by the store, or read back */   \
	X(read_back_items) /* of these: by reading back */                  \
	X(unproved_items)  /* files done, and nothing proved them */        \
	X(metadata_items)  /* of those done: only metadata was set right */ \
	X(metadata_bytes)                                                   \
	X(resumed_files) /* uploads taken up again */                       \
	X(resumed_parts) /* parts that needn't be sent again */             \
	X(resumed_bytes)                                                    \
	X(kept_parts) /* confirmed, of files not done: set at the end */    \
	X(kept_bytes)                                                       \
	X(aborted_uploads) /* orphaned uploads removed at the store */      \
	X(failed_items)	   /* given up, reason reported */                  \
	X(changed_items)   /* changed while read, again and again */        \
	X(vanished_items)  /* gone between scan and read */                 \
	X(gone_items)	   /* in the ledger, no longer at the source */     \
	X(existing_items)  /* left, as the target has something there */    \
	X(newer_items)	   /* left, as what the target has is newer */      \
	X(deleted_items)   /* at the target; in a dry run: would be */      \
	X(deleted_bytes)                                                    \
	X(kept_items)	    /* of what was to be deleted: not, after all */ \
	X(drift_items)	    /* changed or gone at the target by others */   \
	X(excluded_items)   /* by filters; a directory counts once */       \
	X(special_items)    /* fifos, sockets, devices */                   \
	X(skipped_links)    /* symlinks, neither kept nor followed */       \
	X(unreadable_items) /* could not be listed or stat'ed */            \
	X(checked_items)    /* compared, source with target */              \
	X(checked_equal)    /* of these: as they should be */               \
	X(checked_differ)   /* not so */                                    \
	X(checked_missing)  /* not at the target */                         \
	X(checked_extra)    /* at the target only */                        \
	X(checked_errors)   /* could not be told */                         \
	X(checked_by_store) /* files: by what the store says of them */     \
	X(checked_by_reading)                                               \
	X(checked_by_size)  /* by size, and time where it is kept */        \
	X(checked_xattrs)   /* items, by extended attributes */             \
	X(checked_acls)	    /* items, by ACLs */                            \
	X(checked_links)    /* names of files that have several */          \
	X(cloned_items)	    /* share their blocks with the source */        \
	X(linked_items)	    /* became other names of files sent before */   \
	X(lack_owner_items) /* there, but the target can't hold that */     \
	X(lack_mode_items)                                                  \
	X(lack_time_items)                                                  \
	X(lack_xattr_items)                                                 \
	X(lack_acl_items)                                                   \
	X(lack_link_items)                                                  \
	X(estimate_requests) /* of a dry run */                             \
	X(estimate_bytes)                                                   \
	X(retries)                                                          \
	X(throttled)

struct run_stats {
#define STATS_FIELD(name) _Atomic uint64_t name;
	STATS_COUNTERS(STATS_FIELD)
#undef STATS_FIELD
	_Atomic uint64_t in_flight; /* requests under way: goes up and down */
	atomic_bool scanning;	    /* more items may turn up */
	uint64_t started_mono_ms;
};

/* A plain copy, as kept in the ledger and shown in summaries. */
struct stats_snapshot {
#define STATS_FIELD(name) uint64_t name;
	STATS_COUNTERS(STATS_FIELD)
#undef STATS_FIELD
};

#define stats_add(s, name, n) \
	atomic_fetch_add_explicit(&(s)->name, (n), memory_order_relaxed)
#define stats_sub(s, name, n) \
	atomic_fetch_sub_explicit(&(s)->name, (n), memory_order_relaxed)
#define stats_get(s, name) \
	atomic_load_explicit(&(s)->name, memory_order_relaxed)

static inline struct stats_snapshot
stats_snapshot(const struct run_stats *s)
{
	return (struct stats_snapshot){
#define STATS_FIELD(name) .name = stats_get(s, name),
	    STATS_COUNTERS(STATS_FIELD)
#undef STATS_FIELD
	};
}

#endif
