/** The dates of HTTP headers, without the leniency of `Date.parse`, which takes `in 2100` for one. */

const RFC_850 = /^([A-Z][a-z]{2})[a-z]*day, (\d\d)-([A-Z][a-z]{2})-(\d\d) (\S+) GMT$/
const ASCTIME = /^([A-Z][a-z]{2}) ([A-Z][a-z]{2}) ([ \d]\d) (\S+) (\d{4})$/

/**
 * Epoch milliseconds of a date in one of the three forms of RFC 9110 section 5.6.7; undefined for any
 * other text. `now`, in the same, decides the century of the form that leaves it out.
 */
export function httpDate(text: string, now: number): number | undefined {
  const fixdate = fixdateOf(text, now)
  const date = new Date(Date.parse(fixdate))
  const isDate = !Number.isNaN(date.getTime()) && date.toUTCString() === fixdate
  return isDate ? date.getTime() : undefined
}

/** An obsolete form as the preferred one has it (`Sun, 06 Nov 1994 08:49:37 GMT`); other text as it is. */
function fixdateOf(text: string, now: number): string {
  const rfc850 = RFC_850.exec(text)
  if (rfc850 !== null) {
    const [, day, date, month, digits, time] = rfc850
    return `${day}, ${date} ${month} ${yearOf(Number(digits), now)} ${time} GMT`
  }
  const asctime = ASCTIME.exec(text)
  if (asctime === null) return text
  const [, day, month, date, time, year] = asctime
  return `${day}, ${date?.replace(' ', '0')} ${month} ${year} ${time} GMT`
}

/** The year that ends in two digits and is at most fifty years ahead. */
function yearOf(digits: number, now: number): number {
  const latest = new Date(now).getUTCFullYear() + 50
  return latest - ((latest - digits) % 100)
}
