/*
 * `wimds-gate`, the init container of mode `node`: waits without an end until 169.254.169.254:80 leads to the broker of
 * this node, and there to this pod. Nothing of the application starts before, so that none of it reaches the identity of
 * the node. A static program, the only file of its image.
 *
 *   WIMDS_POD_UID                the pod's own UID: another pod's broker and the real IMDS answer without it
 *   WIMDS_NODE_NAME              for the log
 *   WIMDS_READY_AFTER_PREFETCH   true: waits for the status 200 as well
 */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include "clock.h"

/* Only tests have another. */
#ifndef LOG_MS
#define LOG_MS 10000
#endif

#define METADATA_ADDRESS "169.254.169.254"

/*
 * The time for a connection is short: one that began before the redirect was there never gets an answer, and behind the
 * redirect the kernel answers at once. The pause is a twentieth of the time so far, as in wimds.c.
 */
enum { CONNECT_MS = 50, ANSWER_MS = 2000, MIN_PAUSE_MS = 10, MAX_PAUSE_MS = 250, PAUSES_OF_WAIT = 20 };

struct gate {
  const char *uid;
  const char *node;
  bool needs_200;
};

static void set_timeout(int connection, int option, long ms) {
  struct timeval limit = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
  setsockopt(connection, SOL_SOCKET, option, &limit, sizeof limit);
}

/* Returns a connection to the metadata address; -1 with errno. */
static int open_connection(void) {
  int connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connection < 0) return -1;
  set_timeout(connection, SO_SNDTIMEO, CONNECT_MS);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(80)};
  inet_pton(AF_INET, METADATA_ADDRESS, &address.sin_addr);
  if (connect(connection, (struct sockaddr *)&address, sizeof address) == 0) return connection;
  int number = errno == EINPROGRESS ? ETIMEDOUT : errno;
  close(connection);
  errno = number;
  return -1;
}

/* Reads what the server answers until it closes the connection, the time is over or `size` is reached. */
static void read_reply(int connection, char *reply, size_t size) {
  static const char REQUEST[] =
      "GET /readyz HTTP/1.1\r\nHost: " METADATA_ADDRESS "\r\nConnection: close\r\n\r\n";
  size_t count = 0;
  reply[0] = '\0';
  if (send(connection, REQUEST, sizeof REQUEST - 1, MSG_NOSIGNAL) != sizeof REQUEST - 1) return;
  for (long deadline = now_ms() + ANSWER_MS, left; count < size - 1 && (left = deadline - now_ms()) > 0;) {
    set_timeout(connection, SO_RCVTIMEO, left);
    ssize_t received = recv(connection, reply + count, size - 1 - count, 0);
    if (received <= 0) return;
    count += (size_t)received;
    reply[count] = '\0';
  }
}

/* Returns why the reply is not that of this pod's broker; NULL if it is. */
static const char *find_problem(const struct gate *gate, const char *reply) {
  if (*reply == '\0') return "no answer";
  const char *body = strstr(reply, "\r\n\r\n");
  const char *instance = body == NULL ? NULL : strstr(body, "\"instanceId\":\"");
  if (instance == NULL) return "another metadata service answers, such as that of the node";
  const char *found = instance + strlen("\"instanceId\":\"");
  size_t length = strlen(gate->uid);
  if (strncmp(found, gate->uid, length) != 0 || found[length] != '"') return "another instance of wimds answers";
  bool is_200 = strncmp(reply, "HTTP/1.1 200 ", 13) == 0;
  return gate->needs_200 && !is_200 ? "the tokens of WIMDS_PREFETCH are not there yet" : NULL;
}

/* Asks once. Returns the problem; NULL if there is none. */
static const char *attempt(const struct gate *gate) {
  char reply[4096];
  int connection = open_connection();
  if (connection < 0) return strerror(errno);
  read_reply(connection, reply, sizeof reply);
  close(connection);
  return find_problem(gate, reply);
}

static void wait_for_broker(const struct gate *gate) {
  long start = now_ms(), next_log = start + LOG_MS;
  fprintf(stderr, "wimds-gate: pod %s waits for the node agent of wimds on %s\n", gate->uid, gate->node);
  for (const char *problem; (problem = attempt(gate)) != NULL;) {
    long now = now_ms(), pause = (now - start) / PAUSES_OF_WAIT;
    if (now >= next_log) {
      fprintf(stderr,
              "wimds-gate: pod %s still waits after %ld s: " METADATA_ADDRESS ":80: %s. Fix: read the event "
              "WimdsNotRouted of the pod (kubectl describe pod). Without one, read the log of the node agent: kubectl "
              "get pods -A -l app.kubernetes.io/component=node-agent --field-selector spec.nodeName=%s\n",
              gate->uid, (now - start) / 1000, problem, gate->node);
      next_log = now + LOG_MS;
    }
    sleep_ms(pause < MIN_PAUSE_MS ? MIN_PAUSE_MS : pause > MAX_PAUSE_MS ? MAX_PAUSE_MS : pause);
  }
  fprintf(stderr, "wimds-gate: opened after %ld ms\n", now_ms() - start);
}

static void end(int number) { _exit(128 + number); }

int main(void) {
  struct gate gate = {.uid = getenv("WIMDS_POD_UID"), .node = getenv("WIMDS_NODE_NAME")};
  const char *after_prefetch = getenv("WIMDS_READY_AFTER_PREFETCH");
  gate.needs_200 = after_prefetch != NULL && strcmp(after_prefetch, "true") == 0;
  if (gate.node == NULL) gate.node = "this node";
  if (gate.uid == NULL || *gate.uid == '\0') {
    fprintf(stderr, "wimds-gate: WIMDS_POD_UID is not set. Fix: set it from the field metadata.uid\n");
    return 64;
  }
  /* Process 1 of a container gets no signal for which it has no handler; a deleted pod would wait for its grace period. */
  signal(SIGTERM, end);
  signal(SIGINT, end);
  wait_for_broker(&gate);
  return 0;
}
