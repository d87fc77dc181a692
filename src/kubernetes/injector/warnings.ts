/** What works, but most likely not as its writer thinks. */
import type { Plan } from './plan.ts'
import { type Pod, allContainers, plainValue } from './pod.ts'
import { outdatedVolumes } from './volumes.ts'

/** A sentence for each; they keep no pod from being injected. */
export function warningsOf(pod: Pod, plan: Plan): string[] {
  return CHECKS.flatMap((check) => check(pod, plan))
}

type Check = (pod: Pod, plan: Plan) => readonly string[]

const outdated: Check = (pod, plan) =>
  outdatedVolumes(pod, plan).map(
    ({ name }) => `the volume ${name} is of no use any more; remove it`,
  )

/** A misspelt name; or a container that another webhook adds later, so it is no reason to refuse. */
const skipped: Check = (pod, { wishes }) => {
  const present = new Set(allContainers(pod).map(({ name }) => name))
  const missing = [...wishes.skipped].filter((name) => !present.has(name))
  if (missing.length === 0) return []
  const are = missing.length === 1 ? 'which is no container' : 'which are no containers'
  return [`skip-containers names ${missing.join(', ')}, ${are} of the pod`]
}

const uncovered: Check = ({ spec }, { settings }) =>
  settings.hasNativeSidecars || !spec.initContainers?.length
    ? []
    : ['before Kubernetes 1.29 init containers run without the sidecar']

const identity: Check = (_, { environment, wishes }) =>
  wishes.configMap !== undefined || environment.some(({ name }) => name === 'AZURE_CLIENT_ID')
    ? []
    : ['no client id: every token request must name one']

const unreadableNoProxy: Check = ({ spec }) =>
  spec.containers
    .filter((container) =>
      container.env?.some(
        ({ name }) => /^no_proxy$/i.test(name) && plainValue(container, name) === undefined,
      ),
    )
    .map(
      ({ name }) =>
        `the container ${name} takes NO_PROXY from elsewhere; make sure that it holds 169.254.169.254`,
    )

const CHECKS: readonly Check[] = [outdated, skipped, uncovered, identity, unreadableNoProxy]
