/** Counts in plain numbers, cheap enough for every request. */
import type { HistogramSample, Sample } from './exposition.ts'

/** Numbers by label values. */
export interface Tally {
  readonly add: (...labels: readonly string[]) => void
  readonly samples: () => Iterable<Sample>
}

interface Node {
  count: number
  readonly next: Map<string, Node>
}

/** The labels lead down a tree of maps: no string is put together to count. */
export function tally(): Tally {
  const root = node()
  return {
    add: (...labels) => {
      let at = root
      for (const label of labels) {
        let next = at.next.get(label)
        if (next === undefined) at.next.set(label, (next = node()))
        at = next
      }
      at.count += 1
    },
    samples: () => samplesOf(root, []),
  }
}

function node(): Node {
  return { count: 0, next: new Map() }
}

function* samplesOf({ count, next }: Node, labels: readonly string[]): Generator<Sample> {
  if (count > 0) yield { labels, value: count }
  for (const [label, child] of next) yield* samplesOf(child, [...labels, label])
}

export interface Histogram {
  readonly observe: (label: string, value: number) => void
  readonly samples: () => Iterable<HistogramSample>
}

/** A histogram of one label. `upperBounds` rise; values equal to a bound are below it. */
export function histogram(upperBounds: readonly number[]): Histogram {
  const byLabel = new Map<string, { counts: number[]; sum: number }>()
  return {
    observe: (label, value) => {
      const held = byLabel.get(label) ?? { counts: [...upperBounds, Infinity].map(() => 0), sum: 0 }
      byLabel.set(label, held)
      const found = upperBounds.findIndex((bound) => value <= bound)
      const bucket = found < 0 ? upperBounds.length : found
      held.counts[bucket] = (held.counts[bucket] ?? 0) + 1
      held.sum += value
    },
    samples: () => [...byLabel].map(([label, held]) => ({ labels: [label], upperBounds, ...held })),
  }
}
