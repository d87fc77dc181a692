/** Checks of a cluster, before an installation and of one. */
import * as z from 'zod/mini'
import { METADATA_IP } from '../../lib/hosts.ts'
import { firstItems } from '../../lib/printable.ts'
import { CheckEnd, createFinding, failed, notChecked, type Outcome, passed } from './findings.ts'
import { getItems, type Kubectl, parseOutput } from './kubectl.ts'

/** The minor version of Kubernetes 1 from which on the chart can be installed. */
const SUPPORTED_SINCE = 30

const Version = z.object({
  serverVersion: z.object({ gitVersion: z.string(), minor: z.string() }),
})

/**
 * Returns whether the version of the API server is supported, and the kubectl of the other checks: it ends them as not made
 * if the API server does not answer, which is no failure with `isNeeded` false.
 */
export async function reachCluster(kubectl: Kubectl, isNeeded = true) {
  const result = await kubectl(['version', '--output=json'])
  const { serverVersion } = parseOutput(Version, result) ?? {}
  if (serverVersion !== undefined) {
    return { server: createFinding('api_server', judgeVersion(serverVersion)), kubectl }
  }
  const { fault } = result
  const outcome = isNeeded ? failed(fault) : notChecked(fault.problem)
  return { server: createFinding('api_server', outcome), kubectl: endUnreached }
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

const Policy = z.looseObject({
  metadata: z.looseObject({ name: z.string(), namespace: z.optional(z.string()) }),
  spec: z.looseObject({
    redirectFrontend: z.optional(
      z.looseObject({ addressMatcher: z.optional(z.looseObject({ ip: z.string() })) }),
    ),
  }),
})

/** Returns a failure for a CiliumLocalRedirectPolicy of the metadata address: it rewrites connect() in every pod. */
export async function checkLocalRedirect(kubectl: Kubectl): Promise<Outcome> {
  const kind = 'ciliumlocalredirectpolicies'
  const policies = await getItems(kubectl, Policy, kind, '--all-namespaces')
  const found = policies.filter(
    ({ spec }) => spec.redirectFrontend?.addressMatcher?.ip === METADATA_IP,
  )
  if (found.length === 0) return passed(`no CiliumLocalRedirectPolicy is for ${METADATA_IP}`)
  const names = found.map(({ metadata: { namespace = '', name } }) => `${namespace}/${name}`)
  return failed({
    code: 'route_to_other_service',
    problem: `a CiliumLocalRedirectPolicy sends ${METADATA_IP} elsewhere, before any rule in a pod applies: ${firstItems(names).join(', ')}`,
    fix: 'delete the policy, or choose mode env, in which SDKs ask the sidecar at 127.0.0.1',
  })
}
