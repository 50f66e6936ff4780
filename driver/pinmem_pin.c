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
static struct pinmem_pin *index_last;	/* with the highest handle */
static atomic64_t pin_last;
static struct kmem_cache *pin_cache;

static_assert(sizeof(struct pinmem_pin) <= 224 ||
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

static struct pinmem_maker *maker_new(const struct pinmem_file *file)
{
	struct pinmem_maker *maker = kzalloc(sizeof(*maker), GFP_KERNEL_ACCOUNT);

	if (!maker)
		return NULL;
	refcount_set(&maker->ref, 1);
	maker->file = file->id;
	maker->cred = get_current_cred();
	maker->owner = get_pid(task_tgid(current));
	/* Without its lock: it may be half a new name, but ends here. */
	data_race(memcpy(maker->comm, current->group_leader->comm,
			 PINMEM_COMM_LEN - 1));
	return maker;
}

/* A name that changes meanwhile is another one, or will be at the next pin. */
static bool maker_is_caller(const struct pinmem_maker *maker)
{
	return maker->cred == current_cred() &&
	       maker->owner == task_tgid(current) &&
	       /* without its lock: see above */
	       !data_race(memcmp(maker->comm, current->group_leader->comm,
				 PINMEM_COMM_LEN));
}

static void maker_put(struct pinmem_maker *maker)
{
	if (!refcount_dec_and_test(&maker->ref))
		return;
	put_pid(maker->owner);
	put_cred(maker->cred);
	kfree_rcu(maker, rcu);
}

/* Sets what the file knows of its maker, and takes a reference for it. */
static void maker_remember(struct pinmem_file *file, struct pinmem_maker *maker)
{
	struct pinmem_maker *before;

	if (maker)
		refcount_inc(&maker->ref);
	before = unrcu_pointer(xchg(&file->maker, RCU_INITIALIZER(maker)));
	if (before)
		maker_put(before);
}

/*
 * The caller as the maker of a pin through the file, with a reference, or NULL.
 * One that has gone may look the same, and cannot be had.
 */
static struct pinmem_maker *maker_get(struct pinmem_file *file)
{
	struct pinmem_maker *maker;

	rcu_read_lock();
	maker = rcu_dereference(file->maker);
	if (maker && !(maker_is_caller(maker) &&
		       refcount_inc_not_zero(&maker->ref)))
		maker = NULL;
	rcu_read_unlock();
	if (maker)
		return maker;
	maker = maker_new(file);
	if (maker)
		maker_remember(file, maker);
	return maker;
}

/* Memory for a pin, of which only the flags are set. */
static struct pinmem_pin *pin_alloc(struct pinmem_file *file, bool extended)
{
	struct pinmem_extended *x;
	struct pinmem_pin *pin;

	if (extended) {
		x = kzalloc(sizeof(*x), GFP_KERNEL_ACCOUNT);
		pin = x ? &x->pin : NULL;
	} else {
		pin = xchg(&file->spare, NULL) ?:
			kmem_cache_alloc(pin_cache, GFP_KERNEL);
	}
	if (pin)
		pin->flags = extended ? PINMEM_PIN_EXTENDED : 0;
	return pin;
}

struct pinmem_pin *pinmem_pin_alloc(struct pinmem_file *file, bool extended)
{
	struct pinmem_maker *maker = maker_get(file);
	struct pinmem_pin *pin;

	if (!maker)
		return NULL;
	pin = pin_alloc(file, extended);
	if (!pin) {
		maker_put(maker);
		return NULL;
	}
	RB_CLEAR_NODE(&pin->node);
	RB_CLEAR_NODE(&pin->span.rb);
	INIT_LIST_HEAD(&pin->in_file);
	WRITE_ONCE(pin->handle, atomic64_inc_return(&pin_last));
	pin->maker = maker;
	pin->pm = NULL;
	pin->account = NULL;
	pin->made = ktime_get_boottime_ns();
	pin->pages = 0;
	pin->runs = (struct pinmem_runs){ };
	pin->place = (struct pinmem_place){ };
	pin->nr_ranges = 0;
	pin->owners = 0;
	pin->end = PINMEM_END_NONE;
	pin->gone = false;
	/* Who came by it in the index may have it now: see pinmem_pin_lookup_from(). */
	smp_wmb();
	refcount_set(&pin->ref, 1);
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

/* Drops a reference; true: it was the last, and only the memory is left. */
static bool pin_unref(struct pinmem_pin *pin)
{
	if (!refcount_dec_and_test(&pin->ref))
		return false;
	if (pin->flags & PINMEM_PIN_EXTENDED)
		extended_free(pinmem_extended(pin));
	else if (pin->nr_ranges > 1)
		kvfree(pin->ranges);
	if (pin->pm)
		pinmem_mm_put(pin->pm);
	maker_put(pin->maker);
	return true;
}

void pinmem_pin_put(struct pinmem_pin *pin)
{
	if (pin_unref(pin))
		call_rcu(&pin->rcu, pin_free_rcu);
}

/*
 * As pinmem_pin_put(), through a file.  If that made the pin it keeps the memory of
 * one for its next: to get and to free it is an eighth of what a small pin costs.
 */
void pinmem_pin_put_through(struct pinmem_pin *pin, struct pinmem_file *file)
{
	bool keep = pin->maker->file == file->id &&
		    !(pin->flags & PINMEM_PIN_EXTENDED);

	if (pin_unref(pin) && !(keep && !cmpxchg(&file->spare, NULL, pin)))
		call_rcu(&pin->rcu, pin_free_rcu);
}

/* Gives up what the file kept for its next pin: there will be none. */
void pinmem_pin_forget(struct pinmem_file *file)
{
	maker_remember(file, NULL);
	if (file->spare)
		call_rcu(&file->spare->rcu, pin_free_rcu);
}

/* Makes the pin known by its handle, and takes a reference. */
void pinmem_pin_publish(struct pinmem_pin *pin, struct pinmem_file *file)
{
	struct rb_node **link = &index_root.rb_node, *parent = NULL;
	bool last;

	pinmem_pin_get(pin);
	spin_lock(&index_lock);
	/* Handles go up, but two calls may come here the other way round. */
	last = !index_last || pin->handle > index_last->handle;
	if (last && index_last) {
		parent = &index_last->node;
		link = &parent->rb_right;
	}
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
	if (last)
		WRITE_ONCE(index_last, pin);
	write_seqcount_end(&index_seq);
	if (!(pinmem_pin_flags(pin) & PINMEM_PIN_KEEP)) {
		list_add_tail(&pin->in_file, &file->pins);
		pin->owners = 1;
	}
	spin_unlock(&index_lock);
}

static void index_erase(struct pinmem_pin *pin)
{
	struct rb_node *prev;

	lockdep_assert_held(&index_lock);
	write_seqcount_begin(&index_seq);
	if (pin == index_last) {
		/* It has none to its right, and is to the right of its parent. */
		prev = pin->node.rb_left ? rb_prev(&pin->node) :
					   rb_parent(&pin->node);
		WRITE_ONCE(index_last,
			   rb_entry_safe(prev, struct pinmem_pin, node));
	}
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

/*
 * The pin with the lowest handle of at least @handle, which it sets @handle to, or a
 * miss.  Most often the newest is asked for: the one that a program ends before it
 * makes another.
 */
static struct pinmem_pin *index_find_from(u64 *handle)
{
	struct rb_node *node = rcu_dereference_raw(index_root.rb_node);
	struct pinmem_pin *found = rcu_dereference_raw(index_last);
	u64 highest, here, best;

	if (!found)
		return NULL;
	highest = READ_ONCE(found->handle);
	if (highest <= *handle)
		return highest == *handle ? found : NULL;

	best = highest;
	while (node) {
		struct pinmem_pin *pin = rb_entry(node, struct pinmem_pin, node);

		here = READ_ONCE(pin->handle);
		if (here < *handle) {
			node = rcu_dereference_raw(node->rb_right);
			continue;
		}
		found = pin;
		best = here;
		if (here == *handle)
			break;
		node = rcu_dereference_raw(node->rb_left);
	}
	*handle = best;
	return found;
}

/* As above, with a reference.  Ends: a writer that fails it has got on. */
static struct pinmem_pin *index_get_from(u64 *handle)
{
	struct pinmem_pin *pin;
	unsigned int seq;
	u64 found;

	rcu_read_lock();
	do {
		seq = read_seqcount_begin(&index_seq);
		found = *handle;
		pin = index_find_from(&found);
		if (read_seqcount_retry(&index_seq, seq))
			continue;
		if (!pin || refcount_inc_not_zero(&pin->ref))
			break;
	} while (true);
	rcu_read_unlock();
	*handle = found;
	return pin;
}

/* The same.  The memory of one that was found may be another pin's by now. */
struct pinmem_pin *pinmem_pin_lookup_from(u64 handle)
{
	struct pinmem_pin *pin;
	u64 found;

	for (;;) {
		found = handle;
		pin = index_get_from(&found);
		/* The other side is in pinmem_pin_alloc(). */
		smp_rmb();
		if (!pin || READ_ONCE(pin->handle) == found)
			return pin;
		pinmem_pin_put(pin);
	}
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
	return uid_eq(pin->maker->cred->euid, cred->euid) &&
	       pin->maker->cred->user_ns == cred->user_ns;
}

/* Whether the caller, through this file, may use it without being an admin. */
bool pinmem_pin_own(const struct pinmem_pin *pin, const struct pinmem_file *file)
{
	if (file->pin)
		return file->pin == pin;
	return pin->maker->file == file->id ||
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
	info->out_owner_pid = pid_shown(pin->maker->owner, pids, &gone);
	info->out_info_flags = gone ? PINMEM_INFO_OWNER_GONE : 0;
	if (flags & PINMEM_PIN_AS_MAPPED)
		info->out_info_flags |= PINMEM_INFO_AS_MAPPED;
	info->out_ranges = READ_ONCE(pin->nr_ranges);
	info->out_flags = flags & PINMEM_PIN_FLAGS;
	info->out_state = live ? PINMEM_STATE_LIVE : PINMEM_STATE_ENDED;
	info->out_end = READ_ONCE(pin->end);
	info->out_owner_uid = from_kuid_munged(ns, pin->maker->cred->euid);
	memcpy(info->out_owner_comm, pin->maker->comm, PINMEM_COMM_LEN);
	memcpy(info->out_target_comm, pin->pm->comm, PINMEM_COMM_LEN);
	info->out_bytes = live ? (u64)READ_ONCE(pin->pages) << PAGE_SHIFT : 0;
	info->out_runs = live ? READ_ONCE(pin->runs.nr) : 0;
	info->out_age_ns = ktime_get_boottime_ns() - pin->made;
}
