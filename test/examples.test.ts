/** The examples without a cluster: what they share, and what their scripts do when a request fails. */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { z } from 'zod'
import { inject } from '../src/tools/inject/inject.ts'
import { createFolder } from './fixtures/folder.ts'
import { runProgram } from './fixtures/run-program.ts'
import { runCommand } from './tools/capture.ts'
import { PAGES, readPage, ROOT } from './docs/pages.ts'

const EXAMPLES = ['kubernetes', 'services'].flatMap((folder) =>
  readdirSync(join(ROOT, 'examples', folder)).map((name) => `${folder}/${name}`),
)

const Image = z.object({ name: z.string(), newName: z.string(), newTag: z.string() })
const Settings = z.looseObject({ images: z.array(Image) })
const Container = z.looseObject({
  name: z.string(),
  image: z.string(),
  args: z.tuple([z.string()]),
})
const PodSpec = z.looseObject({
  containers: z.array(Container),
  initContainers: z.array(Container).default([]),
})
const Workload = z.looseObject({
  kind: z.enum(['Deployment', 'Job']),
  spec: z.looseObject({ template: z.looseObject({ spec: PodSpec }) }),
})

const CLIENT = '11111111-1111-4111-8111-111111111111'
const TENANT = '22222222-2222-4222-8222-222222222222'

/** The containers of each example, with the example's name. */
const CONTAINERS = EXAMPLES.flatMap((example) =>
  ['deployment', 'job']
    .map((name) => `examples/${example}/${name}.yaml`)
    .filter((file) => existsSync(join(ROOT, file)))
    .flatMap((file) => {
      const [document] = parseAllDocuments(readPage(file))
      const { kind, spec } = Workload.parse(document?.toJS())
      const { initContainers, containers } = spec.template.spec
      return [...initContainers, ...containers].map(({ image, args: [script] }) => ({
        example,
        kind,
        image,
        script,
      }))
    }),
)

/** The manifests of the examples; the kustomizations are none. */
const MANIFESTS = [...EXAMPLES, 'settings'].flatMap((example) =>
  readdirSync(join(ROOT, 'examples', example))
    .filter((name) => name.endsWith('.yaml') && name !== 'kustomization.yaml')
    .map((name) => `examples/${example}/${name}`),
)
const KubernetesObject = z.looseObject({
  kind: z.string(),
  metadata: z.looseObject({ namespace: z.string().optional() }),
  /** Of a ClusterRoleBinding. */
  subjects: z.array(z.object({ namespace: z.string() })).default([]),
})

test('every example is in the table of the README, and has its containers here', () => {
  const readme = readPage('examples/README.md')
  expect(EXAMPLES.filter((example) => !readme.includes(`| [${example}] `))).toEqual([])
  const found = new Set(CONTAINERS.map(({ example }) => example))
  // It is a patch of another example.
  expect(EXAMPLES.filter((example) => !found.has(example))).toEqual([
    'kubernetes/identity-binding-and-federation',
  ])
})

test('every image is one of the settings, with a registry and a version', () => {
  const { images } = Settings.parse(parse(readPage('examples/settings/kustomization.yaml')))
  for (const { newName, newTag } of images) {
    expect(`${newName}:${newTag}`).toMatch(/^[a-z]+(?:\.[a-z]+)+\/[a-z/]+:\d[\w.-]+$/)
  }
  const names = new Set(images.map(({ name }) => name))
  expect(CONTAINERS.filter(({ image }) => !names.has(image))).toEqual([])
})

test('curl has one version in all examples and pages', () => {
  const { images } = Settings.parse(parse(readPage('examples/settings/kustomization.yaml')))
  const curl = images.find(({ name }) => name === 'curl')
  const files = [...PAGES, 'examples/compose/compose.yaml', 'test/e2e/support/docs.ts']
  const used = files.flatMap(
    (file) => readPage(file).match(/docker\.io\/curlimages\/curl:[\w.]+/g) ?? [],
  )
  expect(used.length).toBeGreaterThan(2)
  expect(new Set(used)).toEqual(new Set([`${curl?.newName}:${curl?.newTag}`]))
})

/** The messages of the rules in a file of policies. */
function messagesOf(name: string): ReadonlySet<string> {
  const documents = parseAllDocuments(readPage(`examples/policies/${name}.yaml`))
  const json = JSON.stringify(documents.map((document): unknown => document.toJS()))
  return new Set(json.match(/(?<="message(?:Expression)?":")(?:[^"\\]|\\.)+/g))
}

/** What kustomize replaces by the namespace of the settings. The API server refuses it: there is no such namespace. */
const PLACEHOLDER = 'use-kubectl-apply-k-not-f'

test('every manifest has a placeholder as its namespace, which kustomize replaces', () => {
  const objects = MANIFESTS.flatMap((file) =>
    parseAllDocuments(readPage(file)).map((document) => KubernetesObject.parse(document.toJS())),
  )
  const namespaced = objects.filter(({ kind }) => !kind.startsWith('Cluster'))
  const namespaces = [
    ...namespaced.map(({ metadata }) => metadata.namespace),
    ...objects.flatMap(({ subjects }) => subjects.map(({ namespace }) => namespace)),
  ]
  expect(namespaced.length).toBeGreaterThan(10)
  expect(new Set(namespaces)).toEqual(new Set([PLACEHOLDER]))
})

test('no command of a manifest depends on the current namespace', () => {
  const commands = MANIFESTS.flatMap(
    (file) => readPage(file).match(/^# .*kubectl (?!apply -k).*$/gm) ?? [],
  )
  expect(commands.length).toBeGreaterThan(10)
  expect(commands.filter((command) => !command.includes('--namespace '))).toEqual([])
})

test.each(MANIFESTS.filter((file) => /(?:job|deployment)\.yaml$/.test(file)))(
  '%s says what it shows, and how to check it',
  (file) => {
    const text = readPage(file)
    const [, kind = '', name = ''] = /^kind: (\w+)\nmetadata:\n  name: (.+)$/m.exec(text) ?? []
    const apply = `# Apply: kubectl apply -k ${dirname(file)}\n`
    const check = `# Check: .* ${kind.toLowerCase()}/${name.toLowerCase()}`
    expect(text).toMatch(new RegExp(`^# Shows: [^]*\\n${apply}[^]*\\n${check}`))
  },
)

test('the application of ASP.NET Core keeps its port, and asks no proxy for its token', async () => {
  const file = join(ROOT, 'examples/aspnet-core/deployment.yaml')
  const images = ['--image', 'example.com/wimds:1', '--redirect-image', 'example.com/redirect:1']
  const { code, out, err } = await runCommand(inject, [...images, file])
  expect({ code, warnings: /warning/.test(err) }).toEqual({ code: 0, warnings: false })
  expect(out).toContain('containerPort: 8080')
  expect(out).toMatch(/name: NO_PROXY\n +value: 169\.254\.169\.254/)
})

describe('examples/policies', () => {
  test('the pod that the policies allow is as injection makes it', async () => {
    const documents = readPage('examples/policies/pods.yaml').split('\n---\n')
    const pod = documents.find((text) => text.includes('name: allowed-injected')) ?? ''
    const images = ['image', 'redirect-image'].map(
      (flag) =>
        `--${flag}=registry.example.com/platform/${flag === 'image' ? 'wimds' : 'wimds-redirect'}:0.1.0`,
    )
    const identity = [`--client-id=${CLIENT}`, `--tenant-id=${TENANT}`]
    const args = ['--quiet', ...images, ...identity, '-']
    const { code, out } = await runCommand(inject, args, {}, pod)
    expect(code).toBe(0)
    expect(parse(out)).toEqual(parse(pod))
  })

  test('have the same rules for Gatekeeper and for Kyverno', () => {
    expect(messagesOf('kyverno').size).toBe(7)
    expect(messagesOf('gatekeeper')).toEqual(messagesOf('kyverno'))
  })
})

describe('the script of', () => {
  const folder = createFolder()
  const { path: directory, write } = folder
  beforeAll(() => {
    // Counts its calls, and fails at the one that FAILS_AT names, with the body of an error.
    const curl = `#!/bin/bash
      echo x >>"$CALLS"
      calls=$(wc -l <"$CALLS")
      if [ "$calls" -eq "$FAILS_AT" ]; then echo '{"error":"the body"}'; exit 22; fi
      case "$*" in
        */oauth2/token*) echo '{"access_token":"secret-token","expires_in":"86399"}' ;;
        *) echo '{"value":"secret-value"}' ;;
      esac
    `
    write('curl', curl, 0o755)
    // Ends the loop of a Deployment.
    write('sleep', '#!/bin/bash\nkill $PPID\n', 0o755)
  })
  afterAll(() => folder[Symbol.dispose]())

  function run(script: string, failsAt: number) {
    const calls = write(`calls-${failsAt}`, '')
    const { status, stdout } = spawnSync('bash', ['-c', script], {
      encoding: 'utf8',
      env: {
        PATH: `${directory}${delimiter}${process.env['PATH']}`,
        CALLS: calls,
        FAILS_AT: String(failsAt),
        ...Object.fromEntries(VARIABLES.map((name) => [name, 'http://example.com'])),
      },
    })
    return { status, stdout, calls: readFileSync(calls, 'utf8').length / 2 }
  }

  const scripts = CONTAINERS.filter(({ image }) => image === 'curl')
  test.each(scripts)('$example ($kind) fails if one of its requests does', ({ script }) => {
    const { status, stdout, calls } = run(script, 0)
    expect(status).toBe(0)
    expect(calls).toBeGreaterThan(0)
    expect(stdout).not.toContain('secret-token')
    for (let failsAt = 1; failsAt <= calls; failsAt++) {
      const failed = run(script, failsAt)
      expect(failed.status).not.toBe(0)
      // Its log says why.
      expect(failed.stdout).toContain('the body')
    }
  })

  test('services/key-vault does not print the secret', () => {
    const vault = scripts.find(({ example }) => example === 'services/key-vault')
    expect(run(vault?.script ?? '', 0).stdout).not.toContain('secret-value')
  })
})

test.skipIf(spawnSync('systemd-analyze', ['--version']).error !== undefined)(
  'systemd finds nothing to complain about in the unit',
  async () => {
    using directory = createFolder()
    // It checks that the program exists.
    const text = readPage('examples/systemd/wimds.service')
    const unit = directory.write(
      'wimds.service',
      text.replace('/usr/local/bin/wimds', process.execPath),
    )
    expect(await runProgram('systemd-analyze', ['verify', unit])).toMatchObject({
      code: 0,
      stderr: '',
    })
  },
)

/** What an example or the sidecar sets in the environment of the scripts. */
const VARIABLES = [
  'AZURE_POD_IDENTITY_AUTHORITY_HOST',
  'BILLING',
  'BLOB',
  'CONTAINER',
  'SECRET',
] as const
