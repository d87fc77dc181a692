/** Reads the objects of an installation, and the pods of the cluster, once each, when the first check needs them. */
import * as z from 'zod/mini'
import { OWN_WEBHOOK } from '../dry-run.ts'
import { type Kubectl, KubectlFailure, list, UNKNOWN_KIND } from '../kubectl.ts'
import { ClusterPod, isEnding } from '../pod-object.ts'
import { formatSelector, Selector } from '../selector.ts'

const Metadata = z.looseObject({
  name: z.string(),
  labels: z.optional(z.record(z.string(), z.string())),
})

const Named = z.object({ metadata: z.object({ name: z.string() }) })

const Webhook = z.looseObject({
  name: z.string(),
  namespaceSelector: z.optional(Selector),
  clientConfig: z.looseObject({
    service: z.optional(z.looseObject({ name: z.string(), namespace: z.string() })),
  }),
})
const Configuration = z.looseObject({
  metadata: Metadata,
  webhooks: z.optional(z.array(Webhook)),
})
const Policy = z.looseObject({
  metadata: Metadata,
  spec: z.looseObject({
    matchConstraints: z.looseObject({ namespaceSelector: z.optional(Selector) }),
  }),
})
const Deployment = z.looseObject({
  metadata: Metadata,
  spec: z.looseObject({
    template: z.looseObject({
      spec: z.looseObject({
        containers: z.array(z.looseObject({ args: z.optional(z.array(z.string())) })),
      }),
    }),
  }),
})
export type ClusterState = ReturnType<typeof readClusterState>

/** Reads with the rights of the user. Each function ends the check as not made if its objects cannot be read. */
export function readClusterState(kubectl: Kubectl) {
  /** Returns the configuration of the webhook; undefined: there is none. */
  const getConfiguration = once(async () => {
    const configurations = await list(kubectl, Configuration, 'mutatingwebhookconfigurations')
    return configurations.find(({ webhooks }) =>
      webhooks?.some(({ name }) => OWN_WEBHOOK.test(name)),
    )
  })
  /** Returns the policy that injects mode node; undefined: there is none, as before Kubernetes 1.36. */
  const getPolicy = once(async () => {
    const policies = await list(kubectl, Policy, 'mutatingadmissionpolicies').catch((error) => {
      if (error instanceof KubectlFailure && UNKNOWN_KIND.test(error.stderr)) return []
      throw error
    })
    return policies.find(({ spec }) => JSON.stringify(spec).includes('wimds.io/inject'))
  })
  /** Returns the Deployment of the webhook; undefined: there is none. */
  const getDeployment = once(async () => {
    const service = (await getConfiguration())?.webhooks?.[0]?.clientConfig.service
    if (service === undefined) return undefined
    const scope = `--namespace=${service.namespace}`
    const deployments = await list(kubectl, Deployment, 'deployments', scope)
    return deployments.find(({ metadata }) => metadata.name === service.name)
  })
  return {
    getConfiguration,
    getPolicy,
    getDeployment,
    /** Returns the value of a flag of the webhook, such as `image`; undefined: the flag is not set. */
    getFlag: async (name: string) => {
      const { containers = [] } = (await getDeployment())?.spec.template.spec ?? {}
      const args = containers.flatMap(({ args: each = [] }) => each)
      return args.find((arg) => arg.startsWith(`--${name}=`))?.slice(name.length + 3)
    },
    /** Returns the namespaces whose pods the webhook or the policy reviews; undefined: neither is installed. */
    getReviewedNamespaces: async () => {
      const { webhooks } = (await getConfiguration()) ?? {}
      const selectors = webhooks ?? [(await getPolicy())?.spec.matchConstraints ?? []].flat()
      const found = selectors.map(({ namespaceSelector = {} }) =>
        list(kubectl, Named, 'namespaces', `--selector=${formatSelector(namespaceSelector)}`),
      )
      const namespaces = (await Promise.all(found)).flat().map(({ metadata }) => metadata.name)
      return selectors.length === 0 ? undefined : new Set(namespaces)
    },
    /** Returns the namespaces whose label asks for the injection of all pods. */
    getLabelledNamespaces: async () => {
      const label = '--selector=wimds.io/inject=true'
      const namespaces = await list(kubectl, Named, 'namespaces', label)
      return new Set(namespaces.map(({ metadata }) => metadata.name))
    },
    /** Returns the pods that run or will run. */
    getPods: once(async () => {
      const pods = await list(kubectl, ClusterPod, 'pods', '--all-namespaces')
      return pods.filter((pod) => !isEnding(pod))
    }),
  }
}

/** Returns a function that reads at its first call, and returns the same result to all callers. */
function once<T>(read: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | undefined
  return () => (result ??= read())
}
