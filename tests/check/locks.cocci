// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors
/// No lock is held while pages are faulted in, pinned or unpinned. mmap_lock is
/// GUP's own; PINS are the functions that come to it, filled in by the gate.

virtual report

@held exists@
identifier lock =~ "^((raw_)?spin|read|write|mutex)_(try)?lock|^(read|write)_seqlock|^down_|^rcu_read_lock|^preempt_disable|^local_.*_(disable|save)";
identifier unlock =~ "unlock|^up_|^preempt_enable|^local_.*_(enable|restore)";
identifier pin =~ "^(PINS)$";
position p;
@@
 lock(...)
 ... when != unlock(...)
 pin@p(...)

@script:python depends on report@
p << held.p;
lock << held.lock;
pin << held.pin;
@@
coccilib.report.print_report(p[0], "%s() under %s()" % (pin, lock))
