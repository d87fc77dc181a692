/** Decides whether a pod opts in by the annotation inject-proxy-sidecar of azure-workload-identity, which asks for its proxy. */
import type { Pod } from '../../kubernetes/pod.ts'
import { AZWI_PREFIX, USE_LABEL } from '../../kubernetes/service-account.ts'

const INJECT_PROXY = `${AZWI_PREFIX}inject-proxy-sidecar`

/**
 * Returns true if the annotation inject-proxy-sidecar of the pod is `true`, and the webhook of azure-workload-identity does not
 * inject its proxy. (That webhook accepts any value, even "false": Azure/azure-workload-identity#1210.)
 */
export function optsInByAzwi(pod: Pod): boolean {
  return pod.metadata?.annotations?.[INJECT_PROXY] === 'true' && !isInjectedByAzwi(pod)
}

/** Returns true if the webhook of azure-workload-identity would inject its proxy. It selects pods by the label. */
export function isInjectedByAzwi({ metadata }: Pod): boolean {
  return (
    metadata?.labels?.[USE_LABEL] === 'true' && metadata.annotations?.[INJECT_PROXY] !== undefined
  )
}
