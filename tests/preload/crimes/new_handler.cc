/* SPDX-License-Identifier: MIT */
/* The handler is called again and again until it gives up. */
#include "crime.h"

#include <new>

static int calls;

int main()
{
	bool thrown = false;

	std::set_new_handler([] {
		if (++calls == 3)
			throw std::bad_alloc();
	});
	try {
		opaque(::operator new(opaque_size(PTRDIFF_MAX)));
	} catch (const std::bad_alloc &) {
		thrown = true;
	}
	CHECK(thrown && calls == 3);
	calls = 0;
	CHECK(!::operator new(opaque_size(PTRDIFF_MAX), std::nothrow));
	CHECK(calls == 3);
	return 0;
}
