#include <criterion/criterion.h>

Test(selftest, fails)
{
	cr_assert(false);
}
