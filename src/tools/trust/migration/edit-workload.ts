/** Edits the pod template of a workload, and says what was edited. */
import { inject } from '../../../cluster/injector/inject.ts'
import { INJECTION_DEFAULTS } from '../../../cluster/injector/settings.ts'
import type { Container, Pod } from '../../../cluster/injector/pod.ts'
import { formatObject, type WorkloadObject } from '../cluster-objects.ts'
import { type Change, createChange } from './change.ts'

export interface WorkloadEdits {
  /** A label in the workload's selector stays: the selector cannot be changed. */
  readonly removeLabel?: string
  readonly removeAnnotations?: readonly string[]
  readonly removeContainers?: readonly string[]
  readonly addAnnotations: Readonly<Record<string, string>>
  /** Undefined leaves it as it is. */
  readonly serviceAccountName?: string
}

type Texts = Readonly<Record<string, string>>

/** With placeholders for the identity, which is checked for itself. */
const SETTINGS = {
  ...INJECTION_DEFAULTS,
  clientId: '00000000-0000-0000-0000-000000000000',
  tenantId: '00000000-0000-0000-0000-000000000000',
}

/** Returns the edited workload, and the change with the reasons for which injection would reject the result. */
export function editWorkload(
  workload: WorkloadObject,
  edits: WorkloadEdits,
  notes: readonly string[],
): { readonly workload: WorkloadObject; readonly change: Change } {
  const { template, selector } = workload
  const { removeLabel = '', removeAnnotations = [], removeContainers = [] } = edits
  const { addAnnotations, serviceAccountName } = edits
  const isSelected = selector[removeLabel] !== undefined
  const removeLabels = isSelected ? [] : [removeLabel]
  const annotations = omit(template.metadata?.annotations, removeAnnotations)
  const isKept = ({ name }: Container) => !removeContainers.includes(name)
  const pod: Pod = {
    ...template,
    metadata: {
      ...template.metadata,
      labels: omit(template.metadata?.labels, removeLabels),
      annotations: { ...annotations, ...addAnnotations },
    },
    spec: {
      ...template.spec,
      containers: template.spec.containers.filter(isKept),
      initContainers: template.spec.initContainers?.filter(isKept),
      ...(serviceAccountName !== undefined && { serviceAccountName, serviceAccount: undefined }),
    },
  }
  const edited = { ...workload, labels: omit(workload.labels, removeLabels), template: pod }
  const [before, after] = [listParts(workload), listParts(edited)]
  const injection = inject({ pod, serviceAccount: {}, settings: SETTINGS })
  const rejections = injection.kind === 'rejected' ? injection.reasons : []
  const change = createChange(formatObject(workload.kind, workload), {
    remove: before.filter((part) => !after.includes(part)),
    add: after.filter((part) => !before.includes(part)),
    notes: [
      ...(isSelected
        ? [
            `the label ${removeLabel} is in spec.selector, which cannot be changed: it stays until the workload is created again, and has no effect without an AzureIdentityBinding`,
          ]
        : []),
      ...notes,
      ...rejections.map((reason) => `injection would be rejected: ${reason}`),
    ],
  })
  return { workload: edited, change }
}

/** Lists what an edit may change, each with its path. */
function listParts({ template, templatePath, labels }: WorkloadObject): string[] {
  const { metadata, spec } = template
  const at = (path: string) => (templatePath === '' ? path : `${templatePath}.${path}`)
  const account = spec.serviceAccountName ?? spec.serviceAccount
  return [
    ...formatTexts(at('metadata.labels'), metadata?.labels),
    // The label on the workload itself has no effect.
    ...(templatePath === '' ? [] : formatTexts('metadata.labels', labels)),
    ...formatTexts(at('metadata.annotations'), metadata?.annotations),
    ...(['initContainers', 'containers'] as const).flatMap((list) =>
      (spec[list] ?? []).map(({ name }) => `${at('spec')}.${list}: the container ${name}`),
    ),
    ...(account == null ? [] : [`${at('spec')}.serviceAccountName: ${account}`]),
  ]
}

/** Formats `metadata.annotations: wimds.io/inject: "true"` for each. */
export function formatTexts(path: string, texts: Texts | null = {}): string[] {
  return Object.entries(texts ?? {}).map(
    ([key, value]) => `${path}: ${key}: ${JSON.stringify(value)}`,
  )
}

function omit(texts: Texts | null | undefined, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(Object.entries(texts ?? {}).filter(([name]) => !names.includes(name)))
}
