/**
 * The messages between node agent and broker. Each is a line of JSON, as Node's IPC channel has them: the broker uses that
 * channel, and the agent reads it itself, since Node's reader has no limit. The listening socket of a pod comes with `serve`.
 */
import * as z from 'zod/mini'
import { listOf } from '../../lib/json.ts'

/** A pod that the agent has proved to own the network namespace of its socket. */
const ServedPod = z.object({
  uid: z.string(),
  namespace: z.string(),
  name: z.string(),
  /** The name that the Kubernetes API has for this uid, and not what a token claims. */
  serviceAccount: z.string(),
  /** The environment of the pod's gate. */
  env: z.record(z.string(), z.string()),
  /** A digest of the files in the volumes of the gate, such as tokens with an audience. */
  contents: z.optional(z.string()),
})

/** Names a token: the client id, and the scope in characters that a URL may have. A token is cached under both. */
const TokenKey = z.tuple([
  z.string().check(z.maxLength(36)),
  z.string().check(z.regex(/^[!-~]{1,256}$/)),
])
const MAX_KEYS = 200
const TokenKeys = listOf(TokenKey).check(z.refine((keys) => keys.length <= MAX_KEYS))

/**
 * What the agent asks a broker: its metrics, the keys of its tokens, the state of its pods, or the status document of one of
 * them.
 */
const Question = z.discriminatedUnion('about', [
  z.object({ about: z.literal('metrics') }),
  z.object({ about: z.literal('keys') }),
  z.object({ about: z.literal('pods') }),
  z.object({ about: z.literal('pod'), uid: z.string() }),
])

/** A message from the agent to the broker. */
export const AgentMessage = z.discriminatedUnion('type', [
  /**
   * Serve this pod on the socket that comes with the message. A pod that is served already gets the new socket. Listen only
   * when the tokens of these keys are cached: until then the agent's predecessor serves the pod. With an empty list listen at
   * once: this agent has served the pod.
   */
  z.object({ type: z.literal('serve'), pod: ServedPod, keys: z.optional(TokenKeys) }),
  /** Listen for all pods now: the predecessor has ended, or the tokens take too long. */
  z.object({ type: z.literal('listen') }),
  /** The sandbox of the pod has ended: close its socket and connections at once. */
  z.object({ type: z.literal('close'), uid: z.string() }),
  /** Answer, to show that the broker does not hang. */
  z.object({ type: z.literal('ping') }),
  z.object({ type: z.literal('ask'), id: z.number(), question: Question }),
  /** The answer to `read`: the file's text, or else the code of a system error such as ENOENT. */
  z.object({
    type: z.literal('file'),
    id: z.number(),
    text: z.optional(z.string()),
    code: z.optional(z.string()),
  }),
])

/** A message from the broker to the agent. */
export const BrokerMessage = z.discriminatedUnion('type', [
  /** The broker has started, and takes pods. */
  z.object({ type: z.literal('ready') }),
  /** The broker ends, since the settings of the node are invalid. */
  z.object({ type: z.literal('invalid'), problem: z.string() }),
  z.object({ type: z.literal('pong') }),
  /** A part of the answer to `ask`; the JSON of all parts is the answer. */
  z.object({ type: z.literal('answer'), id: z.number(), text: z.string(), isLast: z.boolean() }),
  /** Read a file of the pod's gate, by its path in that container. */
  z.object({ type: z.literal('read'), id: z.number(), uid: z.string(), path: z.string() }),
  /** The pod's tokens are being fetched. `serving` follows. */
  z.object({ type: z.literal('fetching'), uid: z.string() }),
  /** The pod's socket accepts requests. */
  z.object({ type: z.literal('serving'), uid: z.string() }),
  /** The pod is not served, since its settings are invalid. */
  z.object({
    type: z.literal('failed'),
    uid: z.string(),
    problem: z.string(),
    fix: z.optional(z.string()),
  }),
])

const Labels = z.custom<Readonly<Record<string, string>>>(
  (value) =>
    typeof value === 'object' &&
    value !== null &&
    Object.values(value).every((text) => typeof text === 'string'),
)

/**
 * The answer about metrics: for each group of pods that share tokens its samples, as the name of the metric, the labels and
 * the value. The agent adds namespace and service account.
 */
export const MetricsAnswer = listOf(
  z.object({
    /** The uid of one of the pods. */
    uid: z.string(),
    /** A digest of what distinguishes the group from others. */
    settings: z.string(),
    samples: listOf(z.tuple([z.string(), Labels, z.number()])),
  }),
)

/** The answer about keys: of the tokens that are cached for a group of pods. */
export const KeysAnswer = listOf(z.object({ uids: listOf(z.string()), keys: TokenKeys }))

/** The states of a pod, from the worst to the best. The agent adds `waiting`. */
export const POD_STATES = ['invalid', 'failing', 'starting', 'degraded', 'ready'] as const

/** The answer about pods. */
export const PodsAnswer = listOf(
  z.object({
    uid: z.string(),
    /** `invalid`: not served, since its settings are invalid. A sidecar has the other states, too. */
    state: z.enum(POD_STATES),
    /** The first problem, with its fix if it has one. */
    problem: z.optional(z.string()),
    cachedTokens: z.optional(z.number()),
  }),
)

export type ServedPod = z.infer<typeof ServedPod>
export type AgentMessage = z.infer<typeof AgentMessage>
export type BrokerMessage = z.infer<typeof BrokerMessage>
export type Question = z.infer<typeof Question>
export type TokenKey = z.infer<typeof TokenKey>
export type KeysAnswer = z.infer<typeof KeysAnswer>
export type MetricsAnswer = z.infer<typeof MetricsAnswer>
export type PodsAnswer = z.infer<typeof PodsAnswer>

/** Returns the keys that a message can name, at most the last `MAX_KEYS`. */
export function selectKeys(keys: readonly TokenKey[]): TokenKey[] {
  return keys.filter((key) => TokenKey.safeParse(key).success).slice(-MAX_KEYS)
}

/** Returns `NAMESPACE/NAME`. */
export function formatPod({ namespace, name }: Pick<ServedPod, 'namespace' | 'name'>): string {
  return `${namespace}/${name}`
}
