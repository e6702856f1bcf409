/* SPDX-License-Identifier: MIT */
/* symbol.c - see symbol.h. */

#include <elf.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/symbol.h"

/* One line of /proc/self/maps: lo-hi perms offset dev inode path. */
static const char *hex(const char *at, uint64_t *out)
{
	for (*out = 0;; at++) {
		char c = *at;
		unsigned d = c >= '0' && c <= '9' ? (unsigned)(c - '0') :
		    c >= 'a' && c <= 'f'	  ? (unsigned)(c - 'a') + 10 :
						    16;

		if (d == 16)
			return at;
		*out = *out << 4 | d;
	}
}

static void add_module(struct symbols *s, const char *line)
{
	struct module *m = &s->modules[s->nmodules];
	uint64_t lo, hi, offset;
	const char *at = hex(line, &lo), *perms, *path;
	size_t n;

	if (*at != '-')
		return;
	at = hex(at + 1, &hi);
	perms = at;
	path = strchr(line, '/');
	if (strlen(perms) < 6 || perms[3] != 'x' || !path)
		return;
	(void)hex(perms + 6, &offset);
	n = strlen(path) + 1;
	if (s->nmodules == SYMBOL_MODULES || s->npaths + n > SYMBOL_PATHS)
		return;
	*m = (struct module){ .lo = lo, .hi = hi, .offset = offset };
	m->path = s->npaths;
	memcpy(s->paths + s->npaths, path, n);
	s->npaths += (uint32_t)n;
	s->nmodules++;
}

void symbols_init(struct symbols *s)
{
	char buf[1024], line[512];
	size_t n = 0;
	ssize_t r;
	int fd;

	s->nmodules = s->npaths = 0;
	fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	while ((r = read(fd, buf, sizeof(buf))) > 0)
		for (ssize_t i = 0; i < r; i++) {
			if (buf[i] == '\n') {
				line[n] = 0;
				add_module(s, line);
				n = 0;
			} else if (n < sizeof(line) - 1) {
				line[n++] = buf[i];
			}
		}
	(void)close(fd);
}

void symbols_fini(struct symbols *s)
{
	for (uint32_t i = 0; i < s->nmodules; i++) {
		struct module *m = &s->modules[i];

		if (m->file)
			(void)munmap((void *)(uintptr_t)m->file, m->size);
		m->file = NULL;
	}
	s->nmodules = 0;
}

/* [off, off + size) of the file, or null. */
static const void *part(const struct module *m, uint64_t off, uint64_t size)
{
	return off <= m->size && size <= m->size - off ? m->file + off : NULL;
}

static void find_bias(struct module *m, const Elf64_Ehdr *eh)
{
	const Elf64_Phdr *ph =
	    part(m, eh->e_phoff, (uint64_t)eh->e_phnum * sizeof(*ph));

	m->bias = m->lo - m->offset;
	for (int i = 0; ph && i < eh->e_phnum; i++)
		if (ph[i].p_type == PT_LOAD && (ph[i].p_flags & PF_X) &&
		    m->offset + 4096 > ph[i].p_offset &&
		    m->offset < ph[i].p_offset + ph[i].p_filesz)
			m->bias = m->lo - m->offset + ph[i].p_offset -
			    ph[i].p_vaddr;
}

static void find_table(struct module *m, const Elf64_Ehdr *eh)
{
	const Elf64_Shdr *sh =
	    part(m, eh->e_shoff, (uint64_t)eh->e_shnum * sizeof(*sh));

	for (int i = 0; sh && i < eh->e_shnum; i++) {
		const Elf64_Shdr *strs = &sh[sh[i].sh_link];

		if (sh[i].sh_type != SHT_SYMTAB && sh[i].sh_type != SHT_DYNSYM)
			continue;
		if (sh[i].sh_link >= eh->e_shnum)
			continue;
		m->syms = part(m, sh[i].sh_offset, sh[i].sh_size);
		m->strs = part(m, strs->sh_offset, strs->sh_size);
		m->nsyms = m->syms ? sh[i].sh_size / sizeof(Elf64_Sym) : 0;
		m->nstrs = strs->sh_size;
		if (!m->strs || m->nstrs == 0 || m->strs[m->nstrs - 1])
			m->nsyms = 0;
		if (sh[i].sh_type == SHT_SYMTAB && m->nsyms > 0)
			return; /* the full one */
	}
}

/* The file may be another one by now, or none: then there are no names. */
static void open_module(struct symbols *s, struct module *m)
{
	int fd = open(s->paths + m->path, O_RDONLY | O_CLOEXEC);
	const Elf64_Ehdr *eh;
	struct stat st;
	void *p;

	m->opened = true;
	m->bias = m->lo - m->offset;
	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && st.st_size > 0) {
		m->size = (uint64_t)st.st_size;
		p = mmap(NULL, m->size, PROT_READ, MAP_PRIVATE, fd, 0);
		m->file = p == MAP_FAILED ? NULL : p;
	}
	(void)close(fd);
	eh = m->file ? part(m, 0, sizeof(*eh)) : NULL;
	if (!eh || memcmp(eh->e_ident, ELFMAG, SELFMAG) != 0 ||
	    eh->e_ident[EI_CLASS] != ELFCLASS64)
		return;
	find_bias(m, eh);
	find_table(m, eh);
}

/* Linear, but each address is looked for once. */
static const char *find(const struct module *m, uint64_t at, uint64_t *off)
{
	const Elf64_Sym *sym = m->syms;
	const char *name = NULL;
	uint64_t best = 0;

	for (uint64_t i = 0; i < m->nsyms; i++) {
		int type = ELF64_ST_TYPE(sym[i].st_info);

		if ((type != STT_FUNC && type != STT_GNU_IFUNC) ||
		    sym[i].st_shndx == SHN_UNDEF || sym[i].st_value > at ||
		    at - sym[i].st_value >= sym[i].st_size ||
		    sym[i].st_value < best || sym[i].st_name >= m->nstrs)
			continue;
		best = sym[i].st_value;
		name = m->strs + sym[i].st_name;
		*off = at - best;
	}
	return name;
}

static struct module *module_of(struct symbols *s, uintptr_t pc)
{
	for (uint32_t i = 0; i < s->nmodules; i++) {
		struct module *m = &s->modules[i];

		if (pc < m->lo || pc >= m->hi)
			continue;
		if (!m->opened)
			open_module(s, m);
		return m;
	}
	return NULL;
}

static const char *name_of(
    struct symbols *s, struct module *m, uintptr_t pc, uint64_t *off)
{
	uintptr_t slot = (pc ^ pc >> 10) % SYMBOL_CACHE;

	if (s->cache[slot].pc != pc) {
		s->cache[slot].name = find(m, pc - m->bias, off);
		s->cache[slot].off = *off;
		s->cache[slot].pc = pc;
	}
	*off = s->cache[slot].off;
	return s->cache[slot].name;
}

void symbols_say(struct symbols *s, struct say *to, uintptr_t pc, bool after)
{
	uintptr_t at = after && pc > 0 ? pc - 1 : pc;
	struct module *m = module_of(s, at);
	const char *name, *path, *base;
	uint64_t off = 0;

	if (!m) {
		say(to, "0x%lx", (unsigned long)pc);
		return;
	}
	name = name_of(s, m, at, &off);
	path = s->paths + m->path;
	base = strrchr(path, '/') + 1;
	if (name)
		say(to, "%s+0x%lx (%s+0x%lx)", name,
		    (unsigned long)(off + (pc - at)), base,
		    (unsigned long)(pc - m->bias));
	else
		say(to, "%s+0x%lx", base, (unsigned long)(pc - m->bias));
}
