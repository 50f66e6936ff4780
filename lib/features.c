// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

#include <errno.h>
#include <stdlib.h>

#include "internal.h"

int pinmem_features_accept(const struct pinmem_ioc_features *reply)
{
	uint32_t page_size = reply->out_page_size;

	if (reply->out_abi_version == 0)
		return -EPROTO;
	if (page_size == 0 || (page_size & (page_size - 1)) != 0)
		return -EPROTO;
	return 0;
}

PINMEM_API int pinmem_features_get(struct pinmem_ctx *ctx,
				   struct pinmem_features **features)
{
	struct pinmem_features *new = calloc(1, sizeof(*new));
	int err;

	if (!new)
		return -ENOMEM;
	new->reply.size = sizeof(new->reply);
	err = pinmem_ioctl(ctx, PINMEM_IOC_FEATURES, &new->reply);
	if (!err)
		err = pinmem_features_accept(&new->reply);
	if (err) {
		free(new);
		return err;
	}
	*features = new;
	return 0;
}

PINMEM_API void pinmem_features_free(struct pinmem_features *features)
{
	int saved = errno;

	free(features);
	errno = saved;
}

PINMEM_API unsigned int
pinmem_features_get_abi(const struct pinmem_features *features)
{
	return features->reply.out_abi_version;
}

PINMEM_API uint64_t
pinmem_features_get_page_size(const struct pinmem_features *features)
{
	return features->reply.out_page_size;
}

PINMEM_API uint64_t
pinmem_features_get_bits(const struct pinmem_features *features)
{
	return features->reply.out_features;
}

PINMEM_API uint64_t
pinmem_features_get_flags(const struct pinmem_features *features)
{
	return features->reply.out_pin_flags &
	       ~(uint64_t)(PINMEM_PIN_REMOTE | PINMEM_PIN_DRY_RUN);
}

PINMEM_API uint64_t
pinmem_features_get_instance(const struct pinmem_features *features)
{
	return features->reply.out_instance;
}

PINMEM_API uint64_t
pinmem_features_get_max_ranges(const struct pinmem_features *features)
{
	return features->reply.out_max_ranges;
}

PINMEM_API uint64_t
pinmem_features_get_max_pins(const struct pinmem_features *features)
{
	return features->reply.out_max_pins;
}

PINMEM_API uint64_t
pinmem_features_get_pins(const struct pinmem_features *features)
{
	return features->reply.out_pins;
}

PINMEM_API uint64_t
pinmem_features_get_max_user_bytes(const struct pinmem_features *features)
{
	return features->reply.out_max_user_bytes;
}

PINMEM_API uint64_t
pinmem_features_get_user_bytes(const struct pinmem_features *features)
{
	return features->reply.out_user_bytes;
}

PINMEM_API uint64_t
pinmem_features_get_max_bytes(const struct pinmem_features *features)
{
	return features->reply.out_max_bytes;
}

PINMEM_API uint64_t
pinmem_features_get_bytes(const struct pinmem_features *features)
{
	return features->reply.out_bytes;
}

PINMEM_API uint64_t
pinmem_features_get_short_lease_ns(const struct pinmem_features *features)
{
	return features->reply.out_short_lease_ns;
}
