/*
 * `wimds-node` does what the node agent cannot do in Node: it enters network namespaces, reads files of one pod and of no
 * other, and starts the broker without the rights of the agent.
 *
 *   wimds-node open-socket|bind-socket PORT [-- PROGRAM ARGUMENT...]...
 *   wimds-node run PROGRAM [ARGUMENT]...
 *   wimds-node read-files ROOT
 *   wimds-node make-cgroups
 *   wimds-node run-broker FIRST-LAST DIRECTORY... -- PROGRAM ARGUMENT...
 *
 * It prints an error as a line on standard error. The exit code is then 1, or 2 if a program in the namespace has failed.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/openat2.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgroup.h"
#include "seccomp.h"

enum { FAILED = 1, PROGRAM_FAILED = 2 };

/* The file descriptor at which Node, the parent process, passes its IPC channel. */
enum { CHANNEL = 3 };

/* Prints the message, with the system's error if `number` is one, and ends the process. */
__attribute__((format(printf, 2, 3))) static _Noreturn void fail(int number, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fprintf(stderr, "wimds-node: ");
  vfprintf(stderr, format, arguments);
  va_end(arguments);
  if (number != 0) fprintf(stderr, ": %s", strerror(number));
  fprintf(stderr, "\n");
  exit(FAILED);
}

static _Noreturn void fail_arguments(void) { fail(0, "wrong arguments"); }

/*
 * Leaves this process, and the programs that it executes, only the capabilities of the mask. With no_new_privs, execve gives a
 * process of root no capability that it lacks, whatever the bounding set.
 */
static void set_capabilities(uint32_t mask) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {{.effective = mask, .permitted = mask}};
  if (syscall(SYS_capset, &header, sets) != 0) fail(errno, "cannot set the capabilities");
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) fail(errno, "cannot set no_new_privs");
}

/* open-socket */

/* The descriptor of the network namespace, which the parent opens. */
enum { NAMESPACE = 4, BACKLOG = 4096 };

static const char HANDLE_MESSAGE[] = "{\"cmd\":\"NODE_HANDLE\",\"type\":\"net.Native\",\"msg\":\"socket\"}\n";

/*
 * Selects the second of the sockets that share the port, or the only one. So new connections go to the successor of an agent,
 * and the kernel resets none of them when the agent closes its socket.
 */
static struct sock_filter SECOND_SOCKET[] = {BPF_STMT(BPF_RET | BPF_K, 1)};
static const struct sock_fprog SELECT_SOCKET = {.len = 1, .filter = SECOND_SOCKET};

static void enter_namespace(void) {
  if (setns(NAMESPACE, CLONE_NEWNET) != 0) fail(errno, "cannot enter the network namespace of the pod");
}

/*
 * Enters the namespace, and returns a socket on 127.0.0.1 there. Another process accepts its connections. During an upgrade the
 * sockets of two agents share the port. A socket that does not listen yet gets no connection. It gets no filter either: the
 * kernel would not let a socket with a filter join the listening ones later.
 */
static int open_in_namespace(unsigned port, bool listens) {
  enter_namespace();
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int on = 1;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      setsockopt(listener, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0 ||
      bind(listener, (struct sockaddr *)&address, sizeof address) != 0 ||
      (listens && (listen(listener, BACKLOG) != 0 ||
                   setsockopt(listener, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &SELECT_SOCKET, sizeof SELECT_SOCKET) != 0)))
    fail(errno, "cannot listen on 127.0.0.1:%u", port);
  return listener;
}

/* Sends the socket beside the message that Node's IPC expects. The channel keeps both after the end of this process. */
static void send_socket(int listener) {
  struct iovec text = {.iov_base = (void *)HANDLE_MESSAGE, .iov_len = sizeof HANDLE_MESSAGE - 1};
  union {
    char bytes[CMSG_SPACE(sizeof listener)];
    struct cmsghdr alignment;
  } control = {0};
  struct msghdr message = {
      .msg_iov = &text, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
  struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(sizeof listener);
  memcpy(CMSG_DATA(rights), &listener, sizeof listener);
  if (sendmsg(CHANNEL, &message, MSG_NOSIGNAL) < 0) fail(errno, "cannot send the socket");
}

/* nft reads the chains and sets of the namespace, and the pod may have made as many as it likes. */
static const struct rlimit PROGRAM_MEMORY = {134217728, 134217728};

/* The programs change rules, routes and links, and nothing else. */
static const uint32_t PROGRAM_CAPABILITIES = 1U << CAP_NET_ADMIN;

/* Runs a program to its end, with this process's standard streams. Returns whether it succeeded. */
static bool run_program(char **program) {
  int status = 0;
  pid_t parent = getpid(), child = fork();
  if (child < 0) fail(errno, "cannot start %s", program[0]);
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (getppid() != parent) _exit(FAILED);
    if (setrlimit(RLIMIT_AS, &PROGRAM_MEMORY) != 0) fail(errno, "cannot limit the memory of %s", program[0]);
    enter_tools();
    set_capabilities(PROGRAM_CAPABILITIES);
    execvp(program[0], program);
    fail(errno, "cannot execute %s", program[0]);
  }
  if (waitpid(child, &status, 0) < 0) fail(errno, "cannot wait for %s", program[0]);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/*
 * Each argument `--` begins a program that runs in the namespace. The socket listens before the first program loads rules that
 * lead to it. The parent gets the socket when all have succeeded.
 */
static int open_socket(unsigned port, bool listens, char **arguments) {
  int listener = open_in_namespace(port, listens);
  for (bool has_more = *arguments != NULL; has_more;) {
    char **program = ++arguments;
    while (*arguments != NULL && strcmp(*arguments, "--") != 0) arguments++;
    has_more = *arguments != NULL;
    *arguments = NULL;
    if (!run_program(program)) return PROGRAM_FAILED;
  }
  send_socket(listener);
  return 0;
}

/* read-files */

/* The largest file to read is an identities file: 128 KiB at most. */
enum { MAX_FILE_BYTES = 131072, MAX_LINE = 4608 };

struct line {
  char text[MAX_LINE];
  bool is_whole;
};

/* Reads a line without its end. False at the end of the input. Drops the characters that do not fit. */
static bool read_line(struct line *line) {
  size_t count = 0;
  int next;
  line->is_whole = true;
  while ((next = getc_unlocked(stdin)) != '\n') {
    if (next == EOF) return false;
    if (next == '\0' || count == MAX_LINE - 1)
      line->is_whole = false;
    else
      line->text[count++] = (char)next;
  }
  line->text[count] = '\0';
  return true;
}

static int open_beneath(int directory, const char *path, uint64_t flags, uint64_t resolve) {
  struct open_how how = {.flags = flags | O_CLOEXEC, .resolve = resolve | RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
  return (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
}

/*
 * Opens PATH in the directory UID of `root`; -1 with errno if it is not there or leads out of that directory. A pod
 * that swaps its directories for links while they are read gains nothing: the kernel checks each step.
 */
static int open_file(int root, const char *uid, const char *path) {
  if (*uid == '.' || strchr(uid, '/') != NULL) {
    errno = EXDEV;
    return -1;
  }
  int pod = open_beneath(root, uid, O_PATH | O_DIRECTORY, RESOLVE_NO_SYMLINKS);
  if (pod < 0) return -1;
  /* Without waiting for the other end of a FIFO. */
  int file = open_beneath(pod, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
  close(pod);
  return file;
}

/* Returns the number of bytes of the file; -1 with errno on an error, and if it is not a regular file or is too large. */
static ssize_t read_whole(int file, char *bytes) {
  struct stat status;
  if (fstat(file, &status) != 0) return -1;
  if (!S_ISREG(status.st_mode)) {
    errno = EINVAL;
    return -1;
  }
  ssize_t count = 0, got;
  do {
    got = read(file, bytes + count, (size_t)(MAX_FILE_BYTES + 1 - count));
    if (got < 0) return -1;
    count += got;
  } while (got > 0 && count <= MAX_FILE_BYTES);
  if (count <= MAX_FILE_BYTES) return count;
  errno = EFBIG;
  return -1;
}

/* Answers one request: `UID PATH`. */
static void answer(int root, struct line *line) {
  static char bytes[MAX_FILE_BYTES + 1];
  char *path = strchr(line->text, ' ');
  ssize_t count = -1;
  errno = EINVAL;
  if (line->is_whole && path != NULL) {
    *path++ = '\0';
    int file = open_file(root, line->text, path);
    if (file >= 0) {
      count = read_whole(file, bytes);
      close(file);
    }
  }
  if (count < 0) {
    const char *name = strerrorname_np(errno);
    printf("ERR %s\n", name == NULL ? "EIO" : name);
  } else {
    printf("OK %zd\n", count);
    fwrite(bytes, 1, (size_t)count, stdout);
  }
}

/* Answers requests in their order until the agent closes standard input. */
static int read_files(const char *directory) {
  int root = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (root < 0) fail(errno, "%s. Fix: set nodeAgent.kubeletDirectory", directory);
  struct line line;
  while (read_line(&line)) {
    answer(root, &line);
    if (fflush(stdout) != 0) return FAILED;
  }
  return 0;
}

/* run-broker */

/*
 * Gives this process an empty network, and hides the directories from it. Where mounts are shared, the agent would lose the
 * directories, too, so mount_setattr makes the mounts private. The AppArmor profile of containerd and CRI-O denies mount, but
 * not mount_setattr.
 */
static void detach(char **directories, int count) {
  struct mount_attr private = {.propagation = MS_PRIVATE};
  if (unshare(CLONE_NEWNS | CLONE_NEWNET) != 0) fail(errno, "cannot unshare the mounts and the network");
  if (mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &private, sizeof private) != 0)
    fail(errno, "cannot make the mounts private");
  for (int i = 0; i < count; i++)
    if (umount2(directories[i], MNT_DETACH | UMOUNT_NOFOLLOW) != 0) fail(errno, "cannot detach %s", directories[i]);
}

/*
 * The descriptors of the channel for messages and of the file of locks, which the parent opens. Sockets come by Node's channel,
 * which goes one way: the agent reads no descriptor and no acknowledgement of a broker.
 */
enum { MESSAGES = 4, UID_LOCKS = 5 };

/*
 * Claims the first free uid of the range, by a lock on the byte of that number. The lock belongs to the open file, not to this
 * process: it ends when the parent closes the file or ends. So the brokers of two agents on a node, during an upgrade, have
 * different uids.
 */
static unsigned claim_uid(const char *range) {
  unsigned first = 0, last;
  if (sscanf(range, "%u-%u", &first, &last) != 2 || first == 0 || last > 999999999) fail_arguments();
  if (fcntl(UID_LOCKS, F_SETFD, FD_CLOEXEC) != 0) fail(errno, "cannot keep the file of uids from the broker");
  for (unsigned uid = first; uid <= last; uid++) {
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = uid, .l_len = 1};
    if (fcntl(UID_LOCKS, F_OFD_SETLK, &lock) == 0) return uid;
    if (errno != EAGAIN && errno != EACCES) fail(errno, "cannot claim uid %u", uid);
  }
  fail(0, "all uids from %u to %u are in use. Fix: set a larger range by nodeAgent.brokerUids", first, last);
}

/*
 * The limits that hold without cgroup v2, too. Node reserves 600 MiB of data and, for each memory of WASM, 10 GiB of addresses.
 * RLIMIT_NPROC counts the threads of a uid, which no other process has. A broker has about twelve threads.
 */
static const struct {
  int resource;
  rlim_t limit;
} LIMITS[] = {
    {RLIMIT_NPROC, BROKER_THREADS}, {RLIMIT_DATA, 800UL << 20}, {RLIMIT_STACK, 8UL << 20},
    {RLIMIT_AS, 16UL << 30},        {RLIMIT_NOFILE, 4096},
};

static void limit_resources(void) {
  for (size_t i = 0; i < sizeof LIMITS / sizeof *LIMITS; i++) {
    struct rlimit current, limit = {LIMITS[i].limit, LIMITS[i].limit};
    getrlimit(LIMITS[i].resource, &current);
    if (current.rlim_max < limit.rlim_max) limit.rlim_cur = limit.rlim_max = current.rlim_max;
    if (setrlimit(LIMITS[i].resource, &limit) != 0) fail(errno, "cannot limit resource %d", LIMITS[i].resource);
  }
}

static void drop_privileges(unsigned uid) {
  limit_resources();
  if (setgroups(0, NULL) != 0 || setresgid(uid, uid, uid) != 0)
    fail(errno, "cannot become group %u. Fix: give the agent SETGID", uid);
  if (setresuid(uid, uid, uid) != 0) fail(errno, "cannot become user %u. Fix: give the agent SETUID", uid);
  set_capabilities(0);
}

/* The interface of Landlock. The headers of the build may lack its newer parts. */
enum {
  LANDLOCK_VERSION = 1,
  /* All rights to a file except to execute, read and list. */
  CHANGE_FILES = 0x7ff2,
  HAS_TRUNCATE = 3,
};

/* Lets this process change no file. Kernels before 6.2 cannot, and some runtimes deny the call. */
static void protect_files(void) {
  uint64_t denied = CHANGE_FILES;
  if (syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_VERSION) < HAS_TRUNCATE) return;
  int rules = (int)syscall(SYS_landlock_create_ruleset, &denied, sizeof denied, 0);
  if (rules < 0 || syscall(SYS_landlock_restrict_self, rules, 0) != 0) fail(errno, "cannot protect files from the broker");
  close(rules);
}

/* Becomes PROGRAM, with no descriptor but the standard ones and the channels. */
static int run_broker(char **arguments, int count) {
  int end = 1;
  while (end < count && strcmp(arguments[end], "--") != 0) end++;
  if (end + 1 >= count) fail_arguments();
  unsigned uid = claim_uid(arguments[0]);
  if (shutdown(CHANNEL, SHUT_WR) != 0) fail(errno, "cannot close one way of the channel");
  char **program = arguments + end + 1;
  pid_t parent = getppid();
  if (!enter_cgroup(uid)) fail(errno, "cannot enter the cgroup of broker %u", uid);
  detach(arguments + 1, end - 1);
  drop_privileges(uid);
  /*
   * This follows the change of user, which resets it. The kernel sends the signal with the rights of the parent: between users
   * it takes KILL. The parent may have ended before.
   */
  if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) fail(errno, "cannot follow the agent's end");
  if (getppid() != parent) return FAILED;
  /* With the file of locks a broker could claim all uids, and fill the disk of the node. */
  if (close_range(MESSAGES + 1, ~0U, 0) != 0) fail(errno, "cannot close the descriptors of the agent");
  if (chdir("/") != 0) fail(errno, "cannot leave the working directory");
  protect_files();
  unsigned password[2];
  if (getrandom(password, sizeof password, 0) != sizeof password) fail(errno, "cannot choose a password");
  if (filter_calls(password) != 0) fail(errno, "cannot filter system calls");
  syscall(SYS_execve, program[0], program, environ, password[0], password[1]);
  fail(errno, "%s", program[0]);
}

int main(int argc, char **argv) {
  const char *command = argc > 1 ? argv[1] : "";
  bool listens = strcmp(command, "open-socket") == 0;
  unsigned port;
  if (argc > 2 && (listens || strcmp(command, "bind-socket") == 0)) {
    if (sscanf(argv[2], "%u", &port) != 1) fail_arguments();
    return open_socket(port, listens, argv + 3);
  }
  if (strcmp(command, "run") == 0) {
    enter_namespace();
    return run_program(argv + 2) ? 0 : PROGRAM_FAILED;
  }
  if (argc == 3 && strcmp(command, "read-files") == 0) return read_files(argv[2]);
  if (argc == 2 && strcmp(command, "make-cgroups") == 0) {
    const char *problem = make_cgroups();
    if (problem != NULL) fail(errno, "%s", problem);
    return 0;
  }
  if (strcmp(command, "run-broker") == 0) return run_broker(argv + 2, argc - 2);
  fail_arguments();
}
