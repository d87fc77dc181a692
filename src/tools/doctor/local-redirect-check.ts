/** Checks that Cilium does not redirect requests to the metadata address before a rule in the pod can. */
import * as z from 'zod/mini'
import { METADATA_IP } from '../../lib/hosts.ts'
import { firstItems } from '../../lib/printable.ts'
import { failed, notChecked, notNeeded, type Outcome, passed } from './findings.ts'
import { getItems, isRead, type Kubectl } from './kubectl.ts'

const Policy = z.looseObject({
  metadata: z.looseObject({ name: z.string(), namespace: z.optional(z.string()) }),
  spec: z.looseObject({
    redirectFrontend: z.optional(
      z.looseObject({ addressMatcher: z.optional(z.looseObject({ ip: z.string() })) }),
    ),
  }),
})

/** Returns a failure for a CiliumLocalRedirectPolicy of that address: it rewrites connect() in every pod. */
export async function checkLocalRedirect(kubectl: Kubectl): Promise<Outcome> {
  const kind = 'ciliumlocalredirectpolicies'
  const policies = await getItems(kubectl, Policy, kind, '--all-namespaces')
  if (!isRead(policies)) {
    return policies.unread.includes("doesn't have a resource type")
      ? notNeeded('the cluster has no CiliumLocalRedirectPolicies')
      : notChecked(policies.unread)
  }
  const found = policies.filter(
    ({ spec }) => spec.redirectFrontend?.addressMatcher?.ip === METADATA_IP,
  )
  if (found.length === 0) return passed(`no CiliumLocalRedirectPolicy is for ${METADATA_IP}`)
  const names = found.map(({ metadata: { namespace = '', name } }) => `${namespace}/${name}`)
  return failed({
    code: 'route_to_other_service',
    problem: `a CiliumLocalRedirectPolicy sends ${METADATA_IP} elsewhere, before any rule in a pod applies: ${firstItems(names).join(', ')}`,
    fix: 'delete it, or choose mode env, in which SDKs ask the sidecar at 127.0.0.1',
  })
}
