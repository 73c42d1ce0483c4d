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
static void make_room(void)
{
	new_handler (*get_new_handler)(void) =
		(new_handler(*)(void))dlsym(RTLD_DEFAULT, "_ZSt15get_new_handlerv");
	void (*throw_bad_alloc)(void) =
		(void (*)(void))dlsym(RTLD_DEFAULT, "_ZSt17__throw_bad_allocv");
	new_handler handler = get_new_handler ? get_new_handler() : NULL;

	if (handler) {
		handler();
		return;
	}
	if (throw_bad_alloc)
		throw_bad_alloc();
	die("operator new: out of memory, and no C++ runtime to throw");
}

static noinline void *new_slow(size_t size, size_t align)
{
	void *ptr = NULL;

	while (!ptr) {
		make_room();
		ptr = align ? kmalloc_aligned(align, size, GFP_NOFS)
			    : kmalloc_fast(size, GFP_NOFS);
	}
	return ptr;
}

static __always_inline_fn void *new_fast(size_t size)
{
	void *ptr = kmalloc_fast(size, GFP_NOFS);

	return likely(ptr) ? ptr : new_slow(size, 0);
}

static __always_inline_fn void *new_aligned(size_t size, size_t align)
{
	void *ptr = kmalloc_aligned(align, size, GFP_NOFS);

	return likely(ptr) ? ptr : new_slow(size, align);
}

/*
 * Who asked for no exception: the C++ runtime's function of the same name calls
 * the throwing one, ours, and catches what it throws; C cannot.
 */
static noinline void *nothrow_slow(const char *symbol, size_t size, const void *tag)
{
	void *(*next)(size_t, const void *) =
		(void *(*)(size_t, const void *))dlsym(RTLD_NEXT, symbol);

	return next ? next(size, tag) : NULL;
}

static noinline void *nothrow_aligned_slow(const char *symbol, size_t size, size_t align,
					   const void *tag)
{
	void *(*next)(size_t, size_t, const void *) =
		(void *(*)(size_t, size_t, const void *))dlsym(RTLD_NEXT, symbol);

	return next ? next(size, align, tag) : NULL;
}

#define CXX(name) __asm__(#name) __attribute__((visibility("default")))

/* _Zn: w for new, a for new[]; the tag of nothrow is a reference. */
#define DEFINE_NEW(op, suffix)                                                                     \
	void *cxx_##suffix(size_t size) CXX(_Zn##op##m);                                           \
	void *cxx_##suffix(size_t size)                                                            \
	{                                                                                          \
		return new_fast(size);                                                             \
	}                                                                                          \
	void *cxx_##suffix##_nothrow(size_t size, const void *tag) CXX(_Zn##op##mRKSt9nothrow_t);  \
	void *cxx_##suffix##_nothrow(size_t size, const void *tag)                                 \
	{                                                                                          \
		void *ptr = kmalloc_fast(size, GFP_NOFS);                                        \
                                                                                                   \
		return likely(ptr) ? ptr : nothrow_slow("_Zn" #op "mRKSt9nothrow_t", size, tag);   \
	}                                                                                          \
	void *cxx_##suffix##_aligned(size_t size, size_t align) CXX(_Zn##op##mSt11align_val_t);    \
	void *cxx_##suffix##_aligned(size_t size, size_t align)                                    \
	{                                                                                          \
		return new_aligned(size, align);                                                   \
	}                                                                                          \
	void *cxx_##suffix##_aligned_nothrow(size_t size, size_t align, const void *tag)           \
		CXX(_Zn##op##mSt11align_val_tRKSt9nothrow_t);                                      \
	void *cxx_##suffix##_aligned_nothrow(size_t size, size_t align, const void *tag)           \
	{                                                                                          \
		void *ptr = kmalloc_aligned(align, size, GFP_NOFS);                              \
                                                                                                   \
		return likely(ptr)                                                                 \
			       ? ptr                                                               \
			       : nothrow_aligned_slow("_Zn" #op "mSt11align_val_tRKSt9nothrow_t",  \
						      size, align, tag);                           \
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
