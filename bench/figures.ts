/** Figures: what wimds needs, what the baseline of the same run needs, and the bar. */

export type Unit = 'µs' | 'ms' | 's' | 'MiB' | '/s' | ''

/** A limit in the figure's own unit, and in words. */
interface Bar {
  readonly text: string
  readonly limit: number
  /** The limit is the least that is wanted, not the most. */
  readonly isLeast?: boolean
}

export interface Figure {
  readonly name: string
  readonly unit: Unit
  readonly wimds: number
  /** The baseline, where the question makes sense for it: a bare node:http server, or a pod alone. */
  readonly bare?: number
  /** The proxy of azure-workload-identity, where the run was given it. */
  readonly incumbent?: number
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

/** Creates a bar of `factor` times what the baseline needs. */
export const times = (factor: number, bare: number): Bar => ({
  text: `≤ ${factor.toFixed(2)} × bare`,
  limit: factor * bare,
})

/** Creates a bar of `more` than what the baseline needs. */
export const plus = (more: number, bare: number, unit: Unit): Bar => ({
  text: `≤ bare + ${more} ${unit}`,
  limit: bare + more,
})

export const atMost = (limit: number, unit: Unit): Bar => ({
  text: `≤ ${limit} ${unit}`.trim(),
  limit,
})

export const atLeast = (limit: number): Bar => ({ text: `≥ ${limit}`, limit, isLeast: true })

/** Returns true if the figure is within its bar; undefined for a figure without one. */
export function isWithin({ wimds, bar }: Figure): boolean | undefined {
  if (bar === undefined) return undefined
  return bar.isLeast === true ? wimds >= bar.limit : wimds <= bar.limit
}

/** Returns the figures whose bar is exceeded. */
export const findExceeded = (figures: readonly Figure[]): readonly Figure[] =>
  figures.filter((figure) => isWithin(figure) === false)

/** Returns the value at this share (0 to 1) of the values in order; NaN for none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN
}

export const median = (values: readonly number[]): number => percentile(values, 0.5)

/** Formats three significant digits at most, and thousands apart. */
export function formatValue(value: number, unit: Unit): string {
  const digits = value === 0 || Math.abs(value) >= 100 || Number.isInteger(value) ? 0 : 1
  const fraction = Math.abs(value) < 10 && digits === 1 ? 2 : digits
  const text = value.toFixed(fraction).replaceAll(/\B(?=(?:\d{3})+$)/gu, ' ')
  return `${text} ${unit}`.trim()
}
