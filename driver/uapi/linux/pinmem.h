/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/* SPDX-FileCopyrightText: 2026 The pinmem authors */
#ifndef _UAPI_LINUX_PINMEM_H
#define _UAPI_LINUX_PINMEM_H

#include <linux/ioctl.h>
#include <linux/types.h>

/**
 * DOC: The ioctls of /dev/pinmem
 *
 * Rules that every command follows:
 *
 *  - The number of a command is written out and says nothing of its struct, so
 *    that the struct can grow.  ``size`` comes first and is the size of the
 *    struct that the caller was built with.  A smaller one than the first
 *    release's is refused; a larger one, up to a page, is accepted when what
 *    this driver does not know of it is zero.
 *  - Reserved fields and unknown flags must be zero.
 *  - An array is a pointer, a count (in) or capacity (out) of elements, and the
 *    size of one element, with the same rule: smaller than the first release's
 *    is refused, larger must have a zero tail (in) or gets one (out).
 *  - Lengths, limits and offsets are bytes.  Times are nanoseconds.
 *  - Fields named ``out_`` are written, all others are only read.  A bad size,
 *    E2BIG and a fault on reading the struct write nothing; after that the
 *    ``out_`` fields are always written, also when the command fails.  A fault
 *    on writing them does not hide the errno of the failure.
 *  - A handle is valid only after the command returned 0.  It is never used
 *    again while the module stays loaded; &pinmem_ioc_features.out_instance
 *    tells one load of the module from another.
 *  - The layout is the same for 32-bit callers.
 *  - Waits end on a fatal signal only: a caller that goes on never sees EINTR.
 *
 * The meaning of errno:
 *
 *  - ENOTTY: no such command.
 *  - E2BIG: a non-zero tail that this driver does not know, or more than a page,
 *    of the struct or of an element.
 *  - EOPNOTSUPP: an unknown flag or a reserved field is set, or the kernel has
 *    no way to do it (fs-dax with LONGTERM; remote pins where
 *    %PINMEM_FEATURE_REMOTE is off).
 *  - EINVAL: a bad value.
 *  - EFAULT: with reason 0 a pointer of the call itself, with another reason
 *    the range that cannot be pinned.
 *  - EACCES: access that the mapping or the mem file does not allow.
 *  - EPERM: you may not.
 *  - EXDEV: the device file was opened by another process.
 *  - ESRCH: the target is gone.
 *  - ENOENT: no such handle for you: it never was, it ended, or it is another
 *    user's.  There is one answer to all three.
 *  - ENOMEM: RLIMIT_MEMLOCK, or no memory.
 *  - EDQUOT: one of pinmem's own limits.
 *  - EBUSY: pages could not be moved to where a longterm pin may hold them, the
 *    address space kept changing, or another call makes the pin grow.
 *  - EOVERFLOW: a page is pinned so often that its reference count would
 *    overflow.
 *  - EHWPOISON: the memory is broken.
 *
 * A command that changes state (PIN, UNPIN, RENEW, WRITE) needs the device open
 * for writing, else EPERM.
 *
 * All commands but PIN also work on the file that %PINMEM_IOC_OPEN gives, for its
 * one pin, which may be named by handle 0 there.
 */

#define PINMEM_ABI_VERSION	1

#define PINMEM_IOC_TYPE		0xF9
#define PINMEM_IOC_PIN		_IO(0xF9, 0x01)
#define PINMEM_IOC_UNPIN	_IO(0xF9, 0x02)
#define PINMEM_IOC_INFO		_IO(0xF9, 0x03)
#define PINMEM_IOC_QUERY	_IO(0xF9, 0x04)
#define PINMEM_IOC_FEATURES	_IO(0xF9, 0x05)
#define PINMEM_IOC_RENEW	_IO(0xF9, 0x06)
#define PINMEM_IOC_OPEN		_IO(0xF9, 0x07)
#define PINMEM_IOC_READ		_IO(0xF9, 0x08)
#define PINMEM_IOC_WRITE	_IO(0xF9, 0x09)
#define PINMEM_IOC_EXTENTS	_IO(0xF9, 0x0A)

/**
 * enum pinmem_why - Why a pin could not be made
 * @PINMEM_WHY_NONE: See errno.
 * @PINMEM_WHY_UNMAPPED: Nothing is mapped at the address (EFAULT).
 * @PINMEM_WHY_ACCESS: The mapping is not readable, or not writable and
 *	%PINMEM_PIN_WRITE was asked for, or the mem file was not opened for
 *	that (EACCES).
 * @PINMEM_WHY_SPECIAL: The mapping is device memory or the like (VM_IO,
 *	VM_PFNMAP), which has no pages to pin (EFAULT).
 * @PINMEM_WHY_SECRETMEM: The mapping is of memfd_secret(2) (EFAULT).
 * @PINMEM_WHY_FSDAX: The mapping is of a file on a DAX filesystem, which
 *	cannot be pinned longterm (EOPNOTSUPP), and otherwise only if the file
 *	is open for writing, or by CAP_SYS_ADMIN (EPERM).
 * @PINMEM_WHY_DIRTY_TRACKING: The mapping is a shared one of a file whose
 *	filesystem tracks writes; it cannot be pinned longterm for writing
 *	(EFAULT).
 * @PINMEM_WHY_COW_PENDING: The next write would put another page at the
 *	address, and this kernel does not break that copy-on-write for a
 *	read-only pin (EFAULT).
 * @PINMEM_WHY_MEMLOCK: RLIMIT_MEMLOCK; out_limit, out_use and out_need are in
 *	bytes (ENOMEM).
 * @PINMEM_WHY_LIMIT_TOTAL: The module's max_bytes; in bytes (EDQUOT).
 * @PINMEM_WHY_LIMIT_USER: The module's max_user_bytes; in bytes (EDQUOT).
 * @PINMEM_WHY_LIMIT_PINS: The module's max_user_pins; in pins (EDQUOT).
 * @PINMEM_WHY_LIMIT_RANGES: The module's max_ranges; in ranges (EDQUOT).
 * @PINMEM_WHY_MIGRATE: A page could not be moved out of a movable zone or a
 *	CMA area for a longterm pin (EBUSY).
 * @PINMEM_WHY_REFCOUNT: The page is referenced so often already that one more
 *	pin might overflow the count (EOVERFLOW).
 * @PINMEM_WHY_INTERRUPTED: The caller was killed.
 * @PINMEM_WHY_TARGET_GONE: The target exits, or runs another program since
 *	the mem file was opened (ESRCH).
 * @PINMEM_WHY_WRONG_MM: The device file was opened by another process (EXDEV).
 * @PINMEM_WHY_NOT_MEM: mem_fd is not an open /proc/PID/mem (EINVAL).
 * @PINMEM_WHY_NO_MEMORY: The kernel has no memory (ENOMEM).
 * @PINMEM_WHY_BAD_RANGE: A range has no length, or its end wraps (EINVAL).
 * @PINMEM_WHY_HWPOISON: The memory is broken (EHWPOISON).
 * @PINMEM_WHY_FAULT: The mapping is there and allows the access, but the
 *	kernel could not bring the page in: past the end of the file, a read
 *	error, or the like (EFAULT).
 * @PINMEM_WHY_KEEP_SHORT: %PINMEM_PIN_KEEP without %PINMEM_PIN_LONGTERM and
 *	without a lease: a short pin that nobody owns would have no end (EINVAL).
 * @PINMEM_WHY_READ_ONLY: The device was not opened for writing (EPERM).
 * @PINMEM_WHY_CHANGING: The address space kept changing under the call (EBUSY).
 * @PINMEM_WHY_TTL: A short pin may last out_limit nanoseconds; longer needs
 *	CAP_SYS_ADMIN (EPERM).
 * @PINMEM_WHY_ENDED: The pin that was to grow has ended (ENOENT).
 * @PINMEM_WHY_GROWING: Another call makes the pin grow just now (EBUSY).
 * @PINMEM_WHY_NOT_PAYER: Only who was charged for the pin may make it grow: the
 *	same user, exempt from RLIMIT_MEMLOCK only if it was then (EPERM).
 *
 * The list is open; a value is never renumbered.
 */
enum pinmem_why {
	PINMEM_WHY_NONE			= 0,
	PINMEM_WHY_UNMAPPED		= 1,
	PINMEM_WHY_ACCESS		= 2,
	PINMEM_WHY_SPECIAL		= 3,
	PINMEM_WHY_SECRETMEM		= 4,
	PINMEM_WHY_FSDAX		= 5,
	PINMEM_WHY_DIRTY_TRACKING	= 6,
	PINMEM_WHY_COW_PENDING		= 7,
	PINMEM_WHY_MEMLOCK		= 8,
	PINMEM_WHY_LIMIT_TOTAL		= 9,
	PINMEM_WHY_LIMIT_USER		= 10,
	PINMEM_WHY_LIMIT_PINS		= 11,
	PINMEM_WHY_LIMIT_RANGES		= 12,
	PINMEM_WHY_MIGRATE		= 13,
	PINMEM_WHY_REFCOUNT		= 14,
	PINMEM_WHY_INTERRUPTED		= 15,
	PINMEM_WHY_TARGET_GONE		= 16,
	PINMEM_WHY_WRONG_MM		= 17,
	PINMEM_WHY_NOT_MEM		= 18,
	PINMEM_WHY_NO_MEMORY		= 19,
	PINMEM_WHY_BAD_RANGE		= 20,
	PINMEM_WHY_HWPOISON		= 21,
	PINMEM_WHY_FAULT		= 22,
	PINMEM_WHY_KEEP_SHORT		= 23,
	PINMEM_WHY_READ_ONLY		= 24,
	PINMEM_WHY_CHANGING		= 25,
	PINMEM_WHY_TTL			= 26,
	PINMEM_WHY_ENDED		= 27,
	PINMEM_WHY_GROWING		= 28,
	PINMEM_WHY_NOT_PAYER		= 29,
};

/**
 * struct pinmem_ioc_range - A range of an address space
 * @addr: Where it starts; need not be page-aligned.
 * @len: Its length; not 0.  All pages that it touches are meant.
 */
struct pinmem_ioc_range {
	__aligned_u64 addr;
	__aligned_u64 len;
};

/**
 * enum pinmem_pin_flags - How to pin
 * @PINMEM_PIN_WRITE: The holder will write to the pages.  Needs write access
 *	to the mappings.  Without it the pin is for reading only, for ever.
 * @PINMEM_PIN_LONGTERM: The pin lasts: pages are moved out of movable zones
 *	first (FOLL_LONGTERM).
 * @PINMEM_PIN_KEEP: The pin belongs to no file.  It lasts until it is unpinned
 *	or its target exits or runs another program, and keeps the module
 *	loaded.  Needs %PINMEM_PIN_LONGTERM, or an end by time.
 * @PINMEM_PIN_SLOW: Use pin_user_pages() in place of pin_user_pages_fast().
 *	For another process there is the slow way only.
 * @PINMEM_PIN_REMOTE: Pin the memory of the process of @mem_fd.
 * @PINMEM_PIN_GET: Take plain references (get_user_pages(), FOLL_GET) in place
 *	of pins.  The pages do not count as DMA-pinned, and their data cannot be
 *	read or written through the handle.  Not with %PINMEM_PIN_WRITE or
 *	%PINMEM_PIN_LONGTERM.
 * @PINMEM_PIN_REVOCABLE: The pin ends by itself (%PINMEM_END_REVOKED) soon after
 *	one of its addresses stops showing the page that was pinned there:
 *	munmap(), mremap(), MADV_DONTNEED of anonymous memory, truncation, or a
 *	write that put another page there.  It stays while the page is only on
 *	the move, or is of a file and merely not mapped in.  Not with
 *	%PINMEM_PIN_GET or %PINMEM_PIN_GROW.
 * @PINMEM_PIN_GROW: More calls follow that make this pin grow, see @handle of
 *	struct pinmem_ioc_pin.  Not with %PINMEM_PIN_KEEP, which is for the last
 *	call, or %PINMEM_PIN_REVOCABLE.
 * @PINMEM_PIN_DRY_RUN: Pin nothing, and say what pinning would meet: the call
 *	returns what it would return, and the fields from @out_present on are
 *	filled in.  Not with @handle.
 */
enum pinmem_pin_flags {
	PINMEM_PIN_WRITE	= 1 << 0,
	PINMEM_PIN_LONGTERM	= 1 << 1,
	PINMEM_PIN_KEEP		= 1 << 2,
	PINMEM_PIN_SLOW		= 1 << 3,
	PINMEM_PIN_REMOTE	= 1 << 4,
	PINMEM_PIN_GET		= 1 << 5,
	PINMEM_PIN_REVOCABLE	= 1 << 6,
	PINMEM_PIN_GROW		= 1 << 7,
	PINMEM_PIN_DRY_RUN	= 1 << 8,
};

/* A time to live that does not end. */
#define PINMEM_TTL_NONE		(~0ULL)

/**
 * struct pinmem_ioc_pin - ioctl(PINMEM_IOC_PIN): pin memory
 * @size: sizeof(struct pinmem_ioc_pin)
 * @flags: Combination of enum pinmem_pin_flags
 * @mem_fd: With %PINMEM_PIN_REMOTE an open /proc/PID/mem (or task/TID/mem) of
 *	the target, readable, and writable too for %PINMEM_PIN_WRITE; opening
 *	it was the permission check.  Else 0.
 * @nr_ranges: Elements of @ranges, 1 to &pinmem_ioc_features.out_max_ranges
 * @ranges: Pointer to an array of struct pinmem_ioc_range.  Ranges may overlap
 *	and are then pinned and charged twice.
 * @range_size: sizeof(struct pinmem_ioc_range)
 * @__reserved: 0
 * @ttl_ns: When it ends by itself, nanoseconds from now (CLOCK_BOOTTIME).  0: a
 *	longterm pin does not, any other after the module's short_lease_ms.  For
 *	such a pin longer, or %PINMEM_TTL_NONE, needs CAP_SYS_ADMIN.  0 if
 *	@handle is not.
 * @handle: 0: make a new pin.  Else the pin to append the ranges to.
 * @out_handle: The pin's name; 0 of a dry run
 * @out_bytes: What this call pinned and charged, or a dry run would: the pages
 *	of all @ranges
 * @out_why: On failure the reason, an enum pinmem_why
 * @out_range: On failure the index of the range, if one is to blame
 * @out_addr: On failure the address in that range
 * @out_limit: For a limit: how much is allowed,
 * @out_use: how much of that is in use,
 * @out_need: and how much this call needs.
 * @out_present: Of a dry run: bytes that are in memory and mapped in,
 * @out_absent: bytes that would be faulted in,
 * @out_movable: and of those present the bytes that would be moved first, as
 *	they lie in a movable zone; an estimate, which leaves out CMA areas.
 * @out_runs: Runs of physically contiguous pages to expect; an estimate, which
 *	counts what is absent as one run wherever it is.
 * @out_memlock_limit: RLIMIT_MEMLOCK of the caller,
 * @out_memlock_use: how much of it is in use,
 * @out_memlock_need: and how much would be charged to it, 0 with CAP_IPC_LOCK.
 *
 * All of it is pinned, or nothing.  A pin holds the pages that the addresses
 * show when it is made, for as long as the target does not unmap, remap,
 * discard (MADV_DONTNEED) or truncate them: after that it still holds the old
 * pages.  An address in a private mapping that could show another page after
 * the next write is made to show its own first or refused
 * (%PINMEM_WHY_COW_PENDING); only in a private mapping that cannot be written
 * is it pinned as it is, and INFO says so (%PINMEM_INFO_AS_MAPPED).
 *
 * The pin ends at the first of: UNPIN; the last close of the device file that
 * made it and of all that OPEN gave for it (not with %PINMEM_PIN_KEEP); its time
 * is over; exit or execve() of the target.
 *
 * A caller without CAP_IPC_LOCK is charged against RLIMIT_MEMLOCK, in base
 * pages, in the same count that io_uring and others use.  The pages also show
 * as VmPin of the target.
 *
 * While a pin is held, fork() of the target copies every pinned private page
 * at once.
 *
 * A pin that was made with %PINMEM_PIN_GROW grows by further calls with its
 * @handle, through the same file, by the same user, for the same target, with
 * the same flags.  A call adds all of its ranges or none.  The first call without
 * %PINMEM_PIN_GROW is the last (EINVAL after that); only it may have
 * %PINMEM_PIN_KEEP.  A range that begins on the page boundary where the last one
 * ends makes that one longer.  One call at a time (EBUSY).  If the pin ends
 * meanwhile nothing is added (ENOENT, %PINMEM_WHY_ENDED; INFO says why).
 */
struct pinmem_ioc_pin {
	__u32 size;
	__u32 flags;
	__s32 mem_fd;
	__u32 nr_ranges;
	__aligned_u64 ranges;
	__u32 range_size;
	__u32 __reserved;
	__aligned_u64 ttl_ns;
	__aligned_u64 handle;
	__aligned_u64 out_handle;
	__aligned_u64 out_bytes;
	__u32 out_why;
	__u32 out_range;
	__aligned_u64 out_addr;
	__aligned_u64 out_limit;
	__aligned_u64 out_use;
	__aligned_u64 out_need;
	__aligned_u64 out_present;
	__aligned_u64 out_absent;
	__aligned_u64 out_movable;
	__aligned_u64 out_runs;
	__aligned_u64 out_memlock_limit;
	__aligned_u64 out_memlock_use;
	__aligned_u64 out_memlock_need;
};

/**
 * struct pinmem_ioc_unpin - ioctl(PINMEM_IOC_UNPIN): end a pin
 * @size: sizeof(struct pinmem_ioc_unpin)
 * @flags: 0
 * @handle: The pin
 *
 * May be called through the file that made the pin; through any other by the
 * user who made it, in the same user namespace; and by CAP_SYS_ADMIN of the
 * initial one.  Of two calls for one handle one gets ENOENT.  When it returns,
 * pages and charges are given back.  It waits for a page that was written through
 * the pin and that somebody keeps locked.  A fatal signal ends the wait; what is
 * left is then given back when the page is unlocked.
 */
struct pinmem_ioc_unpin {
	__u32 size;
	__u32 flags;
	__aligned_u64 handle;
};

/**
 * enum pinmem_state - Whether a pin holds its pages
 * @PINMEM_STATE_LIVE: It does.
 * @PINMEM_STATE_ENDED: It ended by itself.  The handle can be read until it is
 *	unpinned or its file is closed.
 */
enum pinmem_state {
	PINMEM_STATE_LIVE	= 1,
	PINMEM_STATE_ENDED	= 2,
};

/**
 * enum pinmem_end - Why a pin ended
 * @PINMEM_END_NONE: It lives.
 * @PINMEM_END_UNPIN: UNPIN was called.
 * @PINMEM_END_CLOSE: The last file that owned it was closed.
 * @PINMEM_END_TARGET: The target exited or ran another program.
 * @PINMEM_END_TIME: Its time was over.
 * @PINMEM_END_REVOKED: An address of a %PINMEM_PIN_REVOCABLE pin does not show
 *	the pinned page any more.
 *
 * The list is open.
 */
enum pinmem_end {
	PINMEM_END_NONE		= 0,
	PINMEM_END_UNPIN	= 1,
	PINMEM_END_CLOSE	= 2,
	PINMEM_END_TARGET	= 3,
	PINMEM_END_TIME		= 4,
	PINMEM_END_REVOKED	= 5,
};

/**
 * enum pinmem_info_flags - What is known of a pin only after it was made
 * @PINMEM_INFO_AS_MAPPED: It has pages of a private mapping that cannot be
 *	written, pinned as mapped then: if the mapping is made writable and
 *	written to, the address shows another page.
 * @PINMEM_INFO_OWNER_GONE: The process that made it is gone; out_owner_pid
 *	is 0.
 */
enum pinmem_info_flags {
	PINMEM_INFO_AS_MAPPED	= 1 << 0,
	PINMEM_INFO_OWNER_GONE	= 1 << 1,
};

#define PINMEM_COMM_LEN	16

/**
 * struct pinmem_ioc_info - ioctl(PINMEM_IOC_INFO): the facts of a pin
 * @size: sizeof(struct pinmem_ioc_info)
 * @flags: 0
 * @handle: The pin; who may ask is as for UNPIN
 * @ranges: Pointer to room for struct pinmem_ioc_range, or 0 if @nr_ranges is 0
 * @nr_ranges: How many fit there
 * @range_size: sizeof(struct pinmem_ioc_range); 0 if @nr_ranges is 0
 * @first_range: The range to begin with
 * @out_nr_ranges: How many were written to @ranges
 * @out_ranges: How many the pin has
 * @out_flags: enum pinmem_pin_flags it was made with; %PINMEM_PIN_GROW while it
 *	may still grow
 * @out_info_flags: enum pinmem_info_flags
 * @out_state: enum pinmem_state
 * @out_end: enum pinmem_end
 * @out_owner_uid: Effective uid of its maker, in the caller's user namespace
 * @out_owner_pid: Process that made it, in the caller's pid namespace; 0: gone,
 *	or not visible there
 * @out_target_pid: Process whose memory it is; 0: likewise, or not known
 * @out_owner_comm: The maker's name when it made the pin
 * @out_target_comm: The target's name then
 * @out_bytes: What is pinned and charged; 0 once it ended
 * @out_runs: Runs of physically contiguous pages in which it is stored
 * @out_age_ns: Time since it was made, CLOCK_BOOTTIME
 * @out_left_ns: Time until it ends by itself, 0 once it ended;
 *	%PINMEM_TTL_NONE: it does not
 * @out_handle: Its handle, also where it was asked for as 0
 *
 * A range is given back as it was given, but for those that grew into one.
 */
struct pinmem_ioc_info {
	__u32 size;
	__u32 flags;
	__aligned_u64 handle;
	__aligned_u64 ranges;
	__u32 nr_ranges;
	__u32 range_size;
	__u32 first_range;
	__u32 out_nr_ranges;
	__u32 out_ranges;
	__u32 out_flags;
	__u32 out_info_flags;
	__u32 out_state;
	__u32 out_end;
	__u32 out_owner_uid;
	__s32 out_owner_pid;
	__s32 out_target_pid;
	char out_owner_comm[PINMEM_COMM_LEN];
	char out_target_comm[PINMEM_COMM_LEN];
	__aligned_u64 out_bytes;
	__aligned_u64 out_runs;
	__aligned_u64 out_age_ns;
	__aligned_u64 out_left_ns;
	__aligned_u64 out_handle;
};

/**
 * enum pinmem_page - What is known of a page
 * @PINMEM_PAGE_UNMAPPED: No mapping here.
 * @PINMEM_PAGE_INACCESSIBLE: A mapping that allows no access (PROT_NONE).
 * @PINMEM_PAGE_SPECIAL: Device memory or the like: it can never be pinned.
 * @PINMEM_PAGE_UNTOUCHED: Mapped, but never written, if it is anonymous: there is
 *	no page of its own yet.
 * @PINMEM_PAGE_AWAY: Not mapped in now: swapped out, being moved, or (of a
 *	file) perhaps cached.  Says nothing of pins.
 * @PINMEM_PAGE_NOT_PINNED: A page that is not DMA-pinned.
 * @PINMEM_PAGE_MAYBE: A small folio with so many references that it is most
 *	likely DMA-pinned; false positives are possible, false negatives not.
 * @PINMEM_PAGE_PINNED: A large folio that is DMA-pinned; exact, but of the
 *	folio, not of this page of it.
 *
 * The list is open.
 */
enum pinmem_page {
	PINMEM_PAGE_UNMAPPED		= 1,
	PINMEM_PAGE_INACCESSIBLE	= 2,
	PINMEM_PAGE_SPECIAL		= 3,
	PINMEM_PAGE_UNTOUCHED		= 4,
	PINMEM_PAGE_AWAY		= 5,
	PINMEM_PAGE_NOT_PINNED		= 6,
	PINMEM_PAGE_MAYBE		= 7,
	PINMEM_PAGE_PINNED		= 8,
};

/**
 * struct pinmem_ioc_run - Pages that follow each other and are all alike
 * @addr: Address of the first, page-aligned
 * @len: Their length, whole pages
 * @state: enum pinmem_page
 * @count: Pins on each of them, whoever holds them; for %PINMEM_PAGE_MAYBE an
 *	estimate from the reference count
 * @own: pinmem handles on this address space, that the caller may use, which
 *	hold these very pages for these addresses
 * @flags: 0 so far
 */
struct pinmem_ioc_run {
	__aligned_u64 addr;
	__aligned_u64 len;
	__u32 state;
	__u32 count;
	__u32 own;
	__u32 flags;
};

/**
 * enum pinmem_query_flags - Whom to ask about
 * @PINMEM_QUERY_REMOTE: A range of the process of @mem_fd
 * @PINMEM_QUERY_HANDLE: What the addresses of pin @handle show now
 *
 * With neither it is a range of the caller.
 */
enum pinmem_query_flags {
	PINMEM_QUERY_REMOTE	= 1 << 0,
	PINMEM_QUERY_HANDLE	= 1 << 1,
};

/**
 * struct pinmem_ioc_query - ioctl(PINMEM_IOC_QUERY): is this DMA-pinned?
 * @size: sizeof(struct pinmem_ioc_query)
 * @flags: One of enum pinmem_query_flags, or 0
 * @mem_fd: With %PINMEM_QUERY_REMOTE an open, readable /proc/PID/mem, else 0
 * @run_size: sizeof(struct pinmem_ioc_run)
 * @handle: With %PINMEM_QUERY_HANDLE the pin (who may ask is as for UNPIN),
 *	else 0
 * @start: Where to start: an address; with %PINMEM_QUERY_HANDLE an offset into
 *	the pin, which counts the bytes of its ranges as they were given, one
 *	after the other
 * @len: How far; is cut at the end of the address space or of the pin
 * @runs: Pointer to room for struct pinmem_ioc_run
 * @nr_runs: How many fit there, at least 1
 * @out_nr_runs: How many were written
 * @out_next: Where to go on, in the terms of @start; runs are whole pages, so it
 *	may lie behind @start + @len.  All is told when it has reached that, or
 *	when no run was written.
 *
 * Answers from the page tables, whoever holds the pins: RDMA, VFIO, io_uring,
 * Direct IO, pinmem.  Faults nothing in, takes no references, marks nothing
 * accessed.  Holes cost nothing.  Runs come in the order of the addresses
 * asked for and touch each other.  The answer was true of each page at some
 * moment of the call.
 */
struct pinmem_ioc_query {
	__u32 size;
	__u32 flags;
	__s32 mem_fd;
	__u32 run_size;
	__aligned_u64 handle;
	__aligned_u64 start;
	__aligned_u64 len;
	__aligned_u64 runs;
	__u32 nr_runs;
	__u32 out_nr_runs;
	__aligned_u64 out_next;
};

/**
 * enum pinmem_feature - Bits of &pinmem_ioc_features.out_features
 * @PINMEM_FEATURE_REMOTE: %PINMEM_PIN_REMOTE and %PINMEM_QUERY_REMOTE work on
 *	this kernel.
 */
enum pinmem_feature {
	PINMEM_FEATURE_REMOTE	= 1 << 0,
};

/**
 * struct pinmem_ioc_features - ioctl(PINMEM_IOC_FEATURES): what this driver can
 * @size: sizeof(struct pinmem_ioc_features)
 * @flags: 0
 * @out_abi_version: %PINMEM_ABI_VERSION of the driver
 * @out_page_size: Bytes of a base page
 * @out_features: enum pinmem_feature bits
 * @out_pin_flags: enum pinmem_pin_flags that PIN knows
 * @out_instance: Random number of this load of the module
 * @out_max_ranges: Limit of ranges in one PIN
 * @out_max_pins: Limit of pins per user, ended ones included, whatever the
 *	caller may
 * @out_max_user_bytes: Limit of bytes per user, for callers without
 *	CAP_IPC_LOCK
 * @out_max_bytes: Limit of bytes of all such users together
 * @out_pins: Of @out_max_pins the caller has in use
 * @out_user_bytes: Of @out_max_user_bytes the caller has in use
 * @out_bytes: Of @out_max_bytes is in use
 * @out_short_lease_ns: How long a pin that is not longterm lasts at most
 *
 * "User" is here the owner of the outermost user namespace below the initial
 * one that the caller is in, so that subordinate uids have one limit together.
 */
struct pinmem_ioc_features {
	__u32 size;
	__u32 flags;
	__u32 out_abi_version;
	__u32 out_page_size;
	__aligned_u64 out_features;
	__aligned_u64 out_pin_flags;
	__aligned_u64 out_instance;
	__aligned_u64 out_max_ranges;
	__aligned_u64 out_max_pins;
	__aligned_u64 out_max_user_bytes;
	__aligned_u64 out_max_bytes;
	__aligned_u64 out_pins;
	__aligned_u64 out_user_bytes;
	__aligned_u64 out_bytes;
	__aligned_u64 out_short_lease_ns;
};

/**
 * struct pinmem_ioc_renew - ioctl(PINMEM_IOC_RENEW): let a pin live on
 * @size: sizeof(struct pinmem_ioc_renew)
 * @flags: 0
 * @handle: A longterm pin that was made with a time to live
 * @ttl_ns: From now on; not 0.  %PINMEM_TTL_NONE: it does not end by time.
 *
 * Who may is as for UNPIN.  A pin that is not longterm cannot be renewed (EPERM):
 * pin again.  EINVAL if it was made without a time to live.  ENOENT also if it
 * has ended.
 */
struct pinmem_ioc_renew {
	__u32 size;
	__u32 flags;
	__aligned_u64 handle;
	__aligned_u64 ttl_ns;
};

/**
 * enum pinmem_open_flags - What the holder of a handle file may do
 * @PINMEM_OPEN_READ_ONLY: Ask, and read the data, not unpin, renew or write.
 */
enum pinmem_open_flags {
	PINMEM_OPEN_READ_ONLY	= 1 << 0,
};

/**
 * struct pinmem_ioc_open - ioctl(PINMEM_IOC_OPEN): a pin as a file
 * @size: sizeof(struct pinmem_ioc_open)
 * @flags: Combination of enum pinmem_open_flags
 * @handle: The pin
 * @out_fd: A new file descriptor (O_CLOEXEC) that owns the pin too
 * @out_flags: The flags it was made with
 *
 * Works through the file that made the pin, used by the process that opened it,
 * and through a handle file; a read-only one gives read-only ones (else EPERM).
 * Whoever is given the file may use it.  The pin lives until the last of its
 * files is closed, or ends otherwise.
 */
struct pinmem_ioc_open {
	__u32 size;
	__u32 flags;
	__aligned_u64 handle;
	__s32 out_fd;
	__u32 out_flags;
};

/**
 * struct pinmem_ioc_data - ioctl(PINMEM_IOC_READ), ioctl(PINMEM_IOC_WRITE)
 * @size: sizeof(struct pinmem_ioc_data)
 * @flags: 0
 * @handle: The pin
 * @offset: Into the pin: counts the bytes of its ranges as they were given, one
 *	after the other
 * @data: Pointer to @len bytes of the caller
 * @len: How many; is cut at the end of the pin
 * @out_len: How many were copied, also when the rest failed
 *
 * Reads or writes the pinned pages themselves, whatever the addresses show now.
 * Through the file that made the pin, used by the process that opened it, or
 * through a handle file; else EPERM.  Not with %PINMEM_PIN_GET (EOPNOTSUPP).
 * WRITE needs %PINMEM_PIN_WRITE (EACCES) and pages that are anonymous, of shmem
 * or of hugetlbfs (EOPNOTSUPP).  EHWPOISON: the page is broken.
 */
struct pinmem_ioc_data {
	__u32 size;
	__u32 flags;
	__aligned_u64 handle;
	__aligned_u64 offset;
	__aligned_u64 data;
	__aligned_u64 len;
	__aligned_u64 out_len;
};

/**
 * struct pinmem_ioc_extent - Physically contiguous memory
 * @addr: Physical address
 * @len: Length
 */
struct pinmem_ioc_extent {
	__aligned_u64 addr;
	__aligned_u64 len;
};

/**
 * struct pinmem_ioc_extents - ioctl(PINMEM_IOC_EXTENTS): where a pin lies
 * @size: sizeof(struct pinmem_ioc_extents)
 * @flags: 0
 * @handle: The pin
 * @start: Offset to begin with, as for READ
 * @extents: Pointer to room for struct pinmem_ioc_extent
 * @nr_extents: How many fit there, at least 1
 * @extent_size: sizeof(struct pinmem_ioc_extent)
 * @out_nr_extents: How many were written
 * @out_flags: 0 so far
 * @out_next: Offset to go on with; all is told when no extent was written
 *
 * The extents are those of the bytes of the ranges as they were given, in their
 * order.  Needs CAP_SYS_ADMIN in the initial user namespace and a kernel that is
 * not locked down, and access as for READ (EPERM).  Only of longterm pins that
 * neither end by time nor are revocable: an address that hardware holds must not
 * end behind its back (EPERM).
 */
struct pinmem_ioc_extents {
	__u32 size;
	__u32 flags;
	__aligned_u64 handle;
	__aligned_u64 start;
	__aligned_u64 extents;
	__u32 nr_extents;
	__u32 extent_size;
	__u32 out_nr_extents;
	__u32 out_flags;
	__aligned_u64 out_next;
};

/**
 * DOC: The generic netlink family "pinmem"
 *
 * It shows and changes nothing.  It is found in every network namespace.
 *
 * %PINMEM_CMD_PIN_GET with NLM_F_DUMP lists pins in the order of their handles,
 * one message a pin: those that the effective user of the socket's opener made
 * in the same user namespace, or all for CAP_SYS_ADMIN of the initial user
 * namespace.  Every pin that lived through the whole dump is there exactly
 * once; NLM_F_DUMP_INTR says that pins came or went meanwhile.  The last
 * message has no %PINMEM_A_HANDLE, but %PINMEM_A_INSTANCE and
 * %PINMEM_A_HIDDEN.  The request has no attributes.
 */
#define PINMEM_GENL_NAME	"pinmem"
#define PINMEM_GENL_VERSION	1

enum pinmem_cmd {
	PINMEM_CMD_PIN_GET	= 1,
};

/**
 * enum pinmem_attr - Attributes of a pin in a dump
 * @PINMEM_A_PAD: Padding of 64-bit values
 * @PINMEM_A_HANDLE: u64
 * @PINMEM_A_FLAGS: u32, enum pinmem_pin_flags
 * @PINMEM_A_INFO_FLAGS: u32, enum pinmem_info_flags
 * @PINMEM_A_STATE: u32, enum pinmem_state
 * @PINMEM_A_END: u32, enum pinmem_end
 * @PINMEM_A_OWNER_UID: u32, in the reader's user namespace
 * @PINMEM_A_OWNER_PID: u32, in the reader's pid namespace, 0: gone or not
 *	visible there
 * @PINMEM_A_OWNER_COMM: string
 * @PINMEM_A_TARGET_PID: u32, likewise
 * @PINMEM_A_TARGET_COMM: string
 * @PINMEM_A_RANGES: u32, how many
 * @PINMEM_A_RUNS: u64, how many
 * @PINMEM_A_BYTES: u64, what is pinned and charged
 * @PINMEM_A_AGE: u64, nanoseconds
 * @PINMEM_A_INSTANCE: u64, as &pinmem_ioc_features.out_instance
 * @PINMEM_A_HIDDEN: u32, how many pins of other users were not shown
 * @PINMEM_A_LEFT: u64, nanoseconds until it ends by itself; not there if it does
 *	not
 */
enum pinmem_attr {
	PINMEM_A_UNSPEC,
	PINMEM_A_PAD,
	PINMEM_A_HANDLE,
	PINMEM_A_FLAGS,
	PINMEM_A_INFO_FLAGS,
	PINMEM_A_STATE,
	PINMEM_A_END,
	PINMEM_A_OWNER_UID,
	PINMEM_A_OWNER_PID,
	PINMEM_A_OWNER_COMM,
	PINMEM_A_TARGET_PID,
	PINMEM_A_TARGET_COMM,
	PINMEM_A_RANGES,
	PINMEM_A_RUNS,
	PINMEM_A_BYTES,
	PINMEM_A_AGE,
	PINMEM_A_INSTANCE,
	PINMEM_A_HIDDEN,
	PINMEM_A_LEFT,
	__PINMEM_A_MAX
};

#define PINMEM_A_MAX	(__PINMEM_A_MAX - 1)

#endif /* _UAPI_LINUX_PINMEM_H */
