/** Reads the objects of an installation, and the pods that it is for. */
import * as z from 'zod/mini'
import { parsePod, type Pod } from '../../../kubernetes/pod.ts'
import { OWN_WEBHOOK } from '../dry-run.ts'
import { type Kubectl, parseOutput } from '../kubectl.ts'

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
const Namespace = z.looseObject({ metadata: Metadata })
const Placement = z.looseObject({
  metadata: Metadata,
  spec: z.looseObject({ nodeName: z.optional(z.string()) }),
  status: z.looseObject({
    phase: z.optional(z.string()),
    conditions: z.optional(z.array(z.looseObject({ type: z.string(), status: z.string() }))),
  }),
})

type Configuration = z.infer<typeof Configuration>
export type Deployment = z.infer<typeof Deployment>

/** A pod of the cluster. */
export interface PlacedPod {
  readonly pod: Pod
  readonly namespace: string
  /** `NAMESPACE/NAME`. */
  readonly title: string
  readonly node: string | undefined
  readonly labels: Readonly<Record<string, string>>
  readonly isReady: boolean
}

/** Why a list could not be read. */
export interface Unread {
  readonly unread: string
}

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
  readonly pods: readonly PlacedPod[] | Unread
}

export function isRead<T>(value: T): value is Exclude<T, Unread> {
  return typeof value !== 'object' || value === null || !('unread' in value)
}

/** Reads all of it with the rights of the user. */
export async function readClusterState(kubectl: Kubectl): Promise<ClusterState> {
  const list = async <T>(schema: z.ZodMiniType<T>, ...args: readonly string[]) => {
    const result = await kubectl(['get', ...args, '--output=json'])
    const found = parseOutput(z.object({ items: z.array(schema) }), result)
    return found === undefined ? { unread: result.reason } : found.items
  }
  const [configurations, daemonSets, namespaces, pods] = await Promise.all([
    list(Configuration, 'mutatingwebhookconfigurations'),
    list(
      DaemonSet,
      'daemonsets',
      '--all-namespaces',
      '--selector=app.kubernetes.io/component=node-agent',
    ),
    list(Namespace, 'namespaces'),
    list(z.unknown(), 'pods', '--all-namespaces'),
  ])
  const configuration = isRead(configurations)
    ? configurations.find(({ webhooks }) => webhooks?.some(({ name }) => OWN_WEBHOOK.test(name)))
    : configurations
  const service =
    configuration !== undefined && isRead(configuration)
      ? configuration.webhooks?.[0]?.clientConfig.service
      : undefined
  const deployments =
    service && (await list(Deployment, 'deployments', `--namespace=${service.namespace}`))
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
    pods: isRead(pods) ? pods.flatMap(placePod) : pods,
  }
}

function placePod(value: unknown): PlacedPod[] {
  const pod = parsePod(value, [])
  const { data } = Placement.safeParse(value)
  if (pod === undefined || data === undefined) return []
  const { metadata, spec, status } = data
  if (status.phase === 'Succeeded' || status.phase === 'Failed') return []
  const { name, namespace = 'default', labels = {} } = metadata
  const ready = status.conditions?.find(({ type }) => type === 'Ready')
  return [
    {
      pod,
      namespace,
      title: `${namespace}/${name}`,
      node: spec.nodeName,
      labels,
      isReady: ready?.status === 'True',
    },
  ]
}
