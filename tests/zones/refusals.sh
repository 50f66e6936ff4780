#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# SPDX-FileCopyrightText: 2026 The pinmem authors
#
# What pinctl says where memory lies in a movable zone or is a DAX file, and that
# its advice works.
set -u
# shellcheck source=tests/cli/lib.bash
. "${HERE:=/usr/libexec/pinmem-tests}/cli/lib.bash"

usermod -aG pinmem alice

# Node 0 has the movable zone.
victim_start_movable() { victim_run numactl --membind=0 "$HERE/cli/victim"; }

a_page_that_cannot_be_moved() {
	local held
	victim_start_movable
	run pinctl pin --pid "$VICTIM" --short "$(range_of mixed)"
	done_well
	held=$(handle)
	run pinctl pin --pid "$VICTIM" "$(range_of mixed)"
	failed_with "0x${START[mixed]} in victim[$VICTIM]: the page could not be moved to where a longterm pin may hold it (something else uses it): try again, or use --short"
	run pinctl pin --pid "$VICTIM" "$(range_of mixed)" --json
	status_is 1
	json_error EBUSY '"migrate"'
	json ".error.address == \"0x${START[mixed]}\""
	run pinctl pin --pid "$VICTIM" --short "$(range_of mixed)"
	done_well
	must pinctl unpin "$(handle)" "$held" >/dev/null
	run pinctl pin --pid "$VICTIM" "$(range_of mixed)"
	done_well
	unpin_all
}

mount_dax() {
	DAX=$TMP/dax
	mkdir -p "$DAX"
	must modprobe -a nd_e820 nd_pmem
	must udevadm settle
	must mkfs.ext4 -qF -b 4096 /dev/pmem0
	must mount -o dax=always /dev/pmem0 "$DAX"
	chmod 777 "$DAX"
}

leave_dax() {
	kill -KILL "$VICTIM"
	wait_until umount "$DAX"
}

a_dax_file() {
	mount_dax
	victim_start_with "$DAX/file"
	run pinctl pin --pid "$VICTIM" "$(range_of file)"
	failed_with "0x${START[file]} ($DAX/file) in victim[$VICTIM]: a file on a DAX filesystem, which cannot be pinned longterm: use --short, or leave it out"
	run pinctl pin --pid "$VICTIM" "$(range_of file)" --json
	status_is 1
	json_error EOPNOTSUPP '"fsdax"'
	run pinctl pin --pid "$VICTIM" all
	done_well
	err_has 'DAX'
	unpin_all
	run pinctl pin --pid "$VICTIM" --short "$(range_of file)"
	done_well
	vm_pin_is 1024
	unpin_all
	leave_dax
}

a_dax_file_that_is_only_read() {
	mount_dax
	truncate -s 1M "$DAX/theirs"
	chmod 644 "$DAX/theirs"
	victim_run "${AS[@]/USER/alice}" "$HERE/cli/victim" --read "$DAX/theirs"
	pinctl_as alice pin --pid "$VICTIM" --short "$(range_of file)"
	failed_with "0x${START[file]} ($DAX/theirs) in victim[$VICTIM]: a file on a DAX filesystem that is open for reading only: a pin would hold up who may write it: run pinctl as root, or leave it out"
	pinctl_as alice --json pin --pid "$VICTIM" --short "$(range_of file)"
	status_is 1
	json_error EPERM '"fsdax"'
	vm_pin_is 0
	run pinctl pin --pid "$VICTIM" --short "$(range_of file)"
	done_well
	unpin_all
	leave_dax
}

test_that "a page that cannot be moved" a_page_that_cannot_be_moved
test_that "a DAX file" a_dax_file
test_that "a DAX file that is only read" a_dax_file_that_is_only_read
finish
