/** Reads the manifests that a command is given. */
import { isUtf8 } from 'node:buffer'
import { readdir, readFile, realpath, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import type { FlagDeclarations, Flags } from '../lib/args.ts'
import type { CommandIo } from '../lib/command.ts'
import { describeFileError } from '../lib/describe-error.ts'
import { formatProblem } from '../lib/errors.ts'
import type { TemplatePath } from './inject/manifests/workloads.ts'

export const MANIFEST_FLAGS = {
  path: {
    value: 'KIND=PATH',
    isRepeatable: true,
    help: 'path of the pod template in another kind, such as RayCluster.ray.io=spec.workerGroupSpecs.*.template; Rollouts of Argo are known',
  },
} as const satisfies FlagDeclarations

export const NAMESPACE = {
  short: 'n',
  value: 'NAME',
  help: 'namespace of objects without a namespace',
} as const

export type ManifestArguments = ReturnType<typeof parseManifestArguments>

/** Parses the flags and arguments. Adds a problem for each malformed `--path`, and if no file is named. */
export function parseManifestArguments(
  { positionals, values }: Pick<Flags<keyof typeof MANIFEST_FLAGS>, 'positionals' | 'values'>,
  problems: string[],
) {
  /** The names of files and directories. */
  const names = positionals
  if (names.length === 0) {
    problems.push('give the path of a manifest or a directory, or - for standard input')
  }
  /** The paths of the pod templates in further kinds. */
  const templatePaths = values('path').flatMap((text): TemplatePath[] => {
    const [, kind, group, path] = TEMPLATE_PATH.exec(text) ?? []
    if (kind !== undefined && path !== undefined) return [{ kind, group, keys: path.split('.') }]
    problems.push(
      `--path must be KIND=PATH or KIND.GROUP=PATH, such as Rollout=spec.template, not ${JSON.stringify(text)}`,
    )
    return []
  })
  return { names, templatePaths }
}

const TEMPLATE_PATH = /^([A-Z]\w*)(?:\.([a-z0-9.-]+))?=((?:[\w-]+|\*)(?:\.(?:[\w-]+|\*))*)$/

export interface ManifestFile {
  readonly name: string
  readonly source: string
}

/**
 * Reads files, and all files in and below a directory; `-` is standard input. Returns a problem for each file that cannot be
 * read or is not UTF-8.
 */
export async function readManifests(names: readonly string[], io: Pick<CommandIo, 'stdin'>) {
  const files: ManifestFile[] = []
  const problems: string[] = []
  const found = await Promise.all(names.map((name) => findManifests(name, problems)))
  for (const given of found.flat()) {
    const name = given === '-' ? 'stdin' : given
    try {
      const bytes =
        given === '-' ? await buffer(io.stdin ?? Readable.from([])) : await readFile(given)
      // UTF-16 of ASCII text is valid UTF-8 with NULs.
      if (isUtf8(bytes) && !bytes.includes(0)) {
        files.push({ name, source: bytes.toString('utf8') })
      } else problems.push(formatProblem({ setting: name, ...NOT_UTF8 }))
    } catch (error) {
      problems.push(formatProblem(describeFileError(name, error)))
    }
  }
  return { files, problems }
}

const NOT_UTF8 = {
  problem: 'it is not UTF-8; > of Windows PowerShell, for example, writes UTF-16',
  fix: 'save it as UTF-8',
}

const MANIFEST = /\.(?:ya?ml|json)$/i

/** Returns the paths of the manifests in a directory, sorted. Returns the name itself if it is no directory. */
async function findManifests(name: string, problems: string[]): Promise<string[]> {
  // The reader of a file reports that it does not exist.
  const isFolder = name !== '-' && (await stat(name).catch(() => undefined))?.isDirectory()
  if (!isFolder) return [name]
  try {
    const paths = (await listFolder(name)).filter((path) => MANIFEST.test(path)).toSorted()
    if (paths.length === 0) problems.push(formatProblem({ setting: name, ...NO_MANIFEST }))
    return paths
  } catch (error) {
    problems.push(formatProblem(describeFileError(name, error)))
    return []
  }
}

const NO_MANIFEST = {
  problem: 'no file in this directory ends with .yaml, .yml or .json',
  fix: 'name the directory that has these files',
}

/** Returns the files in and below a folder. Follows links. `above` has the real paths of the folders above. */
async function listFolder(folder: string, above: readonly string[] = []): Promise<string[]> {
  const real = await realpath(folder)
  // A link to one of the folders above would never end.
  if (above.includes(real)) return []
  const entries = await readdir(folder, { withFileTypes: true })
  const found = await Promise.all(
    entries.map(async (entry) => {
      // The kubelet keeps the files of a mounted ConfigMap in folders such as ..data, and links to them beside these.
      if (entry.name.startsWith('..')) return []
      const path = join(folder, entry.name)
      const kind = entry.isSymbolicLink() ? await stat(path).catch(() => undefined) : entry
      if (kind?.isDirectory()) return listFolder(path, [...above, real])
      // A broken link is a file that cannot be read.
      return kind === undefined || kind.isFile() ? [path] : []
    }),
  )
  return found.flat()
}
