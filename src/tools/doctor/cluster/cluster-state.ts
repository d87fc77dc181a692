/** Reads the objects of an installation, and the pods that it is for. */
import * as z from 'zod/mini'
import { OWN_WEBHOOK } from '../dry-run.ts'
import { getItems, isRead, type Kubectl, type Unread } from '../kubectl.ts'
import { type ClusterPod, getPods, OF_AGENT } from '../pod-object.ts'

const Labels = z.optional(z.record(z.string(), z.string()))
const Metadata = z.looseObject({
  name: z.string(),
  namespace: z.optional(z.string()),
  labels: Labels,
})

const Webhook = z.looseObject({
  name: z.string(),
  failurePolicy: z.optional(z.string()),
  clientConfig: z.looseObject({
    caBundle: z.optional(z.string()),
    service: z.optional(z.looseObject({ name: z.string(), namespace: z.string() })),
  }),
})
const Configuration = z.looseObject({
  metadata: Metadata,
  webhooks: z.optional(z.array(Webhook)),
})
const Deployment = z.looseObject({
  metadata: Metadata,
  spec: z.looseObject({
    replicas: z.optional(z.number()),
    template: z.looseObject({
      spec: z.looseObject({
        containers: z.array(z.looseObject({ args: z.optional(z.array(z.string())) })),
        volumes: z.optional(
          z.array(
            z.looseObject({
              name: z.string(),
              secret: z.optional(z.looseObject({ secretName: z.optional(z.string()) })),
            }),
          ),
        ),
      }),
    }),
  }),
  status: z.looseObject({ readyReplicas: z.optional(z.number()) }),
})
const DaemonSet = z.looseObject({
  metadata: Metadata,
  status: z.looseObject({
    desiredNumberScheduled: z.number(),
    numberReady: z.number(),
  }),
})
type Configuration = z.infer<typeof Configuration>
export type Deployment = z.infer<typeof Deployment>

export interface ClusterState {
  /** Of the webhook of wimds; undefined: there is none. */
  readonly configuration: Configuration | Unread | undefined
  /** The webhook's. */
  readonly deployment: Deployment | Unread | undefined
  /** The node agents'. */
  readonly daemonSets: readonly z.infer<typeof DaemonSet>[] | Unread
  /** The labels of each namespace. */
  readonly namespaces: ReadonlyMap<string, Readonly<Record<string, string>>> | Unread
  /** Those that have not ended. */
  readonly pods: readonly ClusterPod[] | Unread
}

/** Reads all of it with the rights of the user. */
export async function readClusterState(kubectl: Kubectl): Promise<ClusterState> {
  const [configurations, daemonSets, namespaces, pods] = await Promise.all([
    getItems(kubectl, Configuration, 'mutatingwebhookconfigurations'),
    getItems(kubectl, DaemonSet, 'daemonsets', '--all-namespaces', OF_AGENT),
    getItems(kubectl, z.looseObject({ metadata: Metadata }), 'namespaces'),
    getPods(kubectl, '--all-namespaces'),
  ])
  const configuration = isRead(configurations)
    ? configurations.find(({ webhooks }) => webhooks?.some(({ name }) => OWN_WEBHOOK.test(name)))
    : configurations
  const service =
    configuration !== undefined && isRead(configuration)
      ? configuration.webhooks?.[0]?.clientConfig.service
      : undefined
  const deployments =
    service &&
    (await getItems(kubectl, Deployment, 'deployments', `--namespace=${service.namespace}`))
  return {
    configuration,
    deployment:
      deployments !== undefined && isRead(deployments)
        ? deployments.find(({ metadata }) => metadata.name === service?.name)
        : deployments,
    daemonSets,
    namespaces: isRead(namespaces)
      ? new Map(namespaces.map(({ metadata: { name, labels = {} } }) => [name, labels]))
      : namespaces,
    pods: isRead(pods)
      ? pods.filter(({ status: { phase = '' } }) => !/^(?:Succeeded|Failed)$/.test(phase))
      : pods,
  }
}
