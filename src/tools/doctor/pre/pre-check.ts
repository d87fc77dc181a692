/** Checks a cluster before wimds is installed, from the machine of the user. */
import { INJECTION_DEFAULTS } from '../../../cluster/injector/settings.ts'
import type { Config } from '../../../sidecar/config/config.ts'
import type { RoutingMode } from '../../../lib/sidecar-interface.ts'
import { notChecked } from '../findings.ts'
import type { Kubectl } from '../kubectl.ts'
import { createReport, type DoctorReport, type Finding } from '../doctor-report.ts'
import { checkAdmission, checkVersion, checkWebhooks } from './cluster-checks.ts'
import { createDocumentFetch } from './fetch-document.ts'
import { checkIssuer } from './issuer-check.ts'

interface PreOptions {
  readonly kubectl: Kubectl
  /** How this machine reaches the internet. */
  readonly network: Pick<Config['exchange'], 'proxy' | 'extraCa'>
  /** Undefined: the default of injection. */
  readonly mode: RoutingMode | undefined
  /** Undefined: the current namespace of the kubeconfig. */
  readonly namespace: string | undefined
  /** Undefined: the issuer of the cluster. */
  readonly issuer: string | undefined
}

/** Returns the report. A check that fails is reported, not thrown. */
export async function checkBeforeInstallation(options: PreOptions): Promise<DoctorReport> {
  return createReport({ checks: await runChecks(options) })
}

async function runChecks(options: PreOptions): Promise<Finding[]> {
  const { kubectl, network, mode = INJECTION_DEFAULTS.mode, namespace, issuer } = options
  const fetchDocument = createDocumentFetch(network)
  const version = await checkVersion(kubectl)
  const issuerFindings = () => checkIssuer({ kubectl, fetchDocument, issuer })
  if (version.status === 'ok' || version.failure?.code === 'kubernetes_version') {
    return [
      version,
      ...(await issuerFindings()),
      await checkAdmission(kubectl, namespace, mode),
      await checkWebhooks(kubectl),
    ]
  }
  const reason = 'the cluster cannot be reached'
  const others = [notChecked('injected_pod', reason), notChecked('webhook', reason)]
  if (issuer === undefined) return [version, notChecked('issuer', reason), ...others]
  // The issuer is given, so its check needs no cluster, and that there is none is no failure.
  const { problem = reason } = version.failure ?? {}
  return [notChecked('api_server', problem), ...(await issuerFindings()), ...others]
}
