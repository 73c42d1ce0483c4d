/* SPDX-License-Identifier: MIT */
/* The questions that malloc answers about itself, asked where the answer allocates. */
#include "crime.h"

#include <fcntl.h>

/* mallinfo() is asked on purpose. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

int main(void)
{
	char *text = NULL;
	size_t length = 0;
	FILE *memory = open_memstream(&text, &length);
	void *block = malloc(1 << 20);

	CHECK(memory && block);
	CHECK(mallinfo2().uordblks + mallinfo2().hblkhd >= 1 << 20);
	CHECK(mallinfo().uordblks + mallinfo().hblkhd >= 1 << 20);
	CHECK(malloc_info(0, memory) == 0);
	CHECK(fclose(memory) == 0);
	CHECK(length > 0 && text[0] == '<');
	free(text);
	errno = 0;
	CHECK(malloc_info(1, stdout) != 0);
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_MMAP_THRESHOLD, 1 << 20);
	mallopt(12345, 6);
	free(block);
	malloc_trim(0);
	/* Standard error is what it is now, not what it was once. */
	CHECK(dup2(open("statistics", O_RDWR | O_CREAT, 0600), 2) == 2);
	malloc_stats();
	return lseek(2, 0, SEEK_END) > 0 ? 0 : 1;
}
