// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* Memory regions of RDMA, over a network card that is none. */

#include "measure.h"
#include "mm.h"
#include "test.h"

#include <infiniband/verbs.h>

#include <stdlib.h>

#define LEN	(64 * MIB)

#define MAKE_DEVICE							\
	"rdma link show rxe0/1 >/dev/null 2>&1 || "			\
	"{ { ip link show dummy0 >/dev/null 2>&1 || "			\
	"ip link add dummy0 type dummy; } && ip link set dummy0 up && "	\
	"rdma link add rxe0 type rxe netdev dummy0 && udevadm settle; }"

struct rdma {
	struct ibv_pd *domain;
	struct ibv_mr *region;
};

static struct ibv_pd *open_domain(void)
{
	struct ibv_device **devices;
	struct ibv_context *context;
	struct ibv_pd *domain;

	if (system(MAKE_DEVICE) != 0)
		SKIP("no rxe in this kernel");
	devices = ibv_get_device_list(NULL);
	CHECK(devices);
	CHECK(devices[0]);
	context = ibv_open_device(devices[0]);
	CHECK(context);
	domain = ibv_alloc_pd(context);
	CHECK(domain);
	ibv_free_device_list(devices);
	return domain;
}

static void pin(void *context, void *addr, size_t len)
{
	struct rdma *rdma = context;

	rdma->region = ibv_reg_mr(rdma->domain, addr, len,
				  IBV_ACCESS_LOCAL_WRITE |
				  IBV_ACCESS_REMOTE_WRITE);
	CHECK(rdma->region);
}

static void unpin(void *context)
{
	struct rdma *rdma = context;

	CHECK_EQ(ibv_dereg_mr(rdma->region), 0);
}

static void measure_rdma(const char *memory, void *addr, size_t len)
{
	struct rdma rdma = { .domain = open_domain() };
	struct measure_way way = {
		.peer = "rdma",
		.pin = pin,
		.unpin = unpin,
		.context = &rdma,
	};
	struct measured measured = measure(&way, addr, len);

	measure_write(&way, memory, len, &measured, "%s", "");
}

TEST(a_page_in_a_region_is_measured)
{
	measure_rdma("small", mm_map_touched(PAGE), PAGE);
}

TEST(pages_in_a_region_are_measured)
{
	measure_rdma("small", mm_map_touched(LEN), LEN);
}

TEST(huge_pages_in_a_region_are_measured)
{
	measure_rdma("thp", mm_map_thp(LEN), LEN);
}

TEST(hugetlb_pages_in_a_region_are_measured)
{
	measure_rdma("hugetlb-2M", mm_map_hugetlb(LEN, HUGE), LEN);
}
