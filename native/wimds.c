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
#include <stdbool.h>
#include <stdlib.h>
#include "readyz.h"

/* Its first line names the Node of the image. */
#ifndef SCRIPT
#define SCRIPT "/app/wimds.js"
#endif

/* The default port of that proxy, and the time limit of the start hooks of wimds, since its webhook passes none. */
enum { DROP_IN_PORT = 8000, DROP_IN_SECONDS = 300 };
enum { CONNECT_MS = 1000, ANSWER_MS = 5000 };

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

/* True if /readyz answers 200 on this connection within the time. The body is not read. */
static bool answers_200(int connection, long ms) {
  char answer[4096];
  read_answer(connection, "127.0.0.1", HEADERS_END, answer, sizeof answer, ms);
  return strncmp(answer, "HTTP/1.1 200 ", 13) == 0 && strstr(answer, HEADERS_END) != NULL;
}

/* Polls until the sidecar is ready. Returns 0, or 1 after the time, with a message. */
static int run_probe(const struct probe *probe) {
  long start = now_ms(), deadline = start + probe->seconds * 1000;
  long pause = MIN_PAUSE_MS;
  bool was_open = false;
  for (;;) {
    int connection = open_connection("127.0.0.1", probe->port, CONNECT_MS);
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
      bool is_ready = probe->listening || answers_200(connection, limit);
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
    /* A sidecar that listens is ready milliseconds later, or not for some time. */
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
