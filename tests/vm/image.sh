# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# SPDX-FileCopyrightText: 2026 The pinmem authors
#
# What a VM boots from: the root file system, then an overlay with kernel
# modules, the installed project and the guest's scripts, as one initramfs;
# and two raw disks, one to scratch on, one for logs.

GUEST_DIR=usr/libexec/pinmem-tests
SCRATCH_SIZE=1G
LOGS_SIZE=1G

# The kernel's own modules, each with what it depends on.
add_modules() {
	local stage=$1 kernel=$2 release module file
	release=$(cat "$kernel/release")
	mkdir -p "$stage/usr/lib/modules/$release"
	while read -r module; do
		modprobe -d "$kernel" -S "$release" --show-depends "$module"
	done < <(list "$TOP/tests/vm/modules") 2>"$LOGS/modprobe.log" |
		awk '$1 == "insmod" { print $2 }' | sort -u |
		while read -r file; do
			install -D -m 644 "$file" "$stage/usr${file#"$kernel"}"
		done
	cp "$kernel/lib/modules/$release"/modules.{builtin,builtin.modinfo,order} \
		"$stage/usr/lib/modules/$release/"
}

# Programs that only the VM runs and no one else builds.
add_vm_programs() {
	local stage=$1 program
	for program in twin pfnmap; do
		[ -e "$TOP/tests/vm/$program.c" ] || continue
		gcc -O2 -g -Wall -Wextra -Werror -o "$stage/$GUEST_DIR/$program" \
			"$TOP/tests/vm/$program.c" || return 1
	done
}

# What the kernel's directory has to measure with.
add_gup_test() {
	local stage=$1 program=$2/usr/bin/gup_test
	[ ! -e "$program" ] || install -m 755 -t "$stage/$GUEST_DIR" "$program"
}

add_guest_scripts() {
	local stage=$1 script units=$1/usr/lib/systemd/system
	local -A scripts=([guest-run]=run [guest-ready]=ready [guest-demo]=demo [guest-redis]=redis
		[guest-init-leaks]=init-leaks [ground.sh]=ground [udev.sh]=udev)
	for script in "${!scripts[@]}"; do
		install -D -m 755 "$TOP/tests/vm/$script" "$stage/$GUEST_DIR/${scripts[$script]}"
	done
	install -m 644 -t "$stage/$GUEST_DIR" "$TOP/tests/vm"/{tap,aside}.sh
	install -m 644 "$TOP/tests/vm/${VM_SUITE:-suite}" "$stage/$GUEST_DIR/suite"
	install -D -m 644 -t "$units" "$TOP/tests/vm"/*.service
	install -D -m 644 -t "$units/serial-getty@ttyS0.service.d" "$TOP/tests/vm/getty.conf"
	install -D -m 644 -t "$units/redis-server.service.d" "$TOP/tests/vm/redis.conf"
	install -D -m 644 "$TOP/tests/vm/guest-profile" "$stage/root/.bash_profile"
}

# Rule, group and module list are kept aside: the udev test wants to see the VM
# without them, and guest-ready puts them into place for all others.
set_aside() {
	local stage=$1 aside=$1/$GUEST_DIR/aside
	mkdir -p "$aside"
	(cd "$stage/usr/lib" && find . -path ./modules -prune -o \
		\( -name 60-pinmem.rules -o -path '*/sysusers.d/*' -o -path '*/modules-load.d/*' \) \
		-type f -print) | while read -r file; do
		mkdir -p "$aside/usr/lib/${file%/*}"
		mv "$stage/usr/lib/$file" "$aside/usr/lib/$file"
	done
}

# The objects of library and tool that count what is run, if any do.
add_counters() {
	local stage=$1 tree=$2
	find "$tree/lib" "$tree/cli" -name '*.gcno' -printf '%f\n' |
		sed 's/gcno$/gcda/' >"$stage/$GUEST_DIR/counters"
}

# add_project STAGE TREE: what make install gives a user, plus the tests.
add_project() {
	local stage=$1 tree=$2
	make -s -C "$tree" install DESTDIR="$stage" &&
		make -s -C "$tree" install-vm-tests DESTDIR="$stage" &&
		add_counters "$stage" "$tree" &&
		set_aside "$stage"
}

# Modules for other kernels, and what only a debugger reads: all of it would be
# unpacked at each boot.
make_small() {
	local stage=$1 release=$2
	find "$stage/usr/lib/modules" -mindepth 1 -maxdepth 1 -not -name "$release" -exec rm -r {} +
	find "$stage" -type f \( -perm -u+x -o -name '*.ko' \) -exec strip -g {} + 2>/dev/null
	return 0
}

# The root file system's /lib and friends are links into /usr; so are ours.
new_stage() {
	local stage=$1
	rm -rf "$stage"
	mkdir -p "$stage/usr/lib" "$stage/usr/bin" "$stage/usr/sbin" "$stage/$GUEST_DIR"
	mkdir -m 700 "$stage/root"
	ln -s usr/lib "$stage/lib"
	ln -s usr/bin "$stage/bin"
	ln -s usr/sbin "$stage/sbin"
}

pack_stage() {
	(cd "$1" && find . -mindepth 1 | sort | cpio --quiet -o -H newc -R 0:0)
}

# make_image NAME SERIES TREE: TREE is a configured build tree, or "" for none
make_image() {
	local name=$1 series=$2 tree=$3
	local dir=$BUILD/vm/$name kernel rootfs
	kernel=$(kernel_dir "$series") && rootfs=$(rootfs_cpio) || return 1
	umask 022
	mkdir -p "$dir"
	new_stage "$dir/stage"
	add_modules "$dir/stage" "$kernel" &&
		add_vm_programs "$dir/stage" &&
		add_gup_test "$dir/stage" "$kernel" &&
		add_guest_scripts "$dir/stage" &&
		{ [ -z "$tree" ] || add_project "$dir/stage" "$tree"; } >"$LOGS/$name.install" 2>&1 &&
		make_small "$dir/stage" "$(cat "$kernel/release")" &&
		depmod -b "$dir/stage" "$(cat "$kernel/release")" &&
		pack_stage "$dir/stage" >"$dir/overlay.cpio" &&
		cat "$rootfs" "$dir/overlay.cpio" >"$dir/initrd" || return 1
	rm -f "$dir"/{scratch,logs}.img
	truncate -s "$SCRATCH_SIZE" "$dir/scratch.img"
	truncate -s "$LOGS_SIZE" "$dir/logs.img"
}
