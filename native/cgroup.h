/*
 * The cgroups of the agent's container, by which the kernel limits the memory, threads and CPU of brokers. The agent has a leaf.
 * Its tools have a leaf, since nft reads as many chains as a pod has made. `brokers` has a leaf for each broker. Needs cgroup v2,
 * and a cgroup namespace of the container.
 */
#ifndef WIMDS_CGROUP_H
#define WIMDS_CGROUP_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

/* The part of the container's memory for the agent and its tools, and the limit of the tools. */
#define AGENT_BYTES (128L << 20)
#define TOOLS_BYTES "67108864"
/* Includes page tables and the buffers of sockets. */
#define BROKER_BYTES "167772160"
#define BROKER_THREADS 64

/* An exec probe may have started a process before, so the moves are repeated. */
enum { MOVES = 100, MOVE_PAUSE_US = 20000 };

/*
 * Returns the container's cgroup, which its own mount shows read-only; -1 with errno without one. The mount has no path: no other
 * process sees it.
 */
static inline int open_container(void) {
  int context = fsopen("cgroup2", FSOPEN_CLOEXEC);
  if (context < 0 || fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) != 0) return -1;
  return fsmount(context, FSMOUNT_CLOEXEC, 0);
}

/* Writes the text in one call, as the kernel requires. Returns false with errno, which closing does not change. */
static inline bool write_setting(int directory, const char *name, const char *text) {
  int file = openat(directory, name, O_WRONLY | O_CLOEXEC);
  if (file < 0) return false;
  bool is_written = write(file, text, strlen(text)) >= 0;
  close(file);
  return is_written;
}

static inline bool make_directory(int parent, const char *name) {
  return mkdirat(parent, name, 0755) == 0 || errno == EEXIST;
}

/* Moves processes without a leaf: the kernel counts no children of a cgroup with processes. A process may have ended. */
static inline void move_processes(int container) {
  int file = openat(container, "cgroup.procs", O_RDONLY | O_CLOEXEC);
  FILE *processes = file < 0 ? NULL : fdopen(file, "r");
  if (processes == NULL) return;
  for (char line[32]; fgets(line, sizeof line, processes) != NULL;) write_setting(container, "agent/cgroup.procs", line);
  fclose(processes);
}

/* Makes the agent's leaf, and `brokers` with the rest of the memory. Returns the problem, with errno; NULL on success. */
static inline const char *make_cgroups(void) {
  static const char CONTROLLERS[] = "+memory +pids +cpu";
  char limit[32] = "";
  int container = open_container();
  int file = container < 0 ? -1 : openat(container, "memory.max", O_RDONLY | O_CLOEXEC);
  if (file < 0 || read(file, limit, sizeof limit - 1) <= 0)
    return "the kernel does not count the memory of this container. Fix: use nodes with cgroup v2";
  if (!make_directory(container, "agent")) return "cannot make the agent's cgroup";
  for (int tries = MOVES;; usleep(MOVE_PAUSE_US)) {
    move_processes(container);
    if (write_setting(container, "cgroup.subtree_control", CONTROLLERS)) break;
    if (errno != EBUSY || --tries == 0) return "cannot turn on the controllers of the container's cgroup";
  }
  /* 0 for `max`. Then the brokers have no limit either. */
  long bytes = strtol(limit, NULL, 10);
  if (bytes > 0) snprintf(limit, sizeof limit, "%ld", bytes > 2 * AGENT_BYTES ? bytes - AGENT_BYTES : bytes / 2);
  if (make_directory(container, "tools") && write_setting(container, "tools/memory.max", TOOLS_BYTES) &&
      make_directory(container, "brokers") && write_setting(container, "brokers/memory.max", limit) &&
      write_setting(container, "brokers/cgroup.subtree_control", CONTROLLERS))
    return NULL;
  int number = errno;
  unlinkat(container, "brokers", AT_REMOVEDIR);
  errno = number;
  return "cannot limit the memory of brokers";
}

/* Puts this process into the leaf of tools, if that is there. */
static inline void enter_tools(void) { write_setting(open_container(), "tools/cgroup.procs", "0"); }

/* Puts this process into its uid's leaf of `brokers`, unless the kernel has no cgroup v2 or denies it. False with errno. */
static inline bool enter_cgroup(unsigned uid) {
  char name[16], threads[16];
  int container = open_container();
  if (container < 0) return errno == ENODEV || errno == ENOSYS || errno == EPERM || errno == EACCES;
  int brokers = openat(container, "brokers", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (brokers < 0) return errno == ENOENT;
  snprintf(name, sizeof name, "%u", uid);
  snprintf(threads, sizeof threads, "%d", BROKER_THREADS);
  if (!make_directory(brokers, name)) return false;
  int leaf = openat(brokers, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
  return leaf >= 0 && write_setting(leaf, "memory.max", BROKER_BYTES) && write_setting(leaf, "pids.max", threads) &&
         write_setting(leaf, "cgroup.procs", "0");
}

#endif
