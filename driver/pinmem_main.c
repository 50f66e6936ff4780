// SPDX-License-Identifier: GPL-2.0-only
// SPDX-FileCopyrightText: 2026 The pinmem authors
/*
 * The module and its device.
 */

#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/random.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "pinmem_private.h"

u64 pinmem_instance;

static int pinmem_open(struct inode *inode, struct file *filp)
{
	static atomic64_t last_id;
	struct pinmem_file *file;

	if (!current->mm)
		return -EINVAL;
	file = kzalloc(sizeof(*file), GFP_KERNEL_ACCOUNT);
	if (!file)
		return -ENOMEM;
	file->user = pinmem_account_get_user();
	if (!file->user) {
		kfree(file);
		return -ENOMEM;
	}
	file->id = atomic64_inc_return(&last_id);
	file->mm = current->mm;
	mmgrab(file->mm);
	INIT_LIST_HEAD(&file->pins);
	filp->private_data = file;
	return 0;
}

static int pinmem_release(struct inode *inode, struct file *filp)
{
	struct pinmem_file *file = filp->private_data;

	pinmem_end_owned(file);
	pinmem_pin_forget(file);
	pinmem_account_put_user(file->user);
	mmdrop(file->mm);
	kfree(file);
	return 0;
}

static const struct file_operations pinmem_fops = {
	.owner		= THIS_MODULE,
	.open		= pinmem_open,
	.release	= pinmem_release,
	.unlocked_ioctl	= pinmem_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.llseek		= noop_llseek,
};

static struct miscdevice pinmem_device = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "pinmem",
	.fops	= &pinmem_fops,
	.mode	= 0600,
};

static int __init pinmem_init(void)
{
	int err;

	do {
		pinmem_instance = get_random_u64();
	} while (!pinmem_instance);
	pinmem_account_init();
	pinmem_target_init();
	err = pinmem_pin_init();
	if (err)
		return err;
	pinmem_lease_init(pinmem_time_over);
	pinmem_revoke_init(pinmem_revoked);
	pinmem_stuck_init(pinmem_give_back);
	err = pinmem_mm_init(pinmem_target_died);
	if (err)
		goto err_pin;
	err = pinmem_genl_init();
	if (err)
		goto err_mm;
	err = misc_register(&pinmem_device);
	if (err)
		goto err_genl;
	return 0;

err_genl:
	pinmem_genl_exit();
err_mm:
	pinmem_lease_exit();
	pinmem_mm_exit();
err_pin:
	pinmem_pin_exit();
	return err;
}

static void __exit pinmem_exit(void)
{
	misc_deregister(&pinmem_device);
	pinmem_genl_exit();
	pinmem_lease_exit();
	pinmem_mm_wait_gone();
	pinmem_stuck_exit();
	pinmem_mm_exit();
	pinmem_pin_exit();
}

module_init(pinmem_init);
module_exit(pinmem_exit);

MODULE_DESCRIPTION("Pin user memory, and ask what is pinned");
MODULE_AUTHOR("The pinmem authors");
MODULE_LICENSE("GPL");
