// SPDX-License-Identifier: GPL-2.0-only
// SPDX-FileCopyrightText: 2026 The pinmem authors
/*
 * The table of commands, the one place where their structs are copied in and
 * out, and what each does in terms of the rooms below.
 */

#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/pid_namespace.h>

#include "pinmem_private.h"

union command {
	struct pinmem_ioc_pin pin;
	struct pinmem_ioc_unpin unpin;
	struct pinmem_ioc_info info;
	struct pinmem_ioc_query query;
	struct pinmem_ioc_features features;
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

/* Writes the out_ fields, as far as the caller knows them. */
static int respond(struct call *call, const struct row *row)
{
	u32 end = min(call->user_size, row->size);

	if (end <= row->out)
		return 0;
	return copy_to_user(call->user + row->out,
			    (char *)&call->cmd + row->out, end - row->out) ?
		-EFAULT : 0;
}

static void set_fail(struct pinmem_ioc_pin *arg, const struct pinmem_fail *fail)
{
	arg->out_handle = 0;
	arg->out_bytes = 0;
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

	if (!(call->filp->f_mode & FMODE_WRITE)) {
		arg->out_why = PINMEM_WHY_READ_ONLY;
		return -EPERM;
	}
	pin = pinmem_make(call->file, arg, &fail);
	if (IS_ERR(pin)) {
		set_fail(arg, &fail);
		return PTR_ERR(pin);
	}
	arg->out_handle = pin->handle;
	arg->out_bytes = (u64)pin->pages << PAGE_SHIFT;
	err = respond(call, &rows[_IOC_NR(PINMEM_IOC_PIN)]);
	if (err) {
		pinmem_make_abort(pin);
		set_fail(arg, &fail);
		return err;
	}
	err = pinmem_make_pin(pin, call->file, &fail);
	if (err)
		set_fail(arg, &fail);
	return err;
}

static int run_unpin(struct call *call)
{
	struct pinmem_ioc_unpin *arg = &call->cmd.unpin;
	struct pinmem_pin *pin;
	int err = -ENOENT;

	if (arg->flags)
		return -EOPNOTSUPP;
	if (!(call->filp->f_mode & FMODE_WRITE))
		return -EPERM;
	pin = pinmem_pin_lookup(arg->handle);
	if (!pin)
		return -ENOENT;
	if (pinmem_pin_may(pin, call->file))
		err = pinmem_end(pin, PINMEM_END_UNPIN);
	pinmem_pin_put(pin);
	return err;
}

static int info_ranges(const struct pinmem_pin *pin, struct pinmem_ioc_info *arg)
{
	const struct pinmem_ioc_range *range = pinmem_pin_ranges(pin);
	u32 i = arg->first_range;
	int err;

	while (i < pin->nr_ranges && arg->out_nr_ranges < arg->nr_ranges) {
		struct pinmem_ioc_range copy = range[i];

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
	int err = -ENOENT;

	if (arg->flags)
		return -EOPNOTSUPP;
	if (arg->nr_ranges ? arg->range_size < sizeof(struct pinmem_ioc_range) :
			     arg->range_size || arg->ranges)
		return -EINVAL;
	if (arg->range_size > PAGE_SIZE)
		return -E2BIG;
	pin = pinmem_pin_lookup(arg->handle);
	if (!pin)
		return -ENOENT;
	if (pinmem_pin_may(pin, call->file)) {
		pinmem_pin_info(pin, current_user_ns(),
				task_active_pid_ns(current), arg);
		err = info_ranges(pin, arg);
	}
	pinmem_pin_put(pin);
	return err;
}

static int run_query(struct call *call)
{
	return pinmem_query(call->file, &call->cmd.query);
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
	pinmem_account_features(arg);
	return 0;
}

#define ROW(_nr, _struct, _last, _out, _run) \
	[_IOC_NR(_nr)] = { \
		.min_size = offsetofend(_struct, _last), \
		.size = sizeof(_struct), \
		.out = _out, \
		.run = _run, \
	}

static const struct row rows[] = {
	ROW(PINMEM_IOC_PIN, struct pinmem_ioc_pin, out_need,
	    offsetof(struct pinmem_ioc_pin, out_handle), run_pin),
	ROW(PINMEM_IOC_UNPIN, struct pinmem_ioc_unpin, handle,
	    sizeof(struct pinmem_ioc_unpin), run_unpin),
	ROW(PINMEM_IOC_INFO, struct pinmem_ioc_info, out_age_ns,
	    offsetof(struct pinmem_ioc_info, out_nr_ranges), run_info),
	ROW(PINMEM_IOC_QUERY, struct pinmem_ioc_query, out_next,
	    offsetof(struct pinmem_ioc_query, out_nr_runs), run_query),
	ROW(PINMEM_IOC_FEATURES, struct pinmem_ioc_features, out_bytes,
	    offsetof(struct pinmem_ioc_features, out_abi_version),
	    run_features),
};

long pinmem_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	struct call call = {
		.filp = filp,
		.file = filp->private_data,
		.user = (void __user *)arg,
	};
	unsigned int nr = _IOC_NR(cmd);
	const struct row *row;
	int err;

	if (cmd != _IO(PINMEM_IOC_TYPE, nr) || nr >= ARRAY_SIZE(rows))
		return -ENOTTY;
	row = &rows[array_index_nospec(nr, ARRAY_SIZE(rows))];
	if (!row->run)
		return -ENOTTY;
	if (get_user(call.user_size, (u32 __user *)call.user))
		return -EFAULT;
	if (call.user_size < row->min_size)
		return -EINVAL;
	if (call.user_size > PAGE_SIZE)
		return -E2BIG;
	err = copy_struct_from_user(&call.cmd, row->size, call.user,
				    call.user_size);
	if (err)
		return err;
	memset((char *)&call.cmd + row->out, 0, row->size - row->out);
	err = row->run(&call);
	/* A pin that was made has answered before; nothing may fail now. */
	if (err || row->run != run_pin) {
		int fault = respond(&call, row);

		if (!err)
			err = fault;
	}
	return err;
}
