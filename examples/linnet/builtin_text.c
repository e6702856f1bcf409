/* SPDX-License-Identifier: MIT */
/* builtin_text.c - strings, and output. */

#include <stdlib.h>
#include <string.h>

#include "native.h"

static int want(struct fiber *f, const char *what, value v)
{
	return throw_text(f, "want %s, not %s", what, type_name(v));
}

/* ---- output ----------------------------------------------------------- */

static void all_values(struct text *t, const value *args, int n)
{
	for (int i = 0; i < n; i++) {
		if (i > 0)
			text_put(t, " ", 1);
		text_value(t, args[i], false, 0);
	}
}

static int out(struct fiber *f, struct text *t)
{
	bool failed = t->failed;

	if (!failed && t->n > 0)
		machine_print(f->m, 1, t->s, t->n);
	text_free(t);
	return failed ? throw_memory(f) : 0;
}

static int print(struct fiber *f, value *args, int n)
{
	struct text t = { .max = f->m->opt.memory };

	all_values(&t, args, n);
	return out(f, &t);
}

static int println(struct fiber *f, value *args, int n)
{
	struct text t = { .max = f->m->opt.memory };

	all_values(&t, args, n);
	text_put(&t, "\n", 1);
	return out(f, &t);
}

/* In a conversation. */
static int show(struct fiber *f, value *args, int n)
{
	struct text t = { .max = f->m->opt.memory };

	for (int i = 0; i < n; i++) {
		if (i > 0)
			text_put(&t, ", ", 2);
		text_value(&t, args[i], true, 0);
	}
	if (n > 0)
		text_put(&t, "\n", 1);
	return out(f, &t);
}

static void pad(struct text *t, size_t from, int width, bool left, char with)
{
	size_t n = t->n - from, more;
	bool sign;

	if (t->failed || n >= (size_t)width)
		return;
	more = (size_t)width - n;
	for (size_t i = 0; i < more; i++)
		text_put(t, &with, 1);
	if (t->failed || left)
		return;
	sign = with == '0' && n > 0 && t->s[from] == '-';
	memmove(t->s + from + more + sign, t->s + from + sign, n - sign);
	memset(t->s + from + sign, with, more);
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static void hex(struct text *t, uint64_t u)
{
	char digits[20], *p = digits + sizeof(digits);

	do
		*--p = "0123456789abcdef"[u & 15];
	while ((u >>= 4));
	text_put(t, p, (size_t)(digits + sizeof(digits) - p));
}

/* One value, as a letter says; false: the letter does not go with it. */
static bool put_one(struct text *t, char verb, value v)
{
	char c;

	switch (verb) {
	case 'v':
		text_value(t, v, false, 0);
		return true;
	case 'q':
		text_value(t, v, true, 0);
		return true;
	case 's':
		text_value(t, v, false, 0);
		return true;
	case 'd':
		text_value(t, v, false, 0);
		return is_int(v);
	case 't':
		text_value(t, v, false, 0);
		return v == TRUE || v == FALSE;
	case 'x':
		if (is_int(v))
			hex(t, (uint64_t)int_of(v) & UINT64_MAX >> 1);
		return is_int(v);
	case 'c':
		c = (char)int_of(v);
		text_put(t, &c, 1);
		return is_int(v);
	default:
		return false;
	}
}

/* args[0] is a format: %d %s %v %q %x %c %t %%, with a width. */
static int put_format(struct fiber *f, struct text *t, value *args, int n)
{
	const struct string *s = string_of(args[0]);
	const char *p = s->text, *end = p + s->head.n, *next;
	int i = 1, width;
	bool left, zero;
	size_t from;

	for (; p < end && !t->failed; p = next) {
		next = memchr(p, '%', (size_t)(end - p));
		if (!next)
			next = end;
		text_put(t, p, (size_t)(next - p));
		if (next == end)
			break;
		left = zero = false;
		width = 0;
		next++;
		for (; next < end && (*next == '-' || *next == '0'); next++)
			*(*next == '-' ? &left : &zero) = true;
		for (; next < end && is_digit(*next) && width < 1000; next++)
			width = width * 10 + (*next - '0');
		if (next == end)
			return throw_text(f, "a format ends in %%");
		from = t->n;
		if (*next == '%')
			text_put(t, "%", 1);
		else if (i >= n)
			return throw_text(f, "too few values for a format");
		else if (!put_one(t, *next, args[i++]))
			return throw_text(f, "%%%c does not go with %s", *next,
			    type_name(args[i - 1]));
		pad(t, from, width, left, zero && !left ? '0' : ' ');
		next++;
	}
	return i < n ? throw_text(f, "too many values for a format") : 0;
}

static int formatted(struct fiber *f, value *args, int n, struct text *t)
{
	if (!is_string(args[0]))
		return want(f, "a format", args[0]);
	if (put_format(f, t, args, n) == 0)
		return 0;
	text_free(t);
	return THROWN;
}

static int printf_native(struct fiber *f, value *args, int n)
{
	struct text t = { .max = f->m->opt.memory };

	return formatted(f, args, n, &t) < 0 ? THROWN : out(f, &t);
}

static int format(struct fiber *f, value *args, int n)
{
	struct text t = { .max = f->m->opt.memory };

	return formatted(f, args, n, &t) < 0 ? THROWN
					     : text_result(f, args, &t);
}

/* ---- conversions ------------------------------------------------------ */

static int to_string(struct fiber *f, value *args, int n)
{
	struct text t = { .max = f->m->opt.memory };

	(void)n;
	text_value(&t, args[0], false, 0);
	return text_result(f, args, &t);
}

/* Digits, and perhaps a sign: the number and nil, or 0 and an error. */
static int to_int(struct fiber *f, value *args, int n)
{
	static const char why[] = "not a number";
	struct string *s, *err;
	uint64_t u = 0;
	uint32_t i;
	bool minus;

	(void)n;
	if (is_int(args[0]))
		return native_results(args, args[0], NIL);
	if (!is_string(args[0]))
		return want(f, "a string", args[0]);
	s = string_of(args[0]);
	minus = s->text[0] == '-';
	for (i = minus; i < s->head.n && is_digit(s->text[i]); i++) {
		u = u * 10 + (uint64_t)(s->text[i] - '0');
		if (u > (uint64_t)INT_MAX63)
			break;
	}
	if (i == s->head.n && i > minus)
		return native_results(
		    args, from_int(minus ? -(int64_t)u : (int64_t)u), NIL);
	err = string_from(f, why, strlen(why));
	return err ? native_results(args, from_int(0), from_object(err))
		   : throw_memory(f);
}

static int character(struct fiber *f, value *args, int n)
{
	struct string *s;
	char c;

	(void)n;
	if (!is_int(args[0]) || int_of(args[0]) < 0 || int_of(args[0]) > 255)
		return throw_text(f, "want a byte: 0 to 255");
	c = (char)int_of(args[0]);
	s = string_from(f, &c, 1);
	return s ? native_result(args, from_object(s)) : throw_memory(f);
}

/* ---- searching -------------------------------------------------------- */

static const char *find(const char *s, size_t n, const struct string *what)
{
	if (what->head.n == 0)
		return s;
	return n ? memmem(s, n, what->text, what->head.n) : NULL;
}

static int two_strings(struct fiber *f, const value *args)
{
	for (int i = 0; i < 2; i++)
		if (!is_string(args[i]))
			return want(f, "a string", args[i]);
	return 0;
}

static int index_of(struct fiber *f, value *args, int n)
{
	struct string *s = string_of(args[0]);
	int64_t from = n > 2 && is_int(args[2]) ? int_of(args[2]) : 0;
	const char *at;

	if (two_strings(f, args) < 0)
		return THROWN;
	if (from < 0 || from > s->head.n)
		return native_result(args, from_int(-1));
	at = find(s->text + from, s->head.n - (size_t)from, string_of(args[1]));
	return native_result(args, from_int(at ? at - s->text : -1));
}

static int contains(struct fiber *f, value *args, int n)
{
	struct string *s = string_of(args[0]);

	(void)n;
	if (two_strings(f, args) < 0)
		return THROWN;
	return native_result(args,
	    from_bool(find(s->text, s->head.n, string_of(args[1])) != NULL));
}

static int starts(struct fiber *f, value *args, int n)
{
	struct string *s = string_of(args[0]), *t = string_of(args[1]);

	(void)n;
	if (two_strings(f, args) < 0)
		return THROWN;
	return native_result(
	    args, from_bool(t->head.n <= s->head.n &&
			    memcmp(s->text, t->text, t->head.n) == 0));
}

static int ends(struct fiber *f, value *args, int n)
{
	struct string *s = string_of(args[0]), *t = string_of(args[1]);

	(void)n;
	if (two_strings(f, args) < 0)
		return THROWN;
	return native_result(
	    args, from_bool(t->head.n <= s->head.n &&
			    memcmp(s->text + s->head.n - t->head.n, t->text,
				t->head.n) == 0));
}

/* ---- taking apart and putting together -------------------------------- */

static int split(struct fiber *f, value *args, int n)
{
	struct string *s, *sep, *part;
	const char *at, *end, *next;
	struct slice *to;
	uint32_t count = 1;

	(void)n;
	if (two_strings(f, args) < 0)
		return THROWN;
	s = string_of(args[0]);
	sep = string_of(args[1]);
	if (sep->head.n == 0)
		return throw_text(f, "an empty separator");
	end = s->text + s->head.n;
	for (at = s->text; (next = find(at, (size_t)(end - at), sep));
	     at = next + sep->head.n)
		count++;
	if (count > 64 && native_reserve(f, count * 40 + s->head.n) < 0)
		return THROWN;
	to = slice_new(f, count, count);
	at = s->text;
	for (uint32_t i = 0; to && i < count; i++, at = next + sep->head.n) {
		next = find(at, (size_t)(end - at), sep);
		if (!next)
			next = end;
		part = string_from(f, at, (size_t)(next - at));
		if (!part)
			return throw_memory(f);
		to->body->at[i] = from_object(part);
	}
	return to ? native_result(args, from_object(to)) : throw_memory(f);
}

static int join(struct fiber *f, value *args, int n)
{
	struct text t = { .max = f->m->opt.memory };
	struct slice *s;

	(void)n;
	if (!is_kind(args[0], KIND_SLICE))
		return want(f, "an array", args[0]);
	if (!is_string(args[1]))
		return want(f, "a string", args[1]);
	s = slice_of(args[0]);
	for (uint32_t i = 0; i < s->head.n; i++) {
		if (i > 0)
			text_put(&t, string_of(args[1])->text,
			    string_of(args[1])->head.n);
		text_value(&t, value_load(&s->body->at[s->from + i]), false, 0);
	}
	return text_result(f, args, &t);
}

static int replace(struct fiber *f, value *args, int n)
{
	struct text t = { .max = f->m->opt.memory };
	struct string *s, *what, *by;
	const char *at, *end, *next;

	(void)n;
	if (two_strings(f, args) < 0)
		return THROWN;
	if (!is_string(args[2]))
		return want(f, "a string", args[2]);
	s = string_of(args[0]);
	what = string_of(args[1]);
	by = string_of(args[2]);
	if (what->head.n == 0)
		return native_result(args, args[0]);
	end = s->text + s->head.n;
	for (at = s->text; (next = find(at, (size_t)(end - at), what));
	     at = next + what->head.n) {
		text_put(&t, at, (size_t)(next - at));
		text_put(&t, by->text, by->head.n);
	}
	text_put(&t, at, (size_t)(end - at));
	return text_result(f, args, &t);
}

static int repeat(struct fiber *f, value *args, int n)
{
	struct string *s, *to;
	int64_t times = is_int(args[1]) ? int_of(args[1]) : -1;
	size_t len;

	(void)n;
	if (!is_string(args[0]))
		return want(f, "a string", args[0]);
	if (times < 0)
		return throw_text(f, "want a number of times");
	s = string_of(args[0]);
	len = s->head.n;
	if (len > 0 && times > INT32_MAX / (int64_t)len)
		return throw_memory(f);
	if (native_reserve(f, len * (size_t)times) < 0)
		return THROWN;
	to = string_new(f, len * (size_t)times);
	for (int64_t i = 0; to && i < times; i++)
		memcpy(to->text + (size_t)i * len, s->text, len);
	return to ? native_result(args, from_object(to)) : throw_memory(f);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static int trim(struct fiber *f, value *args, int n)
{
	struct string *s;
	uint32_t from = 0, to;

	(void)n;
	if (!is_string(args[0]))
		return want(f, "a string", args[0]);
	s = string_of(args[0]);
	to = s->head.n;
	while (from < to && is_blank(s->text[from]))
		from++;
	while (to > from && is_blank(s->text[to - 1]))
		to--;
	s = string_from(f, s->text + from, to - from);
	return s ? native_result(args, from_object(s)) : throw_memory(f);
}

static int change_case(struct fiber *f, value *args, char first, int by)
{
	struct string *s;

	if (!is_string(args[0]))
		return want(f, "a string", args[0]);
	s = string_of(args[0]);
	s = string_from(f, s->text, s->head.n);
	if (!s)
		return throw_memory(f);
	for (uint32_t i = 0; i < s->head.n; i++)
		if (s->text[i] >= first && s->text[i] <= first + 25)
			s->text[i] = (char)(s->text[i] + by);
	return native_result(args, from_object(s));
}

static int upper(struct fiber *f, value *args, int n)
{
	(void)n;
	return change_case(f, args, 'a', 'A' - 'a');
}

static int lower(struct fiber *f, value *args, int n)
{
	(void)n;
	return change_case(f, args, 'A', 'a' - 'A');
}

const struct definition natives_text[] = {
	{ "print", print, 0, -1 },
	{ "println", println, 0, -1 },
	{ "printf", printf_native, 1, -1 },
	{ "format", format, 1, -1 },
	{ "show", show, 0, -1 },
	{ "str", to_string, 1, 1 },
	{ "int", to_int, 1, 1 },
	{ "chr", character, 1, 1 },
	{ "index", index_of, 2, 3 },
	{ "contains", contains, 2, 2 },
	{ "starts", starts, 2, 2 },
	{ "ends", ends, 2, 2 },
	{ "split", split, 2, 2 },
	{ "join", join, 2, 2 },
	{ "replace", replace, 3, 3 },
	{ "repeat", repeat, 2, 2 },
	{ "trim", trim, 1, 1 },
	{ "upper", upper, 1, 1 },
	{ "lower", lower, 1, 1 },
	{ NULL, NULL, 0, 0 },
};
