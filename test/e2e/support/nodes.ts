/** Finds the nodes that run pods, and runs scripts on them. */
import { eventually } from './eventually.ts'
import type { TestNamespace } from './namespace.ts'
import { kubectl } from './run.ts'
import { appPod } from './workloads.ts'

/** Returns the names of the nodes that run pods. */
export async function schedulableNodes(): Promise<readonly string[]> {
  const columns = '--output=custom-columns=N:.metadata.name,T:.spec.taints[*].effect'
  const table = await kubectl(['get', 'nodes', '--no-headers', columns])
  const rows = table.trim().split('\n')
  return rows.flatMap((row) => {
    const [name = '', taints = ''] = row.split(/ +/)
    return taints === '<none>' ? [name] : []
  })
}

const NAME = 'on-node'

/** Runs a script with all rights on a node, and returns when it has succeeded. */
export async function runOnNode(
  namespace: TestNamespace,
  nodeName: string,
  script: string,
): Promise<void> {
  const pod = appPod({
    name: NAME,
    script: `nsenter -t 1 -m -- sh -c '${script}'`,
    spec: { hostPID: true, nodeName, restartPolicy: 'Never', securityContext: {} },
    container: { securityContext: { privileged: true } },
  })
  await namespace.create(pod)
  await eventually(`the script has run on ${nodeName}`, async () => {
    const phase = await namespace.field(`pod ${NAME}`, '{.status.phase}')
    return phase === 'Succeeded' ? true : undefined
  })
  await namespace.kubectl(['delete', 'pod', NAME, '--now'])
}
