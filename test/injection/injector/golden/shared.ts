/** The parts that the pods of the golden files have in common. */
import type { Case } from '../effects.ts'
import { APP } from '../patched.ts'

export type Cases = Readonly<Record<string, Case>>
export type Variables = Readonly<Record<string, string | object>>

export const ENV = { 'wimds.io/mode': 'env' }
const NFT = { 'wimds.io/mode': 'nft' }
export const NODE = { 'wimds.io/mode': 'node' }
export const PASS_THROUGH = { ...NFT, 'wimds.io/pass-through': '/metadata/instance' }
export const AZWI = 'azure.workload.identity/'
export const PROXY = `${AZWI}inject-proxy-sidecar`
export const HTTP_PROXY = 'http://proxy:3128'
export const MIGRATE = { name: 'migrate' }
export const SECRET = { secretKeyRef: { name: 's', key: 'k' } }
export const CONFIG_MAP = { configMapKeyRef: { name: 's', key: 'k' } }
/** The field reference, as the API server stores it. */
export const UID = { fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.uid' } }
export const AMOUNTS = { cpu: '1', memory: '1Gi' }
export const TOKEN_FILE = 'AZURE_FEDERATED_TOKEN_FILE'
export const OTHER_CLIENT = '33333333-3333-4333-8333-33333333333A'

export const toEnv = (values: Variables) =>
  Object.entries(values).map(([name, value]) => ({
    name,
    ...(typeof value === 'string' ? { value } : { valueFrom: value }),
  }))
/** A spec with a container of these fields. */
export const app = (fields: object) => ({ containers: [{ ...APP, ...fields }] })
export const env = (values: Variables) => app({ env: toEnv(values) })
/** A spec with a container `app`, and a container with each of these fields, named after what it shows. */
export const all = (containers: Readonly<Record<string, object>>) => ({
  containers: [APP, ...Object.entries(containers).map(([name, fields]) => ({ name, ...fields }))],
})
export const allEnv = (containers: Readonly<Record<string, Variables>>) =>
  all(
    Object.fromEntries(
      Object.entries(containers).map(([name, values]) => [name, { env: toEnv(values) }]),
    ),
  )
/** A case for each of these values, with the value in its title. */
export const each = <T>(title: string, values: readonly T[], create: (value: T) => Case): Cases =>
  Object.fromEntries(
    values.map((value) => [
      `${title}: ${typeof value === 'string' ? value : JSON.stringify(value)}`,
      create(value),
    ]),
  )
