// SPDX-License-Identifier: Apache-2.0
// The proxy of sd_notify(3) messages, with a service manager on the other side.
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "check.h"

/** A datagram socket that listens at, or is connected to a path. */
static int open_socket(const char *path, int (*attach)(int, const struct sockaddr *, socklen_t))
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	strcpy(address.sun_path, path);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return fd >= 0 && attach(fd, (struct sockaddr *)&address, sizeof address) == 0 ? fd : -1;
}

/** The next datagram, "" if there is none in time. A descriptor that comes with it is closed, which answers a barrier. */
static const char *next_message(int fd, int wait_ms)
{
	poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, wait_ms);
	static char text[5000];
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} ancillary;
	struct iovec part = {text, sizeof text - 1};
	struct msghdr packet = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &ancillary, .msg_controllen = sizeof ancillary};
	ssize_t size = recvmsg(fd, &packet, MSG_DONTWAIT);
	if (size < 0)
		return "";
	struct cmsghdr *header = CMSG_FIRSTHDR(&packet);
	if (header != NULL)
		close(*(int *)(void *)CMSG_DATA(header));
	text[size] = 0;
	return text;
}

static int is_next(int fd, const char *text)
{
	const char *message = next_message(fd, 0);
	if (strcmp(message, text) == 0)
		return 1;
	printf("# received \"%s\"\n", message);
	return 0;
}

/** A child that sends messages to the container's socket and ends, or waits to be killed; its pidfd in *pidfd. */
static pid_t start_container(const char *const *messages, int stays, int *pidfd)
{
	pid_t pid = fork();
	if (pid == 0) {
		int fd = open_socket("notify.sock", connect);
		for (; fd >= 0 && *messages != NULL; messages++)
			if (send(fd, *messages, strlen(*messages), 0) < 0)
				_exit(1);
		if (stays)
			pause();
		_exit(0);
	}
	*pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	return pid;
}

static void end_container(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void test_until_ready(int notify_fd, int manager_fd)
{
	int pidfd;
	pid_t pid = start_container((const char *[]){"STATUS=warming up\nMAINPID=1", "FDSTORE=1", "READY=1\nSTATUS=fine", NULL}, 1, &pidfd);
	pid_t reader = fork();
	if (reader == 0) {
		static const char *const expected[] = {"STATUS=warming up\n", "MAINPID=4711\nREADY=1\nSTATUS=fine\n", "BARRIER=1"};
		for (size_t i = 0; i < 3; i++)
			if (strcmp(next_message(manager_fd, 5000), expected[i]) != 0)
				_exit(1);
		_exit(0);
	}
	check(CALL(er_relay_notifications, num(notify_fd), str("manager"), num(pidfd), num(4711)) == 0 && result.ints[0] == 1,
		  "the relay lasts until READY");
	int status = -1;
	waitpid(reader, &status, 0);
	check(status == 0, "MAINPID goes with READY, and a barrier ends it");
	end_container(pid);
	close(pidfd);
}

static void test_end_without_ready(int notify_fd, int manager_fd)
{
	int pidfd;
	pid_t pid = start_container((const char *[]){"STATUS=last words", NULL}, 0, &pidfd);
	check(CALL(er_relay_notifications, num(notify_fd), str("manager"), num(pidfd), num(4711)) == 0 && result.ints[0] == 0,
		  "the relay ends with the container");
	check(is_next(manager_fd, "STATUS=last words\n"), "what it said before is passed on");
	end_container(pid);
	close(pidfd);
}

static void test_filter(int notify_fd, int manager_fd)
{
	int pidfd;
	const char *const messages[] = {"MAINPID=1\nFDSTORE=1\nFDNAME=x\nNOTIFYACCESS=all\nBARRIER=1\nX=1", "XSTATUS=1\nREADY", "",
									"STOPPING=1\n\nWATCHDOG=1\nWATCHDOG_USEC=1", NULL};
	pid_t pid = start_container(messages, 0, &pidfd);
	check(CALL(er_relay_notifications, num(notify_fd), str("manager"), num(pidfd), num(4711)) == 0 &&
			  is_next(manager_fd, "STOPPING=1\nWATCHDOG=1\n") && is_next(manager_fd, ""),
		  "a container speaks of itself only");
	end_container(pid);
	close(pidfd);
}

static void test_long_message(int notify_fd, int manager_fd)
{
	static char message[6000] = "STATUS=";
	memset(message + 7, 'x', sizeof message - 8);
	int pidfd;
	pid_t pid = start_container((const char *[]){message, NULL}, 0, &pidfd);
	CALL(er_relay_notifications, num(notify_fd), str("manager"), num(pidfd), num(4711));
	check(strlen(next_message(manager_fd, 0)) == 4097, "a message is cut at 4096 bytes, and has an end of line");
	end_container(pid);
	close(pidfd);
}

static void test_absent_manager(int notify_fd)
{
	int pidfd;
	pid_t pid = start_container((const char *[]){"READY=1", NULL}, 1, &pidfd);
	check(failed_with(CALL(er_relay_notifications, num(notify_fd), str("absent"), num(pidfd), num(4711)), ENOENT) &&
			  strstr(error.message, "\"absent\"") != NULL,
		  "a service manager that is not there is an error that names it");
	end_container(pid);
	close(pidfd);
}

int main(void)
{
	enter_directory();
	umask(077);
	int manager_fd = open_socket("manager", bind);
	check(CALL(er_bind_notify_socket, str("notify.sock")) == 0, "the container's socket");
	int notify_fd = (int)result.ints[0];
	struct stat info;
	check(stat("notify.sock", &info) == 0 && (info.st_mode & 0777) == 0777, "every user of the container may send to it");
	test_until_ready(notify_fd, manager_fd);
	test_end_without_ready(notify_fd, manager_fd);
	test_filter(notify_fd, manager_fd);
	test_long_message(notify_fd, manager_fd);
	test_absent_manager(notify_fd);
	check(CALL(er_bind_notify_socket, str("notify.sock")) == 0, "one of a start that failed is replaced");
	close((int)result.ints[0]);
	close(notify_fd);
	close(manager_fd);
	leave_directory();
	return check_summary();
}
