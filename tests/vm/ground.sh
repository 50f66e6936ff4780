#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# SPDX-FileCopyrightText: 2026 The pinmem authors
#
# TAP, in the VM: is the ground there that the other tests stand on?
set -u

# shellcheck source=tests/vm/tap.sh
. /usr/libexec/pinmem-tests/tap.sh

nodes() { find /sys/devices/system/node -maxdepth 1 -name 'node[0-9]*' | wc -l; }
gigantic() { cat /sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages; }

ext4_works() {
	mkfs.ext4 -q -F "$PINMEM_SCRATCH_DISK" && mount "$PINMEM_SCRATCH_DISK" /mnt &&
		touch /mnt/file && umount /mnt
}

huge_pages_at_run_time() {
	echo 8 >/proc/sys/vm/nr_hugepages && is "$(cat /proc/sys/vm/nr_hugepages)" 8 &&
		echo 0 >/proc/sys/vm/nr_hugepages
}

echo "TAP version 13"
check "systemd is process 1" is "$(cat /proc/1/comm)" systemd
check "udevd runs" pidof systemd-udevd
check "two NUMA nodes" is "$(nodes)" 2
check "a 1 GiB huge page" is "$(gigantic)" 1
check "2 MiB huge pages at run time" huge_pages_at_run_time
check "secretmem is enabled" is "$(cat /sys/module/secretmem/parameters/enable)" Y
check "ext4 on the scratch disk" ext4_works
check "a disk for logs" test -b /dev/vdb
check "a plain user can make a user namespace" setpriv --reuid=alice --clear-groups unshare -Ur true
check "a 32-bit program would run" test -e /lib/ld-linux.so.2
finish
