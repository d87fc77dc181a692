/** Names on the pages, in examples and in the messages of the sources: settings, annotations, metrics and values of the chart are known. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Settings } from '../../src/broker/config/settings.ts'
import { parseAnnotations } from '../../src/injection/injector/annotations.ts'
import type { Pod } from '../../src/kubernetes/pod.ts'
import { PAGES, readPage, ROOT } from './pages.ts'

const filesBelow = (folder: string, ending: RegExp) =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => ending.test(name))
    .map((name) => `${folder}/${name}`)

const textOf = (files: readonly string[]) =>
  files.map((file) => readFileSync(join(ROOT, file), 'utf8')).join('\n')

/** The changelog also has names that are gone. */
const CURRENT = PAGES.filter((page) => page !== 'CHANGELOG.md')
const SOURCES = filesBelow('src', /\.ts$/)
const FILES = [
  ...CURRENT,
  ...filesBelow('examples', /\.(?:yaml|json|mjs|hcl|service)$/),
  ...SOURCES,
]
const SOURCE = textOf(SOURCES)
/** It has the variables of programs, with their sources. */
const RECIPES = textOf(['scripts/recipes.yaml'])
const GATE = textOf(['native/gate.c'])
const SCRIPTS: object = JSON.parse(textOf(['package.json'])).scripts
const TEMPLATES = textOf(filesBelow('charts', /\.(?:yaml|tpl|txt)$/))

/** The unknown names in a text. */
const unknownIn = (text: string, names: RegExp, isKnown: (name: string) => boolean) => [
  ...new Set([...text.matchAll(names)].map(([name]) => name).filter((name) => !isKnown(name))),
]

const NAMES: Readonly<Record<string, readonly [RegExp, (name: string) => boolean]>> = {
  settings: [
    /\bWIMDS_[A-Z0-9_]*[A-Z0-9]\b(?!_)/g,
    (name) =>
      name in Settings.shape ||
      GATE.includes(`getenv("${name}")`) ||
      // Variables of the gate for the agent.
      TEMPLATES.includes(`['${name}', `),
  ],
  'variables of SDKs': [
    /\b(?:AZURE|MSI|IDENTITY)_[A-Z0-9]+(?:_[A-Z0-9]+)*\b/g,
    (name) =>
      new RegExp(`\\b${name}\\b`).test(SOURCE + RECIPES) ||
      // The sidecar never sees them: DefaultAzureCredential reads the first, and betas of 2021 the second.
      /^AZURE_(?:TOKEN_CREDENTIALS|POD_IDENTITY_TOKEN_URL)$/.test(name),
  ],
  annotations: [/\bwimds\.io\/[a-z-]*[a-z]/g, isAnnotation],
  'annotations of AKS': [
    /\bazure\.workload\.identity\/[a-z-]*[a-z]/g,
    // The last is for the AKS webhook alone; identity bindings are described by AKS.
    (name) => isAksAnnotation(name) || name.endsWith('/use-identity-binding'),
  ],
  metrics: [
    /(?<![\w/-])wimds_[a-z_]*[a-z]\b/g,
    (name) => SOURCE.includes(name.replace(/_(?:bucket|sum|count)$/, '').replace(/^wimds_/, '')),
  ],
  'scripts of npm': [/\bnpm run [a-z][\w:-]*/g, (call) => call.replace('npm run ', '') in SCRIPTS],
}

test.each(Object.entries(NAMES))('every file names known %s', (_, [names, isKnown]) => {
  const unknown = FILES.map((file) => [file, unknownIn(textOf([file]), names, isKnown)] as const)
  expect(unknown.filter(([, found]) => found.length > 0)).toEqual([])
})

test('docs/kubernetes.md has a row for each annotation, and none for another', () => {
  const rows = [...readPage('docs/kubernetes.md').matchAll(/^\| (`wimds\.io\/.+?) +\|/gm)]
  const listed = rows.flatMap(([, names = '']) =>
    [...names.matchAll(/`(?:wimds\.io\/)?([\w-]+)`/g)].map(([, name]) => name),
  )
  const [mistake = ''] = mistakesOf('wimds.io/frobnicate')
  const [, known = ''] = /\{(.+)\}/.exec(mistake) ?? []
  // The injector's own record.
  expect(new Set(listed)).toEqual(new Set(known.split(',').filter((name) => name !== 'injected')))
})

/** Annotations of pods, and labels of namespaces, which the chart's templates select by. */
function isAnnotation(name: string): boolean {
  return (
    !mistakesOf(name).some((mistake) => mistake.includes('is unknown')) || TEMPLATES.includes(name)
  )
}

/** Returns the injector's problem of a pod with this annotation. */
function mistakesOf(annotation: string): readonly string[] {
  const pod: Pod = { metadata: { annotations: { [annotation]: '' } }, spec: { containers: [] } }
  return parseAnnotations(pod).problems
}

function isAksAnnotation(name: string): boolean {
  const [, short = ''] = name.split('/')
  return new RegExp(`[/}]${short}\\b`).test(SOURCE)
}
