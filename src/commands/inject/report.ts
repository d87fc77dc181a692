/** Reports what `wimds inject` did to each object: as lines for people, or as a document for programs. */
import {
  formatPlace,
  type InjectedManifests,
  type ObjectReport,
} from '../../kubernetes/manifests/inject-manifests.ts'
import { VERSION } from '../../version.ts'

/** Returns a line for each object that is injected or left alone on purpose. */
export function formatObjects(objects: readonly ObjectReport[]): string[] {
  return objects
    .filter(({ outcome }) => outcome !== 'rejected' && outcome !== 'unsupported')
    .map((object) => `${formatPlace(object)}: ${formatOutcome(object)}`)
}

function formatOutcome({ outcome, reasons }: ObjectReport): string {
  return [outcome, ...reasons].join(': ')
}

/** Returns a warning for each object whose kind is not known to have a pod template. */
export function formatUnsupported(objects: readonly ObjectReport[]): string[] {
  return objects
    .filter(({ outcome }) => outcome === 'unsupported')
    .map((object) => `${formatPlace(object)}: warning: ${object.reasons.join(' ')}`)
}

/** Returns the document that `-o json` prints. */
export function formatDocument(
  { objects }: InjectedManifests,
  problems: readonly string[],
): string {
  const document = {
    schemaVersion: 1,
    version: VERSION,
    ok: problems.length === 0,
    objects,
    problems,
  }
  return `${JSON.stringify(document, null, 2)}\n`
}
