/** Keeps floods of one kind of line out of the log, and says how many it kept out. */

export interface Sampler {
  /** Whether a line of this kind may be written now; one that may not is counted. */
  readonly admits: (event: string, code: string) => boolean
}

interface SamplerOptions {
  /** Lines of one kind that are written within ten seconds. */
  readonly burst?: number
  /** Told at the end of ten seconds in which lines were left out. */
  readonly onSuppressed: (event: string, code: string, count: number) => void
}

interface Window {
  written: number
  suppressed: number
}

const INTERVAL_MS = 10_000

/** The kinds are events and error codes, both closed lists, so that their number is bounded. */
export function sampler({ burst = 10, onSuppressed }: SamplerOptions): Sampler {
  const windows = new Map<string, Window>()

  return {
    admits: (event, code) => {
      const key = `${event} ${code}`
      const window = windows.get(key)
      if (window === undefined) {
        windows.set(key, { written: 1, suppressed: 0 })
        setTimeout(end, INTERVAL_MS, key, event, code).unref()
        return true
      }
      if (window.written < burst) {
        window.written += 1
        return true
      }
      window.suppressed += 1
      return false
    },
  }

  function end(key: string, event: string, code: string): void {
    const count = windows.get(key)?.suppressed ?? 0
    windows.delete(key)
    if (count > 0) onSuppressed(event, code, count)
  }
}
