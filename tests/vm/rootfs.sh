# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# SPDX-FileCopyrightText: 2026 The pinmem authors
#
# The VM's root file system: Debian 12 with real systemd, as an uncompressed
# cpio archive, which needs no mount and no disk on any host.

# Units that only cost time in a VM without network, disk or clock.
USELESS_UNITS=(
	apt-daily-upgrade.timer apt-daily.timer console-getty.service dpkg-db-backup.timer
	e2scrub_all.timer e2scrub_reap.service fstrim.timer getty-static.service
	getty@tty1.service ldconfig.service systemd-binfmt.service systemd-boot-system-token.service
	systemd-firstboot.service systemd-journal-catalog-update.service
	systemd-journal-flush.service systemd-logind.service systemd-machine-id-commit.service
	systemd-network-generator.service systemd-networkd.service systemd-pstore.service
	systemd-random-seed.service systemd-rfkill.service systemd-sysusers.service
	systemd-timesyncd.service systemd-update-done.service
	systemd-update-utmp-runlevel.service systemd-update-utmp.service
	tmp.mount
)

# Files that nothing in the VM needs: the debug kernel takes longer to unpack a page
# than to use it, and systemd runs all generators for each daemon-reload.
USELESS_FILES=(
	usr/lib/systemd/system-generators/systemd-{cryptsetup,fstab,gpt-auto}-generator
	usr/lib/systemd/system-generators/systemd-{hibernate-resume,integritysetup}-generator
	usr/lib/systemd/system-generators/systemd-{rc-local,run,system-update}-generator
	usr/lib/systemd/system-generators/systemd-{sysv,veritysetup}-generator
	usr/lib/udev/hwdb.bin usr/lib/udev/hwdb.d usr/lib/x86_64-linux-gnu/gconv
	usr/lib32/gconv usr/lib/x86_64-linux-gnu/perl usr/share/doc usr/share/info
	usr/share/locale usr/share/man usr/share/perl usr/share/zoneinfo var/cache/apt
	var/cache/debconf var/lib/apt/lists var/lib/dpkg/info
)

rootfs_packages() { list "$TOP/tests/vm/rootfs-packages"; }

# Debian's own archives as this host's apt reaches them.
debian_sources() {
	# shellcheck disable=SC2016  # apt's variables
	apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' \
		'Created-By: Packages' 'Origin: Debian' | grep ' bookworm' | sort -u
}

rootfs_mode() {
	if [ "$(id -u)" -ne 0 ]; then
		echo --mode=unshare
	elif capsh_has_sys_admin; then
		echo --mode=root
	else
		echo --mode=root --skip=check/canmount
	fi
}

# CAP_SYS_ADMIN is bit 21 of the effective set; containers take it away.
capsh_has_sys_admin() {
	local effective
	effective=$(awk '/^CapEff:/ { print $2 }' /proc/self/status)
	[ $((0x$effective >> 21 & 1)) -eq 1 ]
}

# What is done to the tree before it is packed; runs as its root.
rootfs_setup() {
	cat <<-SETUP
		set -e
		chroot "\$1" systemctl mask --quiet ${USELESS_UNITS[*]}
		chroot "\$1" systemctl disable --quiet redis-server.service
		chroot "\$1" useradd -u 1000 -m -s /bin/bash alice
		chroot "\$1" useradd -u 1001 -m -s /bin/bash bob
		chroot "\$1" passwd -q -d root
		echo pinmem-vm >"\$1/etc/hostname"
		echo "127.0.0.1 localhost pinmem-vm" >"\$1/etc/hosts"
		: >"\$1/etc/fstab"
		: >"\$1/etc/machine-id"
		ln -sf /sbin/init "\$1/init"
		cd "\$1"
		rm -rf ${USELESS_FILES[*]}
		find . -xdev -not -path './proc/*' -not -path './sys/*' -not -path './dev/*' -print0 |
			sort -z | cpio --quiet -0 -o -H newc >&3
	SETUP
}

make_rootfs() {
	local into=$1 include sources
	note "root file system: making it from Debian's packages"
	include=$(rootfs_packages | paste -sd ,)
	sources=$(mktemp)
	debian_sources >"$sources"
	chmod 644 "$sources"
	# All others are closed, as mmdebstrap must find numbers below 10 for its own
	# files: it hands them to a shell that knows no others.
	# shellcheck disable=SC2046  # one word an option
	mmdebstrap $(rootfs_mode) --variant=minbase --format=null --include="$include" \
		--aptopt='APT::Install-Recommends "false"' \
		--customize-hook="$(rootfs_setup)" \
		bookworm /dev/null "$sources" \
		3>"$into/rootfs.cpio" 4>&- 5>&- 6>&- 7>&- 8>&- 9>&- </dev/null >"$LOGS/rootfs.log" 2>&1
	local status=$?
	rm -f "$sources"
	[ "$status" -eq 0 ] || tail -n 10 "$LOGS/rootfs.log" >&2
	return "$status"
}

# What decides how the tree looks: the packages' versions and this file.
rootfs_key() {
	{
		# shellcheck disable=SC2046  # one word a package
		apt-cache show --no-all-versions $(rootfs_packages) | grep -E '^(Package|Version):'
		rootfs_packages
		rootfs_setup
	} | sha256sum | cut -c 1-16
}

rootfs_cpio() {
	local dir
	dir=$(cached rootfs "$(rootfs_key)" make_rootfs) && printf '%s\n' "$dir/rootfs.cpio"
}
