/* SPDX-License-Identifier: MIT */
/* Every operator new with every operator delete that may follow it. */
#include "crime.h"

#include <new>

static void *used(void *block, size_t size, size_t alignment)
{
	CHECK(block);
	CHECK((uintptr_t)block % alignment == 0);
	memset(block, 'x', size);
	return block;
}

static void plain(size_t size)
{
	::operator delete(used(::operator new(size), size, 8));
	::operator delete(used(::operator new(size), size, 8), size);
	::operator delete(used(::operator new(size, std::nothrow), size, 8), std::nothrow);
	::operator delete[](used(::operator new[](size), size, 8));
	::operator delete[](used(::operator new[](size), size, 8), size);
	::operator delete[](used(::operator new[](size, std::nothrow), size, 8), std::nothrow);
}

static void aligned(size_t size, size_t alignment)
{
	auto a = std::align_val_t(alignment);

	::operator delete(used(::operator new(size, a), size, alignment), a);
	::operator delete(used(::operator new(size, a), size, alignment), size, a);
	::operator delete(used(::operator new(size, a, std::nothrow), size, alignment), a,
			  std::nothrow);
	::operator delete[](used(::operator new[](size, a), size, alignment), a);
	::operator delete[](used(::operator new[](size, a), size, alignment), size, a);
	::operator delete[](used(::operator new[](size, a, std::nothrow), size, alignment), a,
			    std::nothrow);
}

int main()
{
	for (size_t size = 0; size < 3 << 20; size = size * 2 + 1) {
		plain(size);
		for (size_t alignment = 16; alignment <= 1 << 16; alignment *= 4)
			aligned(size, alignment);
	}
	::operator delete(nullptr);
	::operator delete[](nullptr);
	return 0;
}
