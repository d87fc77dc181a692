/*
 * `wimds-gate`, the init container of mode `node`: waits without a time limit until 169.254.169.254:80 leads to the
 * broker of this node that serves this pod. No container of the application starts before, so none gets the identity of
 * the node. A static program, the only file of its image.
 *
 *   WIMDS_POD_UID     the pod's own UID: another pod's broker and the real IMDS answer without it
 *   WIMDS_NODE_NAME   for the log
 */
#include <signal.h>
#include <stdlib.h>
#include "readyz.h"

/* Only tests set another value. */
#ifndef LOG_MS
#define LOG_MS 10000
#endif

#define METADATA_ADDRESS "169.254.169.254"

/*
 * The time for a connection is short: one that began before the redirect was there never gets an answer, and behind the
 * redirect the kernel answers at once.
 */
enum { CONNECT_MS = 50, ANSWER_MS = 2000 };

/* Returns why the reply does not come from this pod's broker; NULL if it does. */
static const char *find_problem(const char *uid, const char *reply) {
  if (*reply == '\0') return "no answer";
  const char *body = strstr(reply, HEADERS_END);
  const char *instance = body == NULL ? NULL : strstr(body, "\"instanceId\":\"");
  if (instance == NULL) return "another metadata service answers, such as that of the node";
  const char *found = instance + strlen("\"instanceId\":\"");
  size_t length = strlen(uid);
  return strncmp(found, uid, length) == 0 && found[length] == '"' ? NULL : "another instance of wimds answers";
}

/* Asks once. Returns the problem; NULL if there is none. */
static const char *attempt(const char *uid) {
  char reply[4096];
  int connection = open_connection(METADATA_ADDRESS, 80, CONNECT_MS);
  if (connection < 0) return strerror(errno);
  read_answer(connection, METADATA_ADDRESS, "}", reply, sizeof reply, ANSWER_MS);
  close(connection);
  return find_problem(uid, reply);
}

static void wait_for_broker(const char *uid, const char *node) {
  long start = now_ms(), next_log = start + LOG_MS;
  fprintf(stderr, "wimds-gate: pod %s waits for the node agent of wimds on %s\n", uid, node);
  for (const char *problem; (problem = attempt(uid)) != NULL;) {
    long now = now_ms();
    if (now >= next_log) {
      fprintf(stderr,
              "wimds-gate: pod %s still waits after %ld s: " METADATA_ADDRESS ":80: %s. Fix: read the event "
              "WimdsNotRouted of the pod (kubectl describe pod). Without one, read the log of the node agent: kubectl "
              "get pods -A -l app.kubernetes.io/component=node-agent --field-selector spec.nodeName=%s\n",
              uid, (now - start) / 1000, problem, node);
      next_log = now + LOG_MS;
    }
    sleep_ms(limit_pause((now - start) / PAUSES_OF_WAIT));
  }
  fprintf(stderr, "wimds-gate: opened after %ld ms\n", now_ms() - start);
}

static void end(int number) { _exit(128 + number); }

int main(void) {
  const char *uid = getenv("WIMDS_POD_UID"), *node = getenv("WIMDS_NODE_NAME");
  if (uid == NULL || *uid == '\0') {
    fprintf(stderr, "wimds-gate: WIMDS_POD_UID is not set. Fix: set it from the field metadata.uid\n");
    return 64;
  }
  /* The kernel delivers SIGTERM to process 1 of a container only if it has a handler: else a deleted pod would stay for its
   * whole grace period. */
  signal(SIGTERM, end);
  signal(SIGINT, end);
  wait_for_broker(uid, node == NULL ? "this node" : node);
  return 0;
}
