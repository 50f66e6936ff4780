// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* The first pin of a process, which pinmem has not seen before. */

#include "ioc.h"
#include "measure.h"
#include "mm.h"

TEST(the_first_pin_of_a_process_is_measured)
{
	struct measure_pinmem pinmem = { .dev = ioc_device() };
	struct measure_way way = measure_way_pinmem(&pinmem);
	void *memory = mm_map_touched(PAGE);
	struct measured measured = measure(&way, memory, PAGE);

	measure_write(&way, "small", PAGE, &measured, ", \"first\": true");
}
