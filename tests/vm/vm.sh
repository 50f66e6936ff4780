# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# SPDX-FileCopyrightText: 2026 The pinmem authors
#
# All of the VM's pieces, and a run of test programs in it.

for piece in common cache host kernels rootfs build image qemu; do
	# shellcheck disable=SC1090  # the names are above
	. "$(dirname "${BASH_SOURCE[0]}")/$piece.sh"
done

# An emulated CPU is 20 times slower than a real one, and a busy machine stops it for
# half a minute at times, so the kernel waits longer before it calls that a lockup,
# and does not ask at boot whether its timer is in time. Programs lie at the same
# addresses each time, since the emulator translates code anew that moved: to start
# one takes a quarter of the time then.
# Whoever enables an event of tracing would have the scheduler's code changed, too, to
# learn the names of programs, and QEMU may trip over that (died_of_emulator).
PATIENCE="no_timer_check watchdog_thresh=60 rcupdate.rcu_cpu_stall_timeout=120 workqueue.watchdog_thresh=120 norandmaps \
trace_options=norecord-cmd"
TESTS_CMDLINE="$PATIENCE panic=-1 oops=panic secretmem.enable=1 \
systemd.getty_auto=0 systemd.wants=pinmem-tests.service"

# The layouts of memory: "vm" is the VM of nearly all tests, "zones" has little
# memory and a module of it that is plugged in and makes ZONE_MOVABLE (movablecore=
# leaves what the kernel took at boot there, which never goes offline). Both have
# some as a pmem device. "rest" is as "vm", for what there is no time for in that one
# on the debug kernel. "leaks" has as little as will do, since kmemleak looks at
# all of it; the others go without kmemleak. "loops" is as "vm", for a longer time.
# These two have, where it can be had, what looks at each page that is given out.
# In "count" a nanosecond is an instruction, the same ones each time.
LOOPS_TIMEOUT=7200

# use_layout LAYOUT KERNEL: its memory, time, and suite, from here on
# shellcheck disable=SC2034  # run_qemu and make_image use them
use_layout() {
	VM_PLUGGED_MEMORY='' VM_COUNTS=''
	case $1 in
	vm | rest)
		VM_SUITE=suite VM_NODE_MEMORY=3072M
		case $1-$2 in
		vm-debug | vm-kcsan) VM_SUITE=suite-$2 ;;
		rest-*) VM_SUITE=suite-rest ;;
		esac
		# Where the kernel lies at random there may be no room for a page of 1 GiB.
		LAYOUT_CMDLINE="nokaslr hugepagesz=1G hugepages=1 memmap=128M!256M kmemleak=off"
		;;
	zones)
		VM_SUITE=suite-zones VM_NODE_MEMORY=1024M VM_PLUGGED_MEMORY=512M
		LAYOUT_CMDLINE="memhp_default_state=online_movable memmap=128M!256M kmemleak=off"
		;;
	loops)
		VM_SUITE=suite-loops VM_NODE_MEMORY=3072M
		LAYOUT_CMDLINE="pinmem.race=600 memmap=128M!256M kmemleak=off page_poison=1 page_owner=on"
		[ "$VM_TIMEOUT" -gt "$LOOPS_TIMEOUT" ] || VM_TIMEOUT=$LOOPS_TIMEOUT
		;;
	leaks)
		VM_SUITE=suite-leaks VM_NODE_MEMORY=512M
		LAYOUT_CMDLINE="rdinit=/usr/libexec/pinmem-tests/init-leaks page_poison=1 page_owner=on"
		;;
	count)
		# The kernel takes the end of the last page of 1 GiB for itself.
		VM_SUITE=suite-count VM_NODE_MEMORY=7168M VM_COUNTS=count
		LAYOUT_CMDLINE="nokaslr hugepagesz=1G hugepages=4"
		;;
	esac
}

# fetch_all KERNEL: all that is downloaded, before anything is built with it.
# The stock kernels are built for together.
fetch_all() {
	local kernel
	local -a kernels=("$1")
	case $1 in
	debug | kcsan | bench) ;;
	*) kernels=("${STOCK_KERNELS[@]}") ;;
	esac
	for kernel in "${kernels[@]}"; do
		kernel_dir "$kernel" >/dev/null || die "no kernel $kernel ($LOGS/download.log, $LOGS/kernel-$kernel.log)"
	done
	rootfs_cpio >/dev/null || die "the root file system could not be made ($LOGS/rootfs.log)"
}

# options_of KERNEL: a report of KCSAN counts as a warning, and most are of the
# kernel's own races. An interrupt while the kernel finds out about its first CPU
# makes KASAN report that the table of five levels has no such address. Locks are
# counted only while a test asks for it. What is built here has its drivers built in,
# so udev need not look for any at boot.
options_of() {
	[ "$1" = kcsan ] || echo panic_on_warn=1
	[ "$1" != debug ] || echo no5lvl sysctl.kernel.lock_stat=0
	case $1 in
	debug | kcsan) echo systemd.mask=systemd-udev-trigger.service ;;
	esac
}

# What went wrong when a VM did not come to its end.
explain_end() {
	local name=$1 status=$2
	[ "$status" -ne 124 ] || note "VM $name: stopped after $VM_TIMEOUT s"
	grep -q '^#@ end' "$LOGS/$name.tap" && return
	note "VM $name: the last of its console:"
	tail -n 40 "$LOGS/$name.console" >&2
}

# A kernel changes its own code by way of an int3, which a CPU that QEMU before 8.1
# emulates may, once in some hundred boots, still run when the kernel is through with
# it. None of ours has an int3, so that an oops for one tells nothing of us; a test
# that had failed by then does. While it boots the kernel may not even come to say so,
# and nothing of ours has run by then. QEMU itself ends well, as for any reset.
died_of_emulator() {
	[ "$ACCELERATOR" = tcg ] && ! grep -q '^not ok' "$LOGS/$1.tap" &&
		{ grep -q 'int3: 0000 \[#1\]' "$LOGS/$1.console" || died_in_boot "$1"; }
}

# An oops, or a panic, of any other kind is told, and is no matter of the emulator.
died_in_boot() {
	! grep -q '^#@ program' "$LOGS/$1.tap" &&
		! grep -qE 'systemd\[1\]|Kernel panic|Oops|BUG:|WARNING:' "$LOGS/$1.console"
}

# What keeps an emulated VM going, while it runs.
start_keeper() {
	KEEPER=''
	[ "$ACCELERATOR" = tcg ] && [ -z "$VM_COUNTS" ] || return
	: >"$LOGS/$1.console"
	(cd "$BUILD/vm/$1" && tied "$TOP/tests/vm/keep-going" debugger "$LOGS/$1".{console,tap}) \
		>"$LOGS/$1.keeper" 2>&1 &
	KEEPER=$!
}

stop_keeper() {
	[ -z "$KEEPER" ] || { kill "$KEEPER" && wait "$KEEPER"; } 2>/dev/null
}

# The disk of logs holds a tar archive, if the guest came to write it.
unpack_logs() {
	local name=$1
	rm -rf "${LOGS:?}/$name"
	mkdir -p "$LOGS/$name"
	tar -C "$LOGS/$name" -xf "$BUILD/vm/$name/logs.img" 2>/dev/null || true
}

# vm_tests LAYOUT KERNEL TREE [PROGRAM...]: runs the layout's suite, or only the
# named programs, and prints the lines of tap-results.
vm_tests() {
	local name=$1-$2 kernel=$2 tree=$3 status
	use_layout "$1" "$2"
	shift 3
	local only=$* tries
	: >"$LOGS/$name.tap"
	make_image "$name" "$kernel" "$tree" || {
		printf 'fail\tvm\tno image for %s (%s)\n' "$name" "$LOGS/$name.install"
		return
	}
	choose_accelerator "$(kernel_image "$kernel")"
	for tries in 1 2 3; do
		start_keeper "$name"
		run_qemu "$name" "$(kernel_image "$kernel")" "file:$LOGS/$name.console" \
			"$TESTS_CMDLINE $(options_of "$kernel" | paste -sd " ") $LAYOUT_CMDLINE ${only:+pinmem.run=${only// /,}} ${VM_CMDLINE-}" </dev/null >"$LOGS/$name.qemu" 2>&1
		status=$?
		stop_keeper
		if [ "$tries" -eq 3 ] || [ "$status" -ne 0 ] || ! died_of_emulator "$name"; then break; fi
		note "VM $name: it died of an old int3 in the emulator ($LOGS/$name.console-$tries): once more"
		mv "$LOGS/$name.console" "$LOGS/$name.console-$tries"
		: >"$LOGS/$name.tap"
	done
	explain_end "$name" "$status"
	unpack_logs "$name"
	"$TOP/tests/vm/tap-results" "$LOGS/$name.tap"
}
