/** Creates pods and measures how long each takes until it is ready. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import type { TestNamespace } from '../../test/e2e/support/namespace.ts'
import type { Kind } from './pods.ts'

const TIMEOUT_MS = 300_000
/** `kubectl` takes a tenth of a second longer just after the process that injects the manifests. */
const SETTLE_MS = 500
const COLUMNS = String.raw`jsonpath={.metadata.name}{" "}{.status.conditions[?(@.type=="Ready")].status}{"\n"}`

export interface ReadyPods {
  /** Milliseconds from the call that created the pods until each was ready. */
  readonly times: readonly number[]
  /** When the last one was ready, on the clock of `performance.now()`. */
  readonly readyAt: number
}

/**
 * Creates pods of the kind with one call and waits until they are ready. `chooseMoment` gets the earliest moment of
 * that call, on the clock of `performance.now()`, and returns one that is as late or later. Throws if a pod is not
 * ready within five minutes.
 */
export async function createPods(
  namespace: TestNamespace,
  kind: Kind,
  names: readonly string[],
  chooseMoment = (earliest: number) => earliest,
): Promise<ReadyPods> {
  const manifests = await kind.manifests(names)
  const args = ['get', 'pods', '--watch', '--output', COLUMNS, '--namespace', namespace.name]
  const watch = spawn('kubectl', args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(watch, 'exit')
  const timeout = setTimeout(() => watch.kill(), TIMEOUT_MS)
  try {
    await sleep(chooseMoment(performance.now() + SETTLE_MS) - performance.now())
    const begin = performance.now()
    const creation = namespace.create(...manifests)
    const times = new Map<string, number>()
    for await (const line of createInterface({ input: watch.stdout })) {
      const [name = '', isReady] = line.split(/\s+/)
      if (isReady !== 'True' || times.has(name) || !names.includes(name)) continue
      times.set(name, performance.now() - begin)
      if (times.size === names.length) break
    }
    const readyAt = performance.now()
    await creation
    const missing = names.filter((name) => !times.has(name))
    if (missing.length > 0) throw new Error(`not ready: ${missing.join(', ')}`)
    return { times: [...times.values()], readyAt }
  } finally {
    clearTimeout(timeout)
    watch.kill()
    await ended
  }
}

/** Deletes all pods of the namespace and waits until they are gone. */
export async function deletePods(namespace: TestNamespace): Promise<void> {
  await namespace.kubectl(['delete', 'pods', '--all', '--now'])
}
