// SPDX-License-Identifier: Apache-2.0
// Drives a runtime through several commands, as an engine does, with next to no cost of its own:
//   drive lifecycle ID BUNDLE RUNTIME [OPTION...]    create, start, kill, wait for the container's end, delete
//   drive parallel COUNT ID BUNDLE RUNTIME [OPTION...]    COUNT times `run` at once, as ID-0, ID-1, ...
// Exits with 0 if every command did, else with 1. Standard streams are passed on.
#define _GNU_SOURCE
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_ARGUMENTS = 64, MAX_COUNT = 1024, MAX_ID = 256 };

extern char **environ;

static _Noreturn void die(const char *what, int error) {
  fprintf(stderr, "drive: %s: %s\n", what, strerror(error));
  exit(1);
}

// Starts RUNTIME [OPTION...] and the command's arguments; both lists end with NULL.
static pid_t start(char **runtime, char *const *command) {
  char *argv[MAX_ARGUMENTS + 1];
  int count = 0;
  for (char **argument = runtime; *argument != NULL && count < MAX_ARGUMENTS; argument++) argv[count++] = *argument;
  for (; *command != NULL && count < MAX_ARGUMENTS; command++) argv[count++] = *command;
  argv[count] = NULL;
  pid_t pid;
  int error = posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ);
  if (error != 0) die(argv[0], error);
  return pid;
}

static int wait_for(pid_t pid) {
  int status;
  if (waitpid(pid, &status, 0) < 0) die("waitpid", errno);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void run(char **runtime, char *const *command) {
  if (wait_for(start(runtime, command))) return;
  fprintf(stderr, "drive: %s %s failed\n", runtime[0], command[0]);
  exit(1);
}

// The container's first process is a child of this one once `create` has ended (subreaper), as it is for a shim.
static void run_lifecycle(char *id, char *bundle, char **runtime) {
  if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0) die("become subreaper", errno);
  run(runtime, (char *const[]){"create", "--bundle", bundle, id, NULL});
  run(runtime, (char *const[]){"start", id, NULL});
  run(runtime, (char *const[]){"kill", id, "KILL", NULL});
  while (wait(NULL) > 0) continue;
  run(runtime, (char *const[]){"delete", id, NULL});
}

static int run_parallel(int count, const char *id, char *bundle, char **runtime) {
  static pid_t pids[MAX_COUNT];
  static char ids[MAX_COUNT][MAX_ID];
  for (int i = 0; i < count; i++) {
    snprintf(ids[i], MAX_ID, "%s-%d", id, i);
    pids[i] = start(runtime, (char *const[]){"run", "--bundle", bundle, ids[i], NULL});
  }
  int failures = 0;
  for (int i = 0; i < count; i++) failures += !wait_for(pids[i]);
  if (failures > 0) fprintf(stderr, "drive: %d of %d containers failed\n", failures, count);
  return failures > 0;
}

int main(int argc, char **argv) {
  if (argc >= 5 && strcmp(argv[1], "lifecycle") == 0) {
    run_lifecycle(argv[2], argv[3], &argv[4]);
    return 0;
  }
  int count = argc >= 6 && strcmp(argv[1], "parallel") == 0 ? atoi(argv[2]) : 0;
  if (count >= 1 && count <= MAX_COUNT) return run_parallel(count, argv[3], argv[4], &argv[5]);
  fputs("usage: drive lifecycle ID BUNDLE RUNTIME [OPTION...]\n"
        "       drive parallel COUNT ID BUNDLE RUNTIME [OPTION...]\n", stderr);
  return 1;
}
