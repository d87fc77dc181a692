/** Checks a cluster before wimds is installed, from the machine of the user. */
import { parseInjectionSettings } from '../../../injection/injector/injection-settings.ts'
import { UsageError } from '../../../lib/errors.ts'
import type { RoutingMode } from '../../../lib/sidecar-interface.ts'
import { checkLocalRedirect, reachCluster } from '../cluster-checks.ts'
import type { Sections } from '../doctor-report.ts'
import { runCheck } from '../findings.ts'
import type { Kubectl } from '../kubectl.ts'
import {
  AGENT_NAMESPACE,
  checkAdmission,
  checkAgentAdmission,
  checkWebhookAdmission,
} from './admission-checks.ts'
import type { Network } from './fetch-document.ts'
import { checkIssuer } from './issuer-check.ts'

interface PreOptions {
  readonly kubectl: Kubectl
  readonly network: Network
  /** Undefined: the default of injection. */
  readonly mode: RoutingMode | undefined
  /** Undefined: the current namespace of the kubeconfig. */
  readonly namespace: string | undefined
  /** Returns the value of a flag. */
  readonly value: (name: 'issuer' | ImageFlag) => string | undefined
}

type ImageFlag = (typeof IMAGE_FLAGS)[number]

/** The flags of `wimds inject` that decide what a pod gets. */
const IMAGE_FLAGS = ['image', 'redirect-image', 'gate-image', 'uid'] as const

/** Returns the checks. A check that fails is reported, not thrown. Throws `UsageError` for a flag that is malformed. */
export async function checkBeforeInstallation(options: PreOptions): Promise<Sections> {
  const { network, namespace, value } = options
  const problems: string[] = []
  const flags = {
    has: () => false,
    values: () => [],
    value: (name: string) => {
      const known = IMAGE_FLAGS.find((each) => each === name)
      return known && value(known)
    },
  }
  const defaults = parseInjectionSettings(flags, problems)
  if (problems.length > 0) throw new UsageError(problems)
  const { mode = defaults.mode } = options
  const settings = { ...defaults, mode }
  const issuer = value('issuer')
  // The check of a given issuer needs no cluster, so that a missing cluster is no failure.
  const { server, kubectl } = await reachCluster(options.kubectl, issuer === undefined)
  const checks = [server, ...(await checkIssuer({ kubectl, network, issuer }))]
  const place = namespace === undefined ? 'the current namespace' : `namespace ${namespace}`
  const admit = () => checkAdmission(kubectl, settings)
  checks.push(await runCheck('injected_pod', admit, `mode ${mode}, ${place}`))
  if (mode === 'node') {
    const admitAgent = () => checkAgentAdmission(kubectl, settings.gateImage)
    checks.push(await runCheck('node_agent', admitAgent, `namespace ${AGENT_NAMESPACE}`))
  }
  checks.push(await runCheck('webhook_configuration', () => checkWebhookAdmission(kubectl, mode)))
  if (mode !== 'env') {
    checks.push(await runCheck('local_redirect', () => checkLocalRedirect(kubectl)))
  }
  return { checks }
}
