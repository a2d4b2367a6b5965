/* SPDX-License-Identifier: ISC */
/*
 * Feeds files to a fuzz target, where there is no libFuzzer: each argument is
 * a file or a directory of them.
 */
#include "config.h"

#include <dirent.h>
#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned replayed;

static void
replay_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	struct stat st;
	uint8_t *data;
	size_t n;

	if (f == NULL || fstat(fileno(f), &st) == -1)
		err(1, "%s", path);
	n = (size_t)st.st_size;
	/* of just that size, so that ASan sees what is read beyond */
	data = malloc(n > 0 ? n : 1);
	if (data == NULL || fread(data, 1, n, f) != n)
		err(1, "%s", path);
	fclose(f);
	LLVMFuzzerTestOneInput(data, n);
	free(data);
	replayed++;
}

static void
replay(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *de;
	char name[4096];

	if (d == NULL) {
		replay_file(path);
		return;
	}
	while ((de = readdir(d)) != NULL) {
		if (de->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, de->d_name);
		replay(name);
	}
	closedir(d);
}

int
main(int argc, char **argv)
{
	int i;

	LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
	for (i = 1; i < argc; i++)
		replay(argv[i]);
	printf("%u inputs replayed\n", replayed);
	return 0;
}
