/** Objects and plans for tests of wimds trust. */
import { expect } from 'vitest'
import { stringify } from 'yaml'
import { type Finding, Report } from '../../../src/tools/trust/finding.ts'
import type { ExistingCredential, KnownIdentity } from '../../../src/tools/trust/inventory.ts'
import { readClusterObjects } from '../../../src/tools/trust/cluster-objects.ts'
import type { TrustOptions } from '../../../src/tools/trust/needs.ts'
import {
  createTrustPlan,
  type Inventory,
  type Plan,
  type PlannedCredential,
  type PlannedIdentity,
} from '../../../src/tools/trust/plan.ts'

export const ISSUER = 'https://oidc.example/cluster/'
export const AUDIENCE = 'api://AzureADTokenExchange'
export const ORDERS = '11111111-1111-4111-8111-111111111111'
export const BILLING = '44444444-4444-4444-8444-444444444444'
export const TENANT = '22222222-2222-4222-8222-222222222222'
const SUBSCRIPTION = '55555555-5555-4555-8555-555555555555'
export const ORDERS_ID = { subscription: SUBSCRIPTION, resourceGroup: 'shop', name: 'orders' }

const OPTIONS: TrustOptions = {
  issuer: ISSUER,
  audience: AUDIENCE,
  clientId: undefined,
  allowed: new Map(),
}

type Texts = Readonly<Record<string, string>>

export function serviceAccount(name: string, clientId: string | undefined, namespace = 'shop') {
  const annotations =
    clientId === undefined ? {} : { 'azure.workload.identity/client-id': clientId }
  return { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace, annotations } }
}

/** A Deployment whose pods use the ServiceAccount; `template` is merged into its pod template. */
export function deployment(
  name: string,
  account: string | undefined,
  { annotations = {}, labels = {}, spec = {} }: TemplateOptions = {},
) {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: 'shop' },
    spec: {
      template: {
        metadata: { annotations, labels },
        spec: {
          ...(account !== undefined && { serviceAccountName: account }),
          containers: [{ name: 'app' }],
          ...spec,
        },
      },
    },
  }
}

/** The fields of a pod that mounts a projected token of the audience at the path, as `token`. */
export const projectedToken = (
  mountPath: string,
  audience: string,
  env: readonly object[] = [],
) => ({
  containers: [{ name: 'app', env, volumeMounts: [{ name: 'x', mountPath }] }],
  volumes: [
    { name: 'x', projected: { sources: [{ serviceAccountToken: { path: 'token', audience } }] } },
  ],
})

interface TemplateOptions {
  readonly annotations?: Texts
  readonly labels?: Texts
  readonly spec?: Readonly<Record<string, unknown>>
}

export const INJECT = { 'wimds.io/inject': 'true' }
export const OPTED_OUT = { annotations: { 'wimds.io/inject': 'false' } }

/** A ConfigMap with an identities file of these entries. */
export const identitiesFile = (entries: string) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'identities', namespace: 'shop' },
  data: { 'identities.yaml': `identities: ${entries}` },
})

/** A credential in Azure for the subject. */
export const existingFor = (
  subject: string,
  overrides: Partial<ExistingCredential> = {},
): ExistingCredential => ({
  name: subject.replaceAll(':', '-'),
  issuer: ISSUER,
  subject,
  audiences: [AUDIENCE],
  ...overrides,
})

/** Matches an error about the object whose message has the text. */
export const error = (object: unknown, text: string) => finding('error', object, text)
export const warning = (object: string, text: string) => finding('warning', object, text)

const finding = (severity: Finding['severity'], object: unknown, text: string) => ({
  severity,
  object,
  problem: expect.stringContaining(text) as unknown,
})

/** Reads the objects from one file that holds them all. */
async function read(objects: readonly unknown[]) {
  const source = objects.map((each) => stringify(each)).join('---\n')
  const report = new Report()
  const files = [{ name: 'cluster.yaml', source }]
  const found = await readClusterObjects(files, { namespace: undefined }, report)
  return { objects: found, findings: report.findings, report }
}

/** Plans the objects; the findings of reading them come first. */
export async function plan(
  objects: readonly unknown[],
  options: Partial<TrustOptions> = {},
  inventory: Partial<Inventory> = {},
): Promise<Plan & { readonly findings: readonly Finding[] }> {
  const { objects: parsed, findings, report } = await read(objects)
  const full = { known: [], existing: new Map(), ...inventory }
  return { ...createTrustPlan(parsed, full, { ...OPTIONS, ...options }, report), findings }
}

export function credential(overrides: Partial<PlannedCredential> = {}): PlannedCredential {
  return {
    name: 'wimds-shop-orders-0a1b2c3d',
    issuer: ISSUER,
    subject: 'system:serviceaccount:shop:orders',
    audience: AUDIENCE,
    state: 'unknown',
    sources: ['Deployment shop/orders'],
    ...overrides,
  }
}

export function identity(
  overrides: Partial<PlannedIdentity> = {},
  kind: KnownIdentity['kind'] = 'managed-identity',
): PlannedIdentity {
  return {
    clientId: ORDERS,
    kind,
    credentials: [credential()],
    extra: [],
    count: 1,
    isCompared: false,
    isOverLimit: false,
    ...overrides,
  }
}

export function planWith(...identities: PlannedIdentity[]): Plan {
  return { issuer: ISSUER, identities }
}
