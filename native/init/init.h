// SPDX-License-Identifier: Apache-2.0
// edgerun-init: carries a launch plan out inside the new namespaces and becomes the container's first process.
// Nothing here decides: each operation does what the plan says or ends the start with fail().
#pragma once
#include "../wire/wire.h"
#include "gen/plan.h"
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/** One decoded operation. `fields` points to its struct op_... */
struct operation {
	uint32_t code;
	const char *name;
	void *fields;
	int source_fd; // bind operations: the source, where it was opened ahead (-1 otherwise)
};

struct plan {
	struct operation *operations;
	size_t count;
};

/** The state of this one process; there is exactly one, in main.c. */
struct init {
	struct plan plan;
	const struct operation *current; // for fail()
	int control_fd;                  // to the host side; after `ready` of a created container: to `start`
	int start_fd;                    // listening socket of a created container, or -1
	int root_fd;                     // the container's root (O_PATH), -1 before open_root
	int root_detached;               // the root is in no mount namespace
	uint32_t root_propagation;       // applied after pivot_root
	int empty_fd;                    // mask_path: the one empty read-only tmpfs, -1 until needed
	int *sources;                    // receive_sources: what the host side opened for bind mounts
	uint32_t source_count;
	pid_t host_pid;                  // our pid on the host, told with `go`
	int directory_refused;           // change_directory as root got EACCES
	char program[4096];              // set by find_program
	char home[4096];                 // set by set_home: "HOME=...", or empty
	char listen_pid[24];             // set by set_listen_pid: "LISTEN_PID=...", or empty
};
extern struct init init;

/** Reports the failure of the current operation and ends the process. error: errno, or 0 when the text says all. */
_Noreturn void fail(int error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Carries init.plan out, from its first operation; the last one is exec. */
_Noreturn void carry_out_plan(void);

// decode.c
/** Decodes the plan in the memfd; anything out of bounds or unknown ends the start. */
void decode_plan(int plan_fd, struct plan *plan);

// channel.c
void send_message(uint32_t kind, uint32_t value, int fd);
/** Waits for the message `kind`; the end of the channel ends the process. Returns the message's value. */
uint32_t await_message(uint32_t kind);

// resolve.c: paths below the container's root
/** openat2(2) below the root, no magic links; retried while a hostile renamer causes EAGAIN. -1 and errno. */
int open_in_root(const char *path, uint64_t flags, uint64_t extra_resolve);
/** The directory `path`, made with its parents (mode) where missing; fails the start otherwise. */
int make_directories_in_root(const char *path, mode_t mode);
/** The parent directory of `path` (made where missing), and its last component in *name. Fails the start otherwise. */
int open_parent_in_root(const char *path, const char **name);
/** The target of a mount: a directory, or a file if !directory; made where missing. Fails the start otherwise. */
int open_mount_target(const char *path, int directory);
/** A directory without a link anywhere in its path, made where missing. -1 and errno: ELOOP, ENOTDIR. */
int open_plain_directory(const char *path);
/**
 * Fails the start if the descriptor, which is what `path` was resolved to, is the container's root: a mount over it
 * would not be seen, the container's processes being below.
 */
void refuse_root(int fd, const char *path);
/** Fails the start if the descriptor is inside a procfs, and `path` none of the files that may be replaced there. */
void refuse_inside_proc(int target_fd, const char *path);
/** The host's procfs, verified to be one (O_PATH). Fails the start otherwise. */
int open_host_proc(void);

struct mount_attr;

// mounts.c
void set_attributes(int fd, const char *what, unsigned flags, struct mount_attr attributes);
/** MS_* flags; MS_REC: of everything below, too. */
void set_propagation(int fd, const char *what, uint32_t propagation);

// filesystems.c
/** A new file system as a detached mount. mode: one more option, or empty. Fails the start if it can't be made. */
int create_filesystem(const struct op_mount_filesystem *op, const char *mode);
/**
 * Where a view of the kernel goes, /proc or /sys. A link would leave the real one without its masks (CVE-2019-19921,
 * CVE-2023-27561).
 */
int open_kernel_view_target(const char *type, const char *target);

// copy_up.c
/** Copies what the directory `name` holds into another one, which is empty. Fails the start if it can't. */
void copy_directory(int from_fd, int to_fd, const char *name);

// mount_changes.c
/** What becomes of the descriptor of a mount that was attached: closed, unless the mount may have to be taken back. */
void release_mount(int mount_fd);
/** Takes away the mounts that prepare_mount_changes said to keep track of, the last one first. */
void take_back_mounts(void);

// root.c
/** The id of the mount that a descriptor is in, as /proc/PID/mountinfo has it. */
uint64_t find_mount_id(int fd);

// system calls that libc has no wrapper for (syscalls.c)
int sys_open_tree(int dirfd, const char *path, unsigned flags);
int sys_move_mount(int from, int to);
int sys_mount_setattr(int fd, unsigned flags, const struct mount_attr *attributes);
int sys_close_range(unsigned first, unsigned last, unsigned flags);
int sys_setgroups(size_t count, const uint32_t *groups);
/** Real, effective and saved id at once, of this thread, which is the only one. */
int sys_set_gid(uint32_t gid);
int sys_set_uid(uint32_t uid);

// carried out by operation, in the file that the operation's group is named after
void do_join_namespaces(const struct op_join_namespaces *op);
void do_join_cgroup(const struct op_join_cgroup *op);
_Noreturn void do_receive_plan(void);
void do_unshare(const struct op_unshare *op);
void do_time_offsets(const struct op_time_offsets *op);
void do_fork(const struct op_fork *op);
void do_set_ids_in_userns(void);
void do_set_propagation(const struct op_set_propagation *op);
void do_open_root(const struct op_open_root *op);
void do_mount_filesystem(const struct op_mount_filesystem *op);
void do_receive_sources(const struct op_receive_sources *op);
void do_mount_bind(const struct operation *operation);
void do_mount_by_flags(const struct op_mount_by_flags *op);
void do_remount(const struct op_remount *op);
void do_reconfigure_filesystem(const struct op_reconfigure_filesystem *op);
void do_prepare_mount_changes(const struct op_prepare_mount_changes *op);
_Noreturn void do_commit_mounts(void);
_Noreturn void do_remove_mounts(const struct op_remove_mounts *op);
void do_make_directory(const struct op_make_directory *op);
void do_make_symlink(const struct op_make_symlink *op);
void do_make_device(const struct op_make_device *op);
void do_bind_device(const struct operation *operation);
void do_mask_path(const struct op_mask_path *op);
void do_readonly_path(const struct op_readonly_path *op);
void do_open_terminal(const struct op_open_terminal *op);
void do_host_interfaces(void);
void do_announce(const struct op_announce *op);
void do_host_hooks(void);
void do_run_hook(const struct op_run_hook *op);
void do_pivot_root(const struct op_pivot_root *op);
void do_chroot(void);
void do_root_attributes(const struct op_root_attributes *op);
void do_set_hostname(const struct op_set_hostname *op);
void do_set_domainname(const struct op_set_domainname *op);
void do_set_sysctl(const struct op_set_sysctl *op);
void do_bring_loopback_up(void);
void do_session_keyring(const struct op_session_keyring *op);
void do_set_lsm_label(const struct op_set_lsm_label *op);
void do_no_new_privileges(void);
void do_load_seccomp(const struct op_load_seccomp *op);
void do_set_scheduler(const struct op_set_scheduler *op);
void do_set_io_priority(const struct op_set_io_priority *op);
void do_set_personality(const struct op_set_personality *op);
void do_set_cpu_affinity(const struct op_set_cpu_affinity *op);
void do_set_memory_policy(const struct op_set_memory_policy *op);
void do_limit_capability_bounds(const struct op_limit_capability_bounds *op);
void do_set_user(const struct op_set_user *op);
void do_set_capabilities(const struct op_set_capabilities *op);
void do_change_directory(const struct op_change_directory *op);
void do_find_program(const struct op_find_program *op);
void do_set_home(const struct op_set_home *op);
void do_set_listen_pid(void);
void do_ready(void);
void do_close_descriptors(const struct op_close_descriptors *op);
_Noreturn void do_exec(const struct op_exec *op);

// sources.c
/** Opens what bind operations read from the host, before the credentials to reach it are given up. */
void open_sources_ahead(void);
/** What a bind operation shows, as a detached mount; opened now unless it is there already. */
int take_source(const struct operation *operation, const char *source, int recursive, uint32_t handed);
