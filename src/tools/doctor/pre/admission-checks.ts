/** Checks by a dry run whether a namespace admits injected pods. */
import { inject } from '../../../injection/injector/inject.ts'
import type { InjectionSettings } from '../../../injection/injector/injection-settings.ts'
import {
  ANY_ACCOUNT,
  createSamplePod,
  createSampleSpec,
  findRefusal,
  judgeRefusal,
  tryToCreate,
} from '../dry-run.ts'
import { type Outcome, passed } from '../findings.ts'
import type { Kubectl } from '../kubectl.ts'

/**
 * Returns whether the namespace admits an injected pod. The API server decides: that includes its default Pod Security
 * level, policies, quotas and other webhooks, which no label shows.
 */
export async function checkAdmission(
  kubectl: Kubectl,
  settings: InjectionSettings,
): Promise<Outcome> {
  const { mode } = settings
  const { bare, injected } = createSamplePods(settings)
  const result = await tryToCreate(kubectl, injected)
  if (typeof result === 'string') return passed('is admitted (dry run)', UNSEEN)
  const outcome = judgeRefusal(result, INJECTED_POD, mode)
  if (outcome.status !== 'failed') return outcome
  const without = await tryToCreate(kubectl, bare)
  const refusal = typeof without === 'string' ? undefined : findRefusal(without, INJECTED_POD)
  if (refusal === undefined) return outcome
  return { ...outcome, details: [`${refusal.by} refuses the same pod without the injection, too`] }
}

/** The facts that a dry run does not show. */
const UNSEEN = "– not checked: the pods' way to the login host, and the versions of the nodes"

const INJECTED_POD = 'the pod that injection writes'

/** Returns an application's pod, and the same pod injected. The application has the image that is injected. */
function createSamplePods(settings: InjectionSettings) {
  const spec = createSampleSpec(settings.mode === 'node' ? settings.gateImage : settings.image)
  const injection = inject({
    pod: { metadata: { annotations: { 'wimds.io/inject': 'true' } }, spec },
    serviceAccount: ANY_ACCOUNT,
    settings,
  })
  if (injection.kind !== 'injected') throw new Error('the sample pod cannot be injected')
  return {
    bare: createSamplePod(spec, UNINJECTED),
    injected: createSamplePod(injection.pod.spec, UNINJECTED),
  }
}

/** An installed webhook leaves the pod as it is: it would reject a ServiceAccount without an identity. */
const UNINJECTED = { annotations: { 'wimds.io/inject': 'false' } }
