/** Figures: the measurement of wimds, the measurement of the baseline in the same run, and the bar. */

export type Unit = 'µs' | 'ms' | 's' | 'MiB' | '/s' | ''

/** A limit in the figure's own unit, and in words. */
interface Bar {
  readonly text: string
  readonly limit: number
}

export interface Figure {
  readonly name: string
  readonly unit: Unit
  readonly wimds: number
  /** The figure of the baseline, a bare node:http server; absent if the baseline has no such figure. */
  readonly bare?: number
  readonly bar?: Bar
}

/** One run of the whole benchmark. */
export interface Report {
  readonly date: string
  readonly node: string
  readonly machine: string
  readonly seconds: number
  readonly figures: readonly Figure[]
}

/** Creates a bar of `factor` times the baseline's figure. */
export const times = (factor: number, bare: number): Bar => ({
  text: `≤ ${factor.toFixed(2)} × bare`,
  limit: factor * bare,
})

/** Creates a bar of the baseline's figure and `more`. */
export const plus = (more: number, bare: number, unit: Unit): Bar => ({
  text: `≤ bare + ${more} ${unit}`,
  limit: bare + more,
})

export const atMost = (limit: number, unit: Unit): Bar => ({
  text: `≤ ${limit} ${unit}`.trim(),
  limit,
})

export const isExceeded = ({ wimds, bar }: Figure): boolean =>
  bar !== undefined && wimds > bar.limit

/** Returns the value at this share (0 to 1) of the values in order; NaN for none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN
}

export const median = (values: readonly number[]): number => percentile(values, 0.5)

/** Formats a number with three significant digits at most, and a space before the thousands. */
export function formatValue(value: number, unit: Unit): string {
  const digits = value === 0 || Math.abs(value) >= 100 || Number.isInteger(value) ? 0 : 1
  const fraction = Math.abs(value) < 10 && digits === 1 ? 2 : digits
  const text = value.toFixed(fraction).replaceAll(/\B(?=(?:\d{3})+$)/gu, ' ')
  return `${text} ${unit}`.trim()
}
