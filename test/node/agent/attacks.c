/*
 * Native code in the place of a broker, with its uid, filter, limits and channels: `attacks NAME`. Begins with the first pod, whose
 * socket it gets, and answers the agent's pings meanwhile. Prints what it has reached as a line of JSON.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { SOCKETS = 3, MESSAGES = 4 };
#define MIB (1L << 20)

/* Also an answer to a ping. */
#define READY "{\"type\":\"ready\"}\n"

static int listener = -1;

static void send_line(const char *line) {
  if (write(MESSAGES, line, strlen(line)) < 0) _exit(1);
}

static void say(const char *what, long number) {
  printf("{\"event\":\"attack\",\"what\":\"%s\",\"reached\":%ld}\n", what, number);
  fflush(stdout);
}

/* Data, as fast as the kernel gives it, until a limit or the end of this process. */
static void take_memory(void) {
  long count = 0;
  for (char *area; (area = mmap(NULL, 4 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) != MAP_FAILED; count++)
    memset(area, 1, 4 * MIB);
  say("MiB of data", 4 * count);
}

/* A page of page tables for each 2 MiB that is read: no data, and no resident page. */
static void take_tables(void) {
  long count = 0;
  for (volatile char *area; (area = mmap(NULL, 64 * MIB, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) != MAP_FAILED; count++)
    for (long at = 0; at < 64 * MIB; at += 2 * MIB) (void)area[at];
  say("MiB of addresses", 64 * count);
}

/* Less than a broker may have, for good: several such brokers together have more than all may have. */
static void hold_memory(void) {
  memset(mmap(NULL, 120 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 1, 120 * MIB);
  say("MiB of data", 120);
}

/* Connections of the pod, which it does not read. */
static void take_connections(void) {
  long count = 1;
  int largest = 1 << 30;
  listen(listener, 4096);
  for (int connection; (connection = accept4(listener, NULL, NULL, 0)) >= 0; count++) {
    setsockopt(connection, SOL_SOCKET, SO_RCVBUF, &largest, sizeof largest);
    if (count == 300) say("connections", count);
  }
  say(strerrorname_np(errno), count);
}

static void take_pipes(void) {
  long count = 0, bytes = 0;
  static char page[4096];
  for (int ends[2]; pipe2(ends, 04000) == 0; count++)
    for (ssize_t written; (written = write(ends[1], page, sizeof page)) > 0;) bytes += written;
  say("MiB in pipes", bytes / MIB);
}

/*
 * What would be a network: sockets of each kind, and a connection of the pod or the pod's socket as one to another address. Counts
 * the calls that succeed.
 */
static void take_network(void) {
  static const int KINDS[][2] = {{AF_INET, SOCK_STREAM}, {AF_INET, SOCK_DGRAM},   {AF_INET6, SOCK_DGRAM},
                                 {AF_UNIX, SOCK_STREAM}, {AF_NETLINK, SOCK_RAW}, {AF_INET, SOCK_SEQPACKET}};
  struct sockaddr_in other = {.sin_family = AF_INET, .sin_port = htons(64169)};
  struct sockaddr nowhere = {.sa_family = AF_UNSPEC};
  long count = 0;
  int ends[2];
  for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++) count += socket(KINDS[i][0], KINDS[i][1], 0) >= 0;
  count += socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) == 0;
  listen(listener, 16);
  int sockets[] = {accept4(listener, NULL, NULL, 0), listener};
  for (int i = 0; i < 2; i++) {
    count += connect(sockets[i], &nowhere, sizeof nowhere) == 0;
    shutdown(sockets[i], SHUT_RDWR);
    count += i == 0 && listen(sockets[i], 16) == 0;
    count += bind(sockets[i], (struct sockaddr *)&other, sizeof other) == 0;
    count += connect(sockets[i], (struct sockaddr *)&other, sizeof other) == 0;
    count += sendto(sockets[i], "", 1, MSG_FASTOPEN | MSG_NOSIGNAL, (struct sockaddr *)&other, sizeof other) >= 0;
  }
  say("calls", count);
}

static void *spin(void *unused) {
  for (volatile long count = 0;; count++)
    if (unused != NULL) return NULL;
}

static void take_cpu(void) {
  long count = 0;
  for (pthread_t thread; pthread_create(&thread, NULL, spin, NULL) == 0;) count++;
  say("threads", count);
}

/* More than the agent reads at once; the rest waits in the kernel. */
static void flood_messages(void) {
  for (long count = 1;; count++) {
    send_line(READY);
    if (count == 9000) say("messages", count);
  }
}

static void flood_log(void) {
  for (long count = 0;; count++) say("lines", count);
}

static const struct {
  const char *name;
  void (*run)(void);
} ATTACKS[] = {{"memory", take_memory},           {"hold", hold_memory}, {"tables", take_tables},
               {"connections", take_connections}, {"pipes", take_pipes}, {"network", take_network}, {"cpu", take_cpu},
               {"messages", flood_messages},      {"log", flood_log}};

static void *attack(void *name) {
  say("begins", 0);
  for (size_t i = 0; i < sizeof ATTACKS / sizeof *ATTACKS; i++)
    if (strcmp(ATTACKS[i].name, name) == 0) ATTACKS[i].run();
  return NULL;
}

/* Takes the first socket, and says that it has it. */
static void receive_socket(void) {
  static char text[4096];
  union {
    char bytes[CMSG_SPACE(sizeof listener)];
    struct cmsghdr alignment;
  } control;
  struct iovec into = {text, sizeof text - 1};
  struct msghdr message = {
      .msg_iov = &into, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
  ssize_t count = recvmsg(SOCKETS, &message, 0);
  if (count <= 0) _exit(0);
  text[count] = '\0';
  struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
  const char *number = strstr(text, "\"socket\":");
  if (rights == NULL || number == NULL) return;
  memcpy(&listener, CMSG_DATA(rights), sizeof listener);
  char line[64];
  snprintf(line, sizeof line, "{\"type\":\"received\",\"socket\":%d}\n", atoi(number + strlen("\"socket\":")));
  send_line(line);
}

int main(int argc, char **argv) {
  pthread_t thread;
  if (argc != 2) return 64;
  send_line(READY);
  while (listener < 0) receive_socket();
  if (pthread_create(&thread, NULL, attack, argv[1]) != 0) return 1;
  static char text[1 << 20];
  for (ssize_t count; (count = read(MESSAGES, text, sizeof text - 1)) > 0;) {
    text[count] = '\0';
    if (strstr(text, "\"about\":\"ping\"") != NULL) send_line(READY);
  }
  return 0;
}
