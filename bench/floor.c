// SPDX-License-Identifier: Apache-2.0
// The floor of the benchmark: the least that any runtime must do for the container that the others start, and nothing
// else. No configuration is read, no state is written, no masked paths, devices, capabilities or filters.
//   floor ROOTFS [CGROUP...] -- PROGRAM [ARG...]
// ROOTFS is an absolute path. Each CGROUP is the path of a cgroup (in a v1 hierarchy, or v2) that is made, joined, shown
// read-only in the container, and removed. Exits as PROGRAM does; 125 when the floor itself fails.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXIT_FLOOR = 125, MAX_CGROUPS = 32 };

static const int NAMESPACES = CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNS;

struct cgroups {
  int count;
  const char *paths[MAX_CGROUPS];
};

static _Noreturn void die(const char *what) {
  fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
  exit(EXIT_FLOOR);
}

static void check(long result, const char *what) {
  if (result < 0) die(what);
}

// A v1 cpuset takes no process before it has CPUs and memory nodes: take the parent's.
static void copy_from_parent(int directory, const char *name) {
  char parent[64], value[4096];
  snprintf(parent, sizeof parent, "../%s", name);
  int from = openat(directory, parent, O_RDONLY | O_CLOEXEC);
  if (from < 0) return;  // not a cpuset
  ssize_t length = read(from, value, sizeof value);
  close(from);
  int to = openat(directory, name, O_WRONLY | O_CLOEXEC);
  check(to, name);
  check(write(to, value, (size_t)length), name);
  close(to);
}

static void make_cgroups(struct cgroups *cgroups) {
  for (int i = 0; i < cgroups->count; i++) {
    const char *path = cgroups->paths[i];
    check(mkdir(path, 0755), path);
    if (strstr(path, "cpuset") == NULL) continue;
    int directory = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    check(directory, path);
    copy_from_parent(directory, "cpuset.cpus");
    copy_from_parent(directory, "cpuset.mems");
    close(directory);
  }
}

static void remove_cgroups(struct cgroups *cgroups) {
  for (int i = 0; i < cgroups->count; i++) rmdir(cgroups->paths[i]);
}

// In the container; "0" is the writer.
static void join_cgroups(const struct cgroups *cgroups) {
  for (int i = 0; i < cgroups->count; i++) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/cgroup.procs", cgroups->paths[i]);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    check(fd, path);
    check(write(fd, "0", 1), path);
    close(fd);
  }
}

static void mount_at(const char *type, const char *target, unsigned long flags, const char *data) {
  check(mount(type, target, type, flags, data), target);
}

// The container's own cgroups, one directory for each, as runtimes show cgroup v1.
static void mount_cgroups(const struct cgroups *cgroups) {
  const unsigned long flags = MS_NOSUID | MS_NOEXEC | MS_NODEV;
  mount_at("tmpfs", "sys/fs/cgroup", flags, "mode=755");
  for (int i = 0; i < cgroups->count; i++) {
    char target[32];
    snprintf(target, sizeof target, "sys/fs/cgroup/%d", i);
    check(mkdir(target, 0755), target);
    check(mount(cgroups->paths[i], target, NULL, MS_BIND, NULL), target);
    check(mount(NULL, target, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | flags, NULL), target);
  }
  check(mount(NULL, "sys/fs/cgroup", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | flags, NULL), "sys/fs/cgroup");
}

static _Noreturn void enter(const char *rootfs, const struct cgroups *cgroups, char **program) {
  join_cgroups(cgroups);
  check(sethostname("floor", 5), "sethostname");
  check(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private mounts");
  check(mount(rootfs, rootfs, NULL, MS_BIND | MS_REC, NULL), rootfs);
  check(chdir(rootfs), rootfs);

  const unsigned long flags = MS_NOSUID | MS_NOEXEC | MS_NODEV;
  mount_at("proc", "proc", 0, NULL);
  mount_at("tmpfs", "dev", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k");
  check(mkdir("dev/pts", 0755), "dev/pts");
  check(mkdir("dev/shm", 0755), "dev/shm");
  check(mkdir("dev/mqueue", 0755), "dev/mqueue");
  mount_at("devpts", "dev/pts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5");
  mount_at("tmpfs", "dev/shm", flags, "mode=1777,size=65536k");
  mount_at("mqueue", "dev/mqueue", flags, NULL);
  mount_at("sysfs", "sys", flags | MS_RDONLY, NULL);
  if (cgroups->count > 0) mount_cgroups(cgroups);

  check(syscall(SYS_pivot_root, ".", "."), "pivot_root");
  check(umount2(".", MNT_DETACH), "unmount the old root");
  check(mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), "read-only root");
  check(chdir("/"), "/");
  execv(program[0], program);
  die(program[0]);
}

int main(int argc, char **argv) {
  static struct cgroups cgroups;
  int i = 2;
  for (; i < argc && strcmp(argv[i], "--") != 0; i++) {
    if (cgroups.count == MAX_CGROUPS) break;
    cgroups.paths[cgroups.count++] = argv[i];
  }
  if (i + 1 >= argc || strcmp(argv[i], "--") != 0) {
    fputs("usage: floor ROOTFS [CGROUP...] -- PROGRAM [ARG...]\n", stderr);
    return EXIT_FLOOR;
  }

  make_cgroups(&cgroups);
  long child = syscall(SYS_clone, NAMESPACES | SIGCHLD, NULL, NULL, NULL, NULL);
  check(child, "clone");
  if (child == 0) enter(argv[1], &cgroups, &argv[i + 1]);
  int status;
  check(waitpid((pid_t)child, &status, 0), "wait");
  remove_cgroups(&cgroups);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
