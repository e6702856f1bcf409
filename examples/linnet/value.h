/* SPDX-License-Identifier: MIT */
/*
 * value.h - a value: 64 bits that say themselves what they are.
 *
 *	low bits	what
 *	--------	----
 *	....1		an integer of 63 bits
 *	..000		an object's address (object.h); 0: nil
 *	..010		false, true, and two marks that no script sees
 *
 * One word, so that a goroutine that reads what another writes, without the
 * script's having seen to order, gets one value or the other: such a script is
 * wrong but does the host no harm.  Slots that goroutines may share are read
 * and written by value_load and value_store.  The store releases: who finds an
 * object there finds it made.
 */
#ifndef EXAMPLES_LINNET_VALUE_H
#define EXAMPLES_LINNET_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t value;

#define NIL   ((value)0)
#define FALSE ((value)2)
#define TRUE  ((value)10)
#define NONE  ((value)18) /* a slot that was never used */
#define GONE  ((value)26) /* a slot whose value was deleted */

#define INT_MAX63 (INT64_MAX >> 1)
#define INT_MIN63 (INT64_MIN >> 1)

static inline bool is_int(value v)
{
	return v & 1;
}

static inline bool is_object(value v)
{
	return v != 0 && (v & 7) == 0;
}

static inline int64_t int_of(value v)
{
	return (int64_t)v >> 1;
}

static inline value from_int(int64_t n)
{
	return (uint64_t)n << 1 | 1;
}

static inline value from_bool(bool b)
{
	return b ? TRUE : FALSE;
}

static inline bool both_ints(value a, value b)
{
	return a & b & 1;
}

static inline value value_load(const value *slot)
{
	return __atomic_load_n(slot, __ATOMIC_ACQUIRE);
}

static inline void value_store(value *slot, value v)
{
	__atomic_store_n(slot, v, __ATOMIC_RELEASE);
}

#endif
