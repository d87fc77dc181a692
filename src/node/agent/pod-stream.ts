/** Reads the pods and events that the API server sends, one after the other. */
import * as z from 'zod/mini'
import { parseJsonObject } from '../../lib/json.ts'
import { GATE } from '../../kubernetes/pod.ts'
import { MAX_POD_BYTES } from './pod-size.ts'
import type { PodName } from './routed-pod.ts'

/** A pod, an event of a pod, a bookmark, or the metadata of a list. */
export interface Item {
  /** The type of an event. */
  readonly type?: string | undefined
  /** The code of an event of the type ERROR. */
  readonly code?: number | undefined
  /** The uid of the pod; undefined for a bookmark and for the metadata of a list. */
  readonly uid?: string | undefined
  readonly version?: string | undefined
  /** The parsed object; undefined for a pod that has no gate or is too large. */
  readonly object?: unknown
  /** The name of a pod that is too large. */
  readonly tooLarge?: PodName | false
}

const [OPEN = 0, CLOSE = 0, QUOTE = 0, BACKSLASH = 0, SPACE = 0] = Buffer.from('{}"\\ ')

const NOT_JSON = 'the API server did not send JSON'

/** The name, namespace and uid of a pod are in its first 700 bytes. */
const HEAD_BYTES = 1024

/**
 * Parses the JSON objects at this depth: 0 for the events of a watch, 1 for the pods of a list. Passes on each before it reads the
 * next one, since the pods of a node can have hundreds of megabytes together. Of an object above MAX_POD_BYTES it keeps the first
 * bytes only. Throws an error if the stream is not JSON objects, or ends within one.
 */
export async function* readItems(
  body: AsyncIterable<Uint8Array>,
  depth: number,
): AsyncGenerator<Item> {
  let level = 0
  let isString = false
  let isEscaped = false
  let parts: Uint8Array[] = []
  let size = 0
  const add = (part: Uint8Array) => {
    size += part.length
    if (size <= MAX_POD_BYTES) parts.push(part)
    else parts = [Buffer.concat(parts, HEAD_BYTES)]
  }
  const end = () => {
    const item = parseItem(Buffer.concat(parts), size > MAX_POD_BYTES)
    parts = []
    size = 0
    return item
  }
  for await (const chunk of body) {
    let start = 0
    for (let at = 0; at < chunk.length; at += 1) {
      const byte = chunk[at] ?? 0
      if (level === 0 && byte !== OPEN && byte > SPACE) throw new Error(NOT_JSON)
      if (isEscaped) isEscaped = false
      else if (byte === QUOTE) isString = !isString
      else if (isString) isEscaped = byte === BACKSLASH
      else if (byte === OPEN) {
        if (level === depth) start = at
        level += 1
      } else if (byte === CLOSE) {
        level -= 1
        if (level !== depth) continue
        add(chunk.subarray(start, at + 1))
        yield end()
      }
    }
    if (level > depth) add(chunk.subarray(start))
  }
  if (level > 0) throw new Error('the answer of the API server is incomplete')
}

const HEAD =
  /^\{(?:"type":"(?<type>[A-Z]+)","object":\{)?(?:"kind":"Pod",)?(?:"apiVersion":"v1",)?"metadata":\{"name":"(?<name>[^"]+)",(?:"generateName":"[^"]+",)?"namespace":"(?<namespace>[^"]+)","uid":"(?<uid>[^"]+)","resourceVersion":"(?<version>[^"]+)"/

/** The name of a gate as JSON. */
const GATE_NAME = Buffer.from(JSON.stringify(GATE))

const Received = z.looseObject({
  type: z.optional(z.string()),
  /** A pod. In an event of the type ERROR: a Status with a code. */
  object: z.optional(z.looseObject({ code: z.optional(z.number()) })),
})
/** The metadata of a pod. A bookmark and a list have no uid. */
const Metadata = z.object({ uid: z.optional(z.string()), resourceVersion: z.optional(z.string()) })

/**
 * Parses an object. Of a pod that is too large or has no gate it parses the head only: the pod of one tenant must not delay the
 * pods of others. An API server writes the fields of a pod in the order of HEAD.
 */
function parseItem(bytes: Buffer, isTooLarge: boolean): Item {
  const hasGate = !isTooLarge && bytes.includes(GATE_NAME)
  const head = hasGate ? undefined : HEAD.exec(bytes.toString('utf8', 0, HEAD_BYTES))?.groups
  if (head !== undefined) {
    const { type, uid = '', namespace = '', name = '', version } = head
    return { type, uid, version, tooLarge: isTooLarge && { uid, namespace, name } }
  }
  if (isTooLarge) throw new Error('an object from the API server is too large, but is no pod')
  const { data } = Received.safeParse(parseJsonObject(bytes.toString()))
  if (data === undefined) throw new Error(NOT_JSON)
  const object = data.object ?? data
  const { uid, resourceVersion } = Metadata.safeParse(object['metadata'] ?? object).data ?? {}
  return { type: data.type, code: data.object?.code, uid, version: resourceVersion, object }
}
