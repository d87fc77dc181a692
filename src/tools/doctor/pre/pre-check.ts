/** Checks a cluster before wimds is installed, from the machine of the user. */
import { INJECTION_DEFAULTS } from '../../../injection/injector/injection-settings.ts'
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
  readonly value: (name: 'issuer' | 'image' | 'redirect-image' | 'gate-image') => string | undefined
}

/** Returns the checks. A check that fails is reported, not thrown. */
export async function checkBeforeInstallation(options: PreOptions): Promise<Sections> {
  const { network, mode = INJECTION_DEFAULTS.mode, namespace, value } = options
  const settings = {
    ...INJECTION_DEFAULTS,
    image: value('image') ?? INJECTION_DEFAULTS.image,
    redirectImage: value('redirect-image') ?? INJECTION_DEFAULTS.redirectImage,
    gateImage: value('gate-image') ?? INJECTION_DEFAULTS.gateImage,
    mode,
  }
  const issuer = value('issuer')
  const place = namespace === undefined ? 'the current namespace' : `namespace ${namespace}`
  // The check of a given issuer needs no cluster, so that a missing cluster is no failure.
  const { server, kubectl } = await reachCluster(options.kubectl, issuer === undefined)
  return {
    checks: [
      server,
      ...(await checkIssuer({ kubectl, network, issuer })),
      await runCheck(
        'injected_pod',
        () => checkAdmission(kubectl, settings),
        `mode ${mode}, ${place}`,
      ),
      ...(mode === 'node'
        ? [
            await runCheck(
              'node_agent',
              () => checkAgentAdmission(kubectl, settings.gateImage),
              `namespace ${AGENT_NAMESPACE}`,
            ),
          ]
        : []),
      await runCheck('webhook_configuration', () => checkWebhookAdmission(kubectl, mode)),
      ...(mode === 'env'
        ? []
        : [await runCheck('local_redirect', () => checkLocalRedirect(kubectl))]),
    ],
  }
}
