// SPDX-License-Identifier: GPL-2.0-only
// SPDX-FileCopyrightText: 2026 The pinmem authors
/*
 * The pin as an object: its references, the index of all pins by handle, and
 * who may use one.
 *
 * The index is a red-black tree under a spinlock, read under RCU alone: a
 * look-up that meets a rotation may miss, which the sequence count tells.
 */

#include <linux/mm.h>
#include <linux/seqlock.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/user_namespace.h>

#include "pinmem_private.h"

static DEFINE_SPINLOCK(index_lock);
static seqcount_spinlock_t index_seq =
	SEQCNT_SPINLOCK_ZERO(index_seq, &index_lock);
static struct rb_root index_root = RB_ROOT;
static atomic64_t pin_last;
static struct kmem_cache *pin_cache;

static_assert(sizeof(struct pinmem_pin) <= 256 ||
	      IS_ENABLED(CONFIG_DEBUG_SPINLOCK) || IS_ENABLED(CONFIG_LOCKDEP));

int pinmem_pin_init(void)
{
	pin_cache = kmem_cache_create("pinmem_pin", sizeof(struct pinmem_pin),
				      0, SLAB_ACCOUNT, NULL);
	return pin_cache ? 0 : -ENOMEM;
}

void pinmem_pin_exit(void)
{
	rcu_barrier();
	kmem_cache_destroy(pin_cache);
}

struct pinmem_pin *pinmem_pin_alloc(bool extended)
{
	struct pinmem_extended *x;
	struct pinmem_pin *pin;

	if (extended) {
		x = kzalloc(sizeof(*x), GFP_KERNEL_ACCOUNT);
		pin = x ? &x->pin : NULL;
	} else {
		pin = kmem_cache_zalloc(pin_cache, GFP_KERNEL);
	}
	if (!pin)
		return NULL;
	if (extended)
		pin->flags |= PINMEM_PIN_EXTENDED;
	RB_CLEAR_NODE(&pin->node);
	RB_CLEAR_NODE(&pin->span.rb);
	INIT_LIST_HEAD(&pin->in_file);
	refcount_set(&pin->ref, 1);
	pin->handle = atomic64_inc_return(&pin_last);
	pin->made = ktime_get_boottime_ns();
	pin->cred = get_current_cred();
	pin->owner = get_pid(task_tgid(current));
	/* Without its lock: it may be half a new name, but ends here. */
	data_race(memcpy(pin->comm, current->group_leader->comm,
			 PINMEM_COMM_LEN - 1));
	return pin;
}

static void pin_free_rcu(struct rcu_head *rcu)
{
	struct pinmem_pin *pin = container_of(rcu, struct pinmem_pin, rcu);

	if (pin->flags & PINMEM_PIN_EXTENDED)
		kfree(pinmem_extended(pin));
	else
		kmem_cache_free(pin_cache, pin);
}

void pinmem_pin_get(struct pinmem_pin *pin)
{
	refcount_inc(&pin->ref);
}

/* Frees what only such a pin has.  Another may grow the pin next. */
static void extended_free(struct pinmem_extended *x)
{
	struct pinmem_ranges *ranges, *older;

	for (ranges = x->ranges; ranges; ranges = older) {
		older = ranges->older;
		kvfree(ranges);
	}
	kvfree(x->watches);
	if (x->base) {
		clear_bit_unlock(0, &pinmem_extended(x->base)->busy);
		pinmem_pin_put(x->base);
	}
}

void pinmem_pin_put(struct pinmem_pin *pin)
{
	if (!refcount_dec_and_test(&pin->ref))
		return;
	if (pin->flags & PINMEM_PIN_EXTENDED)
		extended_free(pinmem_extended(pin));
	else if (pin->nr_ranges > 1)
		kvfree(pin->ranges);
	if (pin->pm)
		pinmem_mm_put(pin->pm);
	put_pid(pin->owner);
	put_cred(pin->cred);
	call_rcu(&pin->rcu, pin_free_rcu);
}

/* Makes the pin known by its handle, and takes a reference. */
void pinmem_pin_publish(struct pinmem_pin *pin, struct pinmem_file *file)
{
	struct rb_node **link = &index_root.rb_node, *parent = NULL;

	pinmem_pin_get(pin);
	spin_lock(&index_lock);
	while (*link) {
		parent = *link;
		if (pin->handle <
		    rb_entry(parent, struct pinmem_pin, node)->handle)
			link = &parent->rb_left;
		else
			link = &parent->rb_right;
	}
	/* Its barrier also publishes what the pin holds to lockless readers. */
	write_seqcount_begin(&index_seq);
	rb_link_node(&pin->node, parent, link);
	rb_insert_color(&pin->node, &index_root);
	write_seqcount_end(&index_seq);
	if (!(pinmem_pin_flags(pin) & PINMEM_PIN_KEEP)) {
		list_add_tail(&pin->in_file, &file->pins);
		pin->owners = 1;
	}
	spin_unlock(&index_lock);
}

static void index_erase(struct pinmem_pin *pin)
{
	lockdep_assert_held(&index_lock);
	write_seqcount_begin(&index_seq);
	rb_erase(&pin->node, &index_root);
	write_seqcount_end(&index_seq);
	RB_CLEAR_NODE(&pin->node);
	list_del_init(&pin->in_file);
}

/*
 * Takes the handle away; true: this call did it, and the caller now holds the
 * index's reference.
 */
bool pinmem_pin_erase(struct pinmem_pin *pin)
{
	bool erased;

	spin_lock(&index_lock);
	erased = !RB_EMPTY_NODE(&pin->node);
	if (erased)
		index_erase(pin);
	spin_unlock(&index_lock);
	return erased;
}

/*
 * The file gives up all that it owns.  Erases one pin that it was the last owner
 * of, as pinmem_pin_erase(); NULL: none left.
 */
struct pinmem_pin *pinmem_pin_take_owned(struct pinmem_file *file)
{
	struct pinmem_pin *pin;

	spin_lock(&index_lock);
	for (;;) {
		pin = list_first_entry_or_null(&file->pins, struct pinmem_pin,
					       in_file);
		if (!pin)
			break;
		list_del_init(&pin->in_file);
		if (!--pin->owners) {
			index_erase(pin);
			break;
		}
	}
	spin_unlock(&index_lock);
	return pin;
}

/* Whether its handle is still good. */
bool pinmem_pin_is_there(const struct pinmem_pin *pin)
{
	bool there;

	spin_lock(&index_lock);
	there = !RB_EMPTY_NODE(&pin->node);
	spin_unlock(&index_lock);
	return there;
}

/* A handle file owns the pin too; false: its handle is gone. */
bool pinmem_pin_own_more(struct pinmem_pin *pin)
{
	bool there;

	spin_lock(&index_lock);
	there = !RB_EMPTY_NODE(&pin->node);
	if (there)
		pin->owners++;
	spin_unlock(&index_lock);
	return there;
}

/*
 * A handle file owns it no more.  Erases the pin if that was its last owner and
 * it is not kept, as pinmem_pin_erase().
 */
bool pinmem_pin_own_less(struct pinmem_pin *pin)
{
	bool erased;

	spin_lock(&index_lock);
	erased = !--pin->owners && !RB_EMPTY_NODE(&pin->node) &&
		 !(pinmem_pin_flags(pin) & PINMEM_PIN_KEEP);
	if (erased)
		index_erase(pin);
	spin_unlock(&index_lock);
	return erased;
}

/*
 * Whether it lives; then from now on it may be kept, that is owned by no file.
 * @keep comes with a reference to the module.
 */
bool pinmem_pin_lives_on(struct pinmem_pin *pin, bool keep)
{
	bool lives;

	spin_lock(&index_lock);
	lives = !RB_EMPTY_NODE(&pin->node) && !READ_ONCE(pin->end);
	if (lives && keep) {
		pinmem_pin_set_flags(pin, pin->flags | PINMEM_PIN_KEEP);
		list_del_init(&pin->in_file);
		pin->owners--;
	}
	spin_unlock(&index_lock);
	return lives;
}

/* The pin with the lowest handle of at least @handle, or a miss. */
static struct pinmem_pin *index_find_from(u64 handle)
{
	struct rb_node *node = rcu_dereference_raw(index_root.rb_node);
	struct pinmem_pin *found = NULL;

	while (node) {
		struct pinmem_pin *pin = rb_entry(node, struct pinmem_pin, node);

		if (pin->handle < handle) {
			node = rcu_dereference_raw(node->rb_right);
			continue;
		}
		found = pin;
		if (pin->handle == handle)
			break;
		node = rcu_dereference_raw(node->rb_left);
	}
	return found;
}

/* As above, with a reference.  Ends: a writer that fails it has got on. */
struct pinmem_pin *pinmem_pin_lookup_from(u64 handle)
{
	struct pinmem_pin *pin;
	unsigned int seq;

	rcu_read_lock();
	do {
		seq = read_seqcount_begin(&index_seq);
		pin = index_find_from(handle);
		if (read_seqcount_retry(&index_seq, seq))
			continue;
		if (!pin || refcount_inc_not_zero(&pin->ref))
			break;
	} while (true);
	rcu_read_unlock();
	return pin;
}

/* The pin with this handle, with a reference, or NULL. */
struct pinmem_pin *pinmem_pin_lookup(u64 handle)
{
	struct pinmem_pin *pin = pinmem_pin_lookup_from(handle);

	if (pin && pin->handle != handle) {
		pinmem_pin_put(pin);
		return NULL;
	}
	return pin;
}

/* Changes whenever a pin comes or goes; never 0. */
unsigned int pinmem_pin_generation(void)
{
	return raw_read_seqcount(&index_seq) | 1;
}

/* Whether the pin was made by the user of these credentials. */
bool pinmem_pin_visible(const struct pinmem_pin *pin, const struct cred *cred)
{
	return uid_eq(pin->cred->euid, cred->euid) &&
	       pin->cred->user_ns == cred->user_ns;
}

/* Whether the caller, through this file, may use it without being an admin. */
bool pinmem_pin_own(const struct pinmem_pin *pin, const struct pinmem_file *file)
{
	if (file->pin)
		return file->pin == pin;
	return pin->maker == file->id ||
	       pinmem_pin_visible(pin, current_cred());
}

/* Whether the caller, through this file, may end it and ask about it. */
bool pinmem_pin_may(const struct pinmem_pin *pin, const struct pinmem_file *file)
{
	return pinmem_pin_own(pin, file) ||
	       (!file->pin && capable(CAP_SYS_ADMIN));
}

/* A process's number in @pids; 0: it is gone, or not seen there. */
static pid_t pid_shown(struct pid *pid, struct pid_namespace *pids, bool *gone)
{
	struct task_struct *task;

	rcu_read_lock();
	task = pid ? pid_task(pid, PIDTYPE_TGID) : NULL;
	*gone = !task;
	rcu_read_unlock();
	return *gone ? 0 : pid_nr_ns(pid, pids);
}

/* What a reader in these namespaces is told; all of info's out_ but ranges. */
void pinmem_pin_info(const struct pinmem_pin *pin, struct user_namespace *ns,
		     struct pid_namespace *pids, struct pinmem_ioc_info *info)
{
	u32 flags = pinmem_pin_flags(pin);
	bool live = !READ_ONCE(pin->end);
	bool gone;

	info->out_target_pid = pid_shown(pin->pm->target, pids, &gone);
	info->out_owner_pid = pid_shown(pin->owner, pids, &gone);
	info->out_info_flags = gone ? PINMEM_INFO_OWNER_GONE : 0;
	if (flags & PINMEM_PIN_AS_MAPPED)
		info->out_info_flags |= PINMEM_INFO_AS_MAPPED;
	info->out_ranges = READ_ONCE(pin->nr_ranges);
	info->out_flags = flags & PINMEM_PIN_FLAGS;
	info->out_state = live ? PINMEM_STATE_LIVE : PINMEM_STATE_ENDED;
	info->out_end = READ_ONCE(pin->end);
	info->out_owner_uid = from_kuid_munged(ns, pin->cred->euid);
	memcpy(info->out_owner_comm, pin->comm, PINMEM_COMM_LEN);
	memcpy(info->out_target_comm, pin->pm->comm, PINMEM_COMM_LEN);
	info->out_bytes = live ? (u64)READ_ONCE(pin->pages) << PAGE_SHIFT : 0;
	info->out_runs = live ? READ_ONCE(pin->runs.nr) : 0;
	info->out_age_ns = ktime_get_boottime_ns() - pin->made;
}
