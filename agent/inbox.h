/* SPDX-License-Identifier: ISC */
/*
 * The coordinator's inbox: batches from the walkers, answers from the workers.
 * Answers are never held up (the coordinator bounds how many jobs there are);
 * batches are, once enough wait: that is what slows the scan down to the pace
 * of the transfers.  Thread-safe.
 */
#ifndef AGENT_INBOX_H
#define AGENT_INBOX_H

#include <stdbool.h>

#include "agent/job.h"
#include "base/auto.h"
#include "transfer/scan.h"

struct inbox;

struct inbox *inbox_new(unsigned batches_max, struct err *e);
/* Frees what is still in it. */
void inbox_free(struct inbox *in);
AUTO_DEFINE(inbox, struct inbox, inbox_free)

/* Waits while too many batches are there; false once inbox_refuse() was
 * called (the batch is freed then). */
bool inbox_batch(struct inbox *in, struct scan_batch *b);
void inbox_scan_done(struct inbox *in);
/* FIRST and what follows it by next. */
void inbox_answer(struct inbox *in, struct job *first);
/* Takes no batches any more. */
void inbox_refuse(struct inbox *in);

/*
 * Waits until there is an answer, or a batch and WANT_BATCH, or the scan's
 * end is new, or WAIT_MS have passed; then moves all answers to *ANSWERS and
 * at most one batch to *BATCH (else NULL).  *SCAN_DONE: no batch will come.
 */
void inbox_take(struct inbox *in, bool want_batch, uint64_t wait_ms,
    struct job_list *answers, struct scan_batch **batch, bool *scan_done);

#endif
