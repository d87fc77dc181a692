/** The versions of Helm that the suite runs: HELMS has their paths, separated by colons; by default the one of the PATH. */
import { execFile, execFileSync } from 'node:child_process'
import { promisify } from 'node:util'
import { parseAllDocuments } from 'yaml'
import { z } from 'zod'

export const CHART = 'charts/wimds'

export interface Helm {
  readonly path: string
  readonly version: string
  /** Runs a command of Helm, and `template` with the registry of a release. Returns its output. Throws its error output. */
  readonly run: (command: string, ...args: readonly string[]) => Promise<string>
}

const env: Readonly<Record<string, string | undefined>> = process.env
const run = promisify(execFile)

export const HELMS: readonly Helm[] = (env['HELMS'] || 'helm').split(':').map((path) => ({
  path,
  version: readVersion(path),
  run: async (command, ...args) => {
    // The registry is in a values file, so that each flag of a test takes precedence.
    const registry = command === 'template' ? [`--values=${import.meta.dirname}/registry.yaml`] : []
    const { stdout } = await run(path, [command, ...registry, ...args], {
      maxBuffer: 16 * 1024 * 1024,
    })
    return stdout
  },
}))

/** Returns a version such as `v4.3.1`. */
function readVersion(path: string): string {
  try {
    return execFileSync(path, ['version', '--template={{.Version}}'], { encoding: 'utf8' })
  } catch (cause) {
    throw new Error(`no Helm at ${path}. Fix: set HELMS to paths, as \`.ci/run chart\` does`, {
      cause,
    })
  }
}

/** Values as in a values file, or flags of helm. */
export type Values = Readonly<Record<string, unknown>> | readonly string[]

const toFlags = (values: Values) =>
  Array.isArray(values)
    ? values
    : Object.entries(values).map(([name, value]) => `--set-json=${name}=${JSON.stringify(value)}`)

/** Renders the chart for a current Kubernetes with the last Helm, since each renders the same. Later values take precedence. */
export const template = (
  values: readonly Values[],
  {
    helm = HELMS.at(-1),
    chart = CHART,
    release = 'wimds',
  }: { helm?: Helm | undefined; chart?: string; release?: string } = {},
) =>
  (helm ?? fail()).run(
    'template',
    release,
    chart,
    '--namespace=wimds',
    '--kube-version=1.34.0',
    ...values.flatMap(toFlags),
  )

function fail(): never {
  throw new Error('no Helm')
}

const Manifest = z.looseObject({
  kind: z.string(),
  metadata: z.looseObject({ name: z.string(), labels: z.record(z.string(), z.string()) }),
})

/** Returns the documents in the output of `helm template`. Throws for a duplicate key. */
export const parseDocuments = (output: string) =>
  parseAllDocuments(output).map((document) => {
    if (document.errors.length > 0) throw new Error(String(document.errors))
    return document.toJS()
  })

export const parseManifests = (output: string) =>
  parseDocuments(output).map((document) => Manifest.parse(document))

export const render = async (...values: readonly Values[]) => parseManifests(await template(values))
