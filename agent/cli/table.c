/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <limits.h>
#include <string.h>

#include "agent/cli/set.h"
#include "agent/cli/table.h"
#include "agent/sample.h"

#define BIT(verb) (1u << (verb))
#define RUNS \
	(BIT(VERB_SYNC) | BIT(VERB_COPY) | BIT(VERB_RETRY) | BIT(VERB_BUNDLE))
#define WALKS (RUNS | BIT(VERB_VERIFY))
#define LEDGERS                                                           \
	(WALKS | BIT(VERB_STATUS) | BIT(VERB_REPORT) | BIT(VERB_EVENTS) | \
	    BIT(VERB_REPLAYS) | BIT(VERB_SUBSCRIPTIONS) | BIT(VERB_DOCTOR))
#define ASKS (BIT(VERB_TASK) | BIT(VERB_STATUS))
#define AGENT (ASKS | BIT(VERB_DAEMON) | BIT(VERB_DOCTOR) | BIT(VERB_INIT))
#define STORES                                                       \
	(WALKS | BIT(VERB_LS) | BIT(VERB_PROBE) | BIT(VERB_DOCTOR) | \
	    BIT(VERB_INIT))
#define WORKS (STORES | LEDGERS)
#define ALL (BIT(VERB_COUNT) - 1)

#define FIELD(name)                              \
	.field = offsetof(struct options, name), \
	.width = sizeof(((struct options *)NULL)->name)

static int
more_verbose(struct options *o, char letter, const char *arg, struct err *e)
{
	(void)letter;
	(void)arg;
	if (o->verbosity < 0)
		return err_set(e, ERR_USAGE, "-q and -v exclude each other");
	if (o->verbosity < 2)
		o->verbosity++;
	return 0;
}

static int
be_quiet(struct options *o, char letter, const char *arg, struct err *e)
{
	(void)letter;
	(void)arg;
	if (o->verbosity > 0)
		return err_set(e, ERR_USAGE, "-q and -v exclude each other");
	o->verbosity = -1;
	return 0;
}

static int
set_links(struct options *o, char letter, const char *arg, struct err *e)
{
	enum scan_links links =
	    letter == 'l' ? SCAN_LINKS_KEEP : SCAN_LINKS_FOLLOW;

	(void)arg;
	if (o->links != SCAN_LINKS_SKIP && o->links != links)
		return err_set(e, ERR_USAGE,
		    "-l and -L exclude each other: store symbolic links, or "
		    "what they lead to");
	o->links = links;
	return 0;
}

static int
set_sample(struct options *o, char letter, const char *arg, struct err *e)
{
	(void)letter;
	return sample_parse(arg, &o->sample_slices, e);
}

static int
add_exclude(struct options *o, char letter, const char *arg, struct err *e)
{
	(void)letter;
	return filter_exclude(o->filter, arg, e);
}

static int
add_include(struct options *o, char letter, const char *arg, struct err *e)
{
	(void)letter;
	return filter_include(o->filter, arg, e);
}

static int
add_rule(struct options *o, char letter, const char *arg, struct err *e)
{
	(void)letter;
	return filter_rule(o->filter, arg, e);
}

static int
add_excludes(struct options *o, char letter, const char *arg, struct err *e)
{
	(void)letter;
	return filter_file(o->filter, arg, '-', e);
}

static int
add_includes(struct options *o, char letter, const char *arg, struct err *e)
{
	(void)letter;
	return filter_file(o->filter, arg, '+', e);
}

static int
add_rules(struct options *o, char letter, const char *arg, struct err *e)
{
	(void)letter;
	return filter_file(o->filter, arg, 'f', e);
}

static int
add_webhook_secret(
    struct options *o, char letter, const char *arg, struct err *e)
{
	(void)letter;
	if (o->webhook_secret_n == OPTIONS_SECRETS_MAX)
		return err_set(
		    e, ERR_USAGE, "more than %d secrets", OPTIONS_SECRETS_MAX);
	o->webhook_secrets[o->webhook_secret_n++] = arg;
	return 0;
}

static int
add_webhook_allow(
    struct options *o, char letter, const char *arg, struct err *e)
{
	(void)letter;
	if (o->webhook_allow_n == OPTIONS_NETWORKS_MAX)
		return err_set(e, ERR_USAGE, "more than %d networks",
		    OPTIONS_NETWORKS_MAX);
	o->webhook_allow[o->webhook_allow_n++] = arg;
	return 0;
}

const struct verb verb_table[VERB_COUNT] = {
    [VERB_SYNC] = {"sync", "SRC DST", 2, 2,
	"Make DST hold what SRC holds; send only what is new or changed.",
	"The contents of SRC go into DST, whether SRC ends in a slash or not. "
	"Nothing is deleted at DST without --delete. Stopped, killed or cut "
	"off, the same "
	"command again goes on where it was: finished parts are kept.",
	"dray sync /data s3://bucket/prefix\n"
	"dray sync -n --exclude '*.tmp' --exclude cache/ /data s3://bucket\n"
	"dray sync --endpoint-url http://10.0.0.7:9000 /data s3://bucket\n"
	"dray sync s3://bucket/prefix /restored\n"
	"dray sync -n --delete /data s3://bucket/prefix\n"},
    [VERB_COPY] = {"copy", "SRC DST", 2, 2, "The same as sync. Never deletes.",
	"The contents of SRC go into DST. Options, state and resuming are "
	"those of sync.",
	"dray copy /data s3://bucket/prefix\n"
	"dray copy -l --reconcile /data /mnt/archive\n"},
    [VERB_VERIFY] = {"verify", "[SRC] DST", 1, 2,
	"Tell whether DST holds what SRC holds. Changes nothing.",
	"Compares type, size, time, owner, mode and content of each item. "
	"Content by what the store tells (ETag, checksum) against the ledger "
	"or the source; files of directories and SFTP by size and time, "
	"unless --deep reads them. A line for each difference: * differs, + "
	"not at DST, - at DST only, ! can't be told. Also called check. "
	"With --manifest there is no SRC.",
	"dray verify /data s3://bucket/prefix\n"
	"dray verify --deep /data /mnt/archive\n"
	"dray verify --combined - /data s3://bucket\n"
	"dray verify --deep --sample 5% /data s3://bucket\n"
	"dray verify --manifest s3://bucket/proof.jsonl s3://bucket/prefix\n"},
    [VERB_LS] = {"ls", "URL", 1, 1, "List what is at URL.",
	"Time, size in bytes and name, one item a line; a directory ends in "
	"a slash.",
	"dray ls s3://bucket/prefix\n"
	"dray ls -R --json s3://bucket\n"},
    [VERB_STATUS] = {"status", "[TASK]", 0, 1,
	"Show the tasks, or one of them, and how far they are.",
	"Reads the ledgers under the state directory, and asks the daemon, "
	"if there is one; may be used while a run goes on. The exit status is "
	"1 for a TASK that the daemon holds after failures.",
	"dray status\n"
	"dray status --watch nightly\n"
	"dray status --format json\n"},
    [VERB_REPORT] = {"report", "[RUN]", 0, 1,
	"Tell what a run moved, and what failed and why.",
	"Without RUN, the last run of the task. A run is named by the number "
	"that its summary and dray status show.",
	"dray report\n"
	"dray report --level all --format csv --output run12.csv 12\n"
	"dray report --format html --output report.html\n"},
    [VERB_RETRY] = {"retry", "[RUN]", 0, 1,
	"Run again, but only for what a run could not do.",
	"Without RUN, the last run of the task. Looks only at what failed, "
	"changed, vanished or could not be read then, from the same SRC to "
	"the same DST with the same options; those given now are added. "
	"Deletes nothing. Exits as sync does.",
	"dray retry\n"
	"dray retry --task nightly 12\n"},
    [VERB_PROBE] = {"probe", "URL", 1, 1,
	"Reach URL and tell what the store there can do.",
	"Checks address, credentials, bucket and clock. Makes no bucket and "
	"no directory.",
	"dray probe s3://bucket\n"
	"dray probe --endpoint-url https://s3.example.org s3://bucket\n"},
    [VERB_EVENTS] = {"events", "WHAT [ID]", 1, 3,
	"Look at events and their deliveries, send what waits, try patterns.",
	"WHAT is one of: tail, all events that are kept, one a line; show ID, "
	"one of them; attempts, how deliveries went; dead, those that were "
	"given up, and dead drop to forget them; redrive, try those again; "
	"replay, send events of the past once more; drain, send what waits "
	"now. They are of all tasks, or of --task. match reads one event "
	"(JSON) from standard input "
	"and tells whether --pattern takes it: exit status 0 if it does, 1 if "
	"not, 2 if pattern or event make no sense. verify reads one request "
	"and tells in the same way whether it was signed by --webhook-secret. "
	"Patterns are those of Amazon EventBridge.",
	"dray events match --pattern '{\"type\": [{\"suffix\": \".v1\"}]}' "
	"<event.json\n"
	"dray events drain --for 10m\n"
	"dray events redrive --sub pipeline --reason max_age\n"
	"dray events replay --sub pipeline --from 2d --to 1d\n"},
    [VERB_REPLAYS] = {"replays", "WHAT", 1, 2,
	"Look at replays of events, or end one.",
	"WHAT is one of: list, the replays of all tasks and how far they are; "
	"cancel NAME, send no more of it.",
	"dray replays list\n"
	"dray replays cancel replay-20261123T080000Z\n"},
    [VERB_SUBSCRIPTIONS] = {"subscriptions", "WHAT [NAME]", 1, 2,
	"Say who is told of events, look how far they are, try them.",
	"WHAT is one of: list, the subscriptions and how far their deliveries "
	"are; show NAME, the same for each task; check, whether the files are "
	"right; test NAME, send one event "
	"of the type dray.test.v1 (or --event) now; handshake NAME, ask the "
	"receiver for its consent; new-secret, make a secret for signatures; "
	"add NAME and remove NAME, write and "
	"delete its file; pause NAME and resume NAME, hold its events and go "
	"on; disable NAME and enable NAME, the same, where something is wrong "
	"with it. What is held is not lost, and is for all tasks.",
	"dray subscriptions check\n"
	"dray subscriptions add pipeline --url https://ci.example.org/in "
	"--set rate=10\n"
	"dray subscriptions pause pipeline\n"
	"dray subscriptions test pipeline\n"
	"dray subscriptions new-secret >pipeline.secret\n"},
    [VERB_TASK] = {"task", "WHAT [NAME [KEY VALUE]]", 1, 4,
	"Look at the tasks of the daemon, and tell it what to do with them.",
	"WHAT is one of: list, all tasks; show NAME; check [NAME], whether the "
	"files are right; start NAME, run it now; stop NAME, end its run when "
	"what is under way is done, and at once if asked again; pause NAME, "
	"no more runs by its schedule until resume NAME, which also lets a "
	"task go on that was held after failures; set NAME bwlimit RATE, of "
	"the "
	"run that goes on; history NAME, its runs. "
	"Without a daemon, list, show, check and history tell what it left.",
	"dray task list\n"
	"dray task start nightly\n"
	"dray task history nightly\n"},
    [VERB_BUNDLE] = {"bundle", "WHAT [SRC] MEDIA [DST]", 2, 3,
	"Write a tree to disks that travel, and bring it in again.",
	"WHAT is one of: create SRC MEDIA, write SRC into tar volumes, with an "
	"index, in the new directory MEDIA; the same command again goes on "
	"where it was, and if the disk is full, on another MEDIA; verify "
	"MEDIA, read them and compare; list MEDIA, what there is; import "
	"MEDIA DST, bring them into any store, as sync does. Symbolic and "
	"hard links, extended attributes and ACLs are kept. Exit status 6: "
	"the disk is full, and there is more.",
	"dray bundle create /srv/data /mnt/disk1/data --volume-size 500G\n"
	"dray bundle create --since-last /srv/data /mnt/disk2/monday\n"
	"dray bundle verify /mnt/disk1/data\n"
	"dray bundle import /mnt/disk1/data s3://bucket/data\n"},
    [VERB_DAEMON] = {"daemon", "", 0, 0,
	"Run the tasks that are configured, on schedule.",
	"Reads dray.conf and tasks.d/*.conf (dray-task(5)) and goes on until "
	"it is told to end by SIGTERM. SIGHUP has it read its files again, "
	"SIGUSR1 open its log file again. dray task and dray status talk to "
	"it.",
	"dray daemon\n"
	"dray daemon --config ./dray.conf -v\n"},
    [VERB_DOCTOR] = {"doctor", "[SRC [DST]]", 0, 2,
	"Look for what would keep a run from working, and say what to change.",
	"Checks libraries, limits, permissions, free space, secrets that "
	"others may read and the clock; of SRC and DST, or those of --task, "
	"also name, TLS, clock and access. Changes nothing. A line each: ok, "
	"warn or fail. Exit status 1 if one failed.",
	"dray doctor\n"
	"dray doctor /data s3://bucket/prefix\n"
	"dray doctor --task nightly\n"},
    [VERB_INIT] = {"init", "[NAME [SRC [DST]]]", 0, 3,
	"Write the file of a task for the daemon.",
	"Asks for what is not given, where there is a terminal: name, source, "
	"target, schedule. Checks that both can be reached, and writes "
	"NAME.conf with mode 0640 where the daemon looks for it. Options of "
	"the store that are given are written, too. Never replaces a file.",
	"dray init\n"
	"dray init nightly /srv/data s3://bucket/data --schedule 22:00\n"
	"dray init nightly /srv/data s3://bucket/data --schedule 22:00 "
	"--set delete=yes\n"},
    [VERB_HELP] = {"help", "[VERB]", 0, 1, "Explain a verb and its options.",
	"The same as dray VERB --help. The manual is dray(1), and a page for "
	"each verb, such as dray-sync(1).",
	"dray help sync\n"},
    [VERB_VERSION] = {"version", "", 0, 0, "Tell dray's version.",
	"The same as dray --version.", "dray version\n"},
};

#define FLAG(n, l, f, ...)                                                 \
	.name = n, .letter = l, .kind = OPTION_FLAG, .value = 1, FIELD(f), \
	__VA_ARGS__
#define CUSTOM(n, l, fn, ...) \
	.name = n, .letter = l, .kind = OPTION_CUSTOM, .set = fn, __VA_ARGS__
#define STRING(n, f, a, ...) \
	.name = n, .kind = OPTION_STRING, FIELD(f), .arg = a, __VA_ARGS__
#define SIZE(n, f, p, ...)                                                    \
	.name = n, .kind = OPTION_SIZE, FIELD(f), .preset = p, .arg = "SIZE", \
	.value = 1 << 20, __VA_ARGS__
#define UINT(n, f, p, lo, hi, ...)                                         \
	.name = n, .kind = OPTION_UINT, FIELD(f), .preset = p, .arg = "N", \
	.min = lo, .max = hi, __VA_ARGS__
#define DURATION(n, f, p, hi, ...)                                 \
	.name = n, .kind = OPTION_DURATION, FIELD(f), .preset = p, \
	.arg = "TIME", .max = hi, __VA_ARGS__
#define ENUM(n, f, p, a, c, ...)                                         \
	.name = n, .kind = OPTION_ENUM, FIELD(f), .preset = p, .arg = a, \
	.choices = c, __VA_ARGS__
#define CHOICE(n, f, p, a, c, ...)                                         \
	.name = n, .kind = OPTION_CHOICE, FIELD(f), .preset = p, .arg = a, \
	.choices = c, __VA_ARGS__

#define WHAT .group = GROUP_WHAT, .verbs = RUNS
#define CHOOSE .group = GROUP_WHAT, .verbs = WALKS
#define CHECKS .group = GROUP_WHAT, .verbs = BIT(VERB_VERIFY)
#define LISTS .group = GROUP_SHOW, .verbs = BIT(VERB_VERIFY)
#define NAMES .group = GROUP_WHAT, .verbs = BIT(VERB_SYNC) | BIT(VERB_COPY)
#define PACKS .group = GROUP_WHAT, .verbs = BIT(VERB_BUNDLE)
#define MIRROR .group = GROUP_WHAT, .verbs = BIT(VERB_SYNC)
#define SPEED .group = GROUP_SPEED, .verbs = WALKS
#define STORE .group = GROUP_STORE, .verbs = STORES
#define SENDING .group = GROUP_STORE, .verbs = RUNS
#define EVENTS .group = GROUP_EVENTS, .verbs = RUNS
#define LOOKS .group = GROUP_EVENTS, .verbs = BIT(VERB_EVENTS)
#define MANAGES .group = GROUP_EVENTS, .verbs = BIT(VERB_SUBSCRIPTIONS)
#define SHOW .group = GROUP_SHOW
#define STATE .group = GROUP_STATE

const struct option_def option_table[] = {
    {FLAG("dry-run", 'n', dry_run, WHAT, .aliases = "dryrun",
	.help = "Tell what would be done, change nothing")},
    {CUSTOM("exclude", 0, add_exclude, CHOOSE, .arg = "PATTERN",
	.help = "Leave out what matches (dray-sync(1), FILTER RULES)")},
    {CUSTOM("include", 0, add_include, CHOOSE, .arg = "PATTERN",
	.help = "Take what matches; the first match decides")},
    {CUSTOM("filter", 0, add_rule, CHOOSE, .arg = "RULE",
	.help = "\"+ PATTERN\", \"- PATTERN\", or \"!\" to forget all rules")},
    {CUSTOM("exclude-from", 0, add_excludes, CHOOSE, .arg = "FILE",
	.help = "Patterns to exclude, one a line")},
    {CUSTOM("include-from", 0, add_includes, CHOOSE, .arg = "FILE",
	.help = "Patterns to include, one a line")},
    {CUSTOM("filter-from", 0, add_rules, CHOOSE, .arg = "FILE",
	.help = "Rules, one a line")},
    {STRING("files-from", files_from, "FILE", NAMES,
	.help = "Only what FILE names, one a line, relative to SRC; - is "
		"standard input")},
    {STRING("changed-from", changed_from, "FILE", NAMES,
	.help = "Only what FILE names as changed: what isn't there any more "
		"is gone")},
    {FLAG("from0", 0, from0, NAMES, .help = "The names end in NUL")},
    {FLAG("dump-filters", 0, dump_filters, CHOOSE,
	.help = "Show the rules in order, do nothing else")},
    {CUSTOM("links", 'l', set_links, CHOOSE,
	.help = "Store symbolic links as links [skipped and counted]")},
    {CUSTOM("copy-links", 'L', set_links, CHOOSE,
	.help = "Store what symbolic links lead to")},
    {FLAG("archive", 'a', archive, CHOOSE,
	.help = "As -l: owners, modes and times are always kept")},
    {FLAG("xattrs", 'X', store.keep_xattrs, CHOOSE,
	.help = "Keep extended attributes; verify: compare them")},
    {FLAG("acls", 'A', store.keep_acls, CHOOSE,
	.help = "Keep POSIX ACLs; verify: compare them")},
    {FLAG("atimes", 'U', store.keep_atimes, WHAT,
	.not_verify = "reading a file changes them, so they can't be compared",
	.help = "Keep the times of the last access to files")},
    {FLAG("sparse", 'S', store.sparse, WHAT,
	.not_verify = "holes are zeros, and compared as such",
	.help = "Make holes of all zeros [only where the source has holes]")},
    {FLAG("hard-links", 'H', hard_links, CHOOSE,
	.help = "Send a file with several names once, and link the others; "
		"verify: compare which names are of one file")},
    {FLAG("one-file-system", 'x', one_file_system, CHOOSE,
	.help = "Don't cross into other file systems")},
    {FLAG("reconcile", 0, reconcile, WHAT,
	.help = "Compare with what the target really has, and tell what "
		"others changed there")},
    {CUSTOM("checksum", 'c', option_set_compare, WHAT,
	.help = "Compare files by their content, not by times")},
    {CUSTOM("size-only", 0, option_set_compare, WHAT,
	.help = "Take files of the same size for the same")},
    {CUSTOM("ignore-times", 'I', option_set_compare, WHAT,
	.help = "Send all files, also those that are as they were")},
    {FLAG("update", 'u', update, WHAT, .help = "Leave what is newer at DST")},
    {FLAG("ignore-existing", 0, ignore_existing, WHAT,
	.aliases = "no-clobber no-overwrite",
	.help = "Leave what is at DST as it is")},
    {ENUM("overwrite", overwrite, "always", "WHAT", "always if-unchanged never",
	WHAT,
	.help = "What may be replaced at DST: always; if-unchanged: only what "
		"this task sent and nobody changed; never")},
    {CUSTOM("if-none-match", 0, option_set_if_none_match, WHAT,
	.help = "The same as --overwrite if-unchanged")},
    {CUSTOM("min-size", 0, option_set_min_size, WHAT, .arg = "SIZE",
	.help = "Leave out smaller files; a bare number is bytes")},
    {CUSTOM("max-size", 0, option_set_max_size, WHAT, .arg = "SIZE",
	.help = "Leave out bigger files")},
    {DURATION("min-age", min_age_ms, NULL, 0, WHAT, .min = 1,
	.help = "Leave out files changed less than TIME ago")},
    {DURATION("max-age", max_age_ms, NULL, 0, WHAT, .min = 1,
	.help = "Leave out files not changed for TIME")},
    {FLAG("delete", 0, delete_extra, MIRROR, .aliases = "delete-after",
	.help = "Delete at DST what SRC has no more, once all is there")},
    {CUSTOM("max-delete", 0, option_set_max_delete, MIRROR, .arg = "N|N%",
	.help = "Delete nothing if it were more than that [50%, and nothing "
		"if SRC is empty]")},
    {FLAG("delete-excluded", 0, delete_excluded, MIRROR,
	.help = "Delete also what filters exclude")},
    {FLAG("ignore-errors", 0, ignore_errors, MIRROR,
	.help = "Delete even if some items didn't get to DST")},
    {STRING("source-marker", source_marker, "NAME", WHAT,
	.help = "Do nothing unless SRC, once mounted, has a file NAME")},
    {STRING("backup-dir", backup_dir, "DIR", WHAT,
	.help = "Keep what is replaced or deleted at DST in DIR, which is "
		"below DST")},
    {FLAG("accept-source", 0, accept_source, WHAT,
	.help = "SRC has moved: take it for the source from now on")},
    {SIZE("volume-size", volume_bytes, NULL, PACKS,
	.help = "create: bytes of a volume at most; a file that is longer is "
		"cut into pieces [any number]")},
    {CUSTOM("compress", 0, option_set_compress, PACKS, .arg = "zstd[:LEVEL]",
	.help = "create: compress the volumes, by a level from 1 to 19 [3]")},
    {FLAG("since-last", 0, since_last, PACKS,
	.help = "create: only what has changed since the last bundle of this "
		"source")},
    {SIZE("estimate-rate", estimate_rate, "119M", WHAT, .min = 1,
	.help = "Bytes a second that a dry run estimates the time by")},
    {ENUM("verify", verify, "transferred", "WHAT", "none transferred all", WHAT,
	.help = "none, transferred (the store must confirm each file), or "
		"all: compare each item at the end, too")},
    {ENUM("digest", sha256, "none", "NAME", "none sha256", WHAT,
	.help =
	    "sha256: take that of each file, too, for manifest and report")},
    {STRING("manifest", manifest, "FILE", CHOOSE,
	.help = "Write what DST has then to FILE (a path or URL); verify: "
		"compare with that, not with SRC")},
    {STRING("metadata-from", metadata_from, "FILE", WHAT,
	.help =
	    "Owners, modes, times, attributes and links as manifest FILE (a "
	    "path or URL) has them, where SRC could not hold them")},
    {FLAG("deep", 0, deep, CHECKS,
	.help = "Read all that DST holds, and compare the bytes")},
    {CUSTOM("sample", 0, set_sample, .group = GROUP_WHAT,
	.verbs = BIT(VERB_VERIFY) | BIT(VERB_BUNDLE), .arg = "PERCENT",
	.help = "Only a part of the items, the next one in the next run")},
    {FLAG("one-way", 0, one_way, CHECKS,
	.help = "What only DST has is no difference")},
    {FLAG("recursive", 'R', recursive, .group = GROUP_WHAT,
	.verbs = BIT(VERB_LS), .help = "List all below URL")},

    {UINT("transfers", transfers, NULL, 1, 1024, SPEED, .aliases = "numworkers",
	.help = "Requests under way at a time [16; with SFTP: up to 512]")},
    {UINT("concurrency", concurrency, "8", 1, 1024, SPEED,
	.help = "Parts of one file under way at a time")},
    {UINT("scan-threads", scan_threads, "0", 0, 64, SPEED,
	.help = "Threads that read directories; 0: 2, or 16 where the source "
		"isn't local")},
    {SIZE("part-size", part_bytes, "16M", SPEED, .aliases = "chunk-size",
	.min = 1,
	.help = "Size of a part; a bare number is MiB. Grows for files of "
		"over 10,000 parts")},
    {SIZE("multipart-threshold", threshold_bytes, "32M", SPEED,
	.help = "Files from this size on go in parts")},
    {SIZE("memory", memory_bytes, "256M", SPEED, .min = 1 << 20,
	.help = "All buffers for file contents together")},
    {UINT("retries", retries, "8", 1, 1000, SPEED, .aliases = "retry-count",
	.help = "Attempts of one request in all")},
    {CUSTOM("bwlimit", 0, option_set_bwlimit, SPEED, .arg = "RATE",
	.help = "Bytes a second over the network, all connections together: "
		"10M; a bare number is KiB; off; by the time of day: "
		"08:00,10M 19:00,off")},
    {DURATION("max-duration", max_duration_ms, NULL, 0, SPEED, .min = 1,
	.help = "Stop after TIME, as if interrupted; the next run goes on")},
    {FLAG("no-fsync", 0, store.no_fsync, .group = GROUP_SPEED, .verbs = RUNS,
	.help = "File targets: leave it to the system when data reaches the "
		"disk")},

    {STRING("endpoint-url", store.endpoint_url, "URL", STORE,
	.help = "Address of the S3 service [AWS_ENDPOINT_URL_S3, "
		"AWS_ENDPOINT_URL, or AWS]")},
    {STRING("region", store.region, "NAME", STORE,
	.help = "Region [AWS_REGION, or the profile's]")},
    {STRING("profile", store.profile, "NAME", STORE,
	.help = "Profile in the AWS files [AWS_PROFILE, or default]")},
    {STRING("source-endpoint-url", source_endpoint_url, "URL", STORE,
	.help = "The same for an S3 source, where it is another "
		"[--endpoint-url]")},
    {STRING("source-region", source_region, "NAME", STORE,
	.help = "The source's region [--region]")},
    {STRING("source-profile", source_profile, "NAME", STORE,
	.help = "The source's profile [--profile]")},
    {CHOICE("addressing", store.addressing, "auto", "HOW", "auto path virtual",
	STORE,
	.help = "Bucket in the path or in the host name: auto, path, "
		"virtual")},
    {STRING("ca-bundle", store.ca_bundle, "FILE", .group = GROUP_STORE,
	.verbs = STORES | BIT(VERB_EVENTS),
	.help = "Certificates to trust [AWS_CA_BUNDLE, or the system's]")},
    {FLAG("no-verify-ssl", 0, store.no_verify_tls, STORE,
	.help = "Trust any server. Every report says so")},
    {ENUM("payload-signing", store.payload_unsigned, "on", "on|off", "on off",
	SENDING,
	.help = "Sign contents over plain HTTP; off saves CPU in a network "
		"you trust")},
    {CHOICE("checksum-algorithm", store.checksum, "auto", "NAME",
	"auto crc64nvme crc32c md5 none", SENDING,
	.help = "What the store checks: auto, crc64nvme, crc32c, md5, none")},
    {STRING("storage-class", store.storage_class, "NAME", SENDING,
	.help = "Storage class of new objects")},
    {CHOICE("object-lock-mode", store.lock_mode, NULL, "MODE",
	"GOVERNANCE COMPLIANCE", SENDING,
	.help = "Lock new objects: GOVERNANCE or COMPLIANCE")},
    {CUSTOM("object-lock-retain-until", 0, option_set_lock_until, SENDING,
	.arg = "DATE", .help = "Until when: a date, or +30d")},
    {FLAG("object-lock-legal-hold", 0, store.legal_hold, SENDING,
	.help = "Put new objects under a legal hold")},
    {STRING("proxy", store.proxy, "URL", STORE,
	.help = "HTTP proxy [HTTPS_PROXY, NO_PROXY]")},
    {STRING("bind", store.bind_address, "ADDR", STORE,
	.help = "Source address or interface")},
    {DURATION("timeout", store.timeout_ms, "60s", UINT_MAX, STORE, .min = 1,
	.help = "A connection silent for so long is dead")},
    {DURATION("connect-timeout", store.connect_timeout_ms, "10s", UINT_MAX,
	STORE, .min = 1, .help = "Time to get a connection")},

    {CHOICE("sftp-transport", store.sftp_transport, "auto", "HOW",
	"auto libssh2 openssh", STORE,
	.help = "SFTP through ssh(1) or built in: auto, openssh, libssh2")},
    {UINT("sftp-connections", store.sftp_connections, "4", 1, 64, STORE,
	.help = "SFTP: the most connections to the server")},
    {STRING("sftp-identity", store.sftp_identity, "FILE", STORE,
	.help = "SFTP: private key [ssh-agent, ssh_config, ~/.ssh]")},
    {STRING("sftp-password-file", store.sftp_password_file, "FILE", STORE,
	.help = "SFTP: the password is FILE's first line; or "
		"credential:NAME or env:NAME")},
    {STRING("sftp-passphrase-file", store.sftp_passphrase_file, "FILE", STORE,
	.help = "SFTP: the private key's passphrase, likewise")},
    {STRING("sftp-known-hosts", store.sftp_known_hosts, "FILE", STORE,
	.help = "SFTP: host keys to trust [~/.ssh/known_hosts and "
		"/etc/ssh/ssh_known_hosts]")},
    {STRING("sftp-ssh", store.sftp_ssh, "COMMAND", STORE,
	.help = "SFTP: ssh(1) and arguments, split at spaces [ssh]")},
    {STRING("sftp-checksum", store.sftp_checksum, "COMMAND", STORE,
	.help = "SFTP: prove what was sent by its checksum, taken there by "
		"COMMAND (sha256sum), instead of reading it back")},

    {STRING("webhook", webhook, "URL", .group = GROUP_EVENTS,
	.verbs = RUNS | BIT(VERB_EVENTS),
	.help = "Send events of the run to URL: files that are done or failed, "
		"and how the run ends (dray-events(7))")},
    {CUSTOM("webhook-secret", 0, add_webhook_secret, .group = GROUP_EVENTS,
	.verbs = RUNS | BIT(VERB_EVENTS) | BIT(VERB_SUBSCRIPTIONS),
	.arg = "REF",
	.help = "Sign them with the secret in file:PATH, credential:NAME or "
		"env:NAME; again for several")},
    {CUSTOM("webhook-allow", 0, add_webhook_allow, .group = GROUP_EVENTS,
	.verbs = RUNS | BIT(VERB_EVENTS) | BIT(VERB_SUBSCRIPTIONS),
	.arg = "NETWORK",
	.help = "Addresses that are private, or have no TLS, to which events "
		"may go: 10.0.0.0/8")},
    {DURATION("events-drain", events_drain_ms, "30s", 86400000, EVENTS,
	.help = "The longest wait for events that are not delivered when all "
		"else is done")},
    {STRING("events-archive", events_archive, "FILE", EVENTS,
	.help = "Write all events below FILE, too, a directory or URL of any "
		"store, as objects of JSON lines by hour")},
    {DURATION("events-keep-age", events_keep_age_ms, "14d", 0, EVENTS,
	.help = "How long events are kept that everybody had")},
    {UINT("events-keep-rows", events_keep_rows, "10000000", 0, INT64_MAX,
	EVENTS,
	.help = "The most events that are kept, whoever waits for them; what "
		"was not delivered becomes a dead letter. 0: any number")},
    {SIZE("events-keep-bytes", events_keep_bytes, "8G", EVENTS,
	.help = "The most bytes of events that are kept, likewise")},
    {CHOICE("event", test_event, "test", "TYPE",
	"test file.completed file.deleted file.failed run.started "
	"run.completed run.failed",
	.group = GROUP_EVENTS, .verbs = BIT(VERB_SUBSCRIPTIONS),
	.help = "test: what kind of event to send")},
    {FLAG("ed25519", 0, ed25519, .group = GROUP_EVENTS,
	.verbs = BIT(VERB_SUBSCRIPTIONS),
	.help = "new-secret: a pair of keys, of which the receiver gets the "
		"public one")},
    {STRING("pattern", pattern, "PATTERN", .group = GROUP_EVENTS,
	.verbs = RUNS | BIT(VERB_EVENTS) | BIT(VERB_SUBSCRIPTIONS),
	.help = "Only events that this event pattern takes")},
    {DURATION("for", events_drain_ms, "30s", 86400000, LOOKS,
	.help = "drain: how long at most")},
    {STRING("sub", of_subscription, "NAME", LOOKS,
	.help = "Deliveries to this subscription only")},
    {STRING("id", of_event, "ID", LOOKS, .help = "Of this event only")},
    {STRING("reason", of_reason, "REASON", LOOKS,
	.help = "dead, redrive: only what was given up for this reason")},
    {FLAG("failed", 0, failed_only, LOOKS,
	.help = "attempts: only those that failed")},
    {FLAG("follow", 'f', follow, LOOKS,
	.help = "tail: go on with those that happen")},
    {CUSTOM("since", 0, option_set_since, LOOKS, .arg = "TIME",
	.help = "tail: those after a time (2026-11-23T08:00:00Z), or after "
		"2h ago")},
    {CUSTOM("from", 0, option_set_from, LOOKS, .arg = "TIME",
	.help = "replay: those at this time or later")},
    {CUSTOM("to", 0, option_set_to, LOOKS, .arg = "TIME",
	.help = "replay: those before this time")},
    {STRING("name", replay_name, "NAME", LOOKS,
	.help = "replay: what to call it [by the time]")},
    {FLAG("new-ids", 0, new_ids, LOOKS,
	.help = "replay: with new ids, for receivers that skip what they "
		"had")},
    {FLAG("from-archive", 0, from_archive, LOOKS,
	.help = "replay: also those that are only in the archive of the "
		"task's last run")},
    {UINT("rate", replay_rate, NULL, 1, 100000, LOOKS,
	.help = "redrive, replay: so many a second at most [that of its "
		"subscription]")},
    {STRING("url", url, "URL", MANAGES, .help = "add: where events go")},
    {STRING("schedule", schedule, "WHEN", .group = GROUP_WHAT,
	.verbs = BIT(VERB_INIT),
	.help = "When it runs, as dray-task(5) has it [when it is told to]")},
    {CUSTOM("set", 0, option_add_setting, .group = GROUP_EVENTS,
	.verbs = BIT(VERB_SUBSCRIPTIONS) | BIT(VERB_INIT), .arg = "KEY=VALUE",
	.help = "A line of the file (init: dray-task(5), subscriptions add: "
		"dray-subscriptions(5)); again for several")},
    {FLAG("force", 0, force, .group = GROUP_EVENTS,
	.verbs = BIT(VERB_SUBSCRIPTIONS) | BIT(VERB_INIT),
	.help = "subscriptions remove: also if events wait, which are given "
		"up; init: also if a store is not reached")},

    {CUSTOM("verbose", 'v', more_verbose, SHOW,
	.verbs = WORKS | BIT(VERB_DAEMON),
	.help = "A line for each item; -vv: for each request too")},
    {CUSTOM("quiet", 'q', be_quiet, SHOW, .verbs = WORKS | AGENT,
	.help = "Nothing but errors")},
    {.name = "progress",
	.letter = 'P',
	.kind = OPTION_FLAG,
	.value = PROGRESS_ON,
	FIELD(progress),
	SHOW,
	.verbs = WALKS,
	.help = "The live line, even where there is no terminal"},
    {DURATION("stats", stats_ms, NULL, 0, SHOW, .verbs = WALKS,
	.help = "Time between progress lines where there is no terminal; 0: "
		"none [30s; --json: 1s]")},
    {FLAG("json", 0, json, SHOW, .verbs = WORKS | BIT(VERB_TASK),
	.help = "JSON lines on standard output")},
    {FLAG("no-items", 0, no_items, SHOW, .verbs = RUNS,
	.help = "With --json: no line for an item that is all right")},
    {FLAG("watch", 0, watch, SHOW, .verbs = BIT(VERB_STATUS),
	.help = "Show how the daemon's tasks are, second by second")},
    {CHOICE("format", format, "text", "FORMAT", "text json csv html datasync",
	SHOW, .verbs = BIT(VERB_STATUS) | BIT(VERB_REPORT),
	.help = "text or json; report also: csv, html, datasync")},
    {CHOICE("level", level, NULL, "WHAT", "errors all", SHOW,
	.verbs = BIT(VERB_REPORT),
	.help =
	    "errors, or all: each item too [text, html: errors; else all]")},
    {STRING("output", output, "FILE", SHOW, .verbs = BIT(VERB_REPORT),
	.help = "Write the report to FILE (datasync: below that directory)")},
    {STRING("combined", combined, "FILE", LISTS,
	.help = "All paths with their symbol (= * + - !); - is standard "
		"output")},
    {STRING("match", match, "FILE", LISTS, .help = "Paths that are equal")},
    {STRING("differ", differ, "FILE", LISTS, .help = "Paths that differ")},
    {STRING("missing-on-src", missing_on_src, "FILE", LISTS,
	.help = "Paths that only DST has")},
    {STRING("missing-on-dst", missing_on_dst, "FILE", LISTS,
	.help = "Paths that only SRC has")},
    {STRING("error", error, "FILE", LISTS,
	.help = "Paths that could not be compared")},
    {STRING("log-file", log_file, "FILE", SHOW,
	.verbs = WORKS | BIT(VERB_DAEMON),
	.help = "Append messages to FILE, with the time")},
    {.name = "help",
	.letter = 'h',
	.kind = OPTION_HELP,
	SHOW,
	.verbs = ALL,
	.help = "This text"},

    {STRING("task", task, "NAME", STATE, .verbs = LEDGERS,
	.help = "Name of the task [made from SRC and DST]")},
    {UINT("control-fd", control_fd, NULL, 0, 1 << 20, STATE, .verbs = WALKS)},
    {STRING("state-dir", state_dir, "DIR", STATE, .verbs = LEDGERS,
	.help = "Where ledgers are kept [/var/lib/dray for root, else "
		"~/.local/state/dray]")},
    {STRING("config", config, "FILE", STATE, .verbs = AGENT,
	.help = "The daemon's settings [/etc/dray/dray.conf for root, else "
		"~/.config/dray/dray.conf]")},
    {STRING("control", control, "SOCKET", STATE, .verbs = ASKS,
	.help = "Where the daemon answers [as its settings say]")},
    {STRING("subscriptions-dir", subscriptions_dir, "DIR", STATE,
	.verbs = RUNS | BIT(VERB_EVENTS) | BIT(VERB_SUBSCRIPTIONS),
	.help = "Who else is told of events: NAME.conf files, or none "
		"[/etc/dray/subscriptions.d for root, else "
		"~/.config/dray/subscriptions.d]")},
};

const size_t option_count = sizeof(option_table) / sizeof(option_table[0]);

const char *
option_group_title(enum option_group group)
{
	static const char *const titles[GROUP_COUNT] = {
	    [GROUP_WHAT] = "What",
	    [GROUP_SPEED] = "How fast",
	    [GROUP_STORE] = "The store",
	    [GROUP_EVENTS] = "Events",
	    [GROUP_SHOW] = "What you see",
	    [GROUP_STATE] = "State",
	};

	return titles[group];
}

int
words_index(const char *words, const char *s, size_t len)
{
	int i;

	for (i = 0; *words != '\0'; i++) {
		size_t n = strcspn(words, " ");

		if (n == len && memcmp(words, s, n) == 0)
			return i;
		words += n;
		words += strspn(words, " ");
	}
	return -1;
}

const struct option_def *
option_by_name(const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < option_count; i++) {
		const struct option_def *d = &option_table[i];

		if (words_index(d->name, name, len) != -1 ||
		    (d->aliases != NULL &&
			words_index(d->aliases, name, len) != -1))
			return d;
	}
	return NULL;
}

const struct option_def *
option_by_letter(char letter)
{
	size_t i;

	for (i = 0; i < option_count; i++)
		if (option_table[i].letter == letter && letter != '\0')
			return &option_table[i];
	return NULL;
}

#define WORD_MAX 40

/* Edits (insert, drop, replace a byte) from the LEN bytes at A to B. */
static size_t
distance(const char *a, size_t len, const char *b)
{
	size_t row[WORD_MAX + 1];
	size_t n = strlen(b), i, j;

	if (len > WORD_MAX || n > WORD_MAX)
		return SIZE_MAX;
	for (j = 0; j <= n; j++)
		row[j] = j;
	for (i = 0; i < len; i++) {
		size_t diagonal = row[0];

		row[0] = i + 1;
		for (j = 0; j < n; j++) {
			size_t best = diagonal + (a[i] != b[j]);

			diagonal = row[j + 1];
			if (diagonal + 1 < best)
				best = diagonal + 1;
			if (row[j] + 1 < best)
				best = row[j] + 1;
			row[j + 1] = best;
		}
	}
	return row[n];
}

/* How far what was typed is from NAME; its beginning is near. */
static size_t
strangeness(const char *typed, size_t len, const char *name)
{
	if (len >= 3 && strncmp(typed, name, len) == 0)
		return 1;
	return distance(typed, len, name);
}

const char *
option_nearest(const char *name, size_t len, enum verb_id verb)
{
	const char *nearest = NULL;
	size_t least = len / 3 + 2; /* farther is no help */
	size_t i;

	for (i = 0; i < option_count; i++) {
		const struct option_def *d = &option_table[i];
		size_t far = strangeness(name, len, d->name);

		if ((verb == VERB_COUNT || (d->verbs & BIT(verb)) != 0) &&
		    d->help != NULL && far < least) {
			least = far;
			nearest = d->name;
		}
	}
	return nearest;
}

enum verb_id
verb_by_name(const char *name)
{
	int i;

	if (strcmp(name, "check") == 0)
		return VERB_VERIFY;
	for (i = 0; i < VERB_COUNT; i++)
		if (strcmp(verb_table[i].name, name) == 0)
			break;
	return (enum verb_id)i;
}

static const struct {
	const char *names; /* as users of other tools type them */
	const char *hint;
} verb_hints[] = {
    {"cp copyto rsync mirror upload put push",
	"dray copy SRC DST moves a tree, and so does dray sync SRC DST"},
    {"cryptcheck compare diff",
	"dray verify SRC DST tells whether they are equal"},
    {"lsl lsd lsf lsjson list dir tree find du size",
	"dray ls URL lists a place, dray ls -R all below it"},
    {"mv move moveto", "dray never deletes at the source: dray sync SRC DST"},
    {"rm delete purge del remove cleanup rmdir",
	"dray sync --delete deletes at DST what SRC has no more, and nothing "
	"else does"},
    {"run start resume restart continue",
	"the same dray sync SRC DST again goes on where it was"},
    {"config configure setup",
	"dray init writes the file of a task; credentials come from the "
	"environment or the AWS files, the rest from options"},
    {"test ping lookup", "dray probe URL tells whether a store is there"},
    {"log logs history runs failed errors",
	"dray report tells what a run did, dray status lists the tasks"},
};

int
verb_unknown(const char *name, struct err *e)
{
	const char *nearest = NULL;
	size_t least = 3, i;

	if (strchr(name, '/') != NULL)
		return err_set(e, ERR_USAGE,
		    "%.200s: say what to do: dray sync SRC DST", name);
	for (i = 0; i < sizeof(verb_hints) / sizeof(verb_hints[0]); i++)
		if (words_index(verb_hints[i].names, name, strlen(name)) != -1)
			return err_set(e, ERR_USAGE, "no verb \"%s\": %s", name,
			    verb_hints[i].hint);
	for (i = 0; i < VERB_COUNT; i++) {
		size_t far = distance(name, strlen(name), verb_table[i].name);

		if (far < least) {
			least = far;
			nearest = verb_table[i].name;
		}
	}
	if (nearest != NULL)
		return err_set(e, ERR_USAGE,
		    "no verb \"%s\"; did you mean \"%s\"?", name, nearest);
	return err_set(e, ERR_USAGE, "no verb \"%.200s\"; see dray help", name);
}
