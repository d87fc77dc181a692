/* The system calls that a broker of `wimds-node` may not make. */
#ifndef WIMDS_SECCOMP_H
#define WIMDS_SECCOMP_H

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

/*
 * The calls that no broker makes, but a compromised one would. They reach other namespaces and mounts, other processes, the
 * kernel, memory that belongs to no process, and networks. A broker could disconnect a socket from the agent and connect it
 * elsewhere, also by sending, or make an accepted socket a client in the network of its pod. listen is allowed, since a pod's
 * socket listens when its broker is ready.
 */
static const unsigned DENIED[] = {
    SYS_unshare, SYS_setns, SYS_mount, SYS_umount2, SYS_pivot_root, SYS_chroot, SYS_move_mount, SYS_open_tree, SYS_fsopen,
    SYS_fsconfig, SYS_fsmount, SYS_fspick, SYS_mount_setattr, SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev,
    SYS_pidfd_open, SYS_pidfd_getfd, SYS_kcmp, SYS_bpf, SYS_perf_event_open, SYS_userfaultfd, SYS_open_by_handle_at,
    SYS_name_to_handle_at, SYS_keyctl, SYS_add_key, SYS_request_key, SYS_io_uring_setup, SYS_io_uring_enter,
    SYS_io_uring_register, SYS_init_module, SYS_finit_module, SYS_delete_module, SYS_kexec_load, SYS_kexec_file_load,
    SYS_reboot, SYS_swapon, SYS_swapoff, SYS_acct, SYS_quotactl, SYS_syslog, SYS_settimeofday, SYS_clock_settime,
    SYS_memfd_create, SYS_memfd_secret, SYS_shmget, SYS_semget, SYS_msgget, SYS_mq_open, SYS_execveat, SYS_vmsplice, SYS_io_setup,
    SYS_socket, SYS_socketpair, SYS_bind, SYS_connect, SYS_sendto, SYS_sendmsg, SYS_sendmmsg,
#ifdef SYS_fork
    SYS_fork, SYS_vfork,
#endif
};

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

enum {
  DENIED_COUNT = sizeof DENIED / sizeof *DENIED,
  /* Calls of x32, which have the architecture of x86-64. */
  X32 = 0x40000000,
  NEW_NAMESPACES =
      CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET,
};

/* The first argument is an int or a set of flags in the lower half; both architectures are little-endian. */
#define LOAD(member) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, member))
#define IS(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), (yes), (no))
#define HAS(bits, yes, no) BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, (bits), (yes), (no))
#define RETURN(value) BPF_STMT(BPF_RET | BPF_K, (value))
#define FAIL(number) RETURN(SECCOMP_RET_ERRNO | (number))
/*
 * Memory that the limit of data does not count: shared mappings, also of /dev/zero, and mappings that grow down. Neither Node
 * nor the C library needs any.
 */
#define DENY_UNCOUNTED \
  IS(SYS_mmap, 0, 4), LOAD(args[3]), HAS(MAP_SHARED | MAP_GROWSDOWN, 0, 1), FAIL(EPERM), RETURN(SECCOMP_RET_ALLOW)
/* Larger buffers of a connection that the agent opened: they would count as memory of the agent. */
#define DENY_BUFFERS \
  IS(SYS_setsockopt, 0, 5), LOAD(args[2]), IS(SO_RCVBUF, 1, 0), IS(SO_SNDBUF, 0, 1), FAIL(EPERM), \
      RETURN(SECCOMP_RET_ALLOW)
/* A broker that no longer follows the agent's end would keep a uid that the next broker gets. */
#define DENY_OUTLIVING \
  IS(SYS_prctl, 0, 4), LOAD(args[0]), IS(PR_SET_PDEATHSIG, 0, 1), FAIL(EPERM), RETURN(SECCOMP_RET_ALLOW)
/*
 * A thread that executes a program takes the place of the process, and no longer follows the agent's end. This process becomes the
 * broker by a call with a password in the arguments that execve does not have.
 */
#define DENY_EXECUTION(password) \
  IS(SYS_execve, 0, 6), LOAD(args[3]), IS((password)[0], 0, 2), LOAD(args[4]), IS((password)[1], 1, 0), FAIL(EPERM), \
      RETURN(SECCOMP_RET_ALLOW)

/*
 * Filters the system calls of this process, which can start threads and no other process: a child would outlive the broker,
 * and share its uid with the next one. clone3 fails as if it did not exist, since its flags are in memory, where no filter
 * can read them: the C library then calls clone. Returns -1, with errno, if the kernel refuses the filter.
 */
static inline int filter_calls(const unsigned password[2]) {
  struct sock_filter filter[64 + 2 * DENIED_COUNT] = {
      LOAD(arch), IS(ARCHITECTURE, 1, 0), RETURN(SECCOMP_RET_KILL_PROCESS),
      LOAD(nr), BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32, 0, 1), FAIL(ENOSYS),
      IS(SYS_clone3, 0, 1), FAIL(ENOSYS),
  };
  unsigned short count = 8;
  for (int i = 0; i < DENIED_COUNT; i++) {
    filter[count++] = (struct sock_filter)IS(DENIED[i], 0, 1);
    filter[count++] = (struct sock_filter)FAIL(EPERM);
  }
  const struct sock_filter end[] = {
      IS(SYS_clone, 0, 5), LOAD(args[0]), HAS(NEW_NAMESPACES, 1, 0), HAS(CLONE_THREAD, 1, 0), FAIL(EPERM),
      RETURN(SECCOMP_RET_ALLOW),
      DENY_UNCOUNTED, DENY_BUFFERS, DENY_OUTLIVING, DENY_EXECUTION(password), RETURN(SECCOMP_RET_ALLOW),
  };
  memcpy(filter + count, end, sizeof end);
  struct sock_fprog program = {.len = (unsigned short)(count + sizeof end / sizeof *end), .filter = filter};
  return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}

#endif
