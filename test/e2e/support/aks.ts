/** What AKS does to a cluster, as far as its public definitions say. */
import { stringify } from 'yaml'
import { z } from 'zod'
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

/** What the enforcer adds to each namespaceSelector: it excludes the namespaces of AKS. */
const EXCLUDED = [
  { key: 'kubernetes.azure.com/managedby', operator: 'NotIn', values: ['aks'] },
  { key: 'control-plane', operator: 'NotIn', values: ['true'] },
]

/**
 * Does once what the admissions enforcer of AKS does all the time. Like that one, it heeds the label or annotation by which
 * a configuration opts out. Returns the names of the configurations that it has changed.
 */
export async function enforceAdmissions(): Promise<readonly string[]> {
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
