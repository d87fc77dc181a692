/** Creates pods without end while something else happens to the webhook. */
import { stringify } from 'yaml'
import type { TestNamespace } from './namespace.ts'

/**
 * Lets the API server admit the pod again and again, two at a time, without creating it. `stop` returns the
 * number, and what was rejected or not injected.
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
    async stop() {
      stopping.abort()
      await creating
      return { failures, count }
    },
  }
}
