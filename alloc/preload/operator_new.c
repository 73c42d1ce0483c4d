/* SPDX-License-Identifier: MIT */
/*
 * operator new and delete, by their mangled names, so that a C++ program's
 * objects take the short way and no C++ runtime is needed here.
 */
#include <dlfcn.h>
#include <stddef.h>

#include "alloc/base/message.h"
#include "alloc/slab/fast.h"
#include "alloc/slab/kmalloc.h"

typedef void (*new_handler)(void);

/*
 * What operator new does without memory: calls the handler, which makes room,
 * throws or ends the program; without a handler throws std::bad_alloc. This
 * file is compiled with -fexceptions, so that they pass.
 */
static bool make_room(bool nothrow)
{
	new_handler (*get_new_handler)(void) =
		(new_handler(*)(void))dlsym(RTLD_DEFAULT, "_ZSt15get_new_handlerv");
	void (*throw_bad_alloc)(void) =
		(void (*)(void))dlsym(RTLD_DEFAULT, "_ZSt17__throw_bad_allocv");
	new_handler handler = get_new_handler ? get_new_handler() : NULL;

	if (handler) {
		handler();
		return true;
	}
	if (nothrow)
		return false;
	if (throw_bad_alloc)
		throw_bad_alloc();
	die("operator new: out of memory, and no C++ runtime to throw");
}

static noinline void *new_slow(size_t size, size_t align, bool nothrow)
{
	void *ptr = NULL;

	while (!ptr && make_room(nothrow))
		ptr = align ? kmalloc_aligned(align, size, GFP_KERNEL)
			    : kmalloc_fast(size, GFP_KERNEL);
	return ptr;
}

static __always_inline_fn void *new_fast(size_t size, bool nothrow)
{
	void *ptr = kmalloc_fast(size, GFP_KERNEL);

	return likely(ptr) ? ptr : new_slow(size, 0, nothrow);
}

static __always_inline_fn void *new_aligned(size_t size, size_t align, bool nothrow)
{
	void *ptr = kmalloc_aligned(align, size, GFP_KERNEL);

	return likely(ptr) ? ptr : new_slow(size, align, nothrow);
}

#define CXX(name) __asm__(#name) __attribute__((visibility("default")))

/* _Zn: w for new, a for new[]; the tag of nothrow is a reference, unused. */
#define DEFINE_NEW(op, suffix)                                                                     \
	void *cxx_##suffix(size_t size) CXX(_Zn##op##m);                                           \
	void *cxx_##suffix(size_t size)                                                            \
	{                                                                                          \
		return new_fast(size, false);                                                      \
	}                                                                                          \
	void *cxx_##suffix##_nothrow(size_t size, const void *tag) CXX(_Zn##op##mRKSt9nothrow_t);  \
	void *cxx_##suffix##_nothrow(size_t size, const void *tag)                                 \
	{                                                                                          \
		(void)tag;                                                                         \
		return new_fast(size, true);                                                       \
	}                                                                                          \
	void *cxx_##suffix##_aligned(size_t size, size_t align) CXX(_Zn##op##mSt11align_val_t);    \
	void *cxx_##suffix##_aligned(size_t size, size_t align)                                    \
	{                                                                                          \
		return new_aligned(size, align, false);                                            \
	}                                                                                          \
	void *cxx_##suffix##_aligned_nothrow(size_t size, size_t align, const void *tag)           \
		CXX(_Zn##op##mSt11align_val_tRKSt9nothrow_t);                                      \
	void *cxx_##suffix##_aligned_nothrow(size_t size, size_t align, const void *tag)           \
	{                                                                                          \
		(void)tag;                                                                         \
		return new_aligned(size, align, true);                                             \
	}

DEFINE_NEW(w, new)
DEFINE_NEW(a, new_array)

/* What delete is told besides the pointer is not needed. */
#define DEFINE_DELETE(symbol, function)                                                            \
	void function(void *ptr) CXX(symbol);                                                      \
	void function(void *ptr)                                                                   \
	{                                                                                          \
		kfree_fast(ptr, "operator delete");                                                \
	}

DEFINE_DELETE(_ZdlPv, cxx_delete)
DEFINE_DELETE(_ZdlPvm, cxx_delete_sized)
DEFINE_DELETE(_ZdlPvRKSt9nothrow_t, cxx_delete_nothrow)
DEFINE_DELETE(_ZdlPvSt11align_val_t, cxx_delete_aligned)
DEFINE_DELETE(_ZdlPvmSt11align_val_t, cxx_delete_sized_aligned)
DEFINE_DELETE(_ZdlPvSt11align_val_tRKSt9nothrow_t, cxx_delete_aligned_nothrow)
DEFINE_DELETE(_ZdaPv, cxx_delete_array)
DEFINE_DELETE(_ZdaPvm, cxx_delete_array_sized)
DEFINE_DELETE(_ZdaPvRKSt9nothrow_t, cxx_delete_array_nothrow)
DEFINE_DELETE(_ZdaPvSt11align_val_t, cxx_delete_array_aligned)
DEFINE_DELETE(_ZdaPvmSt11align_val_t, cxx_delete_array_sized_aligned)
DEFINE_DELETE(_ZdaPvSt11align_val_tRKSt9nothrow_t, cxx_delete_array_aligned_nothrow)
