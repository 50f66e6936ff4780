# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# SPDX-FileCopyrightText: 2026 The pinmem authors
#
# Build trees under build/, always beside the sources and never in them.

# Where Debian's loader finds the library without ldconfig.
INSTALL_DIRS=(--prefix=/usr --sysconfdir=/etc --localstatedir=/var
	--libdir=/usr/lib/x86_64-linux-gnu --with-udevdir=/usr/lib/udev)

autotools_newer() {
	[ ! -x "$TOP/configure" ] || [ "$TOP/configure.ac" -nt "$TOP/configure" ]
}

run_autoreconf() { (cd "$TOP" && autoreconf -fi); }

# The --with-kernel= option that names the headers of every kernel we test.
with_kernels() {
	local series dirs=()
	for series in "${KERNEL_SERIES[@]}"; do
		dirs+=("$(kernel_headers "$series")")
	done
	(IFS=, && printf -- '--with-kernel=%s\n' "${dirs[*]}")
}

# configure_tree NAME ARGUMENT...: out-of-tree configure in build/NAME
configure_tree() {
	local tree=$BUILD/$1
	shift
	mkdir -p "$tree" && (cd "$tree" && "$TOP/configure" "${INSTALL_DIRS[@]}" "$@")
}

make_tree() {
	local tree=$BUILD/$1
	shift
	make -C "$tree" -j"$(nproc)" "$@"
}

# build_for_vm TREE: what VMs are filled from, for demo and boot: configured when
# it is not yet, and brought up to date.
build_for_vm() {
	local tree=$1
	if autotools_newer; then run_autoreconf || return 1; fi
	[ -e "$BUILD/$tree/Makefile" ] ||
		configure_tree "$tree" --enable-werror "$(with_kernels)" || return 1
	make_tree "$tree" all
}
