/** Names of ConfigMaps and Secrets, and of keys in them, as annotations and flags give them. */
import { createSchema, quote } from '../../sidecar/config/parsers.ts'
import { isDnsSubdomain } from '../../lib/kubernetes-names.ts'

/** A key of a ConfigMap or Secret in the pod's namespace. */
export interface ObjectKey {
  readonly name: string
  readonly key: string
}

const MAX_KEY_LENGTH = 253
const KEY = /^[-._a-zA-Z0-9]+$/

/** The name of a ConfigMap. */
export const configMapName = createSchema((text) => {
  if (!isDnsSubdomain(text)) throw new Error(`must be the name of a ConfigMap, not ${quote(text)}`)
  return text
})

/** Creates the schema of `NAME` or `NAME/KEY`. */
export function objectKey(kind: 'ConfigMap' | 'Secret', defaultKey: string) {
  return createSchema((text): ObjectKey => {
    const [name = '', key = defaultKey, ...rest] = text.split('/')
    if (!isDnsSubdomain(name) || rest.length > 0 || !isKey(key)) {
      throw new Error(`must be NAME or NAME/KEY of a ${kind}, not ${quote(text)}`)
    }
    return { name, key }
  })
}

function isKey(text: string): boolean {
  return text.length <= MAX_KEY_LENGTH && KEY.test(text) && text !== '.' && !text.startsWith('..')
}
