/** Follows the projected token files: first sight makes wimds ready, a change makes it try again. */
import { type BrokerError, toBrokerError } from '../errors.ts'
import type { Assertion, AssertionReader } from './assertion.ts'

/** What was last seen of one projected token file. */
export type AssertionState =
  | { readonly ok: true; readonly assertion: Assertion }
  | { readonly ok: false; readonly error: BrokerError }

interface WatchOptions {
  /** Asked at each look, since a new configuration may name others. */
  readonly files: () => readonly string[]
  readonly read: AssertionReader
  /** Told when the content of a file, or what is wrong with it, has changed. */
  readonly onChange: (file: string, state: AssertionState) => void
}

/** A watch that runs until it is closed. */
export interface AssertionWatch {
  /** State by file; empty before the first look. */
  readonly states: ReadonlyMap<string, AssertionState>
  /** Looks at all files now; resolves when each has answered that was not being looked at before. */
  readonly look: () => Promise<void>
  readonly close: () => void
}

/** Short enough that a token which appears, or is renewed, is noticed before anybody complains. */
const UNTIL_SEEN_MS = 200
const INTERVAL_MS = 2000

/** Polls: the kubelet's symlink swap is not reported by file-change events on every file system. */
export function watchAssertions({ files, read, onChange }: WatchOptions): AssertionWatch {
  const states = new Map<string, AssertionState>()
  /** Files that are being read. */
  const awaited = new Set<string>()
  let timer: NodeJS.Timeout | undefined
  let isClosed = false

  async function look(): Promise<void> {
    clearTimeout(timer)
    if (isClosed) return
    const wanted = files()
    for (const file of states.keys()) if (!wanted.includes(file)) states.delete(file)
    // A file that does not answer keeps none of the others from being looked at again.
    const isAllSeen = wanted.every((file) => states.get(file)?.ok === true)
    timer = setTimeout(() => void look(), isAllSeen ? INTERVAL_MS : UNTIL_SEEN_MS).unref()
    await Promise.all(wanted.filter((file) => !awaited.has(file)).map(lookAt))
  }

  async function lookAt(file: string): Promise<void> {
    awaited.add(file)
    const state = await read(file).then(
      (assertion): AssertionState => ({ ok: true, assertion }),
      (error: unknown): AssertionState => ({ ok: false, error: toBrokerError(error) }),
    )
    awaited.delete(file)
    if (isClosed || !files().includes(file)) return
    const before = states.get(file)
    states.set(file, state)
    if (!isSame(before, state)) onChange(file, state)
  }

  return {
    states,
    look,
    close: () => {
      isClosed = true
      clearTimeout(timer)
    },
  }
}

function isSame(a: AssertionState | undefined, b: AssertionState): boolean {
  if (a === undefined || a.ok !== b.ok) return false
  if (a.ok && b.ok) return a.assertion.secret.sha256() === b.assertion.secret.sha256()
  return !a.ok && !b.ok && a.error.code === b.error.code
}
