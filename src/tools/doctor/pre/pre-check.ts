/** Checks a cluster before wimds is installed, from the machine of the user. */
import {
  INJECTION_DEFAULTS,
  type InjectionSettings,
} from '../../../injection/injector/injection-settings.ts'
import type { Config } from '../../../broker/config/config.ts'
import type { RoutingMode } from '../../../lib/sidecar-interface.ts'
import type { CheckName, Sections } from '../doctor-report.ts'
import { createFinding, notChecked } from '../findings.ts'
import type { Kubectl } from '../kubectl.ts'
import { checkLocalRedirect } from '../local-redirect-check.ts'
import { AGENT_NAMESPACE, checkAgentAdmission } from './agent-check.ts'
import { checkAdmission, checkVersion, checkWebhookAdmission } from './cluster-checks.ts'
import { createDocumentFetch } from './fetch-document.ts'
import { checkIssuer } from './issuer-check.ts'

interface PreOptions {
  readonly kubectl: Kubectl
  /** How this machine reaches the internet. */
  readonly network: Pick<Config['exchange'], 'proxy' | 'extraCa'>
  /** Undefined: the default of injection. */
  readonly mode: RoutingMode | undefined
  /** Other settings of injection than its defaults. */
  readonly images: Partial<Pick<InjectionSettings, 'image' | 'redirectImage' | 'gateImage'>>
  /** Undefined: the current namespace of the kubeconfig. */
  readonly namespace: string | undefined
  /** Undefined: the issuer of the cluster. */
  readonly issuer: string | undefined
}

/** Returns the checks. A check that fails is reported, not thrown. */
export async function checkBeforeInstallation(options: PreOptions): Promise<Sections> {
  const { kubectl, network, mode = INJECTION_DEFAULTS.mode, images, namespace, issuer } = options
  const version = await checkVersion(kubectl)
  const checkOwnIssuer = () =>
    checkIssuer({ kubectl, fetchDocument: createDocumentFetch(network), issuer })
  if (version.status === 'ok' || version.failure?.code === 'kubernetes_version') {
    const place = namespace === undefined ? 'the current namespace' : `namespace ${namespace}`
    const settings = { ...INJECTION_DEFAULTS, ...images, mode }
    const admission = await checkAdmission({ kubectl, namespace, settings })
    const agent = mode === 'node' ? [await checkAgentAdmission(kubectl, settings.gateImage)] : []
    const webhook = await checkWebhookAdmission(kubectl, mode)
    return {
      checks: [
        createFinding('api_server', version),
        ...(await checkOwnIssuer()),
        createFinding('injected_pod', admission, `mode ${mode}, ${place}`),
        ...agent.map((each) => createFinding('node_agent', each, `namespace ${AGENT_NAMESPACE}`)),
        createFinding('webhook_configuration', webhook),
        ...(mode === 'env'
          ? []
          : [createFinding('local_redirect', await checkLocalRedirect(kubectl))]),
      ],
    }
  }
  const reason = 'the cluster cannot be reached'
  const leaveOut = (check: CheckName) => createFinding(check, notChecked(reason))
  // With --issuer its check needs no cluster, and that there is none is no failure.
  const { problem = reason } = version.failure ?? {}
  const [server, ofIssuer] =
    issuer === undefined
      ? [version, [leaveOut('issuer')]]
      : [notChecked(problem), await checkOwnIssuer()]
  return {
    checks: [
      createFinding('api_server', server),
      ...ofIssuer,
      leaveOut('injected_pod'),
      leaveOut('webhook_configuration'),
    ],
  }
}
