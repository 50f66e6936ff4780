/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SPDX-FileCopyrightText: 2026 The pinmem authors */
#ifndef PINMEM_TEST_LIB_H
#define PINMEM_TEST_LIB_H

/* The library's objects, made or the test fails. */

#include <pinmem.h>

#include "test.h"

#define LASTING	(PINMEM_WRITE | PINMEM_LONGTERM)
#define KEPT	(LASTING | PINMEM_KEEP)

static inline struct pinmem_ctx *lib_open(void)
{
	struct pinmem_ctx *ctx;
	int err = pinmem_open(&ctx);

	if (err == -ENOENT)
		SKIP("there is no /dev/pinmem");
	CHECK_RET(err, 0);
	return ctx;
}

static inline uint64_t lib_pin(struct pinmem_ctx *ctx, const void *addr,
			       size_t len, unsigned int flags)
{
	uint64_t handle;

	CHECK_RET(pinmem_pin_self(ctx, addr, len, flags, &handle), 0);
	return handle;
}

static inline struct pinmem_request *lib_request(const void *addr, size_t len,
						 unsigned int flags)
{
	struct pinmem_request *req;

	CHECK_RET(pinmem_request_new(&req), 0);
	CHECK_RET(pinmem_request_add_range(req, (uintptr_t)addr, len), 0);
	pinmem_request_set_flags(req, flags);
	return req;
}

static inline struct pinmem_info *lib_info(struct pinmem_ctx *ctx,
					   uint64_t handle)
{
	struct pinmem_info *info;

	CHECK_RET(pinmem_info_get(ctx, handle, &info), 0);
	return info;
}

static inline unsigned int lib_state(struct pinmem_ctx *ctx, uint64_t handle)
{
	struct pinmem_info *info = lib_info(ctx, handle);
	unsigned int state = pinmem_info_get_state(info);

	pinmem_info_free(info);
	return state;
}

static inline struct pinmem_list *lib_list(void)
{
	struct pinmem_list *list;

	CHECK_RET(pinmem_list_get(&list), 0);
	return list;
}

#endif /* PINMEM_TEST_LIB_H */
