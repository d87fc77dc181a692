/* Time for the programs that poll: in milliseconds, by a clock that nothing sets. */
#ifndef WIMDS_CLOCK_H
#define WIMDS_CLOCK_H

#include <time.h>

static inline long now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static inline void sleep_ms(long ms) {
  nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

#endif
