/* SPDX-License-Identifier: MIT */
/* The less known names work, and what they give goes back by any of them. */
#include "crime.h"

#include <dlfcn.h>

extern void *__libc_malloc(size_t size);
extern void __libc_free(void *block);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *block, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

static void hand_back(void *block, int way)
{
	void (*freed)(void *) = (void (*)(void *))dlsym(RTLD_DEFAULT, "cfree");
	void (*freed_sized)(void *, size_t) =
		(void (*)(void *, size_t))dlsym(RTLD_DEFAULT, "free_sized");

	CHECK(block);
	memset(block, 'x', 100);
	if (way == 0 && freed)
		freed(block);
	else if (way == 1 && freed_sized)
		freed_sized(block, 100);
	else if (way == 2)
		__libc_free(block);
	else
		free(block);
}

int main(void)
{
	void (*free_aligned)(void *, size_t, size_t) =
		(void (*)(void *, size_t, size_t))dlsym(RTLD_DEFAULT, "free_aligned_sized");

	for (int way = 0; way < 4; way++) {
		void *page = valloc(100), *whole = pvalloc(100);

		CHECK((uintptr_t)page % (size_t)getpagesize() == 0);
		CHECK((uintptr_t)whole % (size_t)getpagesize() == 0);
		CHECK(malloc_usable_size(whole) >= (size_t)getpagesize());
		hand_back(page, 3);
		hand_back(whole, 3);
		hand_back(__libc_malloc(100), way);
		hand_back(__libc_calloc(1, 100), way);
		hand_back(__libc_realloc(__libc_malloc(1), 100), way);
		hand_back(__libc_memalign(64, 100), 2 + way % 2);
		hand_back(reallocarray(NULL, 10, 10), way);
	}
	if (free_aligned)
		free_aligned(aligned_alloc(128, 256), 128, 256);
	return 0;
}
