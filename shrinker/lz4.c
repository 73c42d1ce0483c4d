/* SPDX-License-Identifier: MIT */
#include "shrinker/lz4.h"

#include <dlfcn.h>
#include <errno.h>
#include <lz4.h>
#include <string.h>

#include "alloc/base/atomic.h"

#define LIBRARY "liblz4.so.1"
#define CHUNK	(128ul << 10)

/* Faster and worse than this pays neither for memory nor for the file. */
#define ACCELERATION 1

/* Const once they are set; ->compress last, which pairs with is_loaded(). */
static struct {
	__typeof__(&LZ4_sizeofState) sizeof_state;
	__typeof__(&LZ4_compress_fast_extState) compress;
	__typeof__(&LZ4_decompress_safe) decompress;
} lz4;

/* In front of a chunk: its length, or that of the chunk as it was: then it is not packed. */
typedef uint32_t header;

static bool is_loaded(void)
{
	return load_acquire(&lz4.compress);
}

int lz4_load(void)
{
	__typeof__(&LZ4_compress_fast_extState) compress;
	void *library;

	if (is_loaded())
		return 0;
	library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	if (!library)
		return -ENOSYS;
	lz4.sizeof_state = (__typeof__(lz4.sizeof_state))dlsym(library, "LZ4_sizeofState");
	lz4.decompress = (__typeof__(lz4.decompress))dlsym(library, "LZ4_decompress_safe");
	compress = (__typeof__(compress))dlsym(library, "LZ4_compress_fast_extState");
	if (!lz4.sizeof_state || !lz4.decompress || !compress) {
		dlclose(library);
		return -ENOSYS;
	}
	store_release(&lz4.compress, compress);
	return 0;
}

size_t lz4_work_bytes(void)
{
	return (size_t)lz4.sizeof_state();
}

/* What a chunk is packed to, with its header; 0: more than @room. */
static size_t pack_chunk(const char *data, size_t bytes, char *to, size_t room, void *work)
{
	header length;
	size_t most;

	if (room <= sizeof(length))
		return 0;
	most = min_t(size_t, room - sizeof(length), bytes - 1);
	length = (header)lz4.compress(work, data, to + sizeof(length), (int)bytes, (int)most,
				      ACCELERATION);
	if (!length) {
		if (room - sizeof(length) < bytes)
			return 0;
		memcpy(to + sizeof(length), data, bytes);
		length = (header)bytes;
	}
	memcpy(to, &length, sizeof(length));
	return sizeof(length) + length;
}

size_t lz4_pack(const void *data, size_t bytes, void *to, size_t room, void *work,
		bool (*stop)(const void *arg), const void *arg)
{
	size_t packed = 0;

	for (size_t done = 0; done < bytes;) {
		size_t chunk = min_t(size_t, CHUNK, bytes - done);
		size_t length = stop(arg) ? 0
					  : pack_chunk((const char *)data + done, chunk,
						       (char *)to + packed, room - packed, work);

		packed += length;
		done += chunk;
		if (!length || packed >= done)
			return 0;
	}
	return packed;
}

/* How much of @packed it was; 0: it is none. */
static size_t unpack_chunk(const char *packed, size_t left, char *data, size_t bytes)
{
	header length;

	if (left <= sizeof(length))
		return 0;
	memcpy(&length, packed, sizeof(length));
	packed += sizeof(length);
	if (length > bytes || length > left - sizeof(length))
		return 0;
	if (length == bytes)
		memcpy(data, packed, bytes);
	else if (lz4.decompress(packed, data, (int)length, (int)bytes) != (int)bytes)
		return 0;
	return sizeof(length) + length;
}

int lz4_unpack(const void *packed, size_t length, void *data, size_t bytes)
{
	size_t used = 0;

	for (size_t done = 0; done < bytes;) {
		size_t chunk = min_t(size_t, CHUNK, bytes - done);
		size_t one = unpack_chunk((const char *)packed + used, length - used,
					  (char *)data + done, chunk);

		if (!one)
			return -EIO;
		used += one;
		done += chunk;
	}
	return used == length ? 0 : -EIO;
}
