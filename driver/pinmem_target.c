// SPDX-License-Identifier: GPL-2.0-only
// SPDX-FileCopyrightText: 2026 The pinmem authors
/*
 * Whose memory: the caller's, or that of the process whose /proc/PID/mem the
 * caller has open.
 *
 * Opening that file ran the kernel's ptrace access check; its private_data is
 * the address space.  What proves such a file is its f_op, which nothing else
 * has: environ and pagemap keep the same private_data but ask for less when
 * they are opened.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/file.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <linux/sched/mm.h>

#include "pinmem_private.h"

static const struct file_operations *mem_fops;

/*
 * Learns the f_op from a mount of proc that nobody else sees, so that /proc need
 * not be mounted and cannot be shadowed, and tests that private_data is what it
 * has to be.  Without it there are no remote pins.
 */
int pinmem_target_init(void)
{
	struct file_system_type *type = get_fs_type("proc");
	struct path root;
	struct vfsmount *mnt;
	struct file *file;

	if (!type)
		return 0;
	mnt = kern_mount(type);
	if (IS_ERR(mnt)) {
		pr_warn("no remote pins: cannot mount proc (%ld)\n",
			PTR_ERR(mnt));
		return 0;
	}
	root.mnt = mnt;
	root.dentry = mnt->mnt_root;
	file = file_open_root(&root, "self/mem", O_RDONLY, 0);
	if (IS_ERR(file)) {
		pr_warn("no remote pins: cannot open self/mem (%ld)\n",
			PTR_ERR(file));
	} else {
		if (current->mm && file->private_data == current->mm)
			mem_fops = file->f_op;
		else
			pr_warn("no remote pins: self/mem is not as expected\n");
		fput(file);
	}
	kern_unmount(mnt);
	return 0;
}

bool pinmem_target_has_remote(void)
{
	return mem_fops;
}

static int mem_mm(struct file *file, bool write, struct mm_struct **mm, u32 *why)
{
	if (file->f_op != mem_fops ||
	    file_inode(file)->i_sb->s_magic != PROC_SUPER_MAGIC) {
		*why = PINMEM_WHY_NOT_MEM;
		return -EINVAL;
	}
	if (!(file->f_mode & FMODE_READ) ||
	    (write && !(file->f_mode & FMODE_WRITE))) {
		*why = PINMEM_WHY_ACCESS;
		return -EACCES;
	}
	/* NULL on 6.1: opened of a kernel thread or of an exiting task. */
	*mm = file->private_data;
	if (!*mm || !mmget_not_zero(*mm)) {
		*why = PINMEM_WHY_TARGET_GONE;
		return -ESRCH;
	}
	return 0;
}

/* The address space behind an open /proc/PID/mem, with a use count. */
struct mm_struct *pinmem_target_get(s32 mem_fd, bool write, u32 *why)
{
	struct mm_struct *mm;
	struct file *file;
	int err;

	if (!mem_fops)
		return ERR_PTR(-EOPNOTSUPP);
	file = fget(mem_fd);
	if (!file) {
		*why = PINMEM_WHY_NOT_MEM;
		return ERR_PTR(-EINVAL);
	}
	err = mem_mm(file, write, &mm, why);
	fput(file);
	return err ? ERR_PTR(err) : mm;
}
