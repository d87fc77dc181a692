/** Checks a cluster before wimds is installed, from the machine of the user. */
import { parseInjectionSettings } from '../../../injection/injector/injection-settings.ts'
import type { Flags } from '../../../lib/args.ts'
import { UsageError } from '../../../lib/errors.ts'
import { checkServer } from '../cluster-checks.ts'
import type { Sections } from '../doctor-report.ts'
import { runCheck } from '../findings.ts'
import type { Kubectl } from '../kubectl.ts'
import { checkAdmission } from './admission-checks.ts'
import { checkIssuer, type Network } from './issuer-check.ts'

interface PreOptions {
  readonly kubectl: Kubectl
  readonly network: Network
  /** Undefined: the current namespace of the kubeconfig. */
  readonly namespace: string | undefined
  /** Those flags of `wimds inject` that decide whether a pod is admitted; the others are not given. */
  readonly flags: Flags<string>
}

/** Returns the checks. A check that fails is reported, not thrown. Throws `UsageError` for a flag that is malformed. */
export async function checkBeforeInstallation(options: PreOptions): Promise<Sections> {
  const { kubectl, network, namespace, flags } = options
  const problems: string[] = []
  const settings = parseInjectionSettings(flags, problems)
  if (problems.length > 0) throw new UsageError(problems)
  const place = namespace === undefined ? 'the current namespace' : `namespace ${namespace}`
  return checkServer(kubectl, async () => [
    await runCheck('issuer', () => checkIssuer(kubectl, network)),
    await runCheck(
      'injected_pod',
      () => checkAdmission(kubectl, settings),
      `mode ${settings.mode}, ${place}`,
    ),
  ])
}
