#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# SPDX-FileCopyrightText: 2026 The pinmem authors
#
# What pinctl says when it may not: each sentence, and that its advice works.
set -u
# shellcheck source=tests/cli/lib.bash
. "${HERE:=/usr/libexec/pinmem-tests}/cli/lib.bash"

PARAMETERS=/sys/module/pinmem/parameters
SCOPE=/proc/sys/kernel/yama/ptrace_scope
usermod -aG pinmem alice
echo 0 >"$SCOPE"

# with_parameter NAME VALUE COMMAND...
with_parameter() {
	local file=$PARAMETERS/$1 was status
	was=$(cat "$file")
	echo "$2" >"$file"
	"${@:3}"
	status=$?
	echo "$was" >"$file"
	return "$status"
}

not_in_the_group() {
	sleep 1000 &
	pinctl_as bob pin --pid $! stack
	failed_with '/dev/pinmem: Permission denied: you are not in group pinmem: sudo usermod -aG pinmem bob, then log in again'
	pinctl_as bob unpin --all
	failed_with 'you are not in group pinmem'
	pinctl_as bob query 7 --json
	status_is 1
	json_error EACCES null
}

in_the_group_since_the_login() {
	run setpriv --reuid=alice --regid=alice --clear-groups pinctl unpin --all
	failed_with 'you are in group pinmem, but this login is older than that: log in again (or newgrp pinmem)'
}

the_rule_was_not_in_force() {
	chown root:root /dev/pinmem
	pinctl_as alice unpin --all
	chown root:pinmem /dev/pinmem
	failed_with 'the udev rule was not in force when the module was loaded'
}

the_module_is_not_loaded() {
	must modprobe -r pinmem
	run pinctl status
	failed_with 'the pinmem module is not loaded: sudo modprobe pinmem'
	run pinctl pin --pid 1 stack
	failed_with '/dev/pinmem: no such device: the module is not loaded: sudo modprobe pinmem'
	run pinctl --version
	done_well
	out_has 'driver ABI: unknown'
	must modprobe pinmem
	must udevadm settle
	run pinctl --version
	done_well
	out_has 'driver ABI: 1'
}

there_is_no_node() {
	run unshare -m bash -c 'mount -t tmpfs none /dev && exec pinctl unpin --all'
	failed_with '/dev/pinmem: no such device, though the module is loaded'
}

the_module_cannot_go_while_pins_are_kept() {
	sleep 1000 &
	run pinctl pin --pid $! stack
	done_well
	modprobe -r pinmem 2>/dev/null && fail "it went"
	must pinctl unpin --all --all-users >/dev/null
	must modprobe -r pinmem
	must modprobe pinmem
	must udevadm settle
}

another_users_process() {
	sleep 1000 &
	pinctl_as alice pin --pid $! stack
	failed_with "sleep[$!]: you may not read its memory: it belongs to user root (0): run pinctl as root, or as that user"
	pinctl_as alice pin --pid $! stack --write
	failed_with 'you may not write to its memory'
	pinctl_as alice query --pid $! --json
	status_is 1
	json_error EACCES null
}

yama_is_named() {
	victim_start_as alice
	pinctl_as alice pin --pid "$VICTIM" "$(range_of anon)"
	done_well
	pinctl_as alice unpin --all
	echo 1 >"$SCOPE"
	pinctl_as alice pin --pid "$VICTIM" "$(range_of anon)"
	echo 0 >"$SCOPE"
	failed_with "you may not read its memory: $SCOPE is 1"
	err_has 'run pinctl as root, or let root write 0 to that file'
}

a_process_that_is_not_dumpable() {
	victim_start_as alice
	tell hide
	pinctl_as alice pin --pid "$VICTIM" "$(range_of anon)"
	failed_with "victim[$VICTIM]: you may not read its memory: it is not dumpable (as after setuid)"
	run pinctl pin --pid "$VICTIM" "$(range_of anon)"
	done_well
	unpin_all
}

memlock_hard() {
	victim_start_as alice
	with_memlock 1048576:1048576 pinctl pin --pid "$VICTIM" "$(range_of anon)"
	failed_with 'needs 2 MiB, 1 MiB allowed (RLIMIT_MEMLOCK, soft and hard), 0 in use: sudo prlimit --pid $$ --memlock=2097152, or LimitMEMLOCK='
	with_memlock 2097152:2097152 pinctl pin --pid "$VICTIM" "$(range_of anon)"
	done_well
	with_memlock 2097152:2097152 pinctl pin --pid "$VICTIM" "$(range_of shared)"
	failed_with 'needs 1 MiB, 2 MiB allowed (RLIMIT_MEMLOCK, soft and hard), 2 MiB in use: sudo prlimit --pid $$ --memlock=3145728'
	pinctl_as alice unpin --all
	with_memlock 1048576:1572864 pinctl pin --pid "$VICTIM" "$(range_of anon)"
	failed_with 'needs 2 MiB, 1 MiB allowed (RLIMIT_MEMLOCK, soft; hard 1536 KiB), 0 in use: sudo prlimit'
}

memlock_soft() {
	victim_start_as alice
	with_memlock 1048576:8388608 pinctl pin --pid "$VICTIM" "$(range_of anon)"
	failed_with 'needs 2 MiB, 1 MiB allowed (RLIMIT_MEMLOCK: soft; hard 8 MiB), 0 in use: ulimit -l 2048'
	with_memlock 1048576:8388608 bash -c 'ulimit -l 2048 && exec pinctl pin --pid "$@"' advice \
		"$VICTIM" "$(range_of anon)"
	done_well
	pinctl_as alice unpin --all
	done_well
}

memlock_in_json() {
	victim_start_as alice
	with_memlock 1048576:1048576 pinctl pin --json --pid "$VICTIM" "$(range_of anon)"
	status_is 1
	json_error ENOMEM '"memlock"'
	json '.error | .limit == 1048576 and .use == 0 and .need == 2097152'
	json '.error | .address == null and .range == null'
}

bytes_of_a_user() {
	victim_start_as alice
	with_parameter max_user_bytes 1048576 pinctl_as alice pin --pid "$VICTIM" "$(range_of anon)"
	failed_with 'needs 2 MiB, 1 MiB allowed for a user without CAP_IPC_LOCK, 0 in use: unpin something, or let root raise /sys/module/pinmem/parameters/max_user_bytes, or run pinctl as root'
	with_parameter max_bytes 1048576 pinctl_as alice pin --pid "$VICTIM" "$(range_of anon)" --json
	status_is 1
	json_error EDQUOT '"limit_total"'
	err_has 'let root raise /sys/module/pinmem/parameters/max_bytes'
}

pins_of_a_user() {
	victim_start_as alice
	pinctl_as alice pin --pid "$VICTIM" "$(range_of anon)"
	done_well
	with_parameter max_user_pins 1 pinctl_as alice pin --pid "$VICTIM" "$(range_of shared)"
	failed_with 'you have 1 pin, 1 allowed, ended ones included: unpin some (pinctl status lists them), or let root raise /sys/module/pinmem/parameters/max_user_pins'
	pinctl_as alice unpin --all
	done_well
}

ranges_of_a_pin() {
	victim_start
	with_parameter max_ranges 4 run pinctl pin --pid "$VICTIM" "$(range_of mixed)" \
		"$(range_of anon)" "$(range_of shared)" "$(range_of text)"
	status_is 0
	unpin_all
	with_parameter max_ranges 4 run pinctl pin --pid "$VICTIM" all --json
	status_is 1
	json_error EDQUOT '"limit_ranges"'
	json '.error.limit == 4 and .error.need > 4'
	err_has 'are allowed in one pin: pin it in parts'
	err_has '/sys/module/pinmem/parameters/max_ranges'
}

# Reason, errno, region, arguments; and what is said of it, and advised.
refusals_of_an_address() {
	cat <<-'TABLE'
		unmapped|EFAULT|gone||nothing is mapped there: /proc/PID/maps shows what is
		access|EACCES|none||cannot be read: leave it out
		access|EACCES|readonly|--write|cannot be written: pin it without --write, or leave it out
		special|EFAULT|vvar||device memory or the like, which has no pages to pin: leave it out
		secretmem|EFAULT|secret||memory of memfd_secret(2), which nobody may pin: leave it out
		hwpoison|EHWPOISON|anon||the memory there is broken (see the kernel's log): leave it out
		hwpoison|EHWPOISON|anon|--short|the memory there is broken (see the kernel's log): leave it out
		fault|EFAULT|short||the page cannot be brought in (past the end of the file, or a read error): leave it out
	TABLE
}

each_reason_tells_what_where_and_what_next() {
	local reason errno region flags sentence where
	victim_start
	tell secret
	tell poison anon
	tell unmap shared
	START[gone]=${START[shared]} END[gone]=${END[shared]}
	START[vvar]=$(sed -n 's/-.*\[vvar\]$//p' "/proc/$VICTIM/maps")
	END[vvar]=$(printf '%x' $((0x${START[vvar]} + 4096)))
	while IFS='|' read -r reason errno region flags sentence; do
		where="0x${START[$region]}"
		[ "$region" != short ] || where=$(printf '0x%x' $((0x${START[short]} + 4096)))
		# shellcheck disable=SC2086  # one word or none
		run pinctl pin --pid "$VICTIM" $flags "$(range_of "$region")"
		failed_with "$sentence"
		err_has "$where"
		err_has " in victim[$VICTIM]"
		# shellcheck disable=SC2086
		run pinctl pin --pid "$VICTIM" $flags "$(range_of "$region")" --json
		status_is 1
		json_error "$errno" "\"$reason\""
		json ".error.address == \"$where\""
		vm_pin_is 0
	done < <(refusals_of_an_address)
	must no_pins
}

test_that "each reason of an address: what, where, and what next" each_reason_tells_what_where_and_what_next
test_that "not in the group" not_in_the_group
test_that "in the group, but not in this login" in_the_group_since_the_login
test_that "the udev rule was not in force" the_rule_was_not_in_force
test_that "the module is not loaded" the_module_is_not_loaded
test_that "there is no node" there_is_no_node
test_that "kept pins keep the module, --all --all-users lets it go" the_module_cannot_go_while_pins_are_kept
test_that "another user's process" another_users_process
test_that "Yama is named, and its advice works" yama_is_named
test_that "a process that is not dumpable" a_process_that_is_not_dumpable
test_that "memlock, hard: the advice works" memlock_hard
test_that "memlock, soft: the advice works" memlock_soft
test_that "memlock in JSON" memlock_in_json
test_that "the module's limits of bytes" bytes_of_a_user
test_that "the module's limit of pins" pins_of_a_user
test_that "the module's limit of ranges" ranges_of_a_pin
finish
