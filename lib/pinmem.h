/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SPDX-FileCopyrightText: 2026 The pinmem authors */

/**
 * @file pinmem.h
 *
 * Pin memory, ask what is pinned, and unpin, through /dev/pinmem.
 *
 * Rules for the whole library:
 *
 *  - Functions return 0 (or a count) on success and a negative errno value on
 *    failure; pinmem(4) has the table of what each means.
 *  - Objects are opaque.  What a function gives out through a pointer to a
 *    pointer belongs to the caller, who frees it with the function named
 *    there.  Every close and free function accepts NULL and keeps errno.
 *  - There is no global state.  A context may be used by several threads at
 *    once; any other object by one thread at a time.
 *  - Addresses are uint64_t, so that a 32-bit program can name those of a
 *    64-bit one; lengths and limits are bytes, times are nanoseconds.
 *  - Strings that getters return live as long as the object they came from.
 *  - Library and driver may differ in age: what a driver does not know fails
 *    with -EOPNOTSUPP or -ENOTTY, and values that the library does not know
 *    are handed on as numbers.
 */
#ifndef PINMEM_H
#define PINMEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * @defgroup context Context
 * @{
 *
 * A context is an open /dev/pinmem.  It belongs to the process that opened it:
 * after fork() or execve(), or handed to another process, it can still unpin
 * and ask, but pinning gives -EXDEV.  Such a process opens its own.
 *
 * Pins made without PINMEM_KEEP end when the context is closed.
 *
 * A context can also be made of a handle file, which stands for one pin; see
 * pinmem_open_handle() and pinmem_from_fd().
 */
struct pinmem_ctx;

/**
 * Open /dev/pinmem (O_RDWR | O_CLOEXEC).
 * @param ctx	Where to put the context; close it with pinmem_close().
 * @return 0, or -ENOENT or -ENODEV (the module is not loaded), -EACCES (not
 *	in the group of the device), or what open(2) says.
 */
int pinmem_open(struct pinmem_ctx **ctx);

/**
 * Close a context.  Ends its pins, but for those made with PINMEM_KEEP.
 */
void pinmem_close(struct pinmem_ctx *ctx);

/**
 * The device's file descriptor, for use with uapi/linux/pinmem.h.  It stays
 * the context's.
 */
int pinmem_get_fd(const struct pinmem_ctx *ctx);

/** The library's version, as "1.2.3". */
const char *pinmem_version(void);

/** @} */

/**
 * @defgroup features What the driver can
 * @{
 */
struct pinmem_features;

/** Remote pins and queries work. */
#define PINMEM_HAS_REMOTE	(UINT64_C(1) << 0)

/**
 * Ask what the driver can, its limits, and their use by the caller.
 * @param features	Free with pinmem_features_free().
 */
int pinmem_features_get(struct pinmem_ctx *ctx,
			struct pinmem_features **features);
void pinmem_features_free(struct pinmem_features *features);

/** Version of the driver's ABI. */
unsigned int pinmem_features_get_abi(const struct pinmem_features *features);
/** Bytes of a base page. */
uint64_t pinmem_features_get_page_size(const struct pinmem_features *features);
/** PINMEM_HAS_* bits. */
uint64_t pinmem_features_get_bits(const struct pinmem_features *features);
/** The enum pinmem_flags bits that pinning knows. */
uint64_t pinmem_features_get_flags(const struct pinmem_features *features);
/** Random number of this load of the module: handles start again with it. */
uint64_t pinmem_features_get_instance(const struct pinmem_features *features);
/** Limit of ranges in one request. */
uint64_t pinmem_features_get_max_ranges(const struct pinmem_features *features);
/** Limit of pins of one user, and how many are in use. */
uint64_t pinmem_features_get_max_pins(const struct pinmem_features *features);
uint64_t pinmem_features_get_pins(const struct pinmem_features *features);
/** Limit of bytes of one user without CAP_IPC_LOCK, and what is in use. */
uint64_t
pinmem_features_get_max_user_bytes(const struct pinmem_features *features);
uint64_t pinmem_features_get_user_bytes(const struct pinmem_features *features);
/** Limit of bytes of all such users together, and what is in use. */
uint64_t pinmem_features_get_max_bytes(const struct pinmem_features *features);
uint64_t pinmem_features_get_bytes(const struct pinmem_features *features);
/** How long a pin without PINMEM_LONGTERM lasts at most; or PINMEM_NO_END. */
uint64_t
pinmem_features_get_short_lease_ns(const struct pinmem_features *features);

/** @} */

/**
 * @defgroup pin Pinning
 * @{
 *
 * A pin is made of one or more ranges, all or nothing, and is named by a
 * handle, a number that is not used again while the module stays loaded.  It
 * holds the pages that the addresses show when it is made.
 *
 * fork() of a process with pinned memory copies every pinned private page at
 * once; see pinmem(4).
 */

/** How to pin. */
enum pinmem_flags {
	/** The holder will write to the pages. */
	PINMEM_WRITE	= 1 << 0,
	/** The pin lasts: nothing that may be held for more than moments
	 *  should go without it.  Pages leave movable zones first.  Without it
	 *  the pin ends after pinmem_features_get_short_lease_ns(). */
	PINMEM_LONGTERM	= 1 << 1,
	/** The pin outlives the context, until it is unpinned, its time is
	 *  over, or its target exits or executes another program.  Needs
	 *  PINMEM_LONGTERM, or an end by time. */
	PINMEM_KEEP	= 1 << 2,
	/** Use the kernel's slow path (pin_user_pages()). */
	PINMEM_SLOW	= 1 << 3,
	/** Take plain references (get_user_pages()) in place of pins.  They do
	 *  not count as DMA-pinned, and their data cannot be read or written.
	 *  Not with PINMEM_WRITE or PINMEM_LONGTERM. */
	PINMEM_GET	= 1 << 5,
	/** The pin ends by itself (PINMEM_ENDED_REVOKED) soon after one of its
	 *  addresses stops showing the page that was pinned there: unmapped,
	 *  remapped, discarded, truncated, or copied on a write.  Not with
	 *  PINMEM_GET or PINMEM_GROW. */
	PINMEM_REVOCABLE = 1 << 6,
	/** pinmem_grow() will follow.  Not with PINMEM_KEEP, which is for the
	 *  last call. */
	PINMEM_GROW	= 1 << 7,
};

/** A time that does not end. */
#define PINMEM_NO_END	UINT64_MAX

/** Why a pin could not be made.  The list is open. */
enum pinmem_reason {
	PINMEM_REASON_NONE		= 0,	/**< See the errno value. */
	PINMEM_REASON_UNMAPPED		= 1,
	PINMEM_REASON_ACCESS		= 2,
	PINMEM_REASON_SPECIAL		= 3,
	PINMEM_REASON_SECRETMEM		= 4,
	PINMEM_REASON_FSDAX		= 5,
	PINMEM_REASON_DIRTY_TRACKING	= 6,
	PINMEM_REASON_COW_PENDING	= 7,
	PINMEM_REASON_MEMLOCK		= 8,	/**< limit, use, need: bytes */
	PINMEM_REASON_LIMIT_TOTAL	= 9,	/**< limit, use, need: bytes */
	PINMEM_REASON_LIMIT_USER	= 10,	/**< limit, use, need: bytes */
	PINMEM_REASON_LIMIT_PINS	= 11,	/**< limit, use, need: pins */
	PINMEM_REASON_LIMIT_RANGES	= 12,	/**< limit, use, need: ranges */
	PINMEM_REASON_MIGRATE		= 13,
	PINMEM_REASON_REFCOUNT		= 14,
	PINMEM_REASON_INTERRUPTED	= 15,
	PINMEM_REASON_TARGET_GONE	= 16,
	PINMEM_REASON_WRONG_MM		= 17,
	PINMEM_REASON_NOT_MEM		= 18,
	PINMEM_REASON_NO_MEMORY		= 19,
	PINMEM_REASON_BAD_RANGE		= 20,
	PINMEM_REASON_HWPOISON		= 21,
	PINMEM_REASON_FAULT		= 22,
	PINMEM_REASON_KEEP_SHORT	= 23,
	PINMEM_REASON_READ_ONLY		= 24,
	PINMEM_REASON_CHANGING		= 25,
	PINMEM_REASON_TTL		= 26,	/**< limit, need: nanoseconds */
	PINMEM_REASON_ENDED		= 27,	/**< pinmem_request_get_ended() */
	PINMEM_REASON_GROWING		= 28,
	PINMEM_REASON_NOT_PAYER		= 29,
};

/**
 * A sentence for a reason.
 * @return Static text; for a reason that the library does not know a text that
 *	says so.  Never NULL.
 */
const char *pinmem_reason_text(unsigned int reason);

/**
 * A request says what to pin, and takes the reason when that fails.  It may be
 * used again; the reason is that of the last use.
 */
struct pinmem_request;

/**
 * Make an empty request: no range, no flags, the caller's own memory.
 * @param req	Free with pinmem_request_free().
 */
int pinmem_request_new(struct pinmem_request **req);
void pinmem_request_free(struct pinmem_request *req);

/**
 * Add a range.  It need not be aligned: all pages that it touches are pinned.
 * Ranges that overlap are pinned and charged twice.
 * @return 0, -EINVAL if @p len is 0 or the end wraps, or -ENOMEM.
 */
int pinmem_request_add_range(struct pinmem_request *req, uint64_t addr,
			     uint64_t len);
/** Forget all ranges. */
void pinmem_request_clear_ranges(struct pinmem_request *req);

/** Set the combination of enum pinmem_flags. */
void pinmem_request_set_flags(struct pinmem_request *req, unsigned int flags);

/**
 * Set when the pin ends by itself: @p ttl_ns nanoseconds after it was made, time
 * in suspend included.  0, as in a new request: with PINMEM_LONGTERM it does
 * not, without after pinmem_features_get_short_lease_ns().  There, to last
 * longer, or PINMEM_NO_END, needs CAP_SYS_ADMIN (PINMEM_REASON_TTL).
 */
void pinmem_request_set_ttl(struct pinmem_request *req, uint64_t ttl_ns);

/**
 * Pin memory of process @p pid, by opening its /proc/PID/mem when the request
 * is used, for writing only if PINMEM_WRITE is set.  0: the caller's own.
 */
void pinmem_request_set_pid(struct pinmem_request *req, pid_t pid);

/**
 * Pin memory of the process whose /proc/PID/mem is open as @p mem_fd, which
 * stays the caller's and open until the request was used.  -1: the caller's
 * own.  The last of set_pid and set_mem_fd counts.
 */
void pinmem_request_set_mem_fd(struct pinmem_request *req, int mem_fd);

/** The last step of a pin with PINMEM_KEEP is of at most as many bytes. */
#define PINMEM_LAST_STEP	(UINT64_C(2) << 20)

/**
 * Have pinmem_pin() tell how far it is, and be stopped: it then pins large
 * requests in steps.
 *
 * A step is of up to 256 MiB, in ranges of more than 4 GiB of up to 1 GiB, and
 * takes many small ranges together.  Still all is pinned or nothing: a failing
 * step gives back the ones before, and the request tells of it as of one call,
 * limits included: the need is that of all ranges.  A process that dies half
 * way leaves nothing, not even with PINMEM_KEEP, which only the last step has;
 * a time to live counts from the first.  Each step begins a run of its own.
 *
 * With PINMEM_KEEP the last step is of at most PINMEM_LAST_STEP bytes.  A caller
 * that must not lose the handle of a kept pin to a signal can hold signals back
 * once no more than that is left to do.
 *
 * All goes in one step with PINMEM_REVOCABLE, and with a driver that does not
 * know of PINMEM_GROW.
 *
 * @param progress	Called with the bytes pinned so far and of all ranges,
 *	as they were given, in the thread of pinmem_pin(): before the first
 *	step, with 0, and after each.  It must not change the request.  If it
 *	does not return 0, nothing stays pinned and pinmem_pin() returns
 *	-ECANCELED.  NULL, as in a new request: pin in one call.
 * @param arg	Handed on to @p progress.
 */
void pinmem_request_set_progress(
	struct pinmem_request *req,
	int (*progress)(uint64_t done, uint64_t total, void *arg), void *arg);

/**
 * Pin what a request says.
 * @param handle	Where to put the handle.
 * @return 0, or a negative errno value, with more in the request.
 */
int pinmem_pin(struct pinmem_ctx *ctx, struct pinmem_request *req,
	       uint64_t *handle);

/**
 * Add the ranges of a request to a pin that was made with PINMEM_GROW, through
 * the same context, for the same target and with the same flags.  The first
 * request without PINMEM_GROW is the last that the pin takes, and may have
 * PINMEM_KEEP.  It is one call without progress, and the pin's time to live
 * stays as it is.
 *
 * A range that begins on the page boundary where the pin's last one ends makes
 * that one longer.
 *
 * @return 0; afterwards pinmem_request_get_bytes() is what was added.  Or a
 *	negative errno value, with more in the request, and the pin is as it
 *	was: -ENOENT: no such handle for you, or it ended
 *	(PINMEM_REASON_ENDED); -EINVAL: it may not grow, or not so; -EBUSY: it
 *	grows just now (PINMEM_REASON_GROWING); -EPERM: another user was
 *	charged for it (PINMEM_REASON_NOT_PAYER); -EOPNOTSUPP: the driver does
 *	not know of growth.
 */
int pinmem_grow(struct pinmem_ctx *ctx, struct pinmem_request *req,
		uint64_t handle);

/**
 * Try a request: pin nothing, and ask what pinning it would meet.
 * @return What pinmem_pin() would return, 0 or a negative errno value, with
 *	more in the request.  If it is 0, or pinmem_request_get_reason() is not
 *	PINMEM_REASON_NONE, the request has the figures below, 0 where it was
 *	refused before the memory was looked at, and pinmem_request_get_bytes().
 *	Else it could not be tried; -EOPNOTSUPP: the driver does not know of
 *	trials.  What happens until it is pinned, and what only a fault can
 *	tell, is not in it.
 */
int pinmem_estimate(struct pinmem_ctx *ctx, struct pinmem_request *req);

/** Of an estimate: bytes that are in memory and mapped in, */
uint64_t pinmem_request_get_present(const struct pinmem_request *req);
/** bytes that would be faulted in, */
uint64_t pinmem_request_get_absent(const struct pinmem_request *req);
/** and of those present the bytes that would be moved first, about: those in
 *  a movable zone, not those in a CMA area. */
uint64_t pinmem_request_get_movable(const struct pinmem_request *req);
/** Of an estimate: runs of physically contiguous pages, at least. */
uint64_t pinmem_request_get_runs(const struct pinmem_request *req);
/** Of an estimate: RLIMIT_MEMLOCK of the caller in bytes, UINT64_MAX if it is
 *  unlimited; how much of it is in use; and how much would be charged to it, 0
 *  with CAP_IPC_LOCK. */
uint64_t
pinmem_request_get_memlock_limit(const struct pinmem_request *req);
uint64_t pinmem_request_get_memlock_use(const struct pinmem_request *req);
uint64_t pinmem_request_get_memlock_need(const struct pinmem_request *req);

/** An enum pinmem_reason, or a number of a newer driver; 0: none was given. */
unsigned int pinmem_request_get_reason(const struct pinmem_request *req);
/** The address to blame, if the reason is one of an address. */
uint64_t pinmem_request_get_address(const struct pinmem_request *req);
/** The index, in the order they were added, of the range to blame. */
size_t pinmem_request_get_range(const struct pinmem_request *req);
/** For a limit: how much is allowed, how much of it was in use, and how much
 *  the request needs on top. */
uint64_t pinmem_request_get_limit(const struct pinmem_request *req);
uint64_t pinmem_request_get_use(const struct pinmem_request *req);
uint64_t pinmem_request_get_need(const struct pinmem_request *req);
/** Why the pin that was to grow ended, an enum pinmem_ended: for
 *  PINMEM_REASON_ENDED. */
unsigned int pinmem_request_get_ended(const struct pinmem_request *req);
/** After success: bytes pinned and charged, whole pages. */
uint64_t pinmem_request_get_bytes(const struct pinmem_request *req);

/**
 * Pin @p len bytes of the caller's memory at @p addr.  A shorthand for a
 * request, without the reason.
 */
int pinmem_pin_self(struct pinmem_ctx *ctx, const void *addr, size_t len,
		    unsigned int flags, uint64_t *handle);

/** Pin several ranges of the caller's memory as one pin. */
int pinmem_pin_vec(struct pinmem_ctx *ctx, const struct iovec *iov,
		   size_t iovcnt, unsigned int flags, uint64_t *handle);

/** Pin memory of another process. */
int pinmem_pin_remote(struct pinmem_ctx *ctx, pid_t pid, uint64_t addr,
		      uint64_t len, unsigned int flags, uint64_t *handle);

/**
 * End a pin.  Pages and charges are given back when it returns.
 * @return 0, or -ENOENT: no such handle for you.
 */
int pinmem_unpin(struct pinmem_ctx *ctx, uint64_t handle);

/**
 * Let a pin that was made with PINMEM_LONGTERM and a time to live end @p ttl_ns
 * from now; PINMEM_NO_END: it does not end by time any more.
 * @return 0, or -ENOENT: no such handle for you, or the pin ended; -EPERM: it
 *	is not longterm, pin again; -EINVAL: it was made without a time to live,
 *	or @p ttl_ns is 0.
 */
int pinmem_renew(struct pinmem_ctx *ctx, uint64_t handle, uint64_t ttl_ns);

/** @} */

/**
 * @defgroup handle A pin as a file
 * @{
 *
 * A handle file stands for one pin and owns it: the pin lives until the last
 * of its files, the context that made it among them, is closed, or ends
 * otherwise.  Whoever is given the file, over a socket, by inheritance or by
 * systemd's file descriptor store, may use the pin, data included.
 */

/** Names, in a context of a handle file, the pin of that file. */
#define PINMEM_OF_FILE	UINT64_C(0)

/**
 * Make a handle file (O_CLOEXEC) of a pin.  Only through the context that made
 * the pin, in the process that opened that, or through one of a handle file.
 * @param read_only	Its holder may ask, and read the data, not unpin, renew
 *	or write; and make read-only handle files only.
 * @param fd	Where to put the file descriptor; close it with close(2).
 * @return 0, or -ENOENT: no such handle for you; -EPERM: this context may not,
 *	or is read-only itself; -EMFILE and the like.
 */
int pinmem_open_handle(struct pinmem_ctx *ctx, uint64_t handle, bool read_only,
		       int *fd);

/**
 * Make a context of a handle file.  It knows that one pin, as PINMEM_OF_FILE or
 * by its handle, and everything but pinning works on it.
 * @param fd	Stays the caller's: it is duplicated.  As long as one of both is
 *	open the pin lives.
 * @param ctx	Where to put the context; close it with pinmem_close().
 * @return 0, or -ENOTTY: @p fd is no file of pinmem; -EBADF; -ENOMEM.
 */
int pinmem_from_fd(int fd, struct pinmem_ctx **ctx);

/** @} */

/**
 * @defgroup data What a pin holds
 * @{
 *
 * The pinned pages themselves, whatever the addresses show now: also after the
 * owner has unmapped them.  Only through the context that made the pin, used by
 * the process that opened that, or one of a handle file; else -EPERM.  An
 * offset counts the bytes of the pin's ranges as they were given, one after
 * the other.
 */

/**
 * Read up to @p len bytes at @p offset of a pin.
 * @return How many were read, which are fewer at the end of the pin, 0 there,
 *	and where the rest failed, as the next call tells; or -ENOENT: no such
 *	handle for you, or it ended; -EPERM; -EOPNOTSUPP: it was made with
 *	PINMEM_GET; -EHWPOISON: the memory is broken; -EFAULT: @p data is bad.
 */
ssize_t pinmem_read(struct pinmem_ctx *ctx, uint64_t handle, uint64_t offset,
		    void *data, size_t len);

/**
 * Write up to @p len bytes at @p offset of a pin.
 * @return How many were written, as for pinmem_read(); or what that fails with;
 *	-EACCES: it was made without PINMEM_WRITE; -EOPNOTSUPP also: the page is
 *	of a file, not anonymous, of shmem or of hugetlbfs; -EPERM also: the
 *	handle file is read-only.
 */
ssize_t pinmem_write(struct pinmem_ctx *ctx, uint64_t handle, uint64_t offset,
		     const void *data, size_t len);

/** Where a pin lies in physical memory.  The iterator fetches as it goes,
 *  through the context, which has to stay open as long. */
struct pinmem_extents;

/**
 * Ask where a pin lies.
 * @param extents	Free with pinmem_extents_free().
 */
int pinmem_extents_new(struct pinmem_ctx *ctx, uint64_t handle,
		       struct pinmem_extents **extents);
void pinmem_extents_free(struct pinmem_extents *extents);

/**
 * Go to the next extent: physically contiguous memory, in the order of the
 * pin's offsets.  Starts before the first.
 * @return 1: the getters below tell of it; 0: that was all; or -EPERM: the
 *	caller has no CAP_SYS_ADMIN in the initial user namespace, the kernel is
 *	locked down, the pin is not longterm, has an end by time or is
 *	revocable, or this context may not; -ENOENT: no such handle for you, or
 *	it ended.
 */
int pinmem_extents_next(struct pinmem_extents *extents);

/** The physical address. */
uint64_t pinmem_extents_get_addr(const struct pinmem_extents *extents);
uint64_t pinmem_extents_get_len(const struct pinmem_extents *extents);
/** The offset into the pin of its first byte. */
uint64_t pinmem_extents_get_offset(const struct pinmem_extents *extents);

/** @} */

/**
 * @defgroup info The facts of a pin
 * @{
 */
struct pinmem_info;

/** Whether a pin holds its pages. */
enum pinmem_pin_state {
	PINMEM_LIVE	= 1,
	PINMEM_ENDED	= 2,
};

/** Why a pin ended.  The list is open. */
enum pinmem_ended {
	PINMEM_ENDED_NOT	= 0,
	PINMEM_ENDED_UNPIN	= 1,
	PINMEM_ENDED_CLOSE	= 2,
	PINMEM_ENDED_TARGET	= 3,
	PINMEM_ENDED_TIME	= 4,
	PINMEM_ENDED_REVOKED	= 5,
};

/** A word for an enum pinmem_ended, also for an unknown one.  Never NULL. */
const char *pinmem_ended_text(unsigned int ended);

/**
 * Ask about a pin, its ranges included.
 * @param info	Free with pinmem_info_free().
 * @return 0, or -ENOENT: no such handle for you.
 */
int pinmem_info_get(struct pinmem_ctx *ctx, uint64_t handle,
		    struct pinmem_info **info);
void pinmem_info_free(struct pinmem_info *info);

uint64_t pinmem_info_get_handle(const struct pinmem_info *info);
/** The enum pinmem_flags it was made with; PINMEM_GROW while it may grow. */
unsigned int pinmem_info_get_flags(const struct pinmem_info *info);
/** An enum pinmem_pin_state. */
unsigned int pinmem_info_get_state(const struct pinmem_info *info);
/** An enum pinmem_ended. */
unsigned int pinmem_info_get_ended(const struct pinmem_info *info);
/** The effective uid of who made it, in the caller's user namespace. */
uid_t pinmem_info_get_owner_uid(const struct pinmem_info *info);
/** Who made it, in the caller's pid namespace; 0: gone, or not visible. */
pid_t pinmem_info_get_owner_pid(const struct pinmem_info *info);
/** The maker is gone. */
bool pinmem_info_get_owner_gone(const struct pinmem_info *info);
const char *pinmem_info_get_owner_comm(const struct pinmem_info *info);
/** Whose memory it is; 0: gone, not visible, or not known. */
pid_t pinmem_info_get_target_pid(const struct pinmem_info *info);
const char *pinmem_info_get_target_comm(const struct pinmem_info *info);
/** Bytes pinned and charged; 0 once it ended. */
uint64_t pinmem_info_get_bytes(const struct pinmem_info *info);
/** Runs of physically contiguous pages that it is stored in. */
uint64_t pinmem_info_get_runs(const struct pinmem_info *info);
uint64_t pinmem_info_get_age_ns(const struct pinmem_info *info);
/** Time until it ends by itself, 0 once it ended; PINMEM_NO_END: it does not. */
uint64_t pinmem_info_get_left_ns(const struct pinmem_info *info);
/** It holds pages of a private mapping that could not be written, as they were
 *  mapped when it was made. */
bool pinmem_info_get_as_mapped(const struct pinmem_info *info);
/** How many ranges it has. */
size_t pinmem_info_get_nr_ranges(const struct pinmem_info *info);

/**
 * One range as it was given.  Only of an info from pinmem_info_get(); a list
 * has the number of ranges, not the ranges.
 * @return 0, or -ERANGE if there is no such index, -ENODATA if the info is
 *	from a list.
 */
int pinmem_info_get_range(const struct pinmem_info *info, size_t index,
			  uint64_t *addr, uint64_t *len);

/** @} */

/**
 * @defgroup query Is this DMA-pinned?
 * @{
 *
 * A query walks the page tables, whoever holds the pins (RDMA, VFIO, io_uring,
 * Direct IO, pinmem), and disturbs nothing.  The iterator fetches as it goes,
 * through the context, which has to stay open as long.
 */
struct pinmem_query;

/** What is known of a page.  The list is open. */
enum pinmem_page_state {
	PINMEM_UNMAPPED		= 1,	/**< No mapping. */
	PINMEM_INACCESSIBLE	= 2,	/**< PROT_NONE. */
	PINMEM_SPECIAL		= 3,	/**< Can never be pinned. */
	PINMEM_UNTOUCHED	= 4,	/**< No page yet. */
	PINMEM_AWAY		= 5,	/**< Swapped out or not mapped in. */
	PINMEM_NOT_PINNED	= 6,
	PINMEM_MAYBE		= 7,	/**< Small folio: most likely pinned. */
	PINMEM_PINNED		= 8,	/**< Large folio: pinned. */
};

/** A word for an enum pinmem_page_state; "other" for an unknown one. */
const char *pinmem_page_state_text(unsigned int state);

/** Ask about a range of the caller's memory. */
int pinmem_query_self(struct pinmem_ctx *ctx, uint64_t addr, uint64_t len,
		      struct pinmem_query **query);
/** Ask about a range of another process, by opening its /proc/PID/mem. */
int pinmem_query_pid(struct pinmem_ctx *ctx, pid_t pid, uint64_t addr,
		     uint64_t len, struct pinmem_query **query);
/** Likewise by an open /proc/PID/mem; it is duplicated. */
int pinmem_query_mem_fd(struct pinmem_ctx *ctx, int mem_fd, uint64_t addr,
			uint64_t len, struct pinmem_query **query);
/** Ask what the addresses of a pin show now. */
int pinmem_query_handle(struct pinmem_ctx *ctx, uint64_t handle,
			struct pinmem_query **query);
void pinmem_query_free(struct pinmem_query *query);

/**
 * Go to the next run: pages that follow each other and are all alike.  Starts
 * before the first.  Adjacent runs that are alike are joined.
 * @return 1: the getters below tell of it; 0: that was all; or a negative
 *	errno value: -ESRCH the target is gone.
 */
int pinmem_query_next(struct pinmem_query *query);

uint64_t pinmem_query_get_addr(const struct pinmem_query *query);
uint64_t pinmem_query_get_len(const struct pinmem_query *query);
/** An enum pinmem_page_state. */
unsigned int pinmem_query_get_state(const struct pinmem_query *query);
/** Pins on each page, whoever holds them; an estimate for PINMEM_MAYBE. */
unsigned int pinmem_query_get_count(const struct pinmem_query *query);
/** How many of the caller's pinmem handles hold these very pages here. */
unsigned int pinmem_query_get_own(const struct pinmem_query *query);

/** @} */

/**
 * @defgroup list All pins
 * @{
 *
 * Lists the caller's pins, or everybody's for CAP_SYS_ADMIN, over netlink.
 * Needs no access to the device.
 */
struct pinmem_list;

/**
 * Fetch the list.
 * @param list	Free with pinmem_list_free().
 * @return 0, or -ENOENT: the module is not loaded.
 */
int pinmem_list_get(struct pinmem_list **list);
void pinmem_list_free(struct pinmem_list *list);

/**
 * Go to the next pin, in the order of their handles.
 * @return Its facts, which belong to the list, or NULL at the end.
 */
const struct pinmem_info *pinmem_list_next(struct pinmem_list *list);

/** How many pins of other users are not shown. */
unsigned int pinmem_list_get_hidden(const struct pinmem_list *list);
/** As pinmem_features_get_instance(). */
uint64_t pinmem_list_get_instance(const struct pinmem_list *list);
/** Pins came or went while it was fetched: those may be missing, all others
 *  are there exactly once. */
bool pinmem_list_get_changed(const struct pinmem_list *list);

/** @} */

#ifdef __cplusplus
}
#endif

#endif /* PINMEM_H */
