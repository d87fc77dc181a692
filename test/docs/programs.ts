/** Programs that the pages call and that are not run here: what each may be asked for, and by which flags. */
import { readdirSync, readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { parse, parseAllDocuments } from 'yaml'
import { parseFlags } from '../../src/lib/args.ts'
import { DEFAULTS } from '../../src/config/settings.ts'
import { SIDECAR } from '../../src/kubernetes/injector/pod.ts'
import { AZURE_CLI } from './azure-cli.ts'
import { assignmentMistakes } from './chart-values.ts'
import { objectMistakes } from './kubernetes-fields.ts'
import { ROOT } from './pages.ts'
import { type Call, missing, type Use, type Verbs } from './verbs.ts'

const NAMESPACE = { namespace: 'value' } as const

const KUBECTL: Verbs = {
  apply: {
    flags: { ...NAMESPACE, filename: 'value' },
    mistakes: ({ flags, input }) => {
      if (flags.value('filename') !== '-') return ['applies something else than its input']
      const documents = parseAllDocuments(input)
      const bare = documents.length === 0 ? ['applies nothing'] : []
      return [...bare, ...documents.flatMap((document) => objectMistakes(document.toJS()))]
    },
  },
  exec: {
    flags: { ...NAMESPACE, container: 'value' },
    mistakes: ({ flags }) =>
      flags.value('container') === SIDECAR ? [] : ['names another container than the sidecar’s'],
  },
  get: {
    flags: { raw: 'value' },
    mistakes: ({ flags }) =>
      ['/.well-known/openid-configuration', '/openid/v1/jwks'].includes(flags.value('raw') ?? '')
        ? []
        : ['asks for a document that the API server does not have'],
  },
  patch: { flags: { ...NAMESPACE, type: 'value', patch: 'value' } },
  'port-forward': {
    flags: NAMESPACE,
    mistakes: ({ operands: [, port] }) =>
      port === undefined || DEFAULTS.WIMDS_ADMIN_LISTEN.endsWith(`:${port}`)
        ? []
        : ['forwards another port than the admin port'],
  },
  'rollout restart': { flags: NAMESPACE },
  'set env': { flags: NAMESPACE },
}

const VALUES: { image: { repository: string } } = parse(
  readFileSync(join(ROOT, 'charts/wimds/values.yaml'), 'utf8'),
)

const HELM: Verbs = {
  install: {
    flags: {
      ...NAMESPACE,
      'create-namespace': 'switch',
      set: 'value',
      'set-string': 'value',
    },
    mistakes: ({ flags, operands: [, chart], directory }) => [
      ...missing(directory, [chart && `${chart}/Chart.yaml`]),
      ...flags.values('set').flatMap((value) => assignmentMistakes(value)),
      ...flags.values('set-string').flatMap((value) => assignmentMistakes(value, true)),
    ],
  },
  uninstall: { flags: NAMESPACE },
}

/** An image of a release, as the chart names it, or the chart, which is pushed beside it. */
const imageMistakes = ({ operands: [image = ''] }: Use) => {
  const { repository } = VALUES.image
  const names = [repository, `${posix.dirname(repository)}/charts/wimds`]
  return names.some((name) => image.replace(/^oci:\/\//, '').startsWith(`${name}:`))
    ? []
    : [`${image} is no image or chart of a release`]
}

const SIGNER = {
  'certificate-oidc-issuer': 'value',
  'certificate-identity-regexp': 'value',
} as const

const SCRIPTS: Readonly<Record<string, string>> = JSON.parse(
  readFileSync(join(ROOT, 'package.json'), 'utf8'),
).scripts

const NPM: Verbs = {
  run: { mistakes: ({ operands: [name, ...args] }) => scriptMistakes(name, args) },
  test: { mistakes: ({ operands }) => scriptMistakes('test', operands) },
}

/** That a script is there, and that the program it starts knows these flags. */
function scriptMistakes(name: string | undefined, args: readonly string[]): string[] {
  if (name === undefined || SCRIPTS[name] === undefined) return [`there is no script ${name}`]
  const [, directory] = /node (\S+)\/[\w.-]+$/.exec(SCRIPTS[`${name}:run`] ?? '') ?? []
  if (directory === undefined) return args.map((arg) => `${arg} is for no program of its own`)
  const sources = readdirSync(join(ROOT, directory))
    .filter((file) => file.endsWith('.ts'))
    .map((file) => readFileSync(join(ROOT, directory, file), 'utf8'))
  return args
    .filter((arg) => !sources.some((source) => source.includes(arg)))
    .map((arg) => `npm run ${name} knows no ${arg}`)
}

/** By their names. What is not here is not there in the sandbox, so that a block that calls it fails. */
export const PROGRAMS: Readonly<Record<string, Verbs>> = {
  kubectl: KUBECTL,
  helm: HELM,
  az: AZURE_CLI,
  npm: NPM,
  aws: { 'eks describe-cluster': { flags: { name: 'value', query: 'value', output: 'value' } } },
  cosign: {
    verify: { flags: SIGNER, mistakes: imageMistakes },
    'verify-attestation': { flags: { ...SIGNER, type: 'value' }, mistakes: imageMistakes },
  },
  gh: { 'attestation verify': { flags: { repo: 'value' }, mistakes: imageMistakes } },
  docker: {
    inspect: { flags: { format: 'value' }, mistakes: imageMistakes },
    'buildx imagetools inspect': { flags: { format: 'value' }, mistakes: imageMistakes },
  },
  git: { tag: { flags: { sign: 'switch' } }, push: {} },
  promtool: {
    'test rules': { mistakes: ({ operands, directory }) => missing(directory, operands) },
    'check metrics': {},
  },
}

/** Short flags, as the pages write them. */
const LONG: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  kubectl: { '-f': '--filename', '-c': '--container', '-n': '--namespace', '-p': '--patch' },
  helm: { '-n': '--namespace' },
  az: {
    '-c': '--container-name',
    '-f': '--file',
    '-g': '--resource-group',
    '-n': '--name',
    '-o': '--output',
  },
  git: { '-s': '--sign' },
}

/** What is wrong with a call that is made in a directory, in sentences that name it. */
export function callMistakes({ program, args, input }: Call, directory: string): string[] {
  if (program === '.ci/run') return args.map((arg) => `.ci/run takes no ${arg}`)
  const verbs = PROGRAMS[program] ?? {}
  const words = Object.keys(verbs).find((verb) =>
    verb.split(' ').every((word, index) => args[index] === word),
  )
  const call = `${program} ${args.join(' ')}`
  if (words === undefined) return [`${call}: is not known`]
  const { flags: kinds = {}, mistakes } = verbs[words] ?? {}
  const rest = args.slice(words.split(' ').length).map((arg) => LONG[program]?.[arg] ?? arg)
  const flags = parseFlags(rest, kinds)
  const use = { directory, flags, operands: flags.positionals, input }
  return [...flags.mistakes, ...(mistakes?.(use) ?? [])].map((mistake) => `${call}: ${mistake}`)
}
