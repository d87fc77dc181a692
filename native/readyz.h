/* How `wimds` and `wimds-gate` ask for /readyz, and wait between two requests. */
#ifndef WIMDS_READYZ_H
#define WIMDS_READYZ_H

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define HEADERS_END "\r\n\r\n"

/*
 * The pause is a twentieth of the time so far: an attempt costs 0.1 ms of CPU, and at a low limit a constant pause would take as
 * much CPU as the server gets.
 */
enum { MIN_PAUSE_MS = 10, MAX_PAUSE_MS = 250, PAUSES_OF_WAIT = 20 };

static inline long limit_pause(long ms) {
  return ms < MIN_PAUSE_MS ? MIN_PAUSE_MS : ms > MAX_PAUSE_MS ? MAX_PAUSE_MS : ms;
}

/* The time of a clock that nothing sets. */
static inline long now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static inline void sleep_ms(long ms) {
  nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

static inline void set_timeout(int connection, int option, long ms) {
  struct timeval limit = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
  setsockopt(connection, SOL_SOCKET, option, &limit, sizeof limit);
}

/* Returns a connection, made within the time; -1 with errno. */
static inline int open_connection(const char *ip, long port, long ms) {
  int connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connection < 0) return -1;
  set_timeout(connection, SO_SNDTIMEO, ms);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  inet_pton(AF_INET, ip, &address.sin_addr);
  if (connect(connection, (struct sockaddr *)&address, sizeof address) == 0) return connection;
  if (errno == EINPROGRESS) errno = ETIMEDOUT;
  close(connection);
  return -1;
}

/* Asks for /readyz. Reads the answer until it has the text, the server closes the connection, the time is over or `size` is reached. */
static inline void read_answer(int connection, const char *host, const char *until, char *answer, size_t size, long ms) {
  int length = snprintf(answer, size, "GET /readyz HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", host);
  size_t count = 0;
  if (send(connection, answer, (size_t)length, MSG_NOSIGNAL) != length) size = 1;
  answer[0] = '\0';
  for (long deadline = now_ms() + ms, left; count < size - 1 && (left = deadline - now_ms()) > 0;) {
    set_timeout(connection, SO_RCVTIMEO, left);
    ssize_t received = recv(connection, answer + count, size - 1 - count, 0);
    if (received <= 0) return;
    answer[count += (size_t)received] = '\0';
    if (strstr(answer, until) != NULL) return;
  }
}

#endif
