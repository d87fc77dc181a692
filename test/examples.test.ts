/** Tests of the examples without a cluster: their common settings, and their scripts when a request fails. */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { z } from 'zod'
import { inject } from '../src/tools/inject/inject.ts'
import { createFolder } from './fixtures/folder.ts'
import { runProgram } from './fixtures/run-program.ts'
import { runCommand } from './tools/capture.ts'
import { readPage, ROOT } from './docs/pages.ts'

const EXAMPLES = ['kubernetes', 'services'].flatMap((folder) =>
  readdirSync(join(ROOT, 'examples', folder)).map((name) => `${folder}/${name}`),
)

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

/** The messages of the rules in a file of policies. */
function messagesOf(name: string): ReadonlySet<string> {
  const documents = parseAllDocuments(readPage(`examples/policies/${name}.yaml`))
  const json = JSON.stringify(documents.map((document): unknown => document.toJS()))
  return new Set(json.match(/(?<="message(?:Expression)?":")(?:[^"\\]|\\.)+/g))
}

test('the application of ASP.NET Core keeps its port, and requests its token without a proxy', async () => {
  const file = join(ROOT, 'examples/aspnet-core/deployment.yaml')
  const { code, out, err } = await runCommand(inject, ['--image-registry=example.com', file])
  expect({ code, warnings: /warning/.test(err) }).toEqual({ code: 0, warnings: false })
  expect(out).toContain('containerPort: 8080')
  expect(out).toMatch(/name: NO_PROXY\n +value: 169\.254\.169\.254/)
})

describe('examples/policies', () => {
  test('the pod that the policies allow is the same as an injected pod', async () => {
    const documents = readPage('examples/policies/pods.yaml').split('\n---\n')
    const pod = documents.find((text) => text.includes('name: allowed-injected')) ?? ''
    const identity = [`--client-id=${CLIENT}`, `--tenant-id=${TENANT}`]
    const args = ['--quiet', '--image-registry=registry.example.com/platform', ...identity, '-']
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
    // This ends the loop of a Deployment.
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
      // The log of the script has the reason.
      expect(failed.stdout).toContain('the body')
    }
  })

  test('services/key-vault does not print the secret', () => {
    const vault = scripts.find(({ example }) => example === 'services/key-vault')
    expect(run(vault?.script ?? '', 0).stdout).not.toContain('secret-value')
  })
})

test.skipIf(spawnSync('systemd-analyze', ['--version']).error !== undefined)(
  'systemd finds no problem in the unit',
  async () => {
    using directory = createFolder()
    // systemd-analyze checks that the program exists.
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

/** The variables that the examples and the sidecar set for the scripts. */
const VARIABLES = [
  'AZURE_POD_IDENTITY_AUTHORITY_HOST',
  'BILLING',
  'BLOB',
  'CONTAINER',
  'SECRET',
] as const
