/* SPDX-License-Identifier: MIT */
#include "crime.h"

#include <new>

template <typename Allocate> static void throws(Allocate allocate)
{
	bool thrown = false;

	try {
		opaque(allocate()); /* lest the compiler leave it out */
	} catch (const std::bad_alloc &) {
		thrown = true;
	}
	CHECK(thrown);
}

int main()
{
	const size_t size = opaque_size(PTRDIFF_MAX);

	throws([=] { return ::operator new(size); });
	throws([=] { return ::operator new[](size); });
	throws([=] { return ::operator new(size, std::align_val_t(64)); });
	throws([=] { return ::operator new[](size, std::align_val_t(64)); });
	CHECK(!::operator new(size, std::nothrow));
	CHECK(!::operator new[](size, std::nothrow));
	CHECK(!::operator new(size, std::align_val_t(64), std::nothrow));
	CHECK(!::operator new[](size, std::align_val_t(64), std::nothrow));
	return 0;
}
