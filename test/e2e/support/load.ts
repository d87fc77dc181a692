/** Lets the API server admit pods without a pause, while a test changes the webhook. */
import { stringify } from 'yaml'
import { eventually } from './eventually.ts'
import type { TestNamespace } from './namespace.ts'

const AFTERWARDS = 20

/**
 * Lets the API server admit the pod again and again, two at a time, without creating it. `stop` waits for twenty more admissions,
 * which come after the change of the test. It returns the errors of all pods that were rejected or not injected.
 */
export function startLoad(namespace: TestNamespace, pod: object) {
  const manifest = stringify(pod)
  const stopping = new AbortController()
  const failures: string[] = []
  let count = 0
  async function createPods(): Promise<void> {
    const volumes = 'jsonpath={.spec.volumes[*].name}'
    while (!stopping.signal.aborted) {
      try {
        const args = ['create', '--dry-run=server', '-f', '-', '-o', volumes]
        const output = await namespace.kubectl(args, manifest)
        if (!output.includes('wimds-token')) failures.push('not injected')
      } catch (error) {
        failures.push(String(error))
      }
      count += 1
    }
  }
  const creating = Promise.all([createPods(), createPods()])
  return {
    async stop(): Promise<readonly string[]> {
      const enough = count + AFTERWARDS
      await eventually('there was a load', async () => count >= enough || undefined, {
        withinMs: 120_000,
      })
      stopping.abort()
      await creating
      return failures
    },
  }
}
