/** Checks that the API server answers, and that its version is supported: the first check of --pre and --cluster. */
import * as z from 'zod/mini'
import type { Finding, Sections } from './doctor-report.ts'
import {
  catchEnd,
  CheckEnd,
  createFinding,
  failed,
  notChecked,
  type Outcome,
  passed,
} from './findings.ts'
import { type Kubectl, readJson, requireKubectl } from './kubectl.ts'

/** The lowest minor version of Kubernetes 1 that the chart supports. */
const SUPPORTED_SINCE = 30

const Version = z.object({
  serverVersion: z.object({ gitVersion: z.string(), minor: z.string() }),
})

/** Checks whether the version of the API server is supported. Makes the other checks if the API server answers. */
export async function checkServer(
  kubectl: Kubectl,
  makeChecks: () => Promise<readonly Finding[]>,
): Promise<Sections> {
  const version = await catchEnd(() => readJson(kubectl, Version, ['version', '--output=json']))
  if (version instanceof CheckEnd) {
    return { checks: [createFinding('api_server', requireKubectl(version))] }
  }
  const server = createFinding('api_server', judgeVersion(version.serverVersion))
  return { checks: [server, ...(await makeChecks())] }
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
