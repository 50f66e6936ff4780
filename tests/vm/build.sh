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

# with_kernels KERNEL...: the --with-kernel= option that names their headers
with_kernels() {
	local kernel dirs=()
	for kernel; do
		dirs+=("$(kernel_headers "$kernel")")
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

# tree_of KERNEL: the build tree that has its module; one for all stock kernels
tree_of() {
	case $1 in
	debug | kcsan | bench) echo "$1" ;;
	*) echo gcc ;;
	esac
}

# What the tree for the debug kernel has beside: it counts what is run, and its
# compiler leaves out nothing that could be counted.
tree_options() {
	[ "$1" != debug ] || printf '%s\n' --enable-coverage CFLAGS='-g -O0'
}

# is_configured TREE OPTION: with that, which names kernels that may have gone since
is_configured() {
	[ -x "$BUILD/$1/config.status" ] && "$BUILD/$1/config.status" --config | grep -qF -- "$2"
}

# build_for_vm KERNEL: what VMs are filled from, for demo and boot: configured when
# it is not yet, and brought up to date.
build_for_vm() {
	local tree with
	local -a kernels=("$1") options
	tree=$(tree_of "$1")
	[ "$tree" != gcc ] || kernels=("${STOCK_KERNELS[@]}")
	if autotools_newer; then run_autoreconf || return 1; fi
	mapfile -t options < <(tree_options "$tree")
	with=$(with_kernels "${kernels[@]}")
	is_configured "$tree" "$with" ||
		configure_tree "$tree" --enable-werror "${options[@]}" "$with" || return 1
	make_tree "$tree" all
}
