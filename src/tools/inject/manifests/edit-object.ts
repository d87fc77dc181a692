/** Edits the pod templates of one object, and reports what was done to it. */
import { inject } from '../../../injection/injector/inject.ts'
import { uninject } from '../../../injection/injector/uninject.ts'
import type { InjectionSettings } from '../../../injection/injector/injection-settings.ts'
import {
  findMisspelt,
  type ServiceAccountAnnotations,
} from '../../../kubernetes/service-account.ts'
import { formatProblem } from '../../../lib/errors.ts'
import type { ParsedDocument } from './documents.ts'
import { type DocumentEditor, UneditableError } from './edit-document.ts'
import type { FindIdentity, PlacedObject } from './service-accounts.ts'
import {
  formatPathFlags,
  getApiGroup,
  getName,
  type LocatedObject,
  readAccountName,
  readWorkloads,
  type TemplatePath,
  type Workload,
} from './workloads.ts'

export interface InjectionOptions {
  readonly settings: InjectionSettings
  /** Overrides the annotations of ServiceAccounts. */
  readonly identity?: ServiceAccountAnnotations
  /** The namespace of objects that name none. */
  readonly namespace: string | undefined
  /** True if the mode of the settings must not differ from the mode of an earlier injection. */
  readonly requiresMode?: boolean
  /** True if a workload that cannot be injected stays unchanged, with a warning. */
  readonly keepsRejected?: boolean
}

/** The change to all objects of the input. */
export interface Operation {
  /** Undefined: the sidecar is removed. */
  readonly injection: InjectionOptions | undefined
  /** The paths of the pod templates in further kinds. */
  readonly templatePaths: readonly TemplatePath[]
  readonly findIdentity: FindIdentity
}

/** The change that was made to one object of the input. */
export interface ObjectReport {
  readonly file: string
  /** The line on which the object begins. */
  readonly line: number
  readonly kind: string
  readonly name: string
  /** True if the object has, seems to have or should have a pod template. */
  readonly isWorkload: boolean
  readonly outcome:
    | 'injected'
    | 'uninjected'
    /** The object already has the result of the operation. */
    | 'unchanged'
    | 'skipped'
    /** The object has a pod template, but wimds cannot inject this kind or does not know it. */
    | 'unsupported'
    | 'rejected'
  /** The reasons why the object is not changed. */
  readonly reasons: readonly string[]
  readonly warnings: readonly string[]
}

/** One document of a file. */
export interface SourceDocument extends ParsedDocument {
  readonly file: string
  readonly located: readonly PlacedObject[]
}

/**
 * Edits the object, or leaves it as it is if one of its templates cannot be edited. Returns the report, the edits of the
 * text, and the pod templates that they change.
 */
export function editObject(
  located: PlacedObject,
  findLine: SourceDocument['findLine'],
  editor: DocumentEditor,
  operation: Operation,
) {
  const { object, metadata, file, line } = located
  const { kind } = object
  const { injection, templatePaths } = operation
  const workloads = readWorkloads(located, templatePaths)
  const pathFlags = workloads?.length ? [] : formatPathFlags(object)
  const about = {
    file,
    line,
    kind,
    name: getName(located),
    isWorkload: Boolean(workloads?.length) || pathFlags.length > 0,
  }
  const warnings = injection ? findWarnings(located, workloads) : []
  const leave = (outcome: ObjectReport['outcome'], ...reasons: string[]) => ({
    report: { ...about, outcome, reasons, warnings },
    edits: [],
    changes: [],
  })
  if (injection && metadata.annotations['wimds.io/inject'] === 'false') {
    return leave('skipped', 'opted out')
  }
  if (injection && about.isWorkload && getApiGroup(object) === 'serving.knative.dev') {
    return leave('unsupported', KNATIVE)
  }
  if (!workloads?.length) {
    const problem = workloads ? 'no pod template at the given path' : `unsupported kind ${kind}`
    if (pathFlags.length > 0) return leave('unsupported', `${problem}. Fix: ${pathFlags.join(' ')}`)
    return leave('skipped', workloads ? 'no pod template' : `kind ${kind}`)
  }
  const edited = workloads.map((workload) => ({
    ...workload,
    ...editTemplate(workload, located, operation),
  }))
  const reasons = edited.flatMap((each) => (each.kind === 'rejected' ? each.reasons : []))
  if (reasons.length > 0) return leave('rejected', ...reasons)
  const changes = edited.flatMap((each) => ('pod' in each ? [each] : []))
  const [first] = changes
  if (first === undefined) return leave('skipped', injection ? 'opted out' : 'not injected')
  try {
    const edits = changes.flatMap((each) => editor.findEdits(each.path, each.template, each.pod))
    const report = {
      ...about,
      outcome: edits.length === 0 ? ('unchanged' as const) : first.kind,
      reasons: [],
      warnings: [...warnings, ...changes.flatMap((each) => each.warnings)],
    }
    return { report, edits, changes }
  } catch (cause) {
    if (!(cause instanceof UneditableError)) throw cause
    // Names the line of the change. The report has only the line of the object.
    const problem = `${cause.message} in line ${findLine(cause.node)}`
    return leave('rejected', `it cannot be edited safely: ${problem}. Fix: ${WRITE_OUT}`)
  }
}

/** Knative's API allows neither `restartPolicy` nor `lifecycle` in a container. */
const KNATIVE =
  'Knative allows no sidecar that starts first. Fix: set the annotation wimds.io/inject: "true" of spec.template, so that the webhook injects the pods'

const WRITE_OUT = "write the value out wherever it is used, or pass the output of yq 'explode(.)'"

/**
 * Warns of misspelt annotations of a ServiceAccount. Also warns of annotations of wimds on the workload itself, because the
 * webhook sees only the annotations of the pod.
 */
function findWarnings(
  { object, metadata }: LocatedObject,
  [first]: readonly Workload[] = [],
): string[] {
  if (object.kind === 'ServiceAccount') {
    return findMisspelt(metadata.annotations).map(formatProblem)
  }
  // The pod template of a Pod is the object itself.
  if (!first?.templatePath) return []
  return Object.keys(metadata.annotations)
    .filter((name) => name.startsWith('wimds.io/'))
    .map((name) => {
      const effect =
        name === 'wimds.io/inject'
          ? 'is honored by wimds inject if it is "false", but the webhook ignores it'
          : 'has no effect'
      return `the annotation ${name} of the workload itself ${effect}. Fix: move it to ${first.templatePath}.metadata.annotations`
    })
}

function editTemplate(
  { template, templatePath }: Workload,
  located: PlacedObject,
  { injection, findIdentity }: Operation,
) {
  if (typeof template !== 'object' || template === null || Array.isArray(template)) {
    const [problem, hint] =
      template == null
        ? ['is missing', '; for a patch of kustomize, pass the output of kubectl kustomize']
        : ['must be an object', '']
    const reason = `${templatePath} ${problem}. Fix: write the pod template there, with metadata and spec${hint}`
    return { kind: 'rejected', reasons: [reason] } as const
  }
  if (injection === undefined) return uninject(template)
  const { settings, requiresMode = false } = injection
  const { annotations, problem } = findIdentity(located, readAccountName(template))
  const edited = inject({ pod: template, serviceAccount: annotations, settings, requiresMode })
  if (problem === undefined || edited.kind === 'skipped') return edited
  const reasons = edited.kind === 'rejected' ? edited.reasons : []
  return { kind: 'rejected', reasons: [problem, ...reasons] } as const
}
