/** Edits the pod template of a workload, and says what was edited. */
import { inject } from '../../../cluster/injector/inject.ts'
import { createDefaultSettings } from '../../../cluster/injector/settings.ts'
import type { Container, Pod } from '../../../cluster/injector/pod.ts'
import { VERSION } from '../../../lib/version.ts'
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
  ...createDefaultSettings(VERSION),
  clientId: '00000000-0000-0000-0000-000000000000',
  tenantId: '00000000-0000-0000-0000-000000000000',
}

/** Returns the edited workload, and the change with the reasons for which injection would reject the result. */
export function editWorkload(
  workload: WorkloadObject,
  edits: WorkloadEdits,
  notes: readonly string[],
): { readonly workload: WorkloadObject; readonly change: Change } {
  const { template, templatePath, selector } = workload
  const { removeLabel, addAnnotations, serviceAccountName } = edits
  const labels = template.metadata?.labels ?? {}
  const annotations = template.metadata?.annotations ?? {}
  const isSelected = removeLabel !== undefined && selector[removeLabel] !== undefined
  const removedLabels = removeLabel !== undefined && !isSelected ? [removeLabel] : []
  const removedAnnotations = edits.removeAnnotations ?? []
  const at = (path: string) => (templatePath === '' ? path : `${templatePath}.${path}`)
  const isRemoved = ({ name }: Container) => edits.removeContainers?.includes(name) === true
  const edited: Pod = {
    ...template,
    metadata: {
      ...template.metadata,
      labels: omit(labels, removedLabels),
      annotations: { ...omit(annotations, removedAnnotations), ...addAnnotations },
    },
    spec: {
      ...template.spec,
      containers: template.spec.containers.filter((each) => !isRemoved(each)),
      initContainers: template.spec.initContainers?.filter((each) => !isRemoved(each)),
      ...(serviceAccountName !== undefined && { serviceAccountName, serviceAccount: undefined }),
    },
  }
  const injection = inject({ pod: edited, serviceAccount: {}, settings: SETTINGS })
  const rejections = injection.kind === 'rejected' ? injection.reasons : []
  const change = createChange(formatObject(workload.kind, workload), {
    remove: [
      ...formatTexts(at('metadata.labels'), pick(labels, removedLabels)),
      // The label on the workload itself has no effect.
      ...(templatePath === '' || isSelected
        ? []
        : formatTexts('metadata.labels', pick(workload.labels, removedLabels))),
      ...formatTexts(at('metadata.annotations'), pick(annotations, removedAnnotations)),
      ...formatContainers(
        at('spec.initContainers'),
        template.spec.initContainers?.filter(isRemoved),
      ),
      ...formatContainers(at('spec.containers'), template.spec.containers.filter(isRemoved)),
      ...(serviceAccountName === undefined
        ? []
        : formatAccount(
            at('spec'),
            template.spec.serviceAccountName ?? template.spec.serviceAccount,
          )),
    ],
    add: [
      ...formatTexts(at('metadata.annotations'), addAnnotations),
      ...formatAccount(at('spec'), serviceAccountName),
    ],
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
  return { workload: { ...workload, template: edited }, change }
}

/** Formats `metadata.annotations: wimds.io/inject: "true"` for each. */
export function formatTexts(path: string, texts: Texts): string[] {
  return Object.entries(texts).map(([key, value]) => `${path}: ${key}: ${JSON.stringify(value)}`)
}

function formatContainers(path: string, containers: readonly Container[] = []): string[] {
  return containers.map(({ name }) => `${path}: the container ${name}`)
}

function formatAccount(path: string, name: string | null | undefined): string[] {
  return name == null ? [] : [`${path}.serviceAccountName: ${name}`]
}

function omit(texts: Texts, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(Object.entries(texts).filter(([name]) => !names.includes(name)))
}

function pick(texts: Texts, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(Object.entries(texts).filter(([name]) => names.includes(name)))
}
