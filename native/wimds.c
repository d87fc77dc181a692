/*
 * `wimds` in the image: answers the probes of start hooks itself and runs the script for everything else.
 *
 * A start hook runs in the sidecar's container while the sidecar starts. A second Node there raises its memory
 * peak by half and competes for its CPU; this program needs only the C library.
 *
 *   wimds probe [--port=PORT] [--timeout=SECONDS] [--listening]
 *   proxy --probe [--proxy-port=PORT] [--log-level=info]    as the azure-workload-identity webhook calls it
 *
 * These do what src/sidecar/probe.ts does, with the same messages and exit codes: one test runs both. Every other
 * argument, a malformed one too, is the script's.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "clock.h"

/* Its first line names the Node of the image. */
#ifndef SCRIPT
#define SCRIPT "/app/wimds.js"
#endif

/* The default port of that proxy. Its webhook passes no time: as long as the start hooks that wimds injects itself. */
enum { DROP_IN_PORT = 8000, DROP_IN_SECONDS = 300 };
/*
 * Until the port is open the pause is a twentieth of the time so far: an attempt costs 0.1 ms of CPU, and at a low limit
 * a constant pause would take as much CPU as the sidecar gets. Then it doubles: a sidecar that listens is ready
 * milliseconds later, or not for some time.
 */
enum { CONNECT_SECONDS = 1, ANSWER_MS = 5000, MIN_PAUSE_MS = 10, MAX_PAUSE_MS = 250, PAUSES_OF_WAIT = 20 };

struct probe {
  long port;
  long seconds;
  bool listening;
};

/* True if `arg` is PREFIX and a whole number from `min` to `max`, which it stores. */
static bool parse_number(const char *arg, const char *prefix, long min, long max, long *number) {
  size_t length = strlen(prefix);
  if (strncmp(arg, prefix, length) != 0) return false;
  const char *digits = arg + length;
  size_t count = strspn(digits, "0123456789");
  if (count == 0 || count > 9 || digits[count] != '\0') return false;
  *number = strtol(digits, NULL, 10);
  return *number >= min && *number <= max;
}

static long limit_pause(long ms) {
  return ms < MIN_PAUSE_MS ? MIN_PAUSE_MS : ms > MAX_PAUSE_MS ? MAX_PAUSE_MS : ms;
}

static bool is_log_level(const char *arg) {
  static const char *const FLAGS[] = {"--log-level=info", "--log-level=debug", "--log-level=trace", "--log-level=all"};
  for (size_t i = 0; i < sizeof FLAGS / sizeof *FLAGS; i++)
    if (strcmp(arg, FLAGS[i]) == 0) return true;
  return false;
}

/* True if the arguments are `probe` and known flags. */
static bool parse_probe(int argc, char **argv, struct probe *probe) {
  if (argc < 2 || strcmp(argv[1], "probe") != 0) return false;
  for (int i = 2; i < argc; i++) {
    if (strcmp(argv[i], "--listening") == 0)
      probe->listening = true;
    else if (!parse_number(argv[i], "--port=", 1, 65535, &probe->port) &&
             !parse_number(argv[i], "--timeout=", 0, 86400, &probe->seconds))
      return false;
  }
  return true;
}

/* True if the arguments are --probe and known flags of the azure-workload-identity proxy. */
static bool parse_drop_in(int argc, char **argv, struct probe *probe) {
  bool is_probe = false;
  probe->port = DROP_IN_PORT;
  probe->seconds = DROP_IN_SECONDS;
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--probe") == 0)
      is_probe = true;
    else if (!is_log_level(argv[i]) && !parse_number(argv[i], "--proxy-port=", 1, 65535, &probe->port))
      return false;
  }
  return is_probe;
}

/* Returns a connection to the port on 127.0.0.1; -1 if it is not accepted. */
static int open_connection(long port) {
  int connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connection < 0) return -1;
  struct timeval limit = {.tv_sec = CONNECT_SECONDS};
  setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(connection, (struct sockaddr *)&address, sizeof address) == 0) return connection;
  close(connection);
  return -1;
}

/* True if /readyz answers 200 on this connection within the time. The body is not read. */
static bool answers_200(int connection, long port, long limit_ms) {
  char request[128], reply[4096];
  int length = snprintf(request, sizeof request,
                        "GET /readyz HTTP/1.1\r\nHost: 127.0.0.1:%ld\r\nConnection: close\r\n\r\n", port);
  if (send(connection, request, (size_t)length, MSG_NOSIGNAL) != length) return false;
  long deadline = now_ms() + limit_ms;
  size_t count = 0;
  do {
    long left = deadline - now_ms();
    if (left <= 0 || count == sizeof reply - 1) return false;
    struct timeval limit = {.tv_sec = left / 1000, .tv_usec = left % 1000 * 1000};
    setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ssize_t received = recv(connection, reply + count, sizeof reply - 1 - count, 0);
    if (received <= 0) return false;
    count += (size_t)received;
    reply[count] = '\0';
  } while (strstr(reply, "\r\n\r\n") == NULL);
  return strncmp(reply, "HTTP/1.1 200 ", 13) == 0;
}

/* Polls until the sidecar is ready. Returns 0, or 1 after the time, with a message. */
static int run_probe(const struct probe *probe) {
  long start = now_ms(), deadline = start + probe->seconds * 1000;
  long pause = MIN_PAUSE_MS;
  bool was_open = false;
  for (;;) {
    int connection = open_connection(probe->port);
    bool is_open = connection >= 0;
    if (!is_open)
      pause = limit_pause((now_ms() - start) / PAUSES_OF_WAIT);
    else if (!was_open)
      pause = MIN_PAUSE_MS;
    was_open = is_open;
    if (is_open) {
      long limit = deadline - now_ms();
      if (limit < MAX_PAUSE_MS) limit = MAX_PAUSE_MS;
      if (limit > ANSWER_MS) limit = ANSWER_MS;
      bool is_ready = probe->listening || answers_200(connection, probe->port, limit);
      close(connection);
      if (is_ready) return 0;
    }
    if (now_ms() + pause > deadline) {
      if (is_open)
        fprintf(stderr, "wimds probe: http://127.0.0.1:%ld/readyz is not 200. Fix: read the log of the sidecar\n",
                probe->port);
      else
        fprintf(stderr,
                "wimds probe: nothing accepts connections on 127.0.0.1:%ld. Fix: check that the sidecar was injected "
                "here, and read its log\n",
                probe->port);
      return 1;
    }
    sleep_ms(pause);
    if (is_open) pause = limit_pause(2 * pause);
  }
}

int main(int argc, char **argv) {
  struct probe probe = {.port = 64169, .seconds = 10};
  if (parse_probe(argc, argv, &probe) || parse_drop_in(argc, argv, &probe)) return run_probe(&probe);
  execv(SCRIPT, argv);
  fprintf(stderr, "wimds: %s: %s\n", SCRIPT, strerror(errno));
  return 126;
}
