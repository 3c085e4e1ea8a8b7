// SPDX-License-Identifier: Apache-2.0
// What bind mounts show, opened for an init that can't do it itself: in a user namespace it has no rights over
// directories of the host that it has to pass through, and nobody there may map the ids of a mount.
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../wire/wire.h"
#include "functions.h"
#include "gen/plan.h"
#include "namespace_call.h"
#include "unix_socket.h"

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

struct source {
	const char *path;
	int recursive, map_recursively;
	int user_namespace_fd; // -1: no mapping
	int tree_fd;
};

struct work {
	struct source *sources;
	size_t count;
	const struct source *failed;
	const char *failed_step;
};

/** In the mount namespace of the process. */
static int open_sources(void *argument)
{
	struct work *work = argument;
	for (size_t i = 0; i < work->count; i++) {
		struct source *source = &work->sources[i];
		work->failed = source;
		work->failed_step = "bind mount source";
		unsigned recursive = source->recursive ? AT_RECURSIVE : 0;
		source->tree_fd = (int)syscall(SYS_open_tree, AT_FDCWD, source->path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | recursive);
		if (source->tree_fd < 0)
			return -1;
		if (source->user_namespace_fd < 0)
			continue;
		work->failed_step = "map the ids of bind mount source";
		struct mount_attr attributes = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)source->user_namespace_fd};
		unsigned flags = AT_EMPTY_PATH | (source->map_recursively ? AT_RECURSIVE : 0);
		if (syscall(SYS_mount_setattr, source->tree_fd, "", flags, &attributes, sizeof attributes) != 0)
			return -1;
	}
	return 0;
}

static int send_trees(int control_fd, const struct source *sources, size_t count)
{
	struct message message = {.kind = MESSAGE_SOURCES, .value = (uint32_t)count};
	int trees[ER_UNIX_MAX_DESCRIPTORS];
	for (size_t i = 0; i < count; i++)
		trees[i] = sources[i].tree_fd;
	return er_unix_send(control_fd, (struct er_bytes){(const char *)&message, MESSAGE_HEAD_BYTES + 1}, trees, count);
}

static int open_namespace(pid_t pid, const char *name)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/ns/%s", (int)pid, name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/** The namespaces that map ids: first that of the process itself, then one for each pair of maps. */
static int make_namespaces(const union er_arg *maps, pid_t pid, int *namespaces, struct er_error *error)
{
	namespaces[0] = open_namespace(pid, "user");
	if (namespaces[0] < 0)
		return er_fail(error, errno, "open the user namespace of process %d", (int)pid);
	for (size_t i = 0; i + 1 < maps->list.count; i += 2) {
		const char *uid_map = maps->list.items[i].data, *gid_map = maps->list.items[i + 1].data;
		int fd = er_make_user_namespace(uid_map, gid_map);
		if (fd < 0)
			return er_fail(error, errno, "map the ids of a mount as \"%s\", \"%s\"", uid_map, gid_map);
		namespaces[1 + i / 2] = fd;
	}
	return 0;
}

static int hand_sources(const union er_arg *args, struct work *work, struct er_error *error)
{
	const int control_fd = (int)args[0].number;
	er_auto_close int mount_namespace_fd = open_namespace((pid_t)args[1].number, "mnt");
	if (mount_namespace_fd < 0)
		return er_fail(error, errno, "open the mount namespace of process %d", (int)args[1].number);
	if (er_call_in_namespace(mount_namespace_fd, CLONE_NEWNS, open_sources, work) != 0) {
		if (work->failed == NULL)
			return er_fail(error, errno, "enter the mount namespace of process %d", (int)args[1].number);
		return er_fail(error, errno, "%s \"%s\"", work->failed_step, work->failed->path);
	}
	for (size_t done = 0; done < work->count;) {
		size_t count = work->count - done;
		if (count > ER_UNIX_MAX_DESCRIPTORS)
			count = ER_UNIX_MAX_DESCRIPTORS;
		if (send_trees(control_fd, work->sources + done, count) != 0)
			return er_fail(error, errno, "send bind mount sources to init");
		done += count;
	}
	return 0;
}

int er_hand_sources(const union er_arg *args, struct er_result *result, struct er_error *error)
{
	(void)result;
	const size_t count = args[2].list.count, map_count = 1 + args[4].list.count / 2;
	if (args[3].words.count != count || args[4].list.count % 2 != 0)
		return er_fail(error, EINVAL, "hand sources over");
	er_auto_free struct source *sources = calloc(count + 1, sizeof *sources);
	er_auto_free int *namespaces = calloc(map_count, sizeof *namespaces);
	if (sources == NULL || namespaces == NULL)
		return er_fail(error, errno, "hand sources over");
	for (size_t i = 0; i < map_count; i++)
		namespaces[i] = -1;
	struct work work = {.sources = sources, .count = count};
	int failed = make_namespaces(&args[4], (pid_t)args[1].number, namespaces, error);
	for (size_t i = 0; i < count; i++) {
		const uint32_t flags = args[3].words.items[i], map = flags >> 2;
		if (map > map_count)
			failed = er_fail(error, EINVAL, "hand sources over");
		sources[i] = (struct source){
			.path = args[2].list.items[i].data, .recursive = flags & 1, .map_recursively = flags >> 1 & 1,
			.user_namespace_fd = failed != 0 || map == 0 ? -1 : namespaces[map - 1], .tree_fd = -1};
	}
	if (failed == 0)
		failed = hand_sources(args, &work, error);
	for (size_t i = 0; i < count; i++)
		er_close_at(&sources[i].tree_fd);
	for (size_t i = 0; i < map_count; i++)
		er_close_at(&namespaces[i]);
	return failed;
}
