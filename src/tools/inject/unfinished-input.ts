/** Notes on manifests that something else has to finish before `wimds inject`: kustomize, or a substitution. */
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { isPlaceholder } from '../../cluster/injector/injection-flags.ts'
import { allContainers, type Pod } from '../../cluster/injector/pod.ts'
import type { ObjectReport } from './manifests/edit-manifests.ts'
import { firstItems } from '../../lib/printable.ts'
import { quoteForShell } from '../../lib/shell.ts'
import { STDIN } from '../manifest-files.ts'

const KUSTOMIZATIONS = ['kustomization.yaml', 'kustomization.yml', 'Kustomization']

/** Returns a note if the directory of a workload's file has a kustomization, which is not applied. */
export function findKustomizations(objects: readonly ObjectReport[]): string[] {
  const files = objects.filter(({ isWorkload }) => isWorkload).map(({ file }) => file)
  const folders = [...new Set(files.filter((file) => file !== STDIN).map((file) => dirname(file)))]
  const found = folders.filter((folder) =>
    KUSTOMIZATIONS.some((name) => existsSync(join(folder, name))),
  )
  const [first] = found
  if (first === undefined) return []
  const named = firstItems(found).join(', ')
  return [
    `note: a kustomization, which is not applied, is next to the manifests of ${named}. Fix: if they need it, kubectl kustomize ${quoteForShell(first)} | wimds inject -`,
  ]
}

/** Returns a warning for the images and ServiceAccounts that are placeholders. */
export function findPlaceholders(pods: readonly Pod[]): string[] {
  const values = pods.flatMap((pod) => [
    pod.spec.serviceAccountName,
    ...allContainers(pod).map((container) => container['image']),
  ])
  const found = [...new Set(values)].filter(
    (value): value is string => typeof value === 'string' && isPlaceholder(value),
  )
  if (found.length === 0) return []
  const named = firstItems(found).join(', ')
  return [
    `warning: ${named} ${found.length === 1 ? 'is a placeholder' : 'are placeholders'}. Fix: fill in the values first, such as by envsubst or kubectl kustomize, and inject the result`,
  ]
}

/** Returns a warning for containers without an image, which only a patch of kustomize has. */
export function findPatches(pods: readonly Pod[]): string[] {
  const found = pods.flatMap(allContainers).filter((container) => container['image'] == null)
  if (found.length === 0) return []
  const names = [...new Set(found.map(({ name }) => name))]
  return [
    `warning: no image of ${names.length === 1 ? 'the container' : 'the containers'} ${firstItems(names).join(', ')}, as in a patch of kustomize. Fix: inject the result: kubectl kustomize DIRECTORY | wimds inject -`,
  ]
}
