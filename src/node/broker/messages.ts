/**
 * The messages between node agent and broker. Each is a line of JSON. Sockets come by Node's own channel, which the agent does
 * not read: Node's reader has no limit.
 */
import * as z from 'zod/mini'
import type { ConnectFailure } from '../../lib/connect-error.ts'
import { ERROR_KINDS, type ErrorCode } from '../../lib/errors.ts'
import { listOf } from '../../lib/json.ts'

/** A pod to serve. The agent has verified that it owns the network namespace of its socket. */
export const ServedPod = z.object({
  uid: z.string(),
  namespace: z.string(),
  name: z.string(),
  /** The name according to the Kubernetes API, not to a token. */
  serviceAccount: z.string(),
  /** The literal variables of the pod's gate. */
  env: z.record(z.string(), z.string()),
  /** A digest of the definitions of the gate's volumes, such as the audience of a token. Earlier agents did not save it. */
  contents: z.optional(z.string()),
})

/** Names a token: the client id, and the scope in characters that a URL may have. A token is cached under both. */
const TokenKey = z.tuple([
  z.string().check(z.maxLength(36)),
  z.string().check(z.regex(/^[!-~]{1,256}$/)),
])
const MAX_KEYS = 200
const TokenKeys = listOf(TokenKey).check(z.refine((keys) => keys.length <= MAX_KEYS))

/** Names a socket, which comes by Node's channel. */
const SocketNumber = z.number()

/** A question of the agent to a broker: whether it hangs, its metrics, the keys of its tokens, or the status document of a pod. */
const Question = z.discriminatedUnion('about', [
  z.object({ about: z.literal('ping') }),
  z.object({ about: z.literal('metrics') }),
  z.object({ about: z.literal('keys') }),
  z.object({ about: z.literal('pod'), uid: z.string() }),
])

/** A question of a broker to the agent: for a file of the pod's gate, by its path in that container, or for a connection. */
const BrokerQuestion = z.discriminatedUnion('about', [
  z.object({ about: z.literal('file'), uid: z.string(), path: z.string() }),
  z.object({ about: z.literal('connection'), host: z.string(), port: z.number() }),
])

/** The answer to the question with this number; empty if it is too large. */
const Answer = z.object({
  type: z.literal('answer'),
  id: z.number(),
  answer: z.optional(z.unknown()),
})

/** A message from the agent to the broker. */
export const AgentMessage = z.discriminatedUnion('type', [
  /**
   * Serve this pod on the socket. A pod that is served already gets the new socket. Listen only when the tokens of these keys
   * are cached: until then the agent's predecessor serves the pod. With an empty list listen at once: this agent has served the
   * pod.
   */
  z.object({
    type: z.literal('serve'),
    socket: SocketNumber,
    pod: ServedPod,
    keys: z.optional(TokenKeys),
  }),
  /** Listen for all pods now: the predecessor has ended, or the tokens take too long. */
  z.object({ type: z.literal('listen') }),
  /** The sandbox of the pod has ended: close its socket and connections at once. */
  z.object({ type: z.literal('close'), uid: z.string() }),
  z.object({ type: z.literal('ask'), id: z.number(), question: Question }),
  Answer,
])

/** The message that comes with a socket, by Node's channel. */
export const SocketMessage = z.object({ socket: SocketNumber })

/** The state of a pod whose socket the broker has. */
const PodMessage = z.object({
  type: z.literal('pod'),
  uid: z.string(),
  /** `fetching`: the broker fetches tokens first, then `serving` follows. `failed`: the settings of the pod are invalid. */
  state: z.enum(['fetching', 'serving', 'failed']),
  /** The problem of the settings, with its fix. */
  problem: z.optional(z.string()),
})

/** A message from the broker to the agent. */
export const BrokerMessage = z.discriminatedUnion('type', [
  /** The broker has started, and takes pods. */
  z.object({ type: z.literal('ready') }),
  /** The broker ends, since the settings of the node are invalid. */
  z.object({ type: z.literal('invalid'), problem: z.string() }),
  /** The broker has the socket: the agent may send the next one. */
  z.object({ type: z.literal('received'), socket: SocketNumber }),
  z.object({ type: z.literal('ask'), id: z.number(), question: BrokerQuestion }),
  Answer,
  PodMessage,
])

/** The answer about a connection: its socket, or why there is none. The code of an error is of the closed list. */
export const ConnectionAnswer = z.object({
  socket: z.optional(SocketNumber),
  failure: z.optional(z.custom<ConnectFailure>((value) => typeof value === 'object')),
  error: z.optional(
    z.object({
      code: z.custom<ErrorCode>((code) => typeof code === 'string' && code in ERROR_KINDS),
      problem: z.string(),
      fix: z.optional(z.string()),
    }),
  ),
})
export type ConnectionAnswer = z.infer<typeof ConnectionAnswer>

/** The answer about a file: its text, or else the code of a system error such as ENOENT. */
export const FileAnswer = z.object({ text: z.optional(z.string()), code: z.optional(z.string()) })

const Labels = z.custom<Readonly<Record<string, string>>>(
  (value) =>
    typeof value === 'object' &&
    value !== null &&
    Object.values(value).every((text) => typeof text === 'string'),
)

/**
 * The answer about metrics: the samples of each group of pods that share tokens. A sample is the name of its metric, its labels
 * and its value. The agent adds namespace and service account.
 */
export const MetricsAnswer = listOf(
  z.object({
    /** The uid of one of the pods. */
    uid: z.string(),
    /** A digest of the settings that distinguish the group from others. */
    settings: z.string(),
    samples: listOf(z.tuple([z.string(), Labels, z.number()])),
  }),
)

/** The answer about keys: the keys of the tokens that are cached for each group of pods. */
export const KeysAnswer = listOf(z.object({ uids: listOf(z.string()), keys: TokenKeys }))

export type ServedPod = z.infer<typeof ServedPod>
export type AgentMessage = z.infer<typeof AgentMessage>
export type BrokerMessage = z.infer<typeof BrokerMessage>
export type Question = z.infer<typeof Question>
export type BrokerQuestion = z.infer<typeof BrokerQuestion>
export type PodMessage = z.infer<typeof PodMessage>
export type Answer = z.infer<typeof Answer>
export type TokenKey = z.infer<typeof TokenKey>
export type KeysAnswer = z.infer<typeof KeysAnswer>
export type MetricsAnswer = z.infer<typeof MetricsAnswer>

/** Returns the keys that a message can name, at most the last `MAX_KEYS`. */
export function selectKeys(keys: readonly TokenKey[]): TokenKey[] {
  return keys.filter((key) => TokenKey.safeParse(key).success).slice(-MAX_KEYS)
}

/** The maximum length of a line, in bytes of UTF-8. */
export const MAX_LINE_BYTES = 2 * 1024 * 1024
/** The maximum number of lists, objects and elements in a line. The smallest take twenty times the memory of their text. */
const MAX_VALUES = 256 * 1024

/** Returns true if the agent parses the line. A broker sends no other lines. */
export function isSmall(line: string): boolean {
  return (
    Buffer.byteLength(line) <= MAX_LINE_BYTES &&
    (line.length <= MAX_VALUES || line.split(/[,[{]/, MAX_VALUES + 1).length <= MAX_VALUES)
  )
}

/** Returns `NAMESPACE/NAME`. */
export function formatPod({ namespace, name }: Pick<ServedPod, 'namespace' | 'name'>): string {
  return `${namespace}/${name}`
}
