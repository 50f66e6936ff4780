// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/*
 * A service that pins another process's memory and leaves the pin's file with
 * systemd, from which it gets it back when it is started again:
 *
 *	keeper FILE PID START END
 *
 * It adds to FILE a line "pinned HANDLE", or "kept HANDLE STATE BYTES BYTE", the
 * last being the first byte of the memory, read by the file that was kept.  On
 * SIGUSR1 it takes the file away from systemd, and closes it.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/pinmem.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define FIRST_KEPT	3	/* see sd_listen_fds(3) */
#define NAME		"pin"

static int must(int ret, const char *what)
{
	if (ret >= 0)
		return ret;
	fprintf(stderr, "keeper: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void __attribute__((format(printf, 2, 3)))
say(const char *path, const char *format, ...)
{
	FILE *file = fopen(path, "ae");
	va_list args;

	must(file ? 0 : -1, path);
	va_start(args, format);
	vfprintf(file, format, args);
	va_end(args);
	must(fclose(file), path);
}

/* As sd_pid_notify_with_fds(3) does; fd -1: none. */
static void notify(const char *text, int fd)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	struct iovec iov = {
		.iov_base = (void *)(uintptr_t)text,
		.iov_len = strlen(text),
	};
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { .room = { 0 } };
	struct msghdr msg = {
		.msg_name = &to,
		.msg_iov = &iov,
		.msg_iovlen = 1,
	};
	int sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	must(sock, "socket");
	must(path && strlen(path) < sizeof(to.sun_path) ? 0 : -1,
	     "NOTIFY_SOCKET");
	memcpy(to.sun_path, path, strlen(path));
	msg.msg_namelen = (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
				      strlen(path));
	if (*path == '@')
		to.sun_path[0] = '\0';
	if (fd >= 0) {
		msg.msg_control = control.room;
		msg.msg_controllen = sizeof(control.room);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(fd));
		memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	}
	must((int)sendmsg(sock, &msg, MSG_NOSIGNAL), "sendmsg");
	close(sock);
}

static int kept_file(void)
{
	const char *count = getenv("LISTEN_FDS");

	return count && atoi(count) > 0 ? FIRST_KEPT : -1;
}

static void tell_kept(const char *path, int fd)
{
	struct pinmem_ioc_info info = { .size = sizeof(info) };
	unsigned char byte = 0;
	struct pinmem_ioc_data data = {
		.size = sizeof(data),
		.data = (uintptr_t)&byte,
		.len = 1,
	};

	must(ioctl(fd, PINMEM_IOC_INFO, &info), "info");
	must(ioctl(fd, PINMEM_IOC_READ, &data), "read");
	say(path, "kept %" PRIu64 " %s %" PRIu64 " %u\n",
	    (uint64_t)info.out_handle,
	    info.out_state == PINMEM_STATE_LIVE ? "live" : "ended",
	    (uint64_t)info.out_bytes, byte);
}

static int pin_and_keep(const char *path, const char *pid, uint64_t start,
			uint64_t end)
{
	struct pinmem_ioc_range range = { .addr = start, .len = end - start };
	struct pinmem_ioc_pin pin = {
		.size = sizeof(pin),
		.flags = PINMEM_PIN_LONGTERM | PINMEM_PIN_REMOTE,
		.nr_ranges = 1,
		.ranges = (uintptr_t)&range,
		.range_size = sizeof(range),
	};
	struct pinmem_ioc_open file = { .size = sizeof(file) };
	char mem[64];
	int dev;

	snprintf(mem, sizeof(mem), "/proc/%s/mem", pid);
	dev = must(open("/dev/pinmem", O_RDWR | O_CLOEXEC), "/dev/pinmem");
	pin.mem_fd = must(open(mem, O_RDWR | O_CLOEXEC), mem);
	must(ioctl(dev, PINMEM_IOC_PIN, &pin), "pin");
	file.handle = pin.out_handle;
	must(ioctl(dev, PINMEM_IOC_OPEN, &file), "open");
	close(dev);
	close(pin.mem_fd);
	notify("FDSTORE=1\nFDNAME=" NAME, file.out_fd);
	say(path, "pinned %" PRIu64 "\n", (uint64_t)pin.out_handle);
	return file.out_fd;
}

int main(int argc, char **argv)
{
	sigset_t signals;
	int fd, signal;

	if (argc != 5)
		return 2;
	sigemptyset(&signals);
	sigaddset(&signals, SIGUSR1);
	must(sigprocmask(SIG_BLOCK, &signals, NULL), "sigprocmask");
	fd = kept_file();
	if (fd >= 0)
		tell_kept(argv[1], fd);
	else
		fd = pin_and_keep(argv[1], argv[2], strtoull(argv[3], NULL, 16),
				  strtoull(argv[4], NULL, 16));
	notify("READY=1", -1);
	sigwait(&signals, &signal);
	notify("FDSTOREREMOVE=1\nFDNAME=" NAME, -1);
	close(fd);
	say(argv[1], "gone\n");
	for (;;)
		pause();
}
