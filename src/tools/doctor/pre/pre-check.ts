/** Checks a cluster before wimds is installed, from the machine of the user. */
import {
  INJECTION_FLAGS,
  parseInjectionSettings,
} from '../../../injection/injector/injection-settings.ts'
import { parseFlags } from '../../../lib/args.ts'
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
  /** Has those flags of `wimds inject` that decide whether a pod is admitted. */
  readonly args: readonly string[]
}

/** Returns the checks. A check that fails is reported, not thrown. Throws `UsageError` for a flag that is malformed. */
export async function checkBeforeInstallation(options: PreOptions): Promise<Sections> {
  const { kubectl, network, namespace, args } = options
  const problems: string[] = []
  const settings = parseInjectionSettings(parseFlags(args, INJECTION_FLAGS), problems)
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
