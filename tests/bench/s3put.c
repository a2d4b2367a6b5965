/* SPDX-License-Identifier: ISC */
/*
 * CPU that the S3 driver takes to send: s3put ENDPOINT BUCKET SIZE COUNT
 * [THREADS]; credentials in the environment.  The server may be any sink that
 * answers 200.  The digests are computed once, outside of the clock.
 */
#include "config.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/text.h"
#include "transfer/store.h"

static struct store *store;
static void *bytes;
static uint64_t size, count, threads = 1;
static struct digest digest;

static void *
work(void *arg)
{
	static const struct item_stat st = {.type = ITEM_FILE,
	    .mode = S_IFREG | 0644,
	    .mtime_ns = 1595002920000000000};
	struct err e = ERR_INIT;
	AUTO(session) struct session *c = store_connect(store, &e);
	struct store_receipt r;
	uint64_t i;
	char key[64];

	for (i = 0; c != NULL && i < count / threads; i++) {
		snprintf(key, sizeof(key), "dir/%zu/file-%06llu",
		    (size_t)(uintptr_t)arg, (unsigned long long)i);
		if (store->ops->put(
			c, key, &st, bytes, size, &digest, &r, &e) == -1) {
			fprintf(stderr, "%s\n", e.msg);
			exit(1);
		}
	}
	return NULL;
}

static double
cpu_s(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	    (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void
measure(void)
{
	pthread_t ids[64];
	uint64_t begun = clock_mono_ms(), i;
	double cpu = cpu_s(), wall;

	for (i = 0; i < threads; i++)
		if (pthread_create(&ids[i], NULL, work, (void *)(uintptr_t)i))
			exit(1);
	for (i = 0; i < threads; i++)
		pthread_join(ids[i], NULL);
	cpu = cpu_s() - cpu;
	wall = (double)(clock_mono_ms() - begun) / 1e3;
	printf("%.0f put/s, %.1f us CPU each, %.3f CPU-s/GiB, %.0f MiB/s\n",
	    (double)count / wall, cpu / (double)count * 1e6,
	    cpu / ((double)count * (double)size) * (1 << 30),
	    (double)count * (double)size / wall / (1 << 20));
}

int
main(int argc, char **argv)
{
	struct store_config config = {.endpoint_url = argv[1],
	    .checksum = "crc64nvme",
	    .ca_bundle = getenv("CA"),
	    .payload_unsigned = getenv("UNSIGNED") != NULL};
	struct err e = ERR_INIT;
	char text[300];

	if (argc < 5 || text_parse_size(argv[3], 1, &size, &e) == -1 ||
	    text_parse_uint(argv[4], 1, 100000000, &count, &e) == -1 ||
	    (argc > 5 && text_parse_uint(argv[5], 1, 64, &threads, &e) == -1)) {
		fprintf(stderr,
		    "usage: s3put ENDPOINT BUCKET SIZE COUNT "
		    "[THREADS]\n%s\n",
		    e.msg);
		return 2;
	}
	snprintf(text, sizeof(text), "s3://%s/bench", argv[2]);
	{
		AUTO(store_url)
		struct store_url *url = store_url_parse(text, &e);
		AUTO(digester) struct digester *d = digester_new(&e);

		store = url != NULL ? store_open(url, &config, &e) : NULL;
		bytes = calloc(1, size + 1);
		if (store == NULL || d == NULL || bytes == NULL) {
			fprintf(stderr, "%s\n", e.msg);
			return 3;
		}
		digester_start(d, store->ops->digests(store));
		digester_update(d, bytes, size);
		digester_finish(d, &digest);
	}
	measure();
	free(bytes);
	store_close(store);
	return 0;
}
