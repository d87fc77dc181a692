/** Removes the sidecar from the workloads of manifests. */
import { uninject } from '../../../cluster/injector/earlier-injection.ts'
import { type EditedManifests, editManifests, type ManifestFile } from './edit-manifests.ts'
import type { TemplatePath } from './workloads.ts'

/** Removes what injection added to the workloads of the files. Pure; reports all problems together. */
export function uninjectManifests(
  files: readonly ManifestFile[],
  templatePaths: readonly TemplatePath[] = [],
): EditedManifests {
  const edited = editManifests(files, {
    outcome: 'uninjected',
    skipped: 'not injected',
    templatePaths,
    isOptedOut: () => false,
    editPod: ({ template }) => {
      const removal = uninject(template)
      return removal.kind === 'uninjected' ? { ...removal, kind: 'edited' } : removal
    },
  })
  return { ...edited, files: edited.files.map(keepEndOfFile) }
}

/** Removes the line break before the removed lines at the end of a file whose last line had none. */
function keepEndOfFile(file: EditedManifests['files'][number]): EditedManifests['files'][number] {
  return file.source.endsWith('\n') ? file : { ...file, result: file.result.replace(/\r?\n$/, '') }
}
