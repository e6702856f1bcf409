/* SPDX-License-Identifier: MIT */
/*
 * local.h - values that belong to a goroutine.
 *
 * Two slots are there at once; any number of keys can be made.  A goroutine
 * begins with all of them null.
 */
#ifndef GAMP_LOCAL_H
#define GAMP_LOCAL_H

#include <gamp/api.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GAMP_SLOTS 2

/* A key: names one value of every goroutine.  Zero is no key. */
struct gamp_key {
	uint32_t index, seq;
};

/*
 * gamp_slots - the calling goroutine's GAMP_SLOTS slots
 *
 * The address stays the same until the goroutine exits, so that a value is
 * one load away for who keeps it.  The runtime zeroes them as a goroutine
 * begins, and never looks at them.
 *
 * Returns	their address; null if the caller is no goroutine.
 * Parks	never.
 * Threads	any thread.
 */
GAMP_API void **gamp_slots(void);

/*
 * gamp_key_new - make a key
 *
 * destroy, unless it is null, is called as a goroutine exits, in the
 * goroutine, after what it deferred, with each value that is not null; and
 * again, up to four times, if that set values anew.
 *
 * Errors	-EAGAIN		there are 1,024 keys
 *		-EINVAL		key is null
 * Parks	never.
 * Threads	any thread.
 */
GAMP_API int gamp_key_new(
    struct gamp_key *key, void (*destroy)(void *value));

/*
 * gamp_key_free - give a key back; its values are not destroyed
 *
 * Errors	-EINVAL		it is none (any more)
 * Parks	never.
 * Threads	any thread.
 */
GAMP_API int gamp_key_free(struct gamp_key key);

/*
 * gamp_local_get - the calling goroutine's value of a key
 *
 * Returns	the value; null if it was not set, if the key is none, or if
 *		the caller is no goroutine.
 * Parks	never.
 * Threads	any thread.
 */
GAMP_API void *gamp_local_get(struct gamp_key key);

/*
 * gamp_local_set - set the calling goroutine's value of a key
 *
 * Errors	-EINVAL		the key is none
 *		-ENOMEM		it was not set
 *		-EPERM		not called from a goroutine
 * Parks	never.
 * Threads	goroutine.
 */
GAMP_API int gamp_local_set(struct gamp_key key, void *value);

#ifdef __cplusplus
}
#endif

#endif
