# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# SPDX-FileCopyrightText: 2026 The pinmem authors
#
# QEMU: which accelerator works here, and one run of a VM. Serial 0 is the
# console log, serial 1 the stream of results; what it says is the verdict.

VM_NODE_MEMORY=3072M	# of each of the two nodes
VM_PLUGGED_MEMORY=''	# of a module more, on node 0
VM_COUNTS=''		# "count": one CPU that takes a nanosecond for an instruction, one node
VM_PLUGIN=${VM_PLUGIN-}	# of QEMU, with its arguments
VM_TIMEOUT=${VM_TIMEOUT:-2700}
PROBE_SECONDS=10

# Ends with the script that started it, whatever ends that.
tied() { setpriv --pdeathsig KILL "$@"; }

# An emulated CPU that has fast "rep stosb" makes the kernel clear a page byte by byte,
# and each byte is a step of the emulator: half the time of some suites.
EMULATED_CPU=max,-erms,-fsrm

machine_options() {
	printf '%s\n' -M q35 -no-user-config -nodefaults -no-reboot -display none \
		-vga none -nic none -rtc base=utc
	case $1 in
	kvm) printf '%s\n' -accel kvm -cpu host ;;
	tcg)
		printf '%s\n' -accel tcg,thread=multi -cpu "$EMULATED_CPU" \
			-chardev socket,id=debugger,path=debugger,server=on,wait=off -gdb chardev:debugger
		;;
	count) printf '%s\n' -accel tcg,thread=single -cpu max -icount shift=0,sleep=off ;;
	esac
}

# The kernel goes by a TSC that is constant. An emulated CPU does not say that it is,
# but all of them have the same one; else each look at the time were one at the HPET,
# which takes QEMU's lock: an eighth of the time of the tests. At the end of its boot it
# then changes the code that reads the clock (died_of_emulator), and the other CPU should
# not unpack the root file system meanwhile, which looks at the clock all the time.
clock_options() { [ "$1" = kvm ] || echo tsc=reliable initramfs_async=0; }

two_nodes() {
	local size=$1 plugged=$2
	printf '%s\n' -smp 2,sockets=2 -m "$((2 * ${size%M}))M${plugged:+,slots=1,maxmem=16G}" \
		-object "memory-backend-ram,size=$size,id=m0" -numa node,nodeid=0,memdev=m0,cpus=0 \
		-object "memory-backend-ram,size=$size,id=m1" -numa node,nodeid=1,memdev=m1,cpus=1
	[ -z "$plugged" ] || printf '%s\n' -object "memory-backend-ram,size=$plugged,id=m2" \
		-device pc-dimm,memdev=m2,node=0
}

machine_memory() {
	if [ -n "$VM_COUNTS" ]; then
		printf '%s\n' -smp 1 -m "$VM_NODE_MEMORY"
	else
		two_nodes "$VM_NODE_MEMORY" "$VM_PLUGGED_MEMORY"
	fi
}

make_probe_initrd() {
	local into=$1
	mkdir -p "$into/root"
	gcc -static -Os -o "$into/root/init" "$TOP/tests/vm/probe.c" &&
		(cd "$into/root" && echo init | cpio --quiet -o -H newc -R 0:0 >"$into/probe.cpio")
}

# /dev/kvm may exist and still not run a kernel: only a boot can tell.
kvm_works() {
	local into=$BUILD/vm/probe image=$1
	local -a options
	[ -r /dev/kvm ] && [ -w /dev/kvm ] || return 1
	make_probe_initrd "$into" || return 1
	mapfile -t options < <(machine_options kvm)
	tied timeout --foreground -k 1 "$PROBE_SECONDS" qemu-system-x86_64 "${options[@]}" -smp 2 -m 1G \
		-kernel "$image" -initrd "$into/probe.cpio" -append "console=ttyS0 panic=-1" \
		-serial "file:$LOGS/kvm-probe.console" </dev/null >"$LOGS/kvm-probe.qemu" 2>&1
	grep -qs 'pinmem probe: alive' "$LOGS/kvm-probe.console"
}

# choose_accelerator IMAGE: sets ACCELERATOR for this run, once
choose_accelerator() {
	[ -z "${ACCELERATOR-}" ] || return 0
	if kvm_works "$1"; then
		ACCELERATOR=kvm
		note "VM: KVM works here"
	else
		ACCELERATOR=tcg
		note "VM: no KVM that boots a kernel within $PROBE_SECONDS s; using TCG (emulation)"
	fi
}

# run_qemu NAME IMAGE CONSOLE CMDLINE: the one place where a VM is started.
# CONSOLE is QEMU's word for what serial 0 is connected to. Its exit status is
# QEMU's, or 124 after VM_TIMEOUT.
run_qemu() (
	local name=$1 image=$2 console=$3 cmdline=$4 accelerator=${VM_COUNTS:-$ACCELERATOR}
	local -a options memory
	mapfile -t options < <(machine_options "$accelerator")
	mapfile -t memory < <(machine_memory)
	# The path of a socket has no room for that of a tree.
	cd "$BUILD/vm/$name" || return
	tied timeout --foreground -k 5 "$VM_TIMEOUT" setpriv --pdeathsig KILL qemu-system-x86_64 \
		"${options[@]}" "${memory[@]}" ${VM_PLUGIN:+-plugin "$VM_PLUGIN"} \
		-kernel "$image" -initrd "$BUILD/vm/$name/initrd" \
		-append "console=ttyS0 $(clock_options "$accelerator") $cmdline" \
		-drive "file=$BUILD/vm/$name/scratch.img,format=raw,if=virtio,cache=unsafe" \
		-drive "file=$BUILD/vm/$name/logs.img,format=raw,if=virtio,cache=unsafe" \
		-serial "$console" -serial "file:$LOGS/$name.tap"
)
