// SPDX-License-Identifier: Apache-2.0
// Peak resident memory of a command, in KiB:
//   measure REPORT PROGRAM [ARG...]
// writes "OWN ANY" to the file REPORT: OWN is the peak of the program's own process, ANY that of the biggest process it made (itself
// included). Exits as PROGRAM does; 125 when measuring fails.
//
// OWN is VmHWM, read while the process stands at its exit (ptrace): unlike ru_maxrss it belongs to the address space
// that the last exec made, so that neither what this program used, nor what a child used, is in it. ANY adds ru_maxrss of wait4,
// which has the children that the program waited for, and VmHWM of those that it left behind.
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXIT_MEASURE = 125 };

static _Noreturn void die(const char *what) {
  fprintf(stderr, "measure: %s: %s\n", what, strerror(errno));
  exit(EXIT_MEASURE);
}

static long larger(long a, long b) {
  return a > b ? a : b;
}

// VmHWM of a process in KiB; 0 when it has no memory any more.
static long read_peak(pid_t pid) {
  char path[64], line[256];
  snprintf(path, sizeof path, "/proc/%d/status", pid);
  FILE *file = fopen(path, "re");
  if (file == NULL) return 0;
  long peak = 0;
  while (fgets(line, sizeof line, file) != NULL) {
    if (sscanf(line, "VmHWM: %ld", &peak) == 1) break;
  }
  fclose(file);
  return peak;
}

// The biggest of the processes that the program left behind; this process has inherited them.
static long read_peak_of_orphans(void) {
  FILE *file = fopen("/proc/thread-self/children", "re");
  if (file == NULL) die("/proc/thread-self/children (CONFIG_PROC_CHILDREN)");
  long peak = 0;
  int pid;
  while (fscanf(file, "%d", &pid) == 1) peak = larger(peak, read_peak(pid));
  fclose(file);
  return peak;
}

// vfork: a copy of this process's memory would be counted as the child's.
static pid_t start(char **argv) {
  pid_t pid = vfork();
  if (pid < 0) die("vfork");
  if (pid == 0) {
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0) execvp(argv[0], argv);
    _exit(127);
  }
  return pid;
}

int main(int argc, char **argv) {
  if (argc < 3) {
    fputs("usage: measure REPORT PROGRAM [ARG...]\n", stderr);
    return EXIT_MEASURE;
  }
  if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0) die("become subreaper");
  pid_t pid = start(&argv[2]);
  struct rusage usage;
  long own = 0;
  int status, is_first_stop = 1;
  for (;;) {
    if (wait4(pid, &status, __WALL, &usage) < 0) die("wait4");
    if (!WIFSTOPPED(status)) break;
    int signal_for_it = 0;
    if (is_first_stop) {  // after exec
      // TRACEEXEC: a program that executes itself again would otherwise get a SIGTRAP.
      if (ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACEEXIT | PTRACE_O_TRACEEXEC) < 0) die("PTRACE_SETOPTIONS");
      is_first_stop = 0;
    } else if (status >> 16 == PTRACE_EVENT_EXIT) {
      own = read_peak(pid);
    } else if (status >> 16 == 0) {
      signal_for_it = WSTOPSIG(status);
    }
    // ESRCH: killed in the meantime; wait4 tells.
    if (ptrace(PTRACE_CONT, pid, NULL, (long)signal_for_it) < 0 && errno != ESRCH) die("PTRACE_CONT");
  }
  if (is_first_stop) {
    fprintf(stderr, "measure: cannot execute \"%s\"\n", argv[2]);
    return EXIT_MEASURE;
  }
  FILE *report = fopen(argv[1], "we");
  if (report == NULL) die(argv[1]);
  fprintf(report, "%ld %ld\n", own, larger(own, larger(usage.ru_maxrss, read_peak_of_orphans())));
  if (fclose(report) != 0) die(argv[1]);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
