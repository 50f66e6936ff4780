// SPDX-License-Identifier: GPL-2.0-only
// SPDX-FileCopyrightText: 2026 The pinmem authors
/*
 * The table of commands, the one place where their structs are copied in and
 * out, and what each does in terms of the rooms below.
 */

#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/pid_namespace.h>
#include <linux/security.h>
#include <linux/slab.h>

#include "pinmem_private.h"

union command {
	struct pinmem_ioc_pin pin;
	struct pinmem_ioc_unpin unpin;
	struct pinmem_ioc_info info;
	struct pinmem_ioc_query query;
	struct pinmem_ioc_features features;
	struct pinmem_ioc_renew renew;
	struct pinmem_ioc_open open;
	struct pinmem_ioc_data data;
	struct pinmem_ioc_extents extents;
};

struct call {
	struct file *filp;
	struct pinmem_file *file;
	void __user *user;
	u32 user_size;
	union command cmd;
};

struct row {
	u32 min_size;		/* of the first release */
	u32 size;
	u32 out;		/* where the out_ fields begin */
	int (*run)(struct call *call);
};

static const struct row rows[];

/*
 * Copies in what the caller has to say; what is behind all that we know must be zero,
 * and what will be answered is so.  A command is a few words, which cost less to copy
 * one by one than copy_from_user() does, and less to clear all together than a part of
 * them, for which memset() is called.
 */
static int get_command(struct call *call, const struct row *row)
{
	const u64 __user *from = call->user;
	u64 *to = (u64 *)&call->cmd;
	unsigned long i, words = row->out / sizeof(u64);
	int zeroes;

	if (call->user_size > row->size) {
		zeroes = check_zeroed_user(call->user + row->size,
					   call->user_size - row->size);
		if (zeroes <= 0)
			return zeroes ?: -E2BIG;
	}
	if (row->out < row->size)
		memset(&call->cmd, 0, sizeof(call->cmd));
	if (!user_read_access_begin(from, row->out))
		return -EFAULT;
	for (i = 0; i < words; i++)
		unsafe_get_user(to[i], &from[i], fault);
	if (row->out % sizeof(u64))
		unsafe_get_user(*(u32 *)&to[i], (u32 __user *)&from[i], fault);
	user_read_access_end();
	return 0;

fault:
	user_read_access_end();
	return -EFAULT;
}

/* Writes the out_ fields that the caller knows: words, and half a one at their end. */
static int respond(struct call *call, const struct row *row)
{
	const u64 *from = (void *)&call->cmd + row->out;
	u64 __user *to = call->user + row->out;
	u32 size, end = min(call->user_size, row->size);
	unsigned long i, words;

	if (end <= row->out)
		return 0;
	size = end - row->out;
	words = size / sizeof(u64);
	if (!user_write_access_begin(to, size))
		return -EFAULT;
	for (i = 0; i < words; i++)
		unsafe_put_user(from[i], &to[i], fault);
	if (size % sizeof(u64) >= sizeof(u32))
		unsafe_put_user(*(u32 *)&from[i], (u32 __user *)&to[i], fault);
	user_write_access_end();
	return 0;

fault:
	user_write_access_end();
	return -EFAULT;
}

static bool writable(const struct call *call)
{
	return call->filp->f_mode & FMODE_WRITE;
}

/* The pin of this name that the caller may use, with a reference. */
static struct pinmem_pin *find_pin(struct call *call, u64 handle)
{
	struct pinmem_pin *pin = call->file->pin;

	if (pin && (!handle || handle == pin->handle)) {
		if (!pinmem_pin_is_there(pin))
			return NULL;
		pinmem_pin_get(pin);
		return pin;
	}
	pin = pinmem_pin_lookup(handle);
	if (pin && !pinmem_pin_may(pin, call->file)) {
		pinmem_pin_put(pin);
		return NULL;
	}
	return pin;
}

/*
 * As above, to get at what the pin holds: through the file that made it, used by
 * the process that opened that, or a file that was given away on purpose.  That
 * it is the same user's is not enough: that would be a way around ptrace.
 */
static struct pinmem_pin *hold_pin(struct call *call, u64 handle)
{
	struct pinmem_pin *pin = find_pin(call, handle);
	const struct pinmem_file *file = call->file;

	if (!pin)
		return ERR_PTR(-ENOENT);
	if (file->pin == pin ||
	    (pin->maker->file == file->id && current->mm == file->mm))
		return pin;
	pinmem_pin_put(pin);
	return ERR_PTR(-EPERM);
}

static void set_fail(struct pinmem_ioc_pin *arg, const struct pinmem_fail *fail)
{
	arg->out_handle = 0;
	arg->out_why = fail->why;
	arg->out_range = fail->range;
	arg->out_addr = fail->addr;
	arg->out_limit = fail->limit;
	arg->out_use = fail->use;
	arg->out_need = fail->need;
}

static int run_pin(struct call *call)
{
	struct pinmem_ioc_pin *arg = &call->cmd.pin;
	struct pinmem_fail fail = { };
	struct pinmem_pin *pin;
	int err;

	if (call->file->pin)
		return -EPERM;
	if (!writable(call)) {
		arg->out_why = PINMEM_WHY_READ_ONLY;
		return -EPERM;
	}
	if (arg->flags & PINMEM_PIN_DRY_RUN) {
		err = pinmem_try(call->file, arg, &fail);
		set_fail(arg, &fail);
		return err ?: respond(call, &rows[_IOC_NR(PINMEM_IOC_PIN)]);
	}
	pin = pinmem_make(call->file, arg, &fail);
	if (IS_ERR(pin)) {
		set_fail(arg, &fail);
		return PTR_ERR(pin);
	}
	arg->out_handle = pin->handle;
	arg->out_bytes = (u64)pin->pages << PAGE_SHIFT;
	err = respond(call, &rows[_IOC_NR(PINMEM_IOC_PIN)]);
	if (err)
		pinmem_make_abort(pin);
	else
		err = pinmem_make_pin(pin, call->file, &fail);
	if (err) {
		arg->out_bytes = 0;
		set_fail(arg, &fail);
	}
	return err;
}

/* The pin that a command without flags changes, with a reference. */
static struct pinmem_pin *pin_to_change(struct call *call, u32 flags, u64 handle)
{
	if (flags)
		return ERR_PTR(-EOPNOTSUPP);
	if (!writable(call))
		return ERR_PTR(-EPERM);
	return find_pin(call, handle) ?: ERR_PTR(-ENOENT);
}

static int run_unpin(struct call *call)
{
	struct pinmem_ioc_unpin *arg = &call->cmd.unpin;
	struct pinmem_pin *pin;
	int err;

	pin = pin_to_change(call, arg->flags, arg->handle);
	if (IS_ERR(pin))
		return PTR_ERR(pin);
	err = pinmem_end(pin, PINMEM_END_UNPIN);
	pinmem_pin_put_through(pin, call->file);
	return err;
}

static int run_renew(struct call *call)
{
	struct pinmem_ioc_renew *arg = &call->cmd.renew;
	struct pinmem_pin *pin;
	int err;

	pin = pin_to_change(call, arg->flags, arg->handle);
	if (IS_ERR(pin))
		return PTR_ERR(pin);
	err = pinmem_renew(pin, arg->ttl_ns);
	pinmem_pin_put(pin);
	return err;
}

static int info_ranges(const struct pinmem_pin *pin, struct pinmem_ioc_info *arg)
{
	const struct pinmem_ioc_range *range;
	u32 i = arg->first_range;
	u32 nr = pinmem_pin_ranges(pin, &range);
	int err;

	while (i < nr && arg->out_nr_ranges < arg->nr_ranges) {
		struct pinmem_ioc_range copy = {
			.addr = range[i].addr,
			.len = pinmem_range_len(&range[i]),
		};

		err = pinmem_put_element(arg->ranges, arg->out_nr_ranges,
					 arg->range_size, &copy, sizeof(copy));
		if (err)
			return err;
		arg->out_nr_ranges++;
		i++;
	}
	return 0;
}

static int run_info(struct call *call)
{
	struct pinmem_ioc_info *arg = &call->cmd.info;
	struct pinmem_pin *pin;
	int err;

	if (arg->flags)
		return -EOPNOTSUPP;
	if (arg->nr_ranges ? arg->range_size < sizeof(struct pinmem_ioc_range) :
			     arg->range_size || arg->ranges)
		return -EINVAL;
	if (arg->range_size > PAGE_SIZE)
		return -E2BIG;
	pin = find_pin(call, arg->handle);
	if (!pin)
		return -ENOENT;
	pinmem_pin_info(pin, current_user_ns(), task_active_pid_ns(current),
			arg);
	arg->out_left_ns = pinmem_lease_left(pin);
	arg->out_handle = pin->handle;
	err = info_ranges(pin, arg);
	pinmem_pin_put(pin);
	return err;
}

static int run_query(struct call *call)
{
	struct pinmem_ioc_query *arg = &call->cmd.query;
	struct pinmem_pin *pin = NULL;
	int err;

	arg->out_next = arg->start;
	if (arg->flags & PINMEM_QUERY_HANDLE) {
		pin = find_pin(call, arg->handle);
		if (!pin)
			return -ENOENT;
	}
	err = pinmem_query(call->file, pin, arg);
	if (pin)
		pinmem_pin_put(pin);
	return err;
}

static int run_data(struct call *call, bool write)
{
	struct pinmem_ioc_data *arg = &call->cmd.data;
	struct pinmem_pin *pin;
	int err;

	if (write && !writable(call))
		return -EPERM;
	pin = hold_pin(call, arg->handle);
	if (IS_ERR(pin))
		return PTR_ERR(pin);
	err = pinmem_data(pin, arg, write);
	pinmem_pin_put(pin);
	return err;
}

static int run_read(struct call *call)
{
	return run_data(call, false);
}

static int run_write(struct call *call)
{
	return run_data(call, true);
}

static int run_extents(struct call *call)
{
	struct pinmem_ioc_extents *arg = &call->cmd.extents;
	struct pinmem_pin *pin;
	int err;

	if (!capable(CAP_SYS_ADMIN) || security_locked_down(LOCKDOWN_DEV_MEM))
		return -EPERM;
	pin = hold_pin(call, arg->handle);
	if (IS_ERR(pin))
		return PTR_ERR(pin);
	err = pinmem_extents(pin, arg);
	pinmem_pin_put(pin);
	return err;
}

static int handle_release(struct inode *inode, struct file *filp)
{
	struct pinmem_file *file = filp->private_data;

	pinmem_end_handle_file(file);
	kfree(file);
	return 0;
}

static const struct file_operations handle_fops = {
	.owner		= THIS_MODULE,
	.release	= handle_release,
	.unlocked_ioctl	= pinmem_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.llseek		= noop_llseek,
};

/* A file that owns @pin too, and takes the caller's reference to it. */
static struct file *handle_file(struct pinmem_pin *pin, bool read_only)
{
	struct pinmem_file *file;
	struct file *filp;

	file = kzalloc(sizeof(*file), GFP_KERNEL_ACCOUNT);
	if (!file)
		return ERR_PTR(-ENOMEM);
	if (!pinmem_pin_own_more(pin)) {
		kfree(file);
		return ERR_PTR(-ENOENT);
	}
	file->pin = pin;
	filp = anon_inode_getfile("[pinmem]", &handle_fops, file,
				  O_CLOEXEC | (read_only ? O_RDONLY : O_RDWR));
	if (IS_ERR(filp)) {
		pinmem_pin_get(pin);
		pinmem_end_handle_file(file);
		kfree(file);
	}
	return filp;
}

static int open_fd(struct call *call, struct pinmem_pin *pin, bool read_only)
{
	struct file *filp;
	int fd, err;

	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		return fd;
	pinmem_pin_get(pin);
	filp = handle_file(pin, read_only);
	if (IS_ERR(filp)) {
		pinmem_pin_put(pin);
		put_unused_fd(fd);
		return PTR_ERR(filp);
	}
	call->cmd.open.out_fd = fd;
	call->cmd.open.out_flags = call->cmd.open.flags;
	err = respond(call, &rows[_IOC_NR(PINMEM_IOC_OPEN)]);
	if (err) {
		call->cmd.open.out_fd = -1;
		fput(filp);
		put_unused_fd(fd);
		return err;
	}
	fd_install(fd, filp);
	return 0;
}

static int run_open(struct call *call)
{
	struct pinmem_ioc_open *arg = &call->cmd.open;
	bool read_only = arg->flags & PINMEM_OPEN_READ_ONLY;
	struct pinmem_pin *pin;
	int err;

	arg->out_fd = -1;
	if (arg->flags & ~PINMEM_OPEN_READ_ONLY)
		return -EOPNOTSUPP;
	if (!read_only && !writable(call))
		return -EPERM;
	pin = hold_pin(call, arg->handle);
	if (IS_ERR(pin))
		return PTR_ERR(pin);
	err = open_fd(call, pin, read_only);
	pinmem_pin_put(pin);
	return err;
}

static int run_features(struct call *call)
{
	struct pinmem_ioc_features *arg = &call->cmd.features;

	if (arg->flags)
		return -EOPNOTSUPP;
	arg->out_abi_version = PINMEM_ABI_VERSION;
	arg->out_page_size = PAGE_SIZE;
	arg->out_features = pinmem_target_has_remote() ?
		PINMEM_FEATURE_REMOTE : 0;
	arg->out_pin_flags = PINMEM_PIN_FLAGS;
	arg->out_instance = pinmem_instance;
	arg->out_short_lease_ns = pinmem_lease_short_ns();
	pinmem_account_features(arg);
	return 0;
}

/* With its 64-bit fields each struct is words long, and .out at most half a one off. */
#define ROW(_nr, _struct, _last, _out, _run) \
	[_IOC_NR(_nr)] = { \
		.min_size = offsetofend(_struct, _last), \
		.size = sizeof(_struct), \
		.out = _out, \
		.run = _run, \
	}

static const struct row rows[] = {
	ROW(PINMEM_IOC_PIN, struct pinmem_ioc_pin, out_memlock_need,
	    offsetof(struct pinmem_ioc_pin, out_handle), run_pin),
	ROW(PINMEM_IOC_UNPIN, struct pinmem_ioc_unpin, handle,
	    sizeof(struct pinmem_ioc_unpin), run_unpin),
	ROW(PINMEM_IOC_INFO, struct pinmem_ioc_info, out_handle,
	    offsetof(struct pinmem_ioc_info, out_nr_ranges), run_info),
	ROW(PINMEM_IOC_QUERY, struct pinmem_ioc_query, out_next,
	    offsetof(struct pinmem_ioc_query, out_nr_runs), run_query),
	ROW(PINMEM_IOC_FEATURES, struct pinmem_ioc_features, out_short_lease_ns,
	    offsetof(struct pinmem_ioc_features, out_abi_version),
	    run_features),
	ROW(PINMEM_IOC_RENEW, struct pinmem_ioc_renew, ttl_ns,
	    sizeof(struct pinmem_ioc_renew), run_renew),
	ROW(PINMEM_IOC_OPEN, struct pinmem_ioc_open, out_flags,
	    offsetof(struct pinmem_ioc_open, out_fd), run_open),
	ROW(PINMEM_IOC_READ, struct pinmem_ioc_data, out_len,
	    offsetof(struct pinmem_ioc_data, out_len), run_read),
	ROW(PINMEM_IOC_WRITE, struct pinmem_ioc_data, out_len,
	    offsetof(struct pinmem_ioc_data, out_len), run_write),
	ROW(PINMEM_IOC_EXTENTS, struct pinmem_ioc_extents, out_next,
	    offsetof(struct pinmem_ioc_extents, out_nr_extents), run_extents),
};

long pinmem_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	unsigned int nr = _IOC_NR(cmd);
	struct call call __uninitialized;
	const struct row *row;
	int err;

	if (cmd != _IO(PINMEM_IOC_TYPE, nr) || nr >= ARRAY_SIZE(rows))
		return -ENOTTY;
	row = &rows[array_index_nospec(nr, ARRAY_SIZE(rows))];
	if (!row->run)
		return -ENOTTY;
	call.filp = filp;
	call.file = filp->private_data;
	call.user = (void __user *)arg;
	if (get_user(call.user_size, (u32 __user *)call.user))
		return -EFAULT;
	if (call.user_size < row->min_size)
		return -EINVAL;
	if (call.user_size > PAGE_SIZE)
		return -E2BIG;
	err = get_command(&call, row);
	if (err)
		return err;
	err = row->run(&call);
	/* What was made has been answered before; nothing may fail now. */
	if (err || (row->run != run_pin && row->run != run_open)) {
		int fault = respond(&call, row);

		if (!err)
			err = fault;
	}
	return err;
}
