/** Names of ConfigMaps and Secrets, and of keys in them, as annotations and flags give them. */
import { isDnsSubdomain } from '../../lib/kubernetes-names.ts'

/** A key of a ConfigMap or Secret in the pod's namespace. */
export interface ObjectKey {
  readonly name: string
  readonly key: string
}

const MAX_KEY_LENGTH = 253
const KEY = /^[-._a-zA-Z0-9]+$/

/** Returns the text if Kubernetes allows it as the name of a ConfigMap or Secret. */
export function parseObjectName(text: string): string | undefined {
  return isDnsSubdomain(text) ? text : undefined
}

/** Parses `NAME` or `NAME/KEY`; undefined if Kubernetes allows no object or key of that name. */
export function parseObjectKey(text: string, defaultKey: string): ObjectKey | undefined {
  const [first = '', key = defaultKey, ...rest] = text.split('/')
  const name = parseObjectName(first)
  if (name === undefined || rest.length > 0 || !isKey(key)) return undefined
  return { name, key }
}

function isKey(text: string): boolean {
  return text.length <= MAX_KEY_LENGTH && KEY.test(text) && text !== '.' && !text.startsWith('..')
}
