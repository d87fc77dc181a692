/** Does to a cluster what AKS does according to its public definitions. */
import { stringify } from 'yaml'
import { z } from 'zod'
import { IMAGES } from './environment.ts'
import { eventually } from './eventually.ts'
import { kubectl } from './run.ts'

const OPT_OUT = 'admissions.enforcer/disabled'
const Labels = z.record(z.string(), z.string()).default({})
const Configurations = z.object({
  items: z.array(
    z.looseObject({
      metadata: z.looseObject({ name: z.string(), labels: Labels, annotations: Labels }),
      webhooks: z.array(
        z.looseObject({
          namespaceSelector: z.looseObject({ matchExpressions: z.array(z.unknown()).default([]) }),
        }),
      ),
    }),
  ),
})

/** The requirements that the enforcer adds to each namespaceSelector. They exclude the namespaces of AKS. */
const EXCLUDED = [
  { key: 'kubernetes.azure.com/managedby', operator: 'NotIn', values: ['aks'] },
  { key: 'control-plane', operator: 'NotIn', values: ['true'] },
]

/**
 * Changes all configurations of webhooks once, as the admissions enforcer of AKS does all the time. Like the enforcer, it leaves
 * out a configuration whose label or annotation opts out, and retries after a conflict. Returns the names of the changed
 * configurations.
 */
export const enforceAdmissions = () => eventually('the enforcer is done', enforceOnce)

async function enforceOnce(): Promise<readonly string[]> {
  const found = await kubectl(['get', 'mutatingwebhookconfigurations', '--output=json'])
  const changed = Configurations.parse(JSON.parse(found)).items.filter(
    ({ metadata: { labels, annotations }, webhooks }) =>
      labels[OPT_OUT] !== 'true' &&
      annotations[OPT_OUT] !== 'true' &&
      !webhooks.every((webhook) => JSON.stringify(webhook).includes(JSON.stringify(EXCLUDED))),
  )
  for (const configuration of changed) {
    const webhooks = configuration.webhooks.map((webhook) => {
      const matchExpressions = [...webhook.namespaceSelector.matchExpressions, ...EXCLUDED]
      return { ...webhook, namespaceSelector: { ...webhook.namespaceSelector, matchExpressions } }
    })
    const flags = ['--field-manager=admissionsenforcer', '--filename=-']
    await kubectl(['replace', ...flags], stringify({ ...configuration, webhooks }))
  }
  return changed.map(({ metadata }) => metadata.name)
}

/** A registry that the policies allow, beside that of the images under test. */
export const REGISTRY = 'allowed.example'

const REPOSITORIES = [
  ...Object.values(IMAGES).map((image) => image.replace(/:[^:/]*$/, '')),
  ...['wimds', 'wimds-redirect', 'wimds-gate'].map((name) => `${REGISTRY}/${name}`),
]

/**
 * The rules of Deployment Safeguards for pods, by name, from the policy set c047ea8e-9c78-49b2-958b-37e56d291a44 of Azure Policy.
 * The read-only root is another definition of Azure Policy. `all` includes the init containers.
 */
const RULES = {
  probes: 'variables.pod.containers.all(c, has(c.readinessProbe) && has(c.livenessProbe))',
  limits:
    'variables.all.all(c, ["cpu", "memory"].all(kind, c.?resources.?limits[?kind].hasValue()))',
  latest: 'variables.all.all(c, c.image.matches("[^/]:[^/:]+$") && !c.image.endsWith(":latest"))',
  images: `variables.all.all(c, ${JSON.stringify(REPOSITORIES)}.exists(r, c.image == r || c.image.startsWith(r + ":")))`,
  spread:
    'object.kind == "Pod" || object.spec.?replicas.orValue(1) < 2 || has(variables.pod.topologySpreadConstraints)',
  labels:
    '!object.metadata.?labels.orValue({}).exists(name, name.startsWith("kubernetes.azure.com"))',
  root: 'variables.all.all(c, c.?securityContext.?readOnlyRootFilesystem.orValue(false))',
}

const nameOf = (rule: string) => `wimds-e2e-${rule}`
const API = 'admissionregistration.k8s.io/v1'
const forResources = (apiGroups: readonly string[], resources: readonly string[]) => ({
  apiGroups,
  apiVersions: ['v1'],
  operations: ['CREATE', 'UPDATE'],
  resources,
})

/**
 * Creates the policies. They apply to a namespace once `enforceSafeguards` labels it. In AKS, Gatekeeper judges only pods; here
 * workloads have to pass, too.
 */
export async function installSafeguards(): Promise<void> {
  const resourceRules = [
    forResources([''], ['pods']),
    forResources(['apps'], ['deployments', 'daemonsets', 'statefulsets']),
    forResources(['batch'], ['jobs']),
  ]
  const variables = [
    {
      name: 'pod',
      expression: 'object.kind == "Pod" ? object.spec : object.spec.template.spec',
    },
    {
      name: 'all',
      expression: 'variables.pod.containers + variables.pod.?initContainers.orValue([])',
    },
  ]
  const objects = Object.entries(RULES).flatMap(([rule, expression]) => {
    const metadata = { name: nameOf(rule) }
    const validations = [{ expression, message: `denied by the safeguard ${rule}` }]
    const constraints = { matchConstraints: { resourceRules }, variables, validations }
    const matchResources = { namespaceSelector: { matchLabels: { [nameOf(rule)]: 'enforced' } } }
    const policyName = nameOf(rule)
    return [
      { apiVersion: API, kind: 'ValidatingAdmissionPolicy', metadata, spec: constraints },
      {
        apiVersion: API,
        kind: 'ValidatingAdmissionPolicyBinding',
        metadata,
        spec: { policyName, validationActions: ['Deny'], matchResources },
      },
    ]
  })
  await kubectl(['create', '--filename=-'], objects.map((each) => stringify(each)).join('---\n'))
}

export const SAFEGUARDS = Object.keys(RULES)

/** Enforces the rules in a namespace. */
export async function enforceSafeguards(namespace: string, rules: readonly string[]) {
  const labels = rules.map((rule) => `${nameOf(rule)}=enforced`)
  await kubectl(['label', 'namespace', namespace, ...labels])
}

export async function uninstallSafeguards(): Promise<void> {
  const kinds = ['validatingadmissionpolicy', 'validatingadmissionpolicybinding']
  const names = SAFEGUARDS.flatMap((rule) => kinds.map((kind) => `${kind}/${nameOf(rule)}`))
  await kubectl(['delete', '--ignore-not-found', ...names])
}
