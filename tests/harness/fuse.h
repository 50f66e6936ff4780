/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SPDX-FileCopyrightText: 2026 The pinmem authors */
#ifndef PINMEM_TEST_FUSE_H
#define PINMEM_TEST_FUSE_H

/*
 * A file whose server is ours, and need not answer: what the kernel does to it
 * then lasts as long as we want.
 */

#include <stdatomic.h>
#include <stddef.h>

#include "proc.h"

struct fuse_file {
	struct peer server;
	int fd;			/* open for reading and writing */
	atomic_bool *silent;	/* no write is answered while this is set */
	struct peer writer;
};

/* Of zeros; gone with the test. */
struct fuse_file fuse_file_new(size_t len);

/* Opens it once more, past the page cache (FOPEN_DIRECT_IO). */
int fuse_open_direct(const struct fuse_file *file);

/*
 * Makes a page clean, and keeps it locked: another process writes to it, and
 * waits for the server.  Given a shared mapping of the file from its start.
 */
void fuse_lock_page(struct fuse_file *file, char *map, size_t page);

/* The server answers. */
void fuse_unlock_page(struct fuse_file *file);

#endif /* PINMEM_TEST_FUSE_H */
