/** Checks that a cluster answers, before an installation and of one. */
import * as z from 'zod/mini'
import { CheckEnd, createFinding, failed, notChecked, type Outcome, passed } from './findings.ts'
import { type Kubectl, parseOutput } from './kubectl.ts'

/** The minor version of Kubernetes 1 from which on the chart can be installed. */
const SUPPORTED_SINCE = 30

const Version = z.object({
  serverVersion: z.object({ gitVersion: z.string(), minor: z.string() }),
})

/**
 * Returns whether the version of the API server is supported, and the kubectl of the other checks: it ends them as not made
 * if the API server does not answer.
 */
export async function reachCluster(kubectl: Kubectl) {
  const result = await kubectl(['version', '--output=json'])
  const { serverVersion } = parseOutput(Version, result) ?? {}
  if (serverVersion !== undefined) {
    return { server: createFinding('api_server', judgeVersion(serverVersion)), kubectl }
  }
  return { server: createFinding('api_server', failed(result.fault)), kubectl: endUnreached }
}

const endUnreached: Kubectl = () => {
  throw new CheckEnd(notChecked('the cluster cannot be reached'))
}

function judgeVersion({ gitVersion, minor }: z.infer<typeof Version>['serverVersion']): Outcome {
  const version = Number.parseInt(minor, 10)
  if (Number.isNaN(version)) return notChecked(`the API server names its version ${gitVersion}`)
  if (version < SUPPORTED_SINCE) {
    return failed({
      code: 'kubernetes_version',
      problem: `the API server is ${gitVersion}, but wimds supports 1.${SUPPORTED_SINCE} and later`,
      fix: 'upgrade the cluster',
    })
  }
  return passed(gitVersion)
}
