/** Finds the pods that an uninstall of the agent would leave without tokens. */
import type { CommandIo } from '../../lib/command.ts'
import { printError } from '../../lib/describe-error.ts'
import { connectToApiServer } from '../../kubernetes/api-client.ts'
import { listPods } from './pod-watch.ts'
import { parseRoutedPod } from './routed-pod.ts'

const MAX_NAMES = 20

/**
 * Returns 0 if no pod of mode `node` is left in the cluster. Otherwise prints their names and returns 1: their redirect
 * stays, so that no pod gets the identity of its node instead. Throws an error if the pods cannot be listed.
 */
export async function checkUninstall(io: CommandIo): Promise<number> {
  const left: string[] = []
  await listPods({
    api: connectToApiServer(io.signal),
    onPod: (_, value) => {
      const pod = parseRoutedPod(value)
      if (pod !== undefined && !pod.isEnding) left.push(`${pod.namespace}/${pod.name}`)
    },
  })
  if (left.length === 0) return 0
  const names = left.slice(0, MAX_NAMES).join(', ') + (left.length > MAX_NAMES ? ', …' : '')
  printError(
    io,
    'wimds node-agent',
    `these pods would get no tokens any more (${left.length}): ${names}. Fix: give their workloads another mode and replace the pods, or uninstall with --no-hooks; to keep and upgrade this release, first run helm rollback RELEASE REVISION with the last revision of helm history`,
  )
  return 1
}
