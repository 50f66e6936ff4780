# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# SPDX-FileCopyrightText: 2026 The pinmem authors
#
# Stock Debian kernels, unpacked into the cache and never installed: image,
# headers and kbuild of one version. A kernel directory is the unpacked
# packages plus the files "release" and "version".

declare -A IMAGE_META=([6.12]=linux-image-6.12-amd64 [6.1]=linux-image-amd64)

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

# kernel_dir SERIES: prints the directory, fetching the kernel when needed
kernel_dir() {
	local series=$1 image version
	image=$(kernel_image_package "$series")
	[ -n "$image" ] || return 1
	version=$(package_field "$image" Version)
	cached "kernel-$series" "$version" make_kernel \
		"$CACHE/kernel-$series-$version" "${image#linux-image-}" "$version"
}

kernel_release() { cat "$(kernel_dir "$1")/release"; }
kernel_version() { cat "$(kernel_dir "$1")/version"; }
kernel_image() { printf '%s\n' "$(kernel_dir "$1")/boot/vmlinuz-$(kernel_release "$1")"; }
kernel_headers() { printf '%s\n' "$(kernel_dir "$1")/usr/src/linux-headers-$(kernel_release "$1")"; }

CHECKPATCH_FILES=(checkpatch.pl spelling.txt const_structs.checkpatch)

# checkpatch.pl exists in the source package only: three files out of 90,000.
make_checkpatch() {
	local into=$1 package=$2 version=$3
	note "checkpatch: unpacking $package"
	fetch_packages "$into/source" "$package=$version" || return 1
	tar -C "$into" --strip-components=2 -xf "$into/source/usr/src/$package.tar.xz" \
		"${CHECKPATCH_FILES[@]/#/$package/scripts/}" || return 1
	rm -rf "$into/source"
}

checkpatch_dir() {
	local package=linux-source-6.12 version
	version=$(package_field "$package" Version)
	cached checkpatch "$version" make_checkpatch "$package" "$version"
}
