/** Checks whether a pod may have pass-through, which exempts the sidecar's uid from the redirect. */
import type { Plan } from './injection-plan.ts'
import { listFound } from '../../lib/printable.ts'
import { allContainers, type Container, type Pod } from '../../kubernetes/pod.ts'

/** Returns a problem, with its fix, for each reason why the pod may not have pass-through. */
export function findPassThroughProblems(pod: Pod, { settings }: Plan): string[] {
  const { mode, uid, allowPassThrough } = settings
  if (!allowPassThrough) {
    return ['pass-through is not allowed here. Fix: remove wimds.io/pass-through']
  }
  if (mode !== 'nft') {
    return [`pass-through needs mode nft, but the mode is ${mode}. Fix: set wimds.io/mode: nft`]
  }
  if (uid === undefined) {
    return [
      'pass-through needs a fixed uid of the sidecar, but the cluster chooses it (uid none). Fix: set --uid, in the chart injection.uid, to a number',
    ]
  }
  return allContainers(pod).flatMap((container) => findUidProblems(container, pod, uid))
}

/**
 * Returns a problem if the container may run as the uid that pass-through exempts from the redirect, or may switch to it. The kernel
 * honours a setuid file even for a process without capabilities, except under no_new_privs.
 */
function findUidProblems(
  { name, securityContext }: Container,
  { spec }: Pod,
  exemptUid: number,
): string[] {
  const runAsUser = securityContext?.runAsUser ?? spec.securityContext?.runAsUser
  const exemption = `uid ${exemptUid}, which pass-through exempts from the redirect`
  if (typeof runAsUser !== 'number' || runAsUser === exemptUid) {
    const problem = runAsUser === exemptUid ? 'runs' : 'has no runAsUser, so its image may run'
    return [`the container ${name} ${problem} as ${exemption}. Fix: set another runAsUser`]
  }
  if (securityContext?.privileged === true) {
    return [
      `the container ${name} is privileged, so it can switch to ${exemption}. Fix: remove privileged`,
    ]
  }
  const { drop, add } = securityContext?.capabilities ?? {}
  const addsSetuid = includesSetuid(add)
  const hasSetuid = addsSetuid || (runAsUser === 0 && !includesSetuid(drop))
  // The runtime adds capabilities after it has dropped others.
  const fix = addsSetuid
    ? 'remove it from capabilities.add'
    : 'add it to capabilities.drop, or set a runAsUser other than 0'
  return listFound(
    securityContext?.allowPrivilegeEscalation !== false &&
      `the container ${name} may run a setuid program and so switch to ${exemption}. Fix: set allowPrivilegeEscalation: false`,
    hasSetuid &&
      `the container ${name} has the capability SETUID, so it can switch to ${exemption}. Fix: ${fix}`,
  )
}

function includesSetuid(names: readonly string[] | null | undefined): boolean {
  return names?.some((name) => /^(?:ALL|(?:CAP_)?SETUID)$/i.test(name)) === true
}
