/* SPDX-License-Identifier: MIT */
/* operator new at the group's limit, 64 MiB. */
#include "crime.h"

#include <new>
#include <vector>

static char *ballast;

static void throw_ballast_out()
{
	CHECK(ballast);
	delete[] ballast;
	ballast = nullptr;
	std::set_new_handler(nullptr);
}

int main()
{
	std::vector<char *> blocks;
	bool thrown = false;

	blocks.reserve(1000);
	ballast = new char[16 << 20];
	try {
		while (blocks.size() < 100)
			blocks.push_back(new char[1 << 20]);
	} catch (const std::bad_alloc &) {
		thrown = true;
	}
	CHECK(thrown);
	CHECK(blocks.size() >= 32 && blocks.size() < 64);
	CHECK(!new (std::nothrow) char[4 << 20]);

	std::set_new_handler(throw_ballast_out);
	blocks.push_back(new char[8 << 20]);
	CHECK(!ballast);
	for (char *block : blocks)
		delete[] block;
	delete[] new char[32 << 20];
	return 0;
}
