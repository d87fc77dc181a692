/** Times and names as people say them. */

const UNITS = [
  ['d', 86_400],
  ['h', 3600],
  ['min', 60],
] as const

/** `3 d 4 h`, `2 h 5 min`, `45 s`: the two greatest units of a length of time. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000))
  const at = UNITS.findIndex(([, size]) => seconds >= size)
  const [name, size] = UNITS[at] ?? ['s', 1]
  const whole = `${Math.floor(seconds / size)} ${name}`
  const [smaller, smallerSize] = at < 0 ? ['', 1] : (UNITS[at + 1] ?? ['s', 1])
  const rest = Math.floor((seconds % size) / smallerSize)
  return rest === 0 ? whole : `${whole} ${rest} ${smaller}`
}

/** `in 5 min`, `5 min ago`, `now`. */
export function relative(instant: string, now: string): string {
  const ms = Date.parse(instant) - Date.parse(now)
  if (Math.abs(ms) < 1000) return 'now'
  return ms > 0 ? `in ${duration(ms)}` : `${duration(-ms)} ago`
}

/** `12:00:00 UTC`, with the date when it is another day. */
export function clockTime(instant: string, now: string): string {
  const time = `${instant.slice(11, 19)} UTC`
  return instant.slice(0, 10) === now.slice(0, 10) ? time : `${instant.slice(0, 10)} ${time}`
}
