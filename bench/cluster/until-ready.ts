/** Creates pods and measures how long each takes until it is ready. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import type { TestNamespace } from '../../test/e2e/support/namespace.ts'
import type { Kind } from './pods.ts'

const TIMEOUT_MS = 300_000
const COLUMNS = String.raw`jsonpath={.metadata.name}{" "}{.status.conditions[?(@.type=="Ready")].status}{"\n"}`

/**
 * Creates pods of the kind with one call and returns the milliseconds from that call until each is ready. Throws
 * if one is not ready within five minutes.
 *
 * The call comes some time after the manifests are made, at no particular moment of the second in which the kubelet
 * looks at its pods: `kubectl` takes a tenth of a second longer just after the process that injects them.
 */
export async function timesUntilReady(
  namespace: TestNamespace,
  kind: Kind,
  names: readonly string[],
): Promise<readonly number[]> {
  const manifests = await kind.manifests(names)
  await sleep(500 + Math.random() * 1000)
  const args = ['get', 'pods', '--watch', '--output', COLUMNS, '--namespace', namespace.name]
  const watch = spawn('kubectl', args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(watch, 'exit')
  const timeout = setTimeout(() => watch.kill(), TIMEOUT_MS)
  try {
    const begin = performance.now()
    const creation = namespace.create(...manifests)
    const times = new Map<string, number>()
    for await (const line of createInterface({ input: watch.stdout })) {
      const [name = '', isReady] = line.split(/\s+/)
      if (isReady !== 'True' || times.has(name) || !names.includes(name)) continue
      times.set(name, performance.now() - begin)
      if (times.size === names.length) break
    }
    await creation
    const missing = names.filter((name) => !times.has(name))
    if (missing.length > 0) throw new Error(`not ready: ${missing.join(', ')}`)
    return [...times.values()]
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
