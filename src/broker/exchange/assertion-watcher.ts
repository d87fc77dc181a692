/**
 * Polls the projected token files, and reports when a token appears, is rotated or fails. `broker.ts` passes a rotation to the
 * token cache, which retries the exchanges that failed with the earlier one (`tokens/exchanges.ts`).
 */
import { type BrokerError, toBrokerError } from '../../lib/errors.ts'
import type { Clock } from '../tokens/lifetime.ts'
import type { Assertion, AssertionReader } from './assertion.ts'

/** The last result of reading one projected token file. */
export type AssertionState =
  | { readonly ok: true; readonly assertion: Assertion }
  | {
      readonly ok: false
      readonly error: BrokerError
      /** When the current series of failed reads began, on the monotonic clock. */
      readonly since: number
      /** The subject of the last token that was read; undefined if there was none. */
      readonly lastSubject?: string | undefined
    }

interface WatcherOptions {
  /** Called at each poll, since a config reload may name other files. */
  readonly files: () => readonly string[]
  readonly read: AssertionReader
  readonly clock: Pick<Clock, 'monotonic'>
  /** How often the files are read while all of them can be read, in milliseconds. */
  readonly pollMs?: number | undefined
  /** Called when the content of a file, or the error of reading it, has changed. The first time, there is no `previous`. */
  readonly onChange: (file: string, state: AssertionState, previous?: AssertionState) => void
}

/** While a file has no usable token, the files are read this many times as often: the pod may not be ready until then. */
const INITIAL_RATE = 10

/** Polls the files until it is closed. Not every file system reports the kubelet's symlink swap as a change. */
export function watchAssertions(options: WatcherOptions) {
  const { files, read, clock, pollMs = 2000, onChange } = options
  const states = new Map<string, AssertionState>()
  const inflight = new Set<string>()
  let timer: NodeJS.Timeout | undefined
  let isClosed = false

  async function poll(): Promise<void> {
    clearTimeout(timer)
    if (isClosed) return
    const current = files()
    for (const file of states.keys()) if (!current.includes(file)) states.delete(file)
    // Scheduled before the reads: one that hangs must not delay the reads of the other files.
    const areAllReadable = current.every((file) => states.get(file)?.ok === true)
    const delayMs = areAllReadable ? pollMs : pollMs / INITIAL_RATE
    timer = setTimeout(() => void poll(), delayMs).unref()
    await Promise.all(current.filter((file) => !inflight.has(file)).map(pollFile))
  }

  async function pollFile(file: string): Promise<void> {
    inflight.add(file)
    const previous = states.get(file)
    const state = await read(file).then(
      (assertion): AssertionState => ({ ok: true, assertion }),
      (error: unknown) => toFailure(toBrokerError(error), previous, clock.monotonic()),
    )
    inflight.delete(file)
    if (isClosed || !files().includes(file)) return
    states.set(file, state)
    if (!isSameState(previous, state)) onChange(file, state, previous)
  }

  return {
    /** State by file; empty before the first poll. */
    states,
    /** Polls all files now. Resolves when each has been read, except those whose earlier read still runs. */
    poll,
    close: () => {
      isClosed = true
      clearTimeout(timer)
    },
  }
}

function toFailure(
  error: BrokerError,
  previous: AssertionState | undefined,
  now: number,
): AssertionState {
  if (previous?.ok === false) return { ...previous, error }
  return { ok: false, error, since: now, lastSubject: previous?.assertion.subject }
}

function isSameState(a: AssertionState | undefined, b: AssertionState): boolean {
  if (a?.ok === true) return b.ok && a.assertion.secret.equals(b.assertion.secret)
  return a !== undefined && !b.ok && a.error.code === b.error.code
}
