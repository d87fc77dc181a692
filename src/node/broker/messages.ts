/**
 * The messages between node agent and broker, over Node's IPC channel. The agent sends the listening socket of a pod as
 * the handle of `serve`.
 */
import * as z from 'zod/mini'

/** A pod that the agent has proved to own the network namespace of its socket. */
const ServedPod = z.object({
  uid: z.string(),
  namespace: z.string(),
  name: z.string(),
  /** As the Kubernetes API has it for this uid, never as a token claims. */
  serviceAccount: z.string(),
  /** The environment of the pod's gate. */
  env: z.record(z.string(), z.string()),
  /** A digest of the files in the volumes of the gate, such as tokens with an audience. */
  contents: z.optional(z.string()),
})

/** A message from the agent to the broker. */
export const AgentMessage = z.discriminatedUnion('type', [
  /** Serve this pod on the socket that comes with the message. A pod that is served already gets the new socket. */
  z.object({ type: z.literal('serve'), pod: ServedPod }),
  /** The sandbox of the pod has ended: close its socket and connections at once. */
  z.object({ type: z.literal('close'), uid: z.string() }),
  /** List this pod, which is not served, with the reason. It may be repeated, until the pod is served or closed. */
  z.object({
    type: z.literal('waiting'),
    pod: z.omit(ServedPod, { env: true, contents: true }),
    problem: z.string(),
  }),
  /** Answer, to show that the broker does not hang. */
  z.object({ type: z.literal('ping') }),
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
  /** It has started, and takes pods. */
  z.object({ type: z.literal('ready') }),
  z.object({ type: z.literal('pong') }),
  /** Read a file of the pod's gate, by its path in that container. */
  z.object({ type: z.literal('read'), id: z.number(), uid: z.string(), path: z.string() }),
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

export type ServedPod = z.infer<typeof ServedPod>
export type AgentMessage = z.infer<typeof AgentMessage>
/** A pod that the agent cannot route, and why. */
export type WaitingPod = Extract<AgentMessage, { type: 'waiting' }>
export type BrokerMessage = z.infer<typeof BrokerMessage>

/** Returns `NAMESPACE/NAME`. */
export function formatPod({ namespace, name }: Pick<ServedPod, 'namespace' | 'name'>): string {
  return `${namespace}/${name}`
}
