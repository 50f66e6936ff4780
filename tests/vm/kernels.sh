# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# SPDX-FileCopyrightText: 2026 The pinmem authors
#
# Stock Debian kernels, unpacked into the cache and never installed: image,
# headers and kbuild of one version. A kernel directory is the unpacked
# packages plus the files "release" and "version". The kernels "debug", "kcsan" and
# "bench" are built from Debian's source, and their directories look the same; that
# of "bench" has the kernel's own gup_test, too.

declare -A IMAGE_META=([6.12]=linux-image-6.12-amd64 [6.1]=linux-image-amd64
	[rt-6.12]=linux-image-6.12-rt-amd64 [rt-6.1]=linux-image-rt-amd64)

# package_field PACKAGE[=VERSION] FIELD: of the version apt would install
package_field() {
	apt-cache show --no-all-versions "$1" | sed -n "s/^$2: //p" | head -n 1
}

kernel_image_package() {
	package_field "${IMAGE_META[$1]}" Depends | grep -o '^linux-image-[^ ,]*'
}

# The packages beside the image that headers of this release consist of.
kernel_headers_packages() {
	local headers=linux-headers-$1
	echo "$headers"
	package_field "$headers" Depends | tr ',' '\n' |
		grep -o '^ *linux-\(headers\|kbuild\)-[^ ]*' | tr -d ' '
}

# download DIR PACKAGE...: .deb files by apt, for which root becomes _apt
download() {
	local into=$1
	shift
	mkdir -p "$into"
	if [ "$(id -u)" -eq 0 ]; then chown _apt "$into" 2>/dev/null || true; fi
	(cd "$into" && apt-get download -q "$@") >>"$LOGS/download.log" 2>&1 ||
		{
			tail -n 5 "$LOGS/download.log" >&2
			return 1
		}
}

# fetch_packages DIR PACKAGE...: downloads and unpacks into DIR
fetch_packages() {
	local into=$1 debs deb
	shift
	debs=$(mktemp -d -p /var/tmp pinmem.XXXXXX)
	chmod 755 "$debs"
	download "$debs" "$@" && for deb in "$debs"/*.deb; do
		dpkg -x "$deb" "$into" || break
	done
	local status=$?
	rm -rf "$debs"
	return "$status"
}

# The headers' Makefile includes the common one by its installed path.
relocate_headers() {
	local unpacked=$1 final=$2 release=$3
	sed -i "s|^include /usr/src/|include $final/usr/src/|" \
		"$unpacked/usr/src/linux-headers-$release/Makefile"
}

make_kernel() {
	local into=$1 final=$2 release=$3 version=$4
	local -a packages
	mapfile -t packages < <(kernel_headers_packages "$release")
	note "kernel $release: downloading"
	fetch_packages "$into" "${packages[@]/%/=$version}" "linux-image-$release=$version" || return 1
	relocate_headers "$into" "$final" "$release" || return 1
	depmod -b "$into" "$release" || return 1
	printf '%s\n' "$release" >"$into/release"
	printf '%s\n' "$version" >"$into/version"
}

BUILT_SOURCE=linux-source-6.12

# unpack_source DIR PACKAGE=VERSION [FILE...]: the source, or only these files of it
unpack_source() {
	local into=$1 package=$2
	shift 2
	local name=${package%%=*}
	fetch_packages "$into.deb" "$package" && mkdir -p "$into" &&
		tar -C "$into" --strip-components=1 -xf "$into.deb/usr/src/$name.tar.xz" "${@/#/$name/}"
	local status=$?
	rm -rf "$into.deb"
	return "$status"
}

# The configuration of a kernel that is built here: its own lines go before those of
# config-base. What is not to be set looks like a comment.
built_config() {
	local own=$TOP/tests/vm/config-$1
	grep -hE '^(# )?CONFIG_' "$TOP/tests/vm/config-base" |
		grep -vwFf <(grep -oE '^(# )?CONFIG_[A-Z0-9_]+' "$own" | grep -o 'CONFIG.*')
	grep -hE '^(# )?CONFIG_' "$own"
}

# Kconfig drops silently what it does not know or cannot have.
config_is_complete() {
	local source=$1 name=$2 missing
	missing=$(built_config "$name" | grep -vxFf "$source/.config")
	[ -z "$missing" ] || {
		printf 'not in the kernel: %s\n' "$missing"
		return 1
	}
}

build_kernel() {
	local source=$1 name=$2
	built_config "$name" >"$source/wanted.config"
	make -C "$source" tinyconfig &&
		(cd "$source" && scripts/kconfig/merge_config.sh -m .config wanted.config) &&
		make -C "$source" olddefconfig && config_is_complete "$source" "$name" &&
		make -C "$source" -j"$(nproc)" "LOCALVERSION=-pinmem-$name" bzImage modules
}

# What measures GUP alone, from the same source.
build_gup_test() {
	local source=$1 into=$2
	local tests=$source/tools/testing/selftests/mm
	mkdir -p "$into/usr/bin" && gcc -O2 -static -pthread -I"$source" -I"$source/tools/include/uapi" \
		-o "$into/usr/bin/gup_test" "$tests"/{gup_test,vm_util}.c
}

# What building a module needs of a kernel's build tree.
prune_source() {
	local source=$1
	find "$source" -mindepth 1 -maxdepth 1 -type d \
		-not -name arch -not -name include -not -name scripts -not -name tools -exec rm -rf {} +
	find "$source/arch" -mindepth 1 -maxdepth 1 -type d -not -name x86 -exec rm -rf {} +
	find "$source/tools" -mindepth 1 -maxdepth 1 -not -name objtool -exec rm -rf {} +
	find "$source/arch" "$source/vmlinux"* -name '*.[oa]' -delete
	rm -f "$source"/{vmlinux*,System.map,.tmp_*}
}

make_built_kernel() {
	local into=$1 name=$2 version=$3 source=$1/source release
	note "kernel $name: building it from $BUILT_SOURCE; this takes ten minutes on two cores"
	unpack_source "$source" "$BUILT_SOURCE=$version" || return 1
	{ build_kernel "$source" "$name" && { [ "$name" != bench ] || build_gup_test "$source" "$into"; }; } \
		>"$LOGS/kernel-$name.log" 2>&1 || {
		tail -n 10 "$LOGS/kernel-$name.log" >&2
		return 1
	}
	release=$(cat "$source/include/config/kernel.release")
	install -D -m 644 "$source/arch/x86/boot/bzImage" "$into/boot/vmlinuz-$release"
	install -D -m 644 -t "$into/lib/modules/$release" "$source"/modules.{builtin,builtin.modinfo,order}
	prune_source "$source"
	mkdir -p "$into/usr/src" && mv "$source" "$into/usr/src/linux-headers-$release"
	depmod -b "$into" "$release" || return 1
	printf '%s\n' "$release" >"$into/release"
	printf '%s\n' "$version" >"$into/version"
}

built_kernel_dir() {
	local name=$1 version key
	# A key of nothing would take the place of the kernel that is there.
	[ -e "$TOP/tests/vm/config-$name" ] || return 1
	version=$(package_field "$BUILT_SOURCE" Version)
	key=$(built_config "$name" | sha256sum | cut -c 1-16)
	cached "kernel-$name" "$version-$key" make_built_kernel "$name" "$version"
}

# kernel_dir KERNEL: prints the directory, fetching or building it when needed
kernel_dir() {
	local kernel=$1 image version
	[ -n "${IMAGE_META[$kernel]-}" ] || {
		built_kernel_dir "$kernel"
		return
	}
	image=$(kernel_image_package "$kernel")
	[ -n "$image" ] || return 1
	version=$(package_field "$image" Version)
	cached "kernel-$kernel" "$version" make_kernel \
		"$CACHE/kernel-$kernel-$version" "${image#linux-image-}" "$version"
}

kernel_release() { cat "$(kernel_dir "$1")/release"; }
kernel_version() { cat "$(kernel_dir "$1")/version"; }
kernel_image() { printf '%s\n' "$(kernel_dir "$1")/boot/vmlinuz-$(kernel_release "$1")"; }
kernel_headers() { printf '%s\n' "$(kernel_dir "$1")/usr/src/linux-headers-$(kernel_release "$1")"; }

KERNEL_SCRIPTS=(checkpatch.pl spelling.txt const_structs.checkpatch coccinelle)

# These are in the source package only, among 90,000 files.
make_kernel_scripts() {
	local into=$1 package=$2 version=$3
	note "kernel scripts: unpacking $package"
	unpack_source "$into/source" "$package=$version" "${KERNEL_SCRIPTS[@]/#/scripts/}" &&
		mv "$into/source/scripts"/* "$into" && rm -rf "$into/source"
}

kernel_scripts_dir() {
	local version
	version=$(package_field "$BUILT_SOURCE" Version)
	cached scripts "$version" make_kernel_scripts "$BUILT_SOURCE" "$version"
}
