/** `npm run test:azure`: creates a cluster in Azure by the commands of the pages, checks it, writes a report, and deletes it. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { VERSION } from '../../src/lib/version.ts'
import { ROOT } from '../docs/pages.ts'
import { createFolder } from '../fixtures/folder.ts'
import { deleteAll } from './support/deletion.ts'
import { hideIdentifiers } from './support/identifiers.ts'
import { createReader, print, type Reader } from './support/reader.ts'
import { redact } from './support/redact.ts'
import { formatReport, type Result } from './support/report.ts'
import { PUBLIC_AUTHORITY, type Run } from './support/run-parts.ts'
import { STEPS } from './support/steps.ts'

/** The deletion takes some of the 30 minutes. */
const LIMIT_MINUTES = 22

const USAGE = `usage: npm run test:azure -- [--location REGION] [--reports DIR]

Runs in the subscription of \`az account show\`, which it needs as Owner, with the right to create applications. Creates a
resource group with a cluster of one node, a registry, an identity and a storage account, and an application of the same name.
After ${LIMIT_MINUTES} minutes at most, a failure or Ctrl-C it writes the report and deletes all of them.

  --location  default: westeurope
  --reports   the folder of the report; default: test/azure/reports

WIMDS_AZURE_GROUP names the resource group, which must not exist. WIMDS_AZURE_AUTHORITY is for tests of this program.
`
/** List prices of a node of the default size, a load balancer, an address and a basic registry, rounded up. */
const USD_PER_HOUR = 0.35

const env: Readonly<Record<string, string | undefined>> = process.env
const GROUP = env['WIMDS_AZURE_GROUP'] || `wimds-test-${crypto.randomUUID().slice(0, 8)}`
const AUTHORITY = env['WIMDS_AZURE_AUTHORITY'] || PUBLIC_AUTHORITY
const RETRY_MS = env['WIMDS_AZURE_AUTHORITY'] ? 10 : 5000
const ATTEMPTS = 60

const { values } = parseArgs({
  options: {
    location: { type: 'string', default: 'westeurope' },
    reports: { type: 'string', default: join(ROOT, 'test/azure/reports') },
    help: { type: 'boolean', default: false },
  },
})
if (values.help) process.stdout.write(USAGE)
else process.exitCode = await main(values)

async function main({ location, reports }: typeof values): Promise<number> {
  const startedAt = Date.now()
  const stopping = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(name, () => stopping.abort(new Error(`ended by ${name}`)))
  // After the terminal was closed, a failed write must not end the program before the deletion.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined)
  using folder = createFolder()
  // A signal or the time limit stops the reader of the steps, but not `last`, which deletes.
  const limit = AbortSignal.any([stopping.signal, AbortSignal.timeout(LIMIT_MINUTES * 60_000)])
  const last = createReader(folder.path, {})
  const problem = await findProblem(last)
  if (problem !== undefined) {
    process.stderr.write(`${problem}\n`)
    return 1
  }
  const reader = createReader(folder.path, createReplacements(location), limit)
  const identifiers: Record<string, string> = { [GROUP]: 'group' }
  const run = {
    reader,
    builder: createReader(folder.file('builder'), {}, limit),
    folder,
    authority: AUTHORITY,
    location,
    hide: (identifier: string, word: string) => void (identifiers[identifier] = word),
    redact: (value: unknown) => redact(value, identifiers),
    async repeat<T>(attempt: () => Promise<T>): Promise<T> {
      for (let count = 1; ; count += 1) {
        try {
          return await attempt()
        } catch (error) {
          if (count === ATTEMPTS) throw error
          await sleep(RETRY_MS, undefined, { signal: limit })
        }
      }
    },
  }
  const results: Result[] = []
  let isDeleted = false
  try {
    await runSteps(run, limit, results)
    // This reads the identifiers of resources before their deletion, which it must not delay for long.
    await hideIdentifiers(run, createReader(folder.path, {}, AbortSignal.timeout(60_000)))
  } finally {
    isDeleted = await deleteAll(last, GROUP)
  }
  const minutes = Math.ceil((Date.now() - startedAt) / 60_000)
  const about = {
    date: new Date().toISOString().slice(0, 10),
    version: VERSION,
    commit: await print(last, 'git rev-parse --short HEAD'),
    az: await print(last, 'az version --query \'"azure-cli"\' --output tsv'),
    helm: await print(last, "helm version --template '{{.Version}}'"),
    minutes: String(minutes),
    'deleted everything': isDeleted ? 'yes' : 'no',
  }
  mkdirSync(reports, { recursive: true })
  const file = join(reports, `${about.date}.md`)
  writeFileSync(file, formatReport(about, results, identifiers))
  const failed = results.filter(({ outcome }) => outcome !== 'passed')
  for (const { name, outcome, evidence } of failed) {
    const why = typeof evidence === 'string' ? `: ${String(run.redact(evidence))}` : ''
    process.stdout.write(`${outcome}: ${name}${why}\n`)
  }
  const cost = Math.ceil((minutes / 60) * USD_PER_HOUR * 100) / 100
  process.stdout.write(`${results.length - failed.length} passed, ${failed.length} not; ${file}\n`)
  process.stdout.write(`${minutes} min, about ${cost} USD at list prices\n`)
  return failed.length === 0 && isDeleted ? 0 : 1
}

/** Returns the run's own chart and group, by the published chart and the group in the pages. */
function createReplacements(location: string) {
  return {
    'oci://ghcr.io/wimds/charts/wimds':
      './artifacts/charts/wimds-*.tgz --set "global.imageRegistry=$REGISTRY"',
    'wimds-try': GROUP,
    'LOCATION=westeurope': `LOCATION=${location}`,
    '--enable-oidc-issuer': '--enable-oidc-issuer --enable-workload-identity',
    '--resource-group shop --cluster-name prod':
      '--resource-group "$GROUP" --cluster-name "$CLUSTER"',
    '--resource-group shop': '--resource-group "$GROUP"',
  }
}

/** Returns why no run is possible. The group is deleted at the end, so it must be new. */
async function findProblem({ shell }: Reader): Promise<string | undefined> {
  try {
    await shell('kubectl version --client && helm version && "${DOCKER_COMMAND:-docker}" version')
  } catch (error) {
    return `${String(error)}\nFix: install kubectl, Helm 4, and docker or podman (DOCKER_COMMAND=podman)`
  }
  try {
    const exists = await shell(`az group exists --name '${GROUP}'`)
    if (exists.trim() === 'false') return undefined
    return `the resource group ${GROUP} exists. Fix: set WIMDS_AZURE_GROUP to a new name, or unset it`
  } catch (error) {
    return `${String(error)}\nFix: sign in by az login`
  }
}

/** Runs the steps, and adds the result of each. */
async function runSteps(run: Run, limit: AbortSignal, results: Result[]): Promise<void> {
  let isBlocked = false
  for (const { name, isNeeded, run: execute } of STEPS) {
    const startedAt = Date.now()
    const add = (outcome: Result['outcome'], evidence?: unknown) =>
      results.push({
        name,
        outcome,
        seconds: Math.round((Date.now() - startedAt) / 1000),
        evidence,
      })
    if (isBlocked || limit.aborted) {
      add('not reached')
      continue
    }
    process.stderr.write(`══ ${name}\n`)
    try {
      add('passed', await execute(run))
    } catch (error) {
      const { message } = error instanceof Error ? error : new Error(String(error))
      add('failed', limit.aborted ? describeEnd(limit) : message.slice(0, 2000))
      isBlocked = isNeeded === true
    }
  }
}

function describeEnd({ reason }: AbortSignal): string {
  const isLate = reason instanceof Error && reason.name === 'TimeoutError'
  return isLate ? `ended after ${LIMIT_MINUTES} minutes` : String(reason)
}
