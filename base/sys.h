/* SPDX-License-Identifier: MIT */
/*
 * sys.h - system calls as functions that return -errno (io.h has reads and
 * writes).
 *
 * None is inlined: the compiler keeps the address of errno over a park, for
 * glibc declares it constant, and the goroutine may be on another thread by
 * then.  Here it lives and dies inside one call.  Interrupted calls are
 * repeated, except those that say so.
 */
#ifndef RT_BASE_SYS_H
#define RT_BASE_SYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

int sys_socket(int family, int type);
int sys_accept(int fd); /* non-blocking, close-on-exec */
int sys_connect(int fd, const struct sockaddr *sa, socklen_t len);
int sys_setsockopt(int fd, int level, int name, int value);
int sys_getsockopt(int fd, int level, int name, int *value);
int sys_nonblock(int fd);
/* Would a read (a write) return at once?  Errors count as ready. */
bool sys_ready(int fd, bool out);
void sys_close(int fd);
/* A file to write to, empty; or -errno. */
int sys_create(const char *path);
/* All of it; waits where the descriptor does not block. */
int sys_write_all(int fd, const void *buf, size_t n);

/* For reading; closed on exec. */
int sys_open(const char *path);
/* Bytes, 0 at the end. */
int64_t sys_read(int fd, void *buf, size_t n);
/* A small file as a string, as much as fits.  Its length. */
int64_t sys_read_file(const char *path, char *buf, size_t size);

#endif
