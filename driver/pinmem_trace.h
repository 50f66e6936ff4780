/* SPDX-License-Identifier: GPL-2.0-only */
/* SPDX-FileCopyrightText: 2026 The pinmem authors */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM pinmem

#if !defined(PINMEM_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define PINMEM_TRACE_H

#include <linux/pid.h>
#include <linux/tracepoint.h>

#include "pinmem_private.h"

DECLARE_EVENT_CLASS(pinmem_pin_class,
	TP_PROTO(const struct pinmem_pin *pin, int result),
	TP_ARGS(pin, result),
	TP_STRUCT__entry(
		__field(u64, handle)
		__field(unsigned long, pages)
		__field(unsigned long, runs)
		__field(u32, ranges)
		__field(u32, flags)
		__field(pid_t, target)
		__field(int, result)
	),
	TP_fast_assign(
		__entry->handle = pin->handle;
		__entry->pages = READ_ONCE(pin->pages);
		__entry->runs = READ_ONCE(pin->runs.nr);
		__entry->ranges = READ_ONCE(pin->nr_ranges);
		__entry->flags = pinmem_pin_flags(pin) & PINMEM_PIN_FLAGS;
		__entry->target = pid_nr(pin->pm->target);
		__entry->result = result;
	),
	TP_printk("handle=%llu target=%d pages=%lu ranges=%u runs=%lu flags=%#x %s=%d",
		  __entry->handle, __entry->target, __entry->pages,
		  __entry->ranges, __entry->runs, __entry->flags,
		  __entry->result > 0 ? "end" : "err", __entry->result)
);

/* A pin was made, or failed with this errno. */
DEFINE_EVENT(pinmem_pin_class, pinmem_pin,
	TP_PROTO(const struct pinmem_pin *pin, int result),
	TP_ARGS(pin, result)
);

/* A pin is about to give back its pages, for this enum pinmem_end. */
DEFINE_EVENT(pinmem_pin_class, pinmem_unpin,
	TP_PROTO(const struct pinmem_pin *pin, int result),
	TP_ARGS(pin, result)
);

#endif /* PINMEM_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE pinmem_trace
#include <trace/define_trace.h>
